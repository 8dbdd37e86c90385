"""What the tags of a repository point at: a HEAD for each, and what makes a list or a HEAD doubtful.

A digest is packed into its bytes, so 100,000 tags fit into memory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from itertools import islice

from imagesync_cli.concurrency import gather_few
from imagesync_cli.delete.readings import may_list
from imagesync_cli.delete.wish import Wish
from imagesync_cli.stores import Store
from imagesync_cli.values.digest import digest_tag, is_digest, pack_digest, subject_of_tag, unpack_digest
from imagesync_cli.values.errors import ContentError, Gone, NotFound, Refused, first_few
from imagesync_cli.values.manifest import Descriptor

# Up to this many tags, asking all of them once more costs next to nothing.
FEW_TAGS = 16
_ASKED_TOGETHER = 1000
_GETS_AT_ONCE = 4


class Tags:
    """What each tag pointed at when it was asked; ``silent`` are listed and lead nowhere, or do not count."""

    def __init__(self, at: Mapping[str, bytes] | None = None, indexes: Mapping[bytes, int] | None = None) -> None:
        self._at = dict(at or {})
        self._indexes = dict(indexes or {})  # what may list manifests, and its size in bytes
        self.silent: set[str] = set()
        self.are_misnamed = False  # the media types that they were given are not to be believed

    def note(self, tag: str, target: Descriptor | None) -> None:
        """Remember what a tag points at, None for nothing."""
        if target is None:
            self._at.pop(tag, None)
            self.silent.add(tag)
            return
        digest = self._at[tag] = pack_digest(target.digest)
        if may_list(target):
            self._indexes.setdefault(digest, target.size)

    def knows(self, tag: str) -> bool:
        """Whether the tag was there."""
        return tag in self._at or tag in self.silent

    def without(self, going: Collection[str]) -> Tags:
        """What there is without these tags."""
        rest = Tags({tag: at for tag, at in self._at.items() if tag not in going}, self._indexes)
        rest.silent = self.silent.union(going)
        return rest

    def digest_of(self, tag: str) -> str:
        """What the tag points at, "" where it leads nowhere."""
        return unpack_digest(self._at[tag]) if tag in self._at else ""

    def on(self, digests: Collection[str]) -> dict[str, list[str]]:
        """The tags that point at each of these digests."""
        wanted, on = {pack_digest(digest): digest for digest in digests}, dict[str, list[str]]()
        for tag, at in self._at.items():
            if at in wanted:
                on.setdefault(wanted[at], []).append(tag)
        return {digest: sorted(tags) for digest, tags in on.items()}

    def by_subject(self, in_use: Collection[str] = ()) -> dict[str, list[str]]:
        """The tags whose name says that they are about a manifest, by its digest_tag; none of those ``in_use``.

        A tag that is on the very manifest, as oc-mirror names what it mirrors, is like any other.
        """
        about: dict[str, list[str]] = {}
        for tag in sorted(tag for tag in self._at if tag not in in_use and subject_of_tag(tag)):
            if subject_of_tag(tag) != digest_tag(self.digest_of(tag)):
                about.setdefault(subject_of_tag(tag), []).append(tag)
        return about

    def indexes(self) -> dict[bytes, int]:
        """What may list manifests of all that has a tag, with the size in bytes, 0 where nothing told it."""
        may_list_all = self.are_misnamed
        return {at: self._indexes.get(at, 0) for at in self._at.values() if may_list_all or at in self._indexes}

    @property
    def count(self) -> int:
        """How many different manifests have a tag."""
        return len(set(self._at.values()))

    def items(self) -> Iterable[tuple[str, bytes]]:
        """Each tag and what it points at, packed."""
        return self._at.items()


async def list_before(store: Store, wishes: Iterable[Wish], most: int | None) -> Collection[str]:
    """The tags that are to go, of those that there are, and some others. Refused where there are more than ``most``.

    ContentError where the list lacks a tag that is to go and is there; or where the repository is said to be unknown,
    and has such a digest. distribution says that of one that never had a tag.
    """
    going = {wish.tag for wish in wishes}
    try:
        names = await store.tags(must_exist=True)
    except Gone:  # one of several servers may not know of it yet
        names = await store.tags()
        digests = () if names else filter(None, dict.fromkeys(wish.expect for wish in wishes))
        for digest in await store.tagged(islice(digests, FEW_TAGS)):
            image = f"{store.name}@{digest}"
            raise ContentError(
                f"which tags {store.name} has is not known: the registry lists it as unknown, and has {digest}",
                hint=f"if it has none, give it one, and delete that: imagesync sync {image} {store.name}:TAG",
            ) from None
    if most is not None and len(names) > most:
        raise Refused(f"{store.name} has {len(names)} tags, more than --max-tags {most}")
    await check_whole(store, names, going - {""})
    others = [*names][:: -(len(names) // FEW_TAGS or 1)]  # a list that is cut short lacks the last ones
    return going.intersection(names).union(others)


async def read_tags(
    store: Store, without: Collection[str], advance: Callable[[int], None], *, listed: Collection[str] = ()
) -> Tags:
    """What all tags point at, but those in ``without``: a HEAD for each. ``advance`` is told how many there are.

    Where many are asked, which takes a while, tags that came meanwhile are asked as well. ContentError where the list
    lacks a tag that is there, of those that are known: ``listed``, and what an earlier list had.
    """
    tags = Tags()
    try:
        names = await store.tags(must_exist=True)
    except NotFound:  # most likely its last tag went; but one of several servers may not know of it yet, or no longer
        names = await store.tags()
    await check_whole(store, names, (tag for tag in listed if not is_digest(tag)))
    tags.silent.update(without)
    asked = 0

    def asking(total: int) -> None:
        nonlocal asked
        asked += 1
        advance(total)

    await _ask(store, names, tags, asking)
    del names
    if asked > FEW_TAGS:
        names = await store.tags()
        await check_whole(store, names, (tag for tag, _ in tags.items()))
        await _ask(store, names, tags, advance)
    return tags


async def check_whole(store: Store, names: Collection[str], known: Iterable[str]) -> None:
    """ContentError where the list lacks one of these that is there: then it lacks others, too. A few are asked for."""
    lacking = list(islice((tag for tag in known if tag not in names), FEW_TAGS))
    if lacking and (there := await store.tagged(lacking)):
        raise ContentError(f"the list of tags of {store.name} lacks {first_few(there)}")


async def _ask(
    store: Store,
    names: Mapping[str, Descriptor | None],
    tags: Tags,
    advance: Callable[[int], None],
) -> None:
    """Note what these point at that were not asked before, as far as the list of names did not tell it."""
    # Tags that move have short names (latest, 1.2), those that stay have long ones (a commit, a date): the short are
    # asked last, closest to what is deleted then.
    wanted = sorted((tag for tag in names if not tags.knows(tag)), key=len, reverse=True)
    for start in range(0, len(wanted), _ASKED_TOGETHER):
        some = wanted[start : start + _ASKED_TOGETHER]
        told = {tag: target for tag in some if (target := names[tag]) is not None}
        for _ in told:
            advance(len(names))
        told.update(await store.tagged([tag for tag in some if tag not in told], partial(advance, len(names))))
        await gather_few(_GETS_AT_ONCE, (_check_silent(store, tag) for tag in some if tag not in told))
        for tag in some:
            tags.note(tag, told.get(tag))


async def _check_silent(store: Store, tag: str) -> None:
    """ContentError where a tag is listed, a HEAD says that it leads nowhere, and a GET that it does.

    Proxies and other servers that know GET alone may answer 404 to any HEAD: then nobody would use anything.
    """
    with contextlib.suppress(NotFound):
        await store.manifest(tag)
        raise ContentError(f"{store.name} answers that tag {tag} is not there, and gives it to who asks by GET")
