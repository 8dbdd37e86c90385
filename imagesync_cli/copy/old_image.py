"""The image that a tag is moved away from: whether that may be, and how it is kept.

Some registries drop at once what no tag leads to. zot does: the manifest is gone with the PUT that moves its last tag,
and with it what it lists, even where another tag's index lists that too. So its manifests are read before, and written
again if they went; their blobs are still there.
"""

from __future__ import annotations

from imagesync_cli.look.walk import Place, Walk
from imagesync_cli.stores import Store
from imagesync_cli.values.errors import ContentError, ImagesyncError, NotFound, Refused
from imagesync_cli.values.manifest import Descriptor, Manifest


class OldImage:
    """What the tag points at before it is moved, ``digest`` or "" for nothing; ``keep_as`` is a tag to keep it."""

    def __init__(self, store: Store, digest: str, keep_as: str = "") -> None:
        self._store = store
        self._digest = digest
        self._keep_as = keep_as
        self._manifests: list[Manifest] = []  # children first

    async def keep(self) -> None:
        """Give it its tag, or read all its manifests where they might go."""
        if self._digest and self._keep_as:
            await self._store.put_manifest(await self._store.manifest(self._digest), self._keep_as)
        elif self._digest and self._store.drops_untagged:
            async with Walk(self._visit, what="the image that was there before") as self._walk:
                await self._walk.visit(Descriptor.of(self._digest))

    async def put_back(self) -> None:
        """Write it again if it is gone by now: one HEAD where it is not."""
        if not self._manifests or await self._store.has_manifest(self._manifests[-1].descriptor):
            return
        try:
            for manifest in self._manifests:
                await self._store.put_manifest(manifest)
        except ImagesyncError as error:
            error.hint = f"the new image is there; {self._digest}, which was there before it, could not be put back"
            raise

    async def _visit(self, place: Place) -> None:
        try:
            manifest = await self._walk.read(self._store, place)
        except (NotFound, ContentError, Refused):
            self._walk.check_bytes()
            return  # it is damaged already, and nothing that could be put back
        await self._walk.below(manifest, place)
        self._manifests.append(manifest)


async def check_replaceable(overwrite: str, here: Store, there: Store, tag: str, before: str) -> None:
    """Raise Refused where the tag holds an image that ``overwrite`` keeps; ``before`` is its digest, "" for none."""
    if not before or overwrite in ("always", before):
        return
    if overwrite == "ours" and await _comes_from(here, there, before):
        return
    why = {
        "never": "overwrite is never, so a tag stays as it is",
        "ours": f"overwrite is ours, and {here.name} does not have that image",
    }.get(overwrite, f"only {overwrite} may be replaced")
    raise Refused(
        f"{there.name}:{tag} has another image already, {before}: {why}",
        hint="remove or rename that tag, use another one, or allow it with overwrite = always",
    )


async def _comes_from(here: Store, there: Store, digest: str) -> bool:
    """Whether the source's repository has this image, or for an index of chosen platforms all that it lists."""
    if await here.has_manifest(Descriptor.of(digest)):
        return True
    try:
        children = (await there.manifest(digest)).manifests
    except NotFound:
        return False
    for child in children:
        if not await here.has_manifest(child):
            return False
    return bool(children)
