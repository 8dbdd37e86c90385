"""Remove a tag where the registry deletes no tags, only manifests together with every tag on them.

    alone    the digest is on no other tag, in no index and no referrer's subject: deleting it is exact
    shared   the tag is first moved to a tombstone, a copy of the same manifest with one more annotation, which is
             then deleted with the tag; only on distribution 2.x, where this was seen to leave everything else alone
    else     nothing is done, and the error names who shares the digest

A tombstone runs like the image it stands for: a crash leaves the tag on equal content, and the next delete knows it.
It is known by its bytes: without our annotation they have the digest that the annotation names. Anybody may write such
an annotation; nobody can make other bytes have that digest.
"""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from imagesync_cli.delete.readings import Readings
from imagesync_cli.delete.references import References
from imagesync_cli.stores import Store, Untagged, comes_true
from imagesync_cli.values.digest import check_bytes, is_digest
from imagesync_cli.values.errors import ContentError, Gone, ImagesyncError, NotFound, Refused, Unavailable, first_few
from imagesync_cli.values.manifest import OCI_INDEX, Manifest, parse_manifest
from imagesync_cli.values.progress import Progress

_OURS = re.compile(rb'"imagesync\.tombstone":"(sha[0-9]+:[0-9a-f]+) [0-9a-f]{32}"')
# Each claim has the whole manifest hashed twice, and each place for one has it parsed: no manifest of ours has more.
_MOST_CLAIMS = 8
_ANNOTATIONS = re.compile(rb'"annotations"\s*:\s*\{')
_OPENED, _CLOSED = b'"annotations":{', b"},"


def original_of(manifest: Manifest) -> str:
    """The digest that this manifest is a tombstone of, or "" if it is none."""
    return _original(manifest)[0]


async def look(readings: Readings, wanted: str) -> tuple[str, str]:
    """The digest that this leads to, and that of the original if it is a tombstone; "" for none."""
    try:
        async with readings.held(wanted) as manifest:
            readings.keep(manifest)
            return manifest.digest, original_of(manifest)
    except Gone:
        return "", ""
    except NotFound as error:
        error.hint = "the answer does not say that the image is unknown; is this a registry?"
        raise


def _original(manifest: Manifest) -> tuple[str, bytes]:
    """The original's digest and bytes, told by the bytes of its tombstone; for any other manifest "" and its own."""
    for ours in islice(_OURS.finditer(manifest.content), _MOST_CLAIMS):
        digest = ours[1].decode("ascii")
        for content in _without(manifest.content, *ours.span()) if is_digest(digest) else ():
            with contextlib.suppress(ContentError):
                check_bytes(content, digest)
                return digest, content
    return "", manifest.content


def _without(content: bytes, start: int, end: int) -> Iterator[bytes]:
    """What the bytes may have been before ``_marked`` wrote into them from start to end."""
    before, after = content[:start], content[end:]
    yield before + after.removeprefix(b",")
    if before.endswith(_OPENED) and after.startswith(_CLOSED):
        yield before.removesuffix(_OPENED) + after.removeprefix(_CLOSED)


def tombstone_of(manifest: Manifest) -> Manifest:
    """The same manifest with a digest of its own; it needs no blob that the original does not.

    Refused for annotations that are no object.
    """
    digest, content = _original(manifest)
    ours = f'"imagesync.tombstone":"{digest or manifest.digest} {uuid.uuid4().hex}"'.encode("ascii")
    for marked in islice(_marked(content, ours), _MOST_CLAIMS):
        try:
            grave = parse_manifest(marked, manifest.media_type)
        except ContentError:
            continue  # that was inside of something else
        if original_of(grave) and grave.manifests == manifest.manifests and grave.blobs == manifest.blobs:
            return grave
    raise Refused(f"{manifest.digest} cannot be given another annotation, and would go with its other tags")


def _marked(content: bytes, ours: bytes) -> Iterator[bytes]:
    """The bytes with one more annotation, in each place where annotations may be."""
    start = content.index(b"{") + 1
    yield content[:start] + _OPENED + ours + _CLOSED + content[start:]
    for place in _ANNOTATIONS.finditer(content):
        before, after = content[: place.end()], content[place.end() :]
        yield before + ours + (b"" if after.lstrip().startswith(b"}") else b",") + after


