"""What runs of the command line may do to a few places, made up by a seed: arguments, and what tags may be afterwards.

A place is a repository of a registry, a layout folder or an archive. Nothing here runs anything.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.embedded_registry.images import Image, attestation, image, index_of, listing, referrer
from tests.referrers.artifacts import Upstream, about, child, cosign

Tag = tuple[str, str]  # a place and a tag there
Tags = dict[Tag, str]  # and the digests that they point at

UP, DOWN = ("u/a", "u/b"), ("d/a", "d/b")
FOLDER, ARCHIVE = "oci:layout", "oci-archive:images.tar"
TAGS = ("1.0", "1.1", "2.0")
_PARTS = {name: image(name) for name in "xyz"}
_XY = index_of({"linux/amd64": _PARTS["x"], "linux/arm64": _PARTS["y"]})
_XZ = index_of({"linux/amd64": _PARTS["x"], "linux/s390x": _PARTS["z"]}, docker=True)
_ATTESTED = listing([(_PARTS["y"], {}), (attestation(_PARTS["y"].digest), {})])
_NESTED = listing([(_XY, {}), (_PARTS["z"], {})])
_DEEP = listing([(_NESTED, {}), (_ATTESTED, {})])
IMAGES = {made.digest: made for made in (*_PARTS.values(), _XY, _XZ, _ATTESTED, _NESTED, _DEEP)}
_SBOM = referrer(_XY, "application/spdx+json")
ATTACHED = {
    _XY.digest: Upstream(_XY, [(_XY, _SBOM), (_SBOM, referrer(_SBOM))], {about(_XY, ".sig"): cosign(_XY)}),
    _NESTED.digest: Upstream(_NESTED, [(_NESTED, referrer(_NESTED)), (child(_NESTED), referrer(child(_NESTED)))], {}),
    _PARTS["x"].digest: Upstream(_PARTS["x"], [(_PARTS["x"], referrer(_PARTS["x"]))], {}),
}


@dataclass(frozen=True)
class Run:
    """One call of the command; ``becomes`` is what it makes of tags, "" for gone, and None for anything it reads.

    ``may_fail`` if what it asks for is not there. ``removes`` are tags whose images nothing else may hold afterwards.
    """

    arguments: tuple[str, ...]
    becomes: dict[Tag, str]
    may_fail: bool = False
    referrers: bool = False
    removes: tuple[Tag, ...] = ()


@dataclass
class Plan:
    """Makes up runs; ``tags`` is what there is, as whoever runs them has seen it last."""

    random: random.Random
    hosts: dict[str, str]  # of the repositories
    folder: Path
    tags: Tags = field(default_factory=dict)

    def run(self) -> Run:
        """One more."""
        kinds: list[Callable[[], Run]] = [self._sync, self._sync, self._sync, self._delete, self._delete, self._file]
        return self.random.choice(kinds)()

    def image(self) -> Image:
        return self.random.choice(list(IMAGES.values()))

    def name(self, tag: Tag) -> str:
        """How the command line spells it."""
        if tag[0] in self.hosts:
            return f"{self.hosts[tag[0]]}/{tag[0]}:{tag[1]}"
        kind, _, name = tag[0].partition(":")
        return f"{kind}:{self.folder}/{name}:{tag[1]}"

    def _tag(self, *places: str) -> Tag:
        return self.random.choice(places), self.random.choice(TAGS)

    def _sync(self) -> Run:
        """From anywhere to anywhere."""
        source, destination = self._tag(*UP, *UP, *DOWN, FOLDER, ARCHIVE), self._tag(*DOWN, *DOWN, FOLDER, ARCHIVE)
        digest = self.tags.get(source, "")
        options = self.random.choice([[], [], ["--referrers"], ["--referrers"], ["--verify"]])
        if destination[0] == ARCHIVE and "--verify" in options:  # which is not repaired in place
            options = []
        arguments = ["sync", *options, self.name(source), self.name(destination)]
        return Run(
            tuple(arguments),
            {destination: digest or self.tags.get(destination, "")},
            may_fail=not digest or source == destination,
            referrers="--referrers" in options,
        )

    def _delete(self) -> Run:
        there = [tag for tag in self.tags if tag[0] in (*DOWN, FOLDER)]
        first = self.random.choice([*there, self._tag(*DOWN)])
        more = [tag for tag in there if tag[0] == first[0] and self.random.random() < 0.2]
        tags = tuple(dict.fromkeys([first, *more]))
        options = self.random.choice([[], [], ["--referrers"], ["--keep-manifests"]])
        becomes = dict.fromkeys(tags, "")
        if len(tags) == 1 and self.random.random() < 0.3:
            digest = self.random.choice([self.tags.get(first, ""), *IMAGES]) or self.image().digest
            options = [*options, "--digest", digest]
            becomes = {first: "" if digest == self.tags.get(first) else self.tags.get(first, "")}
        keeps = "--keep-manifests" in options
        return Run(
            ("delete", *options, *map(self.name, tags)),
            becomes,
            referrers="--referrers" in options,
            removes=() if keeps else tuple(tag for tag in tags if not becomes[tag]),
        )

    def _file(self) -> Run:
        """A file of images: rules with or without prune, and single tags."""
        wanted, entries = dict[Tag, str](), list[dict[str, object]]()
        removes = list[Tag]()
        for source, destination in zip(UP, self.random.sample(DOWN, 2), strict=True):
            rule = self.random.choice([["1.*"], ["*"], ["2.0"], ["1.0", "2.*"]])
            there = {tag: self.tags[source, tag] for tag in TAGS if (source, tag) in self.tags}
            picked = {tag: digest for tag, digest in there.items() if _is_picked(tag, rule)}
            prune, referrers = self.random.random() < 0.6, self.random.random() < 0.4
            entry = {"source": self._repository(source), "destination": self._repository(destination), "tags": rule}
            entries.append({**entry, "prune": prune, "referrers": referrers})
            wanted |= {(destination, tag): digest for tag, digest in picked.items()}
            if prune:
                gone = [tag for tag in self.tags if tag[0] == destination and tag not in wanted]
                removes += [tag for tag in gone if tag[1] in TAGS]
        if self.random.random() < 0.3:
            single = self._tag(*UP)
            for place in (FOLDER, ARCHIVE):
                entries.append({"source": self.name(single), "destination": self.name((place, single[1]))})
                wanted[place, single[1]] = self.tags.get(single, "")
        file = self.folder / f"images-{self.random.randrange(10**9)}.yaml"
        file.write_text(json.dumps({"images": entries}))
        becomes = {**wanted, **dict.fromkeys(removes, "")}
        return Run(
            ("sync", "--file", str(file), "--progress", "none", "--max-removals", "100"),
            becomes,
        )

    def _repository(self, name: str) -> str:
        return f"{self.hosts[name]}/{name}"


def _is_picked(tag: str, rule: object) -> bool:
    assert isinstance(rule, list)
    return any(tag == each or (each.endswith("*") and tag.startswith(each[:-1])) for each in rule)
