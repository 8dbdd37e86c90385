"""What a delete says of itself: what went, what stays, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from imagesync_cli.values.errors import ImagesyncError, Unavailable


@dataclass(frozen=True)
class Item:
    """One thing that was looked at: ``kind`` is tag or manifest, ``outcome`` removed, kept, absent or put back."""

    kind: str
    name: str
    outcome: str
    why: str = ""
    size_bytes: int = 0


@dataclass
class DeleteReport:
    """What became of one reference, whether its tag has moved on, and the error that ended it, if one did.

    ``freed_bytes`` is an upper bound, since other images may share layers; a layout folder frees them at once, a
    registry when it collects its garbage.
    """

    reference: str
    dry_run: bool
    freed_at_once: bool = False
    items: list[Item] = field(default_factory=list)
    freed_bytes: int = 0
    error: ImagesyncError | None = None
    has_moved: bool = False

    def add(self, kind: str, name: str, outcome: str, why: str = "") -> None:
        """Note one item."""
        self.items.append(Item(kind, name, outcome, why))

    def fail_tag(self, repository: str, tag: str, digest: str) -> None:
        """End with an error, and do not say that the tag was removed: it still points at the digest."""
        self.items = [item for item in self.items if (item.kind, item.name, item.outcome) != ("tag", tag, "removed")]
        self.error = Unavailable(
            f"{repository}:{tag} still points at {digest}",
            hint="either the registry did not remove it, or somebody put it back; run it again",
        )

    def add_later(self, later: DeleteReport) -> None:
        """Add what a later removal did: what this one has kept may be gone by then."""
        gone = {(item.kind, item.name) for item in later.items if item.outcome == "removed"}
        self.items = [item for item in self.items if (item.kind, item.name) not in gone] + later.items
        self.freed_bytes += later.freed_bytes
