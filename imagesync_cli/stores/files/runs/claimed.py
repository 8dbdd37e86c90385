"""What a claim is, and what all claims together tell: one reading of them serves everything that a removal asks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from imagesync_cli.stores.places import repository_of
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.reference import Reference

_CALL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class Claimant:
    """One entry (``key``) of one call of a module; ``call`` tells calls apart, and stays the same from run to run."""

    call: str
    key: str

    def __str__(self) -> str:
        return f"{self.call}/{self.key}"


class Claim(NamedTuple):
    """An image that an entry relies on: where it is, all spellings of that alike, and its digest."""

    repository: str
    tag: str
    digest: str

    @property
    def host(self) -> str:
        """The registry, or what kind of file it is."""
        return self.repository.partition("/")[0]

    @property
    def path(self) -> str:
        """The repository's name at its registry; for a file all that tells it from others."""
        return self.repository if self.host.endswith(":") else self.repository.partition("/")[2]


def check_call(call: str) -> None:
    """UsageError unless this may name a call; its file has that name."""
    if not _CALL.fullmatch(call):
        raise UsageError(f"the call {call[:200]!r} is not an ID", hint="it is made of letters, digits, . _ and -")


def call_in(call: str, workspace: str) -> str:
    """An ID of this call that it has in no other workspace."""
    return hashlib.md5(f"{call} {workspace}".encode(), usedforsecurity=False).hexdigest()


def parse_claimant(text: str) -> Claimant:
    """CALL/KEY."""
    call, slash, key = text.partition("/")
    if not slash or not key or not _CALL.fullmatch(call):
        raise UsageError(
            f"claimant {text!r} is not an entry", hint="it is like CALL/KEY, where CALL is letters, digits, . _ and -"
        )
    return Claimant(call, key)


def claim_of(reference: Reference, digest: str) -> Claim:
    """The claim on this digest at this reference."""
    return Claim(repository_of(reference), reference.tag, digest)


@dataclass(frozen=True)
class CallClaims:
    """What a call relies on, when it was read, how its references are called, when it was read wholly, and where.

    ``placed`` is what its last apply has put in place: a plan that nobody applies takes none of that away. ``applied``
    is the run of that apply. ``sources`` are what its entries copy from, by their keys.
    """

    run: str = ""
    images: dict[str, Claim] = field(default_factory=dict)
    named: frozenset[tuple[str, str]] = frozenset()
    whole: str = ""
    workspace: str = ""
    applied: str = ""
    sources: dict[str, Claim] = field(default_factory=dict)
    placed: dict[str, Claim] = field(default_factory=dict)


