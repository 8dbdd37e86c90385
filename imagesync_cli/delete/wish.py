"""What is to be removed: a policy for all, and a wish for each reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagesync_cli.delete.delete_report import DeleteReport
from imagesync_cli.stores import Untagged
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.reference import LayoutReference, Reference

if TYPE_CHECKING:
    from imagesync_cli.values.tags.replacing import KeepAs


@dataclass(frozen=True)
class Policy:
    """What may be removed.

    ``expect`` is the digest that was put there, "" for whatever is there now. If the tag has moved on from it,
    ``on_replace`` ("delete" or "keep") rules; if it has not, ``on_destroy`` ("delete", "keep" or "refuse"). Where it is
    known what comes in its place (``successors``, by tag), any other image there is somebody else's: both policies
    protect.
    Tags ``in_use`` stay: a list of tags that lacks one which is there is not whole. ``referrers`` says that what is
    attached to an image goes with it, but for those tags. Where a tag has moved on, of the images that tags of their
    own keep (``keep_as``) the last ``keep_last`` stay, None for all: together.py sees to that.
    """

    expect: str = ""
    on_replace: str = "delete"
    on_destroy: str = "delete"
    successors: frozenset[tuple[str, str]] | None = None
    keep_manifests: bool = False
    all_tags: bool = False
    referrers: bool = False
    in_use: frozenset[str] = frozenset()
    max_tags: int | None = None
    keep_as: KeepAs | None = None
    keep_last: int | None = None
    dry_run: bool = False

    def why_kept(self, tag: str, current: str) -> str:
        """What keeps the image that was put under a tag which is on this one now, "" for nothing."""
        if self.on_replace != "delete":  # the modules say "keep" for "retag" too
            return "on_replace is not delete"
        is_foreign = self.successors is not None and (tag, current) not in self.successors
        return "on_destroy is not delete" if is_foreign and self.on_destroy != "delete" else ""


@dataclass
class Wish:
    """A tag to remove (or "" for a manifest alone), and the manifest to look at after that (or "" for none)."""

    report: DeleteReport
    tag: str
    expect: str
    target: str = ""
    current: str = ""  # the digest that the tag points at
    offer: Untagged = Untagged.DONE  # what the registry answered when it was asked to remove the tag

    @property
    def failed(self) -> bool:
        """Whether an error ended it."""
        return self.report.error is not None


def wish_of(reference: Reference, policy: Policy) -> Wish:
    """The wish of one reference; UsageError where it names two images."""
    if policy.expect and reference.digest not in ("", policy.expect):
        raise UsageError(f"{reference} and --digest {policy.expect} name two images", hint="leave one of them out")
    report = DeleteReport(str(reference), policy.dry_run, freed_at_once=isinstance(reference, LayoutReference))
    if reference.digest and not reference.tag:
        return Wish(report, "", reference.digest, target=reference.digest)
    return Wish(report, reference.meant_tag, policy.expect or reference.digest)
