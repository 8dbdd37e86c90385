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
from dataclasses import dataclass, field, replace

from imagesync_cli.concurrency import gather
from imagesync_cli.look.attachment import Attachment
from imagesync_cli.stores import Store
from imagesync_cli.values.digest import digest_tag, subject_of_tag
from imagesync_cli.values.errors import ContentError, Denied, NotFound, Refused
from imagesync_cli.values.manifest import MAX_DEPTH, MAX_DESCRIPTORS, Descriptor, Manifest

# All of them are held at once, and anybody may attach something to a public image.
_MOST_BYTES = 32 * 1024 * 1024
# What cosign uses, to be asked for by name where tags cannot be listed.
_SUFFIXES = (".sig", ".att", ".sbom")
Tags = dict[str, Descriptor | None]


@dataclass
class Attached:
    """All that was found, and the lists that name it, by their tag."""

    attachments: list[Attachment] = field(default_factory=list)
    lists: dict[str, Manifest] = field(default_factory=dict)

    @property
    def digests(self) -> list[str]:
        """Of every attached manifest, sorted; the lists are not among them."""
        return sorted({found.manifest.digest for found in self.attachments})

    def not_in(self, mirror: Attached) -> list[str]:
        """The digests of what the mirror has not, sorted."""
        there = set(mirror.identities)
        return sorted({found.manifest.digest for found in self.attachments if not there.issuperset(found.identities)})

    @property
    def kinds(self) -> dict[str, int]:
        """How many there are of each kind."""
        return dict(Counter({found.manifest.digest: found.kind for found in self.attachments}.values()))

    @property
    def identities(self) -> list[str]:
        """What a mirror has as well if nothing is missing there; see Attachment.identities."""
        return sorted({identity for found in self.attachments for identity in found.identities})


@dataclass
class Claims:
    """What is said to be attached to one manifest: by the API or a list, and by cosign's tags (tag → digest)."""

    by_api: dict[str, Descriptor] = field(default_factory=dict)
    by_list: dict[str, Descriptor] = field(default_factory=dict)
    tagged: dict[str, str] = field(default_factory=dict)
    list: Manifest | None = None

    @property
    def digests(self) -> set[str]:
        """What names the manifest as its subject, if it is true."""
        return {*self.by_api, *self.by_list}


