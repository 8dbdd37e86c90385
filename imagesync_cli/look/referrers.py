"""What is attached to an image: signatures, SBOMs, attestations, and whatever is attached to those.

Looked for at the image and at every manifest below it, in three places, each digest once:

1. the Referrers API (distribution-spec v1.1, end-12)
2. the list that clients keep under the tag ``sha256-<hex>`` where there is no such API ("Referrers Tag Schema")
3. the tags ``sha256-<hex>.sig``, ``.att``, ``.sbom`` and so on of cosign, where the name alone says what it is about

A manifest from 1 or 2 counts only if its own ``subject`` says the same. No signature is verified.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from imagesync_cli.concurrency import both, gather, gather_few
from imagesync_cli.look.referrer import Referrer, read_referrer
from imagesync_cli.look.walk import Place, Walk
from imagesync_cli.stores import Store
from imagesync_cli.values.digest import Digest, digest_tag, subject_of_tag
from imagesync_cli.values.errors import ContentError, Denied, NotFound, Refused
from imagesync_cli.values.manifest import MAX_DESCRIPTORS, REFERS_TO, Descriptor, Manifest

# Anybody may attach something to a public image: so much of it is read, and so much is held of what is kept.
_MOST_BYTES = 64 * 1024 * 1024
_MOST_KEPT_BYTES = 8 * 1024 * 1024
_MANIFESTS_AT_ONCE = 16
# What cosign uses, to be asked for by name where tags cannot be listed.
_SUFFIXES = (".sig", ".att", ".sbom")
Tags = dict[str, Descriptor | None]


@dataclass
class ReferrerSet:
    """All that was found, and the lists that name it, by their tag, where they were kept."""

    referrers: list[Referrer] = field(default_factory=list)
    lists: dict[str, Manifest] = field(default_factory=dict)

    @property
    def digests(self) -> list[str]:
        """Of every referrer, sorted; the lists are not among them."""
        return sorted({referrer.digest for referrer in self.referrers})

    def not_in(self, mirror: ReferrerSet) -> list[str]:
        """The digests of what the mirror has not, sorted."""
        there = set(mirror.identities)
        return sorted({each.digest for each in self.referrers if not there.issuperset(each.identities)})

    @property
    def kinds(self) -> dict[str, int]:
        """How many there are of each kind."""
        return dict(Counter({referrer.digest: referrer.kind for referrer in self.referrers}.values()))

    @property
    def identities(self) -> list[str]:
        """What a mirror has as well if nothing is missing there; see Referrer.identities."""
        return sorted({identity for referrer in self.referrers for identity in referrer.identities})


@dataclass
class Listed:
    """What is said to be attached to one manifest: by the API or a list, and by cosign's tags (tag → digest)."""

    by_api: set[str]
    by_list: set[str]
    tagged: dict[str, str]
    list: Manifest | None


