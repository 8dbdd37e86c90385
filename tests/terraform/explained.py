"""What `imagesync explain` says of a plan, beside what the apply did: every word is held against the registry."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from imagesync_cli.values.reference import RegistryReference, parse_reference
from tests.embedded_registry import EmbeddedRegistry
from tests.terraform.generated import Place

STAY = {"waiting", "held", "handed over", "respelled", "replaced", "policy", "settings", "adopted"}
_OF_SIGNATURE = re.compile("sha256-([0-9a-f]{64})[.]sig")
# What a line says that nothing is done to the place that it names.
NOT_DONE = {"kept", "not removed", "forgotten"}


@dataclass(frozen=True)
class Watched:
    """What a registry has at one moment: its tags, and by repository the digests that are there, and those in use."""

    tags: dict[Place, str]
    manifests: dict[str, set[str]]
    reachable: dict[str, set[str]]

    def has(self, place: Place, digest: str) -> bool:
        """Whether the repository has this manifest."""
        return digest in self.manifests.get(place[0], set())


def watch(registry: EmbeddedRegistry) -> Watched:
    """Look at all repositories."""
    with registry.state.lock:
        repositories = registry.state.repositories.items()
        tags = {(name, tag): digest for name, each in repositories for tag, digest in each.tags.items()}
        manifests = {name: {*each.manifests} for name, each in repositories}
        reachable: dict[str, set[str]] = {}
        for (name, _), digest in tags.items():
            found = registry.repository(name).manifests.get(digest)
            reachable.setdefault(name, set()).update([digest, *(found.children if found else ())])
        for name, tag in tags:  # cosign's tags of signatures: a signature that stays keeps what it signs
            if match := _OF_SIGNATURE.fullmatch(tag):
                reachable[name].add(f"sha256:{match[1]}")
    return Watched(tags, manifests, reachable)


def place_of(destination: str) -> Place:
    reference = parse_reference(destination)
    assert isinstance(reference, RegistryReference)
    return reference.repository, reference.tag


def wrong_words(told: dict[str, Any], before: Watched, after: Watched, sent_bytes: int) -> list[str]:
    """What was said and did not come, and what came and was not said."""
    most_bytes = sent_bytes if told["has_unknown_sizes"] else told["bytes_to_copy"] or 0
    taken = {place_of(change["destination"]) for change in told["changes"] if change["after"]}
    return [
        *(wrong for change in told["changes"] for wrong in _wrong(change, before, after, taken)),
        *_untold(told["changes"], before, after),
        *([] if sent_bytes <= most_bytes else [f"{sent_bytes} bytes were sent, and told are {most_bytes}"]),
        *([] if len(told["summary"]) <= 140 else ["the summary is too long"]),
    ]


def _wrong(change: dict[str, Any], before: Watched, after: Watched, taken: set[Place]) -> Iterator[str]:
    place = place_of(change["destination"])
    was, now = before.tags.get(place, ""), after.tags.get(place, "")
    kind, said = change["kind"], json.dumps(change)
    expected = {"new": not was, "missing": not was, "overwritten": was not in ("", now)}
    if change["after"] and (was, now) != (change["before"], change["after"]):
        yield f"from {was} to {now}, but {said}"
    if (kind in STAY or (kind in NOT_DONE and place not in taken)) and was != now:
        yield f"from {was} to {now}, but {said}"
    if not expected.get(kind, True):
        yield f"not {kind}: {was}: {said}"
    for old in change["old"]:
        if not _is_so(old, before, after):
            yield f"not {old}: {said}"


def _is_so(old: dict[str, str], before: Watched, after: Watched) -> bool:
    at, digest = place_of(old["destination"]), old["digest"]
    was_there, is_there, reachable = before.has(at, digest), after.has(at, digest), after.reachable.get(at[0], set())
    tag_was_its = before.tags.get(at) == digest
    has_moved = not tag_was_its and "unless the tag has moved" in old["why"]
    stays = is_there or not was_there
    goes = not is_there or digest in reachable or has_moved
    others = {tag for place, tag in after.tags.items() if place[0] == at[0] and place != at}
    return {
        "deleted": goes and not (tag_was_its and after.tags.get(at) == digest),
        "untagged": stays and after.tags.get(at) != digest,
        "kept": stays,
        "retagged": is_there and digest in others,
        "refused": stays and (after.tags.get(at) == digest or not tag_was_its),
        "undecided": True,
    }[old["outcome"]]


def _untold(changes: list[dict[str, Any]], before: Watched, after: Watched) -> Iterator[str]:
    told: set[Place] = set()
    digests = set()
    for change in changes:
        if change["after"]:
            told.add(place_of(change["destination"]))
        for old in change["old"]:
            if old["outcome"] in ("deleted", "untagged", "undecided", "retagged"):
                told.add(place_of(old["destination"]))
                digests.add(old["digest"])
    for place in filter(_is_an_images, before.tags.keys() | after.tags.keys()):
        is_of_its_own = place not in before.tags and after.tags[place] in digests  # what retag has made
        if before.tags.get(place) != after.tags.get(place) and place not in told and not is_of_its_own:
            yield f"{place} went from {before.tags.get(place)} to {after.tags.get(place)}, untold"
    for place, digest in before.tags.items():
        if _is_an_images(place) and not after.has(place, digest) and digest not in digests:
            yield f"{digest} has gone from {place}, untold"


def _is_an_images(place: Place) -> bool:
    """Whether it is none of the tags of what is attached to an image."""
    return not place[1].startswith("sha256-")


def wrong_consumers(
    told: dict[str, Any], before: dict[str, Any], after: dict[str, Any], *, all_told: bool
) -> list[str]:
    """Consumers that were told and are as they were; with ``all_told`` those that were not told and changed as well."""
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    wrong = {*told["consumers"]} ^ changed if all_told else {*told["consumers"]} - changed
    return sorted(wrong)