class Referrers:
    """Questions to one repository; its tags are listed once, however many manifests are asked about."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listing = asyncio.Lock()
        self._tags: dict[str, Tags] | None = None  # digest_tag → the tags that begin with it
        self._unlisted = False  # the tags cannot be listed
        self._manifests: dict[str, Manifest | None] = {}
        self._held_bytes = 0

    async def attached(self, root: Descriptor, manifest: Manifest | None = None) -> Attached:
        """Everything attached to the image and to all below it, recursively.

        ``manifest`` is the root's if it was read already. ContentError for what goes deeper than any real thing.
        """
        if manifest is not None:
            self._manifests[root.digest] = manifest
        found, seen, level = Attached(), {root.digest}, [root]
        # The root comes alone: its answer tells whether there is an API that can be asked about the others.
        for _ in range(MAX_DEPTH + 1):
            visits = await gather(self._visit(target, found) for target in level)
            level = list({next_one.digest: next_one for visit in visits for next_one in visit}.values())
            level = [target for target in level if target.digest not in seen]
            seen.update(target.digest for target in level)
            if len(seen) > MAX_DESCRIPTORS:
                raise ContentError(f"more than {MAX_DESCRIPTORS} manifests are attached to {root.digest}")
            if not level:
                return found
        raise ContentError(f"what is attached to {root.digest} goes more than {MAX_DEPTH} manifests deep")

    async def claims(self, digest: str) -> Claims:
        """What is said to be attached to this manifest, without a look at it."""
        by_api, by_name = await gather([self._by_api(digest), self._by_name(digest_tag(digest))])
        return replace(by_name, by_api=by_api.by_api)

    async def manifest(self, digest: str) -> Manifest | None:
        """The manifest, read once a run; None where there is none."""
        if digest not in self._manifests:
            try:
                found = self._manifests[digest] = await self._store.manifest(digest)
            except NotFound:
                self._manifests[digest] = None
            else:
                self._held_bytes += found.size
                if self._held_bytes > _MOST_BYTES:
                    raise ContentError(f"what is attached to images of {self._store.name} has too large manifests")
        return self._manifests[digest]

    async def _visit(self, target: Descriptor, found: Attached) -> list[Descriptor]:
        """Note what is attached to one manifest; gives where to go on."""
        visits = [self._attachments(target.digest, found), *([self._children(target)] if target.is_index else [])]
        return [reached for visit in await gather(visits) for reached in visit]

    async def _children(self, index: Descriptor) -> list[Descriptor]:
        manifest = await self.manifest(index.digest)
        return list(manifest.manifests) if manifest else []

    async def _attachments(self, subject: str, found: Attached) -> list[Descriptor]:
        claims = await self.claims(subject)
        if claims.list is not None:
            found.lists[digest_tag(subject)] = claims.list
        claimed = [
            *((digest, "") for digest in sorted(claims.digests)),
            *((at, tag) for tag, at in claims.tagged.items()),
        ]
        read = await gather(self.manifest(digest) for digest, _ in claimed)
        attachments = [
            Attachment(subject, manifest, tag)
            for manifest, (_, tag) in zip(read, claimed, strict=True)
            if manifest is not None and (tag or (manifest.subject and manifest.subject.digest == subject))
        ]
        found.attachments += attachments
        return [attachment.manifest.descriptor for attachment in attachments]

    async def _by_api(self, digest: str) -> Claims:
        return Claims({entry.digest: entry for entry in await self._store.referrers(digest)})

    async def _by_name(self, name: str) -> Claims:
        tags = await self._tags_about(name)
        by_list, by_tags = await gather([self._by_list(name, tags), self._by_tags(tags)])
        return replace(by_list, tagged=by_tags.tagged)

    async def _by_list(self, name: str, tags: Tags) -> Claims:
        if name not in tags:
            return Claims()
        try:
            found = await self._store.listed(name)
        except ContentError:  # something else has this name, so it lists nothing
            found = None
        return Claims(by_list={entry.digest: entry for entry in found.manifests} if found else {}, list=found)

    async def _by_tags(self, tags: Tags) -> Claims:
        tagged = {tag: told.digest for tag, told in tags.items() if "." in tag and told is not None}
        asked = await self._store.tagged([tag for tag in tags if "." in tag and tag not in tagged])
        return Claims(tagged={**tagged, **{tag: found.digest for tag, found in asked.items()}})

    async def _tags_about(self, name: str) -> Tags:
        """The tags whose name says that they are about this manifest; all that there may be where nobody lists them."""
        async with self._listing:
            if self._tags is None and not self._unlisted:
                try:
                    self._tags = _by_subject(dict(await self._store.tags()))
                except (Denied, Refused, NotFound):
                    self._unlisted = True
        if self._tags is None:
            return dict.fromkeys([name, *(f"{name}{suffix}" for suffix in _SUFFIXES)])
        return self._tags.get(name, {})


def _by_subject(tags: Tags) -> dict[str, Tags]:
    about: dict[str, Tags] = {}
    for tag, told in tags.items():
        if subject := subject_of_tag(tag):
            about.setdefault(subject, {})[tag] = told
    return about


def require_signature(name: str, root: Manifest, attached: Attached) -> None:
    """Refused unless the image is signed: its root, or where that is an index, each image that the index lists."""
    signed = {found.subject for found in attached.attachments if found.is_signature}
    images = [child.digest for child in root.manifests if not _is_attestation(child)]
    if root.digest in signed or (images and signed.issuperset(images)):
        return
    unsigned = [digest for digest in images if digest not in signed]
    some = f": {len(images) - len(unsigned)} of the {len(images)} images in its index have one" if images else ""
    raise Refused(
        f"{name}@{root.digest} has no signature{some}",
        hint="nothing was written; looked for those of cosign, sigstore and notation",
    )


def _is_attestation(child: Descriptor) -> bool:
    """What BuildKit puts beside each image of an index."""
    platform = child.platform or {}
    return platform.get("os") == platform.get("architecture") == "unknown"
