"""Which tags a repository has, and which of them rules pick: asked here by batches, locks and Terraform."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from imagesync_cli.concurrency import each_of, within
from imagesync_cli.stores import Access, Side, Stores
from imagesync_cli.values.digest import is_digest
from imagesync_cli.values.errors import ImagesyncError, NotFound, Unavailable
from imagesync_cli.values.names import Tag, is_tag
from imagesync_cli.values.progress import note
from imagesync_cli.values.reference import Reference

if TYPE_CHECKING:
    from imagesync_cli.look.lockfile import Lock
    from imagesync_cli.values.tags.rules import TagRules

_K = TypeVar("_K")
_T = TypeVar("_T")
_SHOWN = 100
_LISTS_AT_ONCE = 64


async def list_tags(
    stores: Stores, reference: Reference, side: Side = Side.SOURCE, *, must_exist: bool = False
) -> list[Tag]:
    """Every tag of the repository or folder, none where there is no such destination yet.

    A source that does not exist has no tags either, as registries tell it; NotFound if it ``must_exist``. An archive
    may call images by names that are no tags: these are left out.
    """
    names = await list_names(stores, reference, side, must_exist=must_exist)
    for name in names:
        if not is_tag(name):
            note(f"{reference.name} has {name[:_SHOWN]!r}, which is not a tag: left out")
    return [name for name in names if is_tag(name)]


async def list_names(
    stores: Stores, reference: Reference, side: Side = Side.SOURCE, *, must_exist: bool = False
) -> list[str]:
    """The same with all names that an archive has for its images."""
    store = stores.open(reference, Access.READ, side)
    names = await store.tags(sound_only=side is Side.SOURCE, must_exist=must_exist)
    return [name for name in names if not is_digest(name)]  # a folder lists images without a tag by digest


async def pick_each(
    stores: Stores,
    ruled: Mapping[_K, tuple[Reference, TagRules]],
    lock: Lock | None,
    pick: Callable[[_K, Sequence[str]], Awaitable[_T]],
    *,
    must_exist: bool = False,
    ends: float = math.inf,
) -> dict[_K, _T | ImagesyncError]:
    """What ``pick`` makes of the tags of each one's repository, which is asked once for all of its rules; or its error.

    The tags are those of the ``lock``, else its list; none where the rules name every tag. A list may be long: it is
    held only while the rules pick, and many are not at once. ``ends`` is when it must end: then none waits for another,
    which may not answer before.
    """
    of_repository: dict[tuple[str, str], list[_K]] = {}
    for key, (source, _) in ruled.items():
        of_repository.setdefault(source.location, []).append(key)

    async def of_one(keys: list[_K]) -> dict[_K, _T | ImagesyncError]:
        source, left_s = ruled[keys[0]][0], ends - time.monotonic()

        async def work() -> dict[_K, _T | ImagesyncError]:
            listed: Sequence[str] = ()
            if not all(ruled[key][1].names_all for key in keys):
                listed = lock.tags(source) if lock else await list_tags(stores, source, must_exist=must_exist)
            return {key: await pick(key, listed) for key in keys}

        said = f"listing the tags of {source.name}: no answer within {left_s:.3g} s"
        try:
            return await within(left_s, stores.crowd.run(work), Unavailable(said, hint="see IMAGESYNC_TIMEOUT"))
        except ImagesyncError as error:
            return dict.fromkeys(keys, error.alone())

    at_once = _LISTS_AT_ONCE if ends == math.inf else len(of_repository)
    picks = await each_of(at_once, of_one, of_repository.values())
    return {key: picked for each in picks for key, picked in each.items()}


def pick_tags(source: Reference, rules: TagRules, listed: Sequence[str]) -> list[str] | NotFound:
    """The tags of a repository that the rules pick, in their order; an error where one lacks, or where there is none.

    ``listed`` are those that it has, nothing where the rules name every tag.
    """
    picked = list(dict.fromkeys(rules.literals)) if rules.names_all else rules.pick(listed)
    lacking = [tag for tag in rules.literals if tag not in listed and not rules.names_all]
    if lacking:
        return NotFound(f"{source.name} has no tag {', '.join(lacking)}", hint="it is named in tags")
    if not picked and not listed:
        return NotFound(f"{source.name} has no tags", hint="check its name, and whether the login may read it")
    if not picked:
        # More likely a slip of the pen than what was meant, and it could remove everything.
        return NotFound(
            f"the rules pick none of the {len(listed)} tags of {source.name}",
            hint=f"imagesync tags --explain {source.name} tells why, with the same rules",
        )
    return picked


def names_tag(reference: Reference, text: str) -> bool:
    """Whether the tag stands in the text that the reference was read from."""
    name = text.removesuffix(f"@{reference.digest}") if reference.digest else text
    return bool(reference.tag) and name.endswith(f":{reference.tag}")
