"""What is wanted of an image, and what a store has of it: asked here by sync, check, batches, locks and Terraform."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagesync_cli.values.digest import NO_DIGEST
from imagesync_cli.values.errors import NotFound
from imagesync_cli.values.manifest import Descriptor, Manifest

if TYPE_CHECKING:
    from imagesync_cli.stores import Store
    from imagesync_cli.values.platforms import Platform
    from imagesync_cli.values.reference import Reference


@dataclass(frozen=True)
class Selection:
    """What is copied, resolved or compared; by default the image whole, as its source has it.

    ``digest`` is the image's digest wherever its tag points by now, "" for what the reference names.
    ``platforms`` are those wanted, none for all.
    ``referrers`` says that whatever is attached to the image, such as its signatures, belongs to it; or only what is of
    one of the ``referrer_types``, where any are named.
    ``foreign_layers`` says that layers which live at URLs of their own are copied as well.
    """

    digest: str = ""
    platforms: tuple[Platform, ...] = ()
    referrers: bool = False
    foreign_layers: bool = False
    referrer_types: tuple[str, ...] = ()

    @property
    def has_all_referrers(self) -> bool:
        """Whether nothing of what is attached stays behind: then all of that goes with the image, too."""
        return self.referrers and not self.referrer_types


WHOLE = Selection()
NOTHING = Descriptor("", NO_DIGEST, 0)


@dataclass(frozen=True)
class Wanted:
    """What is to arrive of a source, and the digest of the whole image that this is chosen from.

    ``root`` is its manifest where that was read, or made (``is_new``), to find it.
    """

    descriptor: Descriptor
    source_digest: str
    root: Manifest | None = None
    is_new: bool = False


async def find_wanted(
    store: Store,
    source: Reference,
    selection: Selection,
    read: Callable[[str], Awaitable[Manifest]] | None = None,
) -> Wanted:
    """One HEAD, or one GET of the root where platforms are chosen: by ``read``, for whoever shares what was read."""
    wanted = selection.digest or source.wanted
    if not selection.platforms:
        descriptor = await store.head(wanted)
        return Wanted(descriptor, descriptor.digest)
    from imagesync_cli.look.choose_platforms import choose_platforms

    root = await (read or store.manifest)(wanted)
    return await choose_platforms(store, root, selection.platforms, str(source))


async def read_whole(store: Store, blob: Descriptor) -> bytes:
    """The bytes of a blob whose size the caller has bounded."""
    async with contextlib.aclosing(store.read_blob(blob)) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def find_present(store: Store, wanted: str) -> Descriptor:
    """What this tag or digest is, NOTHING where it is not there."""
    try:
        return await store.head(wanted)
    except NotFound:
        return NOTHING