async def untag_by_digest(
    store: Store, tags: Sequence[str], current: Manifest, references: References | None, offer: Untagged, *, keep: bool
) -> bool:
    """Remove the first of the tags and nothing that anybody else uses; whether the manifest went with it.

    The other ``tags`` are on the same digest and go too; with ``keep`` the manifest stays. ``references`` are those of
    all tags that stay, None where they are not known, on distribution 2.x. Raises Refused when it cannot be done, with
    nothing changed.
    """
    tag = tags[0]
    user = "" if keep else await _user(store, current.digest, references, offer)
    if not user and not keep:
        if await _points_at(store, tag, current.digest):
            await _must_go(store, current.digest, tags)
        return True
    if offer is not Untagged.ONLY_BY_DIGEST:
        others = references.tags_at(current.digest) if references else []
        going = f"; {first_few(others)} would go too" if others else ""
        why = "is to be kept" if keep else f"is used by {user} as well"
        raise Refused(
            f"{store.name} deletes no tag without its manifest, and {current.digest} {why}{going}",
            hint=f"remove {tag} in the registry's own interface; imagesync doctor tells whether it deletes anything",
        )
    grave = tombstone_of(current)
    # First without a tag, to see that deleting works: what fails here has changed nothing.
    await store.put_manifest(grave)
    await _must_go(store, grave.digest)
    if await _points_at(store, tag, current.digest):
        await store.put_manifest(grave, tag)
        await _must_go(store, grave.digest, [tag])
    return False


async def gone_in_time(store: Store, tags: Mapping[str, str], offers: Collection[Untagged], progress: Progress) -> bool:
    """Wait until these tags do not lead to their digests any more; whether that has happened.

    Some registries accept a DELETE and do it later.
    """

    async def are_gone() -> bool:
        there = await store.tagged(tags)
        if Untagged.ONLY_BY_DIGEST in offers:
            with contextlib.suppress(ImagesyncError):  # without the list it is not known, and there is no more to do
                await _bury(store, [tag for tag in await store.tags() if tag in tags and tag not in there])
        return not any(there[tag].digest == tags[tag] for tag in there)

    if await are_gone():
        return True
    progress.doing = f"waiting until {store.name} has done what it accepted"
    return await comes_true(are_gone)


async def _bury(store: Store, dangling: Iterable[str]) -> None:
    """Remove tags that are listed and lead nowhere, by putting them on something else.

    distribution 2.x removes a manifest and then the tags on it. Where it fails in between, as under parallel requests,
    the tag stays, and is back with the next push of the same image.
    """
    for tag in dangling:
        rest = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "annotations": {"tag": tag}}
        grave = parse_manifest(json.dumps(rest).encode("utf-8"))
        await store.put_manifest(grave, tag)
        await _must_go(store, grave.digest, [tag])


async def _user(store: Store, digest: str, references: References | None, offer: Untagged) -> str:
    """Who else uses the digest; distribution 2.x has no Referrers API to ask."""
    if references is None:
        return "somebody unknown"
    user = references.user_of(digest)
    # Where it is planned that referrers go as well, those that stay are known as users.
    if (
        not user
        and references.planned is None
        and offer is not Untagged.ONLY_BY_DIGEST
        and (referrers := await store.referrers(digest))
    ):
        user = f"referrer {referrers[0].digest}"
    return user


async def _points_at(store: Store, tag: str, digest: str) -> bool:
    """Whether the tag is still there; Unavailable where it was moved meanwhile. Its 404 has to be the same by GET."""
    try:
        current = await store.head(tag)
    except NotFound:
        try:
            current = (await store.manifest(tag)).descriptor
        except NotFound:
            return False
    if current.digest != digest:
        raise moved(store, tag)
    return True


def moved(store: Store, tag: str) -> Unavailable:
    """The error for a tag that somebody else has moved meanwhile."""
    return Unavailable(f"{store.name}:{tag} was moved while it was being removed", hint="run it again")


def contradiction(store: Store, tag: str, said: str) -> Unavailable:
    """The error for a tag that a HEAD finds, after the registry has said that it is not there."""
    return Unavailable(
        f"{store.name}:{tag} is there for a HEAD, and {said} is answered as if it were not",
        hint="run it again: somebody may have pushed it meanwhile; if that does not help, push it once more before",
    )


async def _must_go(store: Store, digest: str, tags: Collection[str] = ()) -> None:
    if reason := await store.delete_manifest(digest, tags):
        raise Refused(
            f"{store.name} deletes neither tags nor {digest}: {reason}",
            hint="for distribution, set storage.delete.enabled and not maintenance.readonly; "
            "elsewhere, use the registry's own interface",
        )