@dataclass
class Referrers:
    """Questions to one repository; its tags are listed once, however many manifests are asked about.

    ``keep`` keeps the bytes of what is found, for whoever means to write them. ``types`` are those wanted, none for
    all.
    """

    store: Store
    keep: bool = False
    types: Collection[str] = ()

    def __post_init__(self) -> None:
        self._listing = asyncio.Lock()
        self._tags: dict[str, Tags] | None = None  # digest_tag → the tags that begin with it
        self._unlisted = False  # the tags cannot be listed
        self._wanted = frozenset(self.types)
        self._seen: dict[str, Referrer | None] = {}
        self._read_bytes = 0

    async def all_of(self, root: Descriptor, manifest: Manifest | None = None) -> ReferrerSet:
        """Everything attached to the image and to all below it, recursively.

        ``manifest`` is the root's if it was read already. ContentError for what goes deeper than any real thing.
        """
        attached = ReferrerSet()
        if manifest is not None:
            self._seen[root.digest] = read_referrer(manifest, keep=self.keep)

        async def visit(place: Place) -> None:
            # The root comes alone: its answer tells whether there is an API that can be asked about the others.
            led = await gather([self._attached_to(place.digest, attached), self._children(place.target)])
            await walk.on(place, [target for targets in led for target in targets])

        async with Walk(visit, at_once=_MANIFESTS_AT_ONCE, what=f"what is attached to {root.digest}") as walk:
            await walk.visit(root)
        return attached

    async def listed(self, digest: str) -> Listed:
        """What is said to be attached to this manifest, without a look at it."""
        by_api, (kept, tagged) = await both(self.store.referrers(digest), self._by_name(digest_tag(digest)))
        by_list: set[str] = {entry.digest for entry in kept.manifests} if kept else set()
        return Listed({entry.digest for entry in by_api}, by_list, tagged, kept)

    async def _children(self, target: Descriptor) -> Iterable[Descriptor]:
        index = await self._read(target.digest) if target.is_index else None
        return index.children if index else ()

    async def _attached_to(self, subject: str, attached: ReferrerSet) -> Iterable[Descriptor]:
        listed = await self.listed(subject)
        if listed.list is not None:
            if self.keep:
                self._count(listed.list.size)
                attached.lists[digest_tag(subject)] = listed.list
            listed.list = None
        claimed = [
            *((digest, "") for digest in sorted({*listed.by_api, *listed.by_list})),
            *((at, tag) for tag, at in listed.tagged.items()),
        ]
        await gather_few(_MANIFESTS_AT_ONCE, (self._read(digest) for digest, _ in claimed))
        read = ((self._seen[digest], tag) for digest, tag in claimed)
        referrers = [
            replace(referrer, subject=subject, tag=tag)
            for referrer, tag in read
            if referrer is not None and (tag or referrer.subject == subject)
            if not self._wanted or not self._wanted.isdisjoint(referrer.types)
        ]
        attached.referrers += referrers
        return [referrer.target for referrer in referrers]

    async def _read(self, digest: str) -> Referrer | None:
        """What this manifest says of itself, read once a run; None where there is none."""
        if digest not in self._seen:
            try:
                manifest = await self.store.manifest(digest)
            except NotFound:
                self._seen[digest] = None
            else:
                self._count(manifest.size)
                self._seen[digest] = read_referrer(manifest, keep=self.keep)
        return self._seen[digest]

    def _count(self, size: int) -> None:
        self._read_bytes += size
        if self._read_bytes > (_MOST_KEPT_BYTES if self.keep else _MOST_BYTES) or len(self._seen) > MAX_DESCRIPTORS:
            raise ContentError(f"what is attached to images of {self.store.name} has too many or too large manifests")

    async def _by_name(self, name: str) -> tuple[Manifest | None, dict[str, str]]:
        tags = await self._tags_about(name)
        return await both(self._list(name, tags), self._tagged(tags))

    async def _list(self, name: str, tags: Tags) -> Manifest | None:
        try:
            return await self.store.listed(name) if name in tags else None
        except ContentError:  # something else has this name, so it lists nothing
            return None

    async def _tagged(self, tags: Tags) -> dict[str, str]:
        known = {tag: told.digest for tag, told in tags.items() if "." in tag and told is not None}
        asked = await self.store.tagged([tag for tag in tags if "." in tag and tag not in known])
        return {**known, **{tag: target.digest for tag, target in asked.items()}}

    async def _tags_about(self, name: str) -> Tags:
        """The tags whose name says that they are about this manifest; all that there may be where nobody lists them."""
        async with self._listing:
            if self._tags is None and not self._unlisted:
                try:
                    names = await self.store.tags(sound_only=True)
                except (Denied, Refused, NotFound):
                    self._unlisted = True
                else:
                    self._tags = {}
                    for tag in names:
                        if subject := subject_of_tag(tag):
                            self._tags.setdefault(subject, {})[tag] = names[tag]
        if self._tags is None:
            return dict.fromkeys([name, *(f"{name}{suffix}" for suffix in _SUFFIXES)])
        return self._tags.get(name, {})


def require_signature(name: str, root: Manifest, attached: ReferrerSet) -> None:
    """Refused unless the image is signed: its root, or where that is an index, each image that the index lists."""
    signed = {referrer.subject for referrer in attached.referrers if referrer.is_signature}
    images = images_of(root)
    if root.digest in signed or (images and signed.issuperset(images)):
        return
    unsigned = [digest for digest in images if digest not in signed]
    some = f": {len(images) - len(unsigned)} of the {len(images)} images in its index have one" if images else ""
    raise Refused(
        f"{name}@{root.digest} has no signature{some}",
        hint="nothing was written; looked for those of cosign, sigstore and notation",
    )


def images_of(root: Manifest) -> list[Digest]:
    """The images that an index lists, without what BuildKit attests about them; none where it is no index."""
    known = {child.digest for child in root.manifests if not _is_unknown(child)}
    return [child.digest for child in root.manifests if not _is_attestation(child, known)]


def _is_attestation(child: Descriptor, images: Collection[str]) -> bool:
    """What BuildKit puts beside each image of an index, with a note which of them it is about.

    Its platform alone says nothing: an image that is listed as unknown/unknown can be run all the same.
    """
    return _is_unknown(child) and (child.notes or {}).get(REFERS_TO, "") in images


def _is_unknown(child: Descriptor) -> bool:
    platform = child.platform or {}
    return platform.get("os") == platform.get("architecture") == "unknown"
