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

from imagesync_cli.look.tags import names_tag, pick_each, pick_tags
from imagesync_cli.values.errors import ImagesyncError, NotFound, Refused, UsageError, common_cause
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
    ruled = {key: image for key, image in query.sound.items() if image.tags}
    picks = await _picks(ruled, query.lock_file, stores, time.monotonic() + deadline_s)
    asked = {key: image for key, image in query.asked.items() if key not in ruled}
    lists, clashes = dict[str, dict[str, Any]](), dict[str, str]()
    for key, image in ruled.items():
        result = picks[key]
        if isinstance(result, ImagesyncError):
            lists[key] = _failed(image, result)
            continue
        picked, young = result
        images = {tag: replace(image, reference=image.reference.at(tag=tag), tags=None) for tag in picked}
        keys = {tag: f"{key.removesuffix(':')}:{tag}" for tag in picked}
        pick_it = f"the tags of images[{json.dumps(key)}] pick"
        way_out = "as well: let them exclude it, or remove this entry."
        clashes |= {keys[tag]: f"{pick_it} {keys[tag]} {way_out}" for tag in picked if keys[tag] in query.asked}
        asked |= {keys[tag]: each for tag, each in images.items()}
        told = [{"tag": tag, "key": keys[tag], "source": str(each.reference)} for tag, each in images.items()]
        lists[key] = _answer(image) | {"picked": told, "waiting": young}
    return Picks(replace(query, asked=asked), lists, clashes)


# The tags, and those that are too young, with their why; or why nothing is picked.
_Picked = tuple[list[str], dict[str, str]] | ImagesyncError


async def _picks(ruled: Mapping[str, Image], lock_file: str, stores: Stores, ends: float) -> Mapping[str, _Picked]:
    rules = {key: (image.reference, image.tags) for key, image in ruled.items() if image.tags}
    lock: Lock | None = None
    if lock_file:
        from imagesync_cli.look.lockfile import read_lock

        try:
            lock = read_lock(Path(lock_file))
        except UsageError as error:
            return dict.fromkeys(ruled, error)

    async def pick_one(key: str, listed: Sequence[str]) -> _Picked:
        source, tags = rules[key]
        picked, waiting = pick_tags(source, tags, listed), ruled[key].waiting
        if isinstance(picked, NotFound):
            return Refused(str(picked))
        if len(picked) > _MOST_PICKED:
            hint = "narrow them by semver, latest or exclude, or split the entry in several"
            many = f"its tags pick {len(picked)} images, and an entry takes {_MOST_PICKED} at most"
            return Refused(many, hint=hint)
        if not waiting:
            return picked, {}
        from imagesync_cli.terraform.young import AgeJudge

        return await AgeJudge(stores, source, waiting, lock, ends).pick(tags, listed)

    return await pick_each(stores, rules, lock, pick_one, must_exist=True, ends=ends)


def _answer(image: Image) -> dict[str, Any]:
    answer = {"reference": image.reference.name, "digest": "", "source_digest": "", "media_type": "", "size": 0}
    return answer | {"error": "", "kind": "", "picked": [], "waiting": {}, "refused": []}


def _failed(image: Image, error: ImagesyncError) -> dict[str, Any]:
    if isinstance(error, Refused):
        return _answer(image) | {"refused": [str(error)]}
    cause = common_cause(error.kind, str(error), [image.reference.name])
    return _answer(image) | {"error": str(error), "kind": error.kind} | ({"cause": cause} if cause else {})
