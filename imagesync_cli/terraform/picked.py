"""Entries whose ``tags`` are rules: each stands for an image of every tag that they pick, looked up like any other.

The answer to such an entry has ``picked``, a list of {tag, key, source} in the rules' order: the image of each tag is
answered under its own ``key``. Where it has ``error`` and ``kind``, the tags are not known, so perhaps nobody is there.
``waiting`` are tags that are not picked yet, with their why.
What the rules themselves speak against is ``refused``, a list of sentences: then nothing is picked, whoever is there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagesync_cli.concurrency import gather, within
from imagesync_cli.look.tags import names_tag, pick_tags, tags_to_pick
from imagesync_cli.values.errors import ImagesyncError, NotFound, Refused, Unavailable, UsageError, common_cause
from imagesync_cli.values.reference import Reference
from imagesync_cli.values.tags.rules import TagRules

if TYPE_CHECKING:
    from imagesync_cli.look.lockfile import Lock
    from imagesync_cli.stores import Stores
    from imagesync_cli.terraform.query import Image, Query

_FIELDS = {"include": list, "exclude": list, "semver": str, "latest": int, "each_variant": bool}
_EXAMPLE = 'tags are like {"semver": ">=1.27 <2", "latest": 3, "include": ["1.*"], "exclude": ["*-rc*"]}'
# Each picked tag is an object of Terraform, and a request at every plan. Nobody means as many; a stranger may.
_MOST_PICKED = 1000


@dataclass(frozen=True)
class Picks:
    """``query`` asks for the image of each tag; ``lists`` answers the entries that had rules.

    ``clashes`` says, by key, that more than one entry stands for an image.
    """

    query: Query
    lists: dict[str, dict[str, Any]]
    clashes: dict[str, str]

    def answers(self, others: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """What is answered beside, or in place of, the ``others``."""
        clashing = {key: others[key] for key in self.clashes}
        refused = {key: [*each.get("refused", []), self.clashes[key]] for key, each in clashing.items()}
        return self.lists | {key: each | {"refused": refused[key]} for key, each in clashing.items()}


def read_rules(tags: Any, reference: Reference, text: str) -> TagRules:
    """The rules in a JSON object, where null is nothing; UsageError also if the reference names an image itself."""
    if not isinstance(tags, dict) or tags.keys() - _FIELDS:
        raise UsageError(f"tags take {', '.join(_FIELDS)}", hint=_EXAMPLE)
    given = {name: value for name, value in tags.items() if value is not None}
    for name, value in given.items():
        if type(value) is not _FIELDS[name] or (isinstance(value, list) and not all(isinstance(t, str) for t in value)):
            raise UsageError(f"tags: {name} is {value!r}"[:200], hint=_EXAMPLE)
    if reference.digest or names_tag(reference, text):
        raise UsageError(f"{text} names an image, and tags pick images: leave one of them out")
    rules: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    try:
        return TagRules(**rules).meaningful()
    except UsageError as error:
        raise UsageError(f"tags: {error.reason}", hint=error.hint) from error


async def pick(query: Query, stores: Stores, deadline_s: float) -> Picks:
    """The question with an image for each picked tag in place of the entries with rules."""
    ends = time.monotonic() + deadline_s
    ruled = {key: image for key, image in query.sound.items() if image.tags}
    picks = await _picks(ruled, _lock(query.lock_file), stores, ends)
    asked = {key: image for key, image in query.asked.items() if key not in ruled}
    lists, clashes = dict[str, dict[str, Any]](), dict[str, str]()
    for key, image in ruled.items():
        picked, young = picks[key]
        if isinstance(picked, ImagesyncError):
            lists[key] = _failed(image, picked)
            continue
        images = {tag: replace(image, reference=image.reference.at(tag=tag), tags=None) for tag in picked}
        keys = {tag: f"{key.removesuffix(':')}:{tag}" for tag in picked}
        clashes |= {keys[tag]: _clash(keys[tag], key) for tag in picked if keys[tag] in query.asked}
        asked |= {keys[tag]: each for tag, each in images.items()}
        told = [{"tag": tag, "key": keys[tag], "source": str(each.reference)} for tag, each in images.items()]
        lists[key] = _answer(image) | {"picked": told, "waiting": young}
    return Picks(replace(query, asked=asked), lists, clashes)


_Picked = tuple[list[str] | ImagesyncError, dict[str, str]]


async def _picks(
    ruled: Mapping[str, Image], lock: Lock | UsageError | None, stores: Stores, ends: float
) -> dict[str, _Picked]:
    """What is picked by each entry, or why nothing, and its tags that are too young.

    A repository is asked for its tags once, whatever the number of its entries.
    """
    if isinstance(lock, UsageError):
        return dict.fromkeys(ruled, (lock, {}))
    of_repository: dict[tuple[str, str], dict[str, Image]] = {}
    for key, image in ruled.items():
        of_repository.setdefault(image.reference.location, {})[key] = image
    picks = await gather(_of_one(images, lock, stores, ends) for images in of_repository.values())
    return {key: picked for each in picks for key, picked in each.items()}


async def _of_one(images: Mapping[str, Image], lock: Lock | None, stores: Stores, ends: float) -> dict[str, _Picked]:
    """Those of one repository. A list may be long: it is held only while the rules pick, and many are not at once."""
    source = next(iter(images.values())).reference

    async def work() -> dict[str, _Picked]:
        rules = (image.tags for image in images.values() if image.tags)
        listed = await tags_to_pick(stores, source, rules, lock, must_exist=True)
        return {key: await _picked(image, listed, lock, stores, ends) for key, image in images.items()}

    left_s = ends - time.monotonic()
    said = f"listing the tags of {source.name}: no answer within {left_s:.3g} s"
    try:
        return await within(left_s, stores.crowd.run(work), Unavailable(said, hint="see IMAGESYNC_TIMEOUT"))
    except ImagesyncError as error:
        return dict.fromkeys(images, (error.alone(), {}))


def _lock(lock_file: str) -> Lock | UsageError | None:
    if not lock_file:
        return None
    from imagesync_cli.look.lockfile import read_lock

    try:
        return read_lock(Path(lock_file))
    except UsageError as error:
        return error


async def _picked(image: Image, listed: Sequence[str], lock: Lock | None, stores: Stores, ends: float) -> _Picked:
    if image.tags is None:
        return [], {}
    picked: list[str] | ImagesyncError = pick_tags(image.reference, image.tags, listed)
    if isinstance(picked, list) and len(picked) > _MOST_PICKED:
        hint = "narrow them by semver, latest or exclude, or split the entry in several"
        many = f"its tags pick {len(picked)} images, and an entry takes {_MOST_PICKED} at most"
        return Refused(many, hint=hint), {}
    young = dict[str, str]()
    if isinstance(picked, list) and image.waiting:
        from imagesync_cli.terraform.young import AgeJudge

        judge = AgeJudge(stores, image.reference, image.waiting, lock, ends)
        picked, young = await judge.pick(image.tags, listed)
    return (Refused(str(picked)) if isinstance(picked, NotFound) else picked), young


def _answer(image: Image) -> dict[str, Any]:
    answer = {"reference": image.reference.name, "digest": "", "source_digest": "", "media_type": "", "size": 0}
    return answer | {"error": "", "kind": "", "picked": [], "waiting": {}, "refused": []}


def _failed(image: Image, error: ImagesyncError) -> dict[str, Any]:
    if isinstance(error, Refused):
        return _answer(image) | {"refused": [str(error)]}
    cause = common_cause(error.kind, str(error), [image.reference.name])
    return _answer(image) | {"error": str(error), "kind": error.kind} | ({"cause": cause} if cause else {})


def _clash(key: str, ruled: str) -> str:
    return f"the tags of images[{json.dumps(ruled)}] pick {key} as well: let them exclude it, or remove this entry."