class Claimed:
    """What all calls rely on, by their names, as the run in a workspace sees it that removes; "" for the newest.

    What a call wants counts, and what its last apply has put in place, unless this run has read the call wholly: then
    it is known what it wants in the end.
    """

    def __init__(self, calls: Mapping[str, CallClaims], run: str = "", workspace: str = "") -> None:
        self._calls = calls
        self._run = run
        self._workspace = workspace
        self._newest: dict[str, str] = {}  # the newest run of each workspace
        for noted in calls.values():
            self._newest[noted.workspace] = max(noted.run, self._newest.get(noted.workspace, ""))
        # By the tag, and by its repository at any registry.
        self._under: dict[tuple[str, str], dict[tuple[Claimant, Claim], None]] = {}
        for call, noted in calls.items():
            placed = {} if noted.whole == self._run_of(noted) else noted.placed
            for key, claim in (*noted.images.items(), *placed.items()):
                self._under.setdefault((claim.path, claim.tag), {})[Claimant(call, key), claim] = None

    def as_here(self, claimant: Claimant) -> Claimant:
        """The entry in this workspace: a copy of another one's state has the same ID of the call, and is another call.

        The first workspace that is known to have it keeps it.
        """
        copied = call_in(claimant.call, self._workspace)
        is_elsewhere = self._of(claimant.call).workspace not in ("", self._workspace)
        is_copied = self._workspace != "" and (is_elsewhere or copied in self._calls)
        return Claimant(copied, claimant.key) if is_copied else claimant

    def of(self, claimant: Claimant) -> Claim | None:
        """What this entry wants now."""
        return self._of(claimant.call).images.get(claimant.key)

    def others(self, claim: Claim, claimant: Claimant) -> list[tuple[Claimant, Claim]]:
        """Who else relies on this digest under this tag, in a repository of this name at any registry."""
        beside = self._beside(claim)
        return [(who, other) for who, other in beside if who != claimant and other.digest == claim.digest]

    def successors(self, claim: Claim, claimant: Claimant) -> list[tuple[Claimant, Claim]]:
        """Who puts another digest under this tag, in a repository of this name at any registry.

        Calls that were not read in the newest run of their workspace do not count: they are gone, or -target left them
        out. The entry itself counts when its call is applied: a destroy has read its new image too, and brings none.
        """
        return [
            (who, other)
            for who, other in self._beside(claim)
            if other.digest != claim.digest and self._is_newest(who) and self.of(who) == other
            if who != claimant or self.is_applied(who.call)
        ]

    def copies_of(self, claim: Claim) -> list[tuple[Claimant, Claim, Claim]]:
        """Who copies this digest from a repository of this name at any registry: the source, and what it is to be.

        Calls that were not read in the newest run of their workspace do not count, as for successors.
        """
        return [
            (who, source, noted.images[key])
            for call, noted in self._calls.items()
            for key, source in noted.sources.items()
            if (source.path, source.digest) == (claim.path, claim.digest) and key in noted.images
            if self._is_newest(who := Claimant(call, key))
        ]

    def is_applied(self, call: str) -> bool:
        """Whether an apply has copied for it in this run. One that finds all in place does not, and removes as well."""
        noted = self._of(call)
        return noted.applied == self._run_of(noted) != ""

    def rivals(self, call: str, run: str, images: Mapping[str, Claim]) -> dict[str, list[str]]:
        """The keys of other calls' entries that have another image for the same tag, by the keys of these of a call.

        Only calls that were read wholly in this run count: others may have left an entry.
        """
        here = self.as_here(Claimant(call, "")).call
        return {
            key: [
                who.key
                for who, other in self._beside(claim)
                if who.call != here and self._of(who.call).whole == run and self.of(who) == other
                if other.repository == claim.repository and other.digest != claim.digest
            ]
            for key, claim in images.items()
        }

    def other_workspace(self, one: Claimant, other: Claimant) -> str:
        """Terraform's workspace of the other entry; "" if it is in that of the first one, or nobody has told."""
        ours, theirs = self._of(one.call).workspace or self._workspace, self._of(other.call).workspace
        return theirs if ours and theirs != ours else ""

    def may_be_gone(self, one: Claimant, other: Claimant, claim: Claim | None) -> bool:
        """Whether this run of the first entry does not tell that the other one wants this.

        Its block or workspace may be gone, or its entry.
        """
        return self.other_workspace(one, other) != "" or not self._is_newest(other) or self.of(other) != claim

    def named(self) -> set[tuple[str, str]]:
        """What the sources and destinations of all calls are called (names_of)."""
        return {name for noted in self._calls.values() for name in noted.named}

    def tags_in(self, path: str, going: Collection[tuple[Claimant, Claim]]) -> frozenset[str]:
        """The tags that anybody relies on in a repository of this name at any registry, but for claims that go."""
        return frozenset(
            tag for (at, tag), those in self._under.items() if at == path and any(each not in going for each in those)
        )

    def drop(self, claimant: Claimant, claim: Claim) -> None:
        """Let this entry not rely on this any more, in this reading alone."""
        self._under.get((claim.path, claim.tag), {}).pop((claimant, claim), None)
        if self.of(claimant) == claim:
            del self._of(claimant.call).images[claimant.key]

    def _is_newest(self, who: Claimant) -> bool:
        noted = self._of(who.call)
        return noted.run == self._newest[noted.workspace]

    def _run_of(self, noted: CallClaims) -> str:
        return self._run or self._newest.get(noted.workspace, "")

    def _of(self, call: str) -> CallClaims:
        return self._calls.get(call, CallClaims())

    def _beside(self, claim: Claim) -> Iterator[tuple[Claimant, Claim]]:
        yield from self._under.get((claim.path, claim.tag), ())
