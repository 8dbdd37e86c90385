"""Which tags a repository has."""

from __future__ import annotations

from imagesync_cli.stores import Access, Side, Stores
from imagesync_cli.values.digest import is_digest
from imagesync_cli.values.errors import ImagesyncError
from imagesync_cli.values.names import Tag, is_tag
from imagesync_cli.values.progress import note
from imagesync_cli.values.reference import Reference

_SHOWN = 100


async def list_tags(stores: Stores, reference: Reference, side: Side = Side.SOURCE) -> list[Tag] | ImagesyncError:
    """Every tag of the repository or folder, none where there is no such destination yet; or why that is not known.

    A source that does not exist has no tags either, as registries tell it. An archive may call images by names that
    are no tags: these are left out.
    """
    names = await list_names(stores, reference, side)
    if isinstance(names, ImagesyncError):
        return names
    for name in names:
        if not is_tag(name):
            note(f"{reference.name} has {name[:_SHOWN]!r}, which is no tag: left out")
    return [name for name in names if is_tag(name)]


async def list_names(
    stores: Stores, reference: Reference, side: Side = Side.SOURCE, *, must_exist: bool = False
) -> list[str] | ImagesyncError:
    """The same with all names that an archive has for its images. NotFound if it ``must_exist`` and does not."""
    try:
        store = stores.open(reference, Access.READ, side)
        names = await store.tags(sound_only=side is Side.SOURCE, must_exist=must_exist)
    except ImagesyncError as error:
        return error
    return [name for name in names if not is_digest(name)]  # a folder lists images without a tag by digest
