"""Look at what the destination has of an image, and send anew what it lacks or holds wrongly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from imagesync_cli.concurrency import gather
from imagesync_cli.copy.copy import Copy
from imagesync_cli.look.inspect import Findings, Inspection
from imagesync_cli.look.selection import find_present
from imagesync_cli.values.errors import ContentError, Unavailable
from imagesync_cli.values.manifest import Descriptor, Manifest

# distribution 2.8 and 3 take a blob that they have a file for, answer 201, and keep that file as it is. A file that is
# gone they write again.
_KEPT = (
    "the registry took the right bytes and kept the wrong ones: remove that file from its storage, or delete every "
    "image that uses it and collect the registry's garbage, then sync again"
)


class Repair:
    """One image is looked at, and with ``read`` its blobs are hashed.

    ``known`` is the root where it was read before, or made here, and so cannot be read at the source. ContentError says
    that the destination keeps the damage.
    """

    def __init__(self, copy: Copy, known: Manifest | None, *, read: bool) -> None:
        self._copy = copy
        self._known = known
        self._read = read

    async def images(self, *roots: Descriptor) -> None:
        """Images that the destination has."""
        await self._mend(lambda inspection: inspection.images(*roots))

    async def below(self, root: Manifest) -> None:
        """What is below an image that has no tag yet.

        A dry run has put nothing there to look at; it looks at what it would have left as it was.
        """
        if self._copy.report.dry_run:
            await self.images(*self._copy.kept)
        else:
            await self._mend(lambda inspection: inspection.below(root))

    async def tag(self, tag: str, root: Manifest) -> None:
        """The tag of an image that was written, by a look at it."""
        there = self._copy.there
        if not self._copy.report.dry_run and (await find_present(there, tag)).digest != root.digest:
            raise Unavailable(
                f"{there.name}:{tag} is not on {root.digest}, though it was stored there",
                hint="either the request did not get there, or somebody moved the tag; run it again",
            )

    async def _mend(self, look: Callable[[Inspection], Awaitable[Findings]]) -> None:
        """Send what is lost, and where anything was, look again."""
        copy = self._copy

        def inspection() -> Inspection:
            return Inspection(copy.there, copy.progress, read=self._read, origin=copy.here, known=self._known)

        findings = await look(inspection())
        copy.report.damage += findings.problems
        await gather(copy.send(blob, anew=True) for blob in findings.lost_blobs)
        await gather(copy.put(manifest) for manifest in findings.lost_manifests if not manifest.manifests)
        for index in findings.lost_manifests:
            if index.manifests:
                await copy.put(index)
        if not findings.problems or copy.report.dry_run:
            return
        if still := (await look(inspection())).problems:
            worst = still[0]
            raise ContentError(
                f"{copy.there.name} is damaged even after it was sent again: {worst} ({worst.why})",
                hint="" if worst.kind == "missing" else _KEPT,
            )
