"""One repository in a registry (OCI distribution-spec v1.1).

Manifests here; blobs in blobs/, lists in lists.py, deleting in deletion.py.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import httpx

from imagesync_cli.concurrency import gather_few
from imagesync_cli.stores.registry.blobs.reader import BlobReader
from imagesync_cli.stores.registry.blobs.writer import BlobWriter
from imagesync_cli.stores.registry.client import Client, OneRepository
from imagesync_cli.stores.registry.lists import Lists
from imagesync_cli.stores.registry.refusals import may_answer_get, note_encoding
from imagesync_cli.stores.store import Content, Store, Untagged, Written
from imagesync_cli.stores.transport.http import told_length
from imagesync_cli.stores.transport.retry import persist, twice
from imagesync_cli.values.digest import check_bytes, is_digest, parse_digest
from imagesync_cli.values.errors import ContentError, Denied, ImagesyncError, Incomplete, NotFound, Refused, Unavailable
from imagesync_cli.values.hosts import is_loopback
from imagesync_cli.values.manifest import MANIFEST_TYPES, Descriptor, Manifest, parse_manifest
from imagesync_cli.values.names import is_media_type, parse_name, parse_tag
from imagesync_cli.values.reference import RegistryReference

if TYPE_CHECKING:
    from imagesync_cli.stores.registry.deletion import Deletion

_ACCEPT = {"Accept": ", ".join(MANIFEST_TYPES)}
# What a registry may answer to a manifest that names something it does not have, and the codes that say just that.
_MAY_MISS_SOMETHING = frozenset({400, 422})
_MISSES = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"})
# distribution 2.8 to who asks for a blob, which an index may list, as for a manifest. Others say 404.
_SAID_OF_A_BLOB = 500
# Each tag that is asked for costs memory while it is asked.
_ASKED_AT_ONCE = 64


class Repository:
    """``actions`` are those a token is asked for: "pull", "pull,push" or "pull,push,delete"."""

    def __init__(self, client: Client, reference: RegistryReference, actions: str) -> None:
        self.name = reference.name
        self.registry, self.repository = reference.location
        self._client = client
        self.drops_untagged = False
        self._asked = OneRepository.of(client, reference, actions)
        lists = Lists(self._asked)
        self._blobs = BlobReader(self._asked)
        self._uploads = BlobWriter(self._asked)
        self.tags, self.referrers, self.blob_size = lists.tags, lists.referrers, self._blobs.size

    def warm(self, count: int) -> None:
        self._client.http.warm(self._client.base, count)

    async def head(self, wanted: str) -> Descriptor:
        """One HEAD request, which registries do not count as a pull; a GET where it gives no digest (end-3)."""
        doing = f"looking up {self._spelled(wanted)}"
        try:
            response = await self._asked.send("HEAD", _manifest(wanted), doing=doing, headers=_ACCEPT)
        except (Denied, Refused) as error:
            if not may_answer_get(error):
                raise
            return (await self._read_manifest(wanted)).descriptor
        # zot names this version at /v2/ alone; distribution and what is built on it, and the clouds, with every answer.
        self.drops_untagged = "docker-distribution-api-version" not in response.headers
        digest = response.headers.get("docker-content-digest", "")
        size = told_length(response.headers)
        if not is_digest(digest) or size is None:
            return (await self._read_manifest(wanted)).descriptor
        if is_digest(wanted) and digest != wanted:
            raise ContentError(f"{doing}: the registry answers with {digest}")
        media_type = response.headers.get("content-type", "").partition(";")[0].strip()
        if media_type and not is_media_type(media_type):
            raise ContentError(f"{doing}: the registry answers with the media type {media_type[:100]!r}")
        return Descriptor(media_type, digest, size)

    async def manifest(self, wanted: str, most_bytes: int | None = None) -> Manifest:
        """One GET request, its body checked against the digest asked for and the one in its header (end-3)."""
        return await self._read_manifest(wanted, most_bytes)

    async def _is_only_a_blob(self, digest: str) -> bool:
        """Whether the bytes that have this digest are no manifest; False where that cannot be known."""
        doing = f"looking what {self._spelled(digest)} is"
        try:
            _, content = await self._asked.fetch(f"blobs/{parse_digest(digest)}", doing=doing, again=False)
            check_bytes(content, digest)
        except ImagesyncError:
            return False
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            return True
        return not isinstance(document, dict) or "schemaVersion" not in document

    async def _read_manifest(self, wanted: str, most_bytes: int | None = None, *, sound_only: bool = False) -> Manifest:
        may_be_blob = is_digest(wanted)

        async def attempt() -> Manifest:
            nonlocal may_be_blob
            try:
                return await twice(lambda: self._read_manifest_once(wanted, most_bytes, sound_only=sound_only))
            except Unavailable as error:
                if may_be_blob and error.status == _SAID_OF_A_BLOB:
                    may_be_blob = False  # or nobody can tell: not asked again
                    if await self._is_only_a_blob(wanted):
                        raise NotFound(f"{self._spelled(wanted)} is a blob") from error
                raise

        return await persist(attempt)

    async def _read_manifest_once(self, wanted: str, most_bytes: int | None, *, sound_only: bool) -> Manifest:
        doing = f"reading manifest {self._spelled(wanted)}"
        response, content = await self._asked.fetch(
            _manifest(wanted), doing=doing, most_bytes=most_bytes, headers=_ACCEPT, again=False
        )
        told = response.headers.get("docker-content-digest", "")
        try:
            manifest = parse_manifest(
                content,
                response.headers.get("content-type", ""),
                digest=wanted if is_digest(wanted) else told if is_digest(told) else "",
                sound_only=sound_only,
            )
        except ImagesyncError as error:
            del content
            error.during(doing)
            note_encoding(error, response)
            raise error.alone() from None
        if is_digest(told) and told != manifest.digest and told.startswith("sha256:"):
            raise ContentError(f"{doing}: the registry calls it {told}")
        return manifest

    async def has_manifest(self, manifest: Descriptor) -> bool:
        """One HEAD request."""
        return await self._found(manifest.digest) == manifest.digest

    def read_blob(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        return self._blobs.read(blob)

    async def has_blob(self, blob: Descriptor) -> bool:
        return await self._uploads.has(blob)

    async def write_blob(self, blob: Descriptor, content: Content, origin: Store, *, anew: bool = False) -> Written:
        """Mount the blob where ``origin`` is on the same registry, else upload it; see BlobWriter.write."""
        sibling = ""
        if isinstance(origin, Repository) and self._is_beside(origin.registry):
            sibling = origin.repository
        return await self._uploads.write(blob, content, sibling, anew=anew)

    def _is_beside(self, registry: str) -> bool:
        """Whether this is our own registry, perhaps by another of this machine's names."""
        (_, ours), (_, theirs) = map(self._client.settings.address, (self.registry, registry))
        return registry == self.registry or (ours == theirs and is_loopback(self.registry) and is_loopback(registry))

    async def put_manifest(self, manifest: Manifest, tag: str = "") -> bool:
        """One PUT request; ContentError if the registry stored something else, also the second time (end-7).

        A registry that lists referrers says so with OCI-Subject ("Pushing Manifests with Subject").
        """
        if tag and not manifest.digest.startswith("sha256:"):
            # A PUT by tag does not say the algorithm: every registry would move the tag, to a digest that is not ours.
            why = f"{self.name}: a registry's tag is on a sha256 digest, and the image has {manifest.digest}"
            raise Refused(why, hint="copy it to a folder (oci:) or an archive (oci-archive:)")
        return await twice(lambda: self._write_manifest(manifest, tag))  # the tag must not stay on what was damaged

    async def _write_manifest(self, manifest: Manifest, tag: str) -> bool:
        doing = f"writing manifest {self._spelled(tag or manifest.digest)}"

        async def attempt() -> httpx.Response:
            try:
                return await self._asked.send(
                    "PUT",
                    _manifest(tag or manifest.digest),
                    doing=doing,
                    accept=(200, 201, 202),
                    headers={"Content-Type": manifest.media_type},
                    body=manifest.content,
                )
            except ImagesyncError as error:
                raise await self._why_refused(manifest, error) from error

        response = await persist(attempt)
        told = response.headers.get("docker-content-digest", "")
        stored = told if is_digest(told) else await self._found(tag or manifest.digest)
        if stored != manifest.digest:
            raise ContentError(f"{doing}: the registry stored {stored} instead of {manifest.digest}")
        return manifest.subject is not None and response.headers.get("oci-subject") == manifest.subject.digest

    async def _why_refused(self, manifest: Manifest, error: ImagesyncError) -> ImagesyncError:
        """Incomplete where something that the manifest names is missing: by a look, as each registry says it otherwise.

        400 MANIFEST_BLOB_UNKNOWN, 400 MANIFEST_INVALID (zot), 404 NOT_FOUND (Harbor), 404 MANIFEST_UNKNOWN
        (go-containerregistry). What is there, and will be seen in a moment, is tried again: distribution 2.8.2 fails to
        look under ten parallel pushes, and others have several machines, of which each knows the newest a little later.
        """
        says_so = bool(error.codes & _MISSES)  # distribution 3 says so with 500 as well, beside other trouble
        by_status = isinstance(error, NotFound) or (isinstance(error, Refused) and error.status in _MAY_MISS_SOMETHING)
        if not says_so and not by_status:
            return error
        looked_at = [*manifest.manifests, *(blob for blob in manifest.blobs if says_so or not blob.is_foreign)]
        missing: list[Descriptor] = []
        await gather_few(_ASKED_AT_ONCE, (self._note_missing(target, missing) for target in looked_at))
        why: ImagesyncError = error
        if says_so and not missing and not _may_be_unwelcome(manifest):
            why = Unavailable(error.reason, hint="everything that it names is there: run it again")
        elif says_so or missing:
            why = Incomplete(error.reason, hint=error.hint, missing=missing)
        why.step = error.step
        return why

    async def _note_missing(self, target: Descriptor, missing: list[Descriptor]) -> None:
        is_there = await self.has_manifest(target) if target.may_be_manifest else False
        if not is_there and (target.is_manifest or not await self.has_blob(target)):
            missing.append(target)

    async def _found(self, wanted: str) -> str:
        """The digest of what is there, whatever the registry says of what it has stored or deleted."""
        try:
            return (await self.head(wanted)).digest
        except NotFound:
            return "nothing"

    async def tagged(self, tags: Iterable[str], advance: Callable[[], None] | None = None) -> Mapping[str, Descriptor]:
        """One HEAD a tag, many at once."""
        pointed = {}

        async def ask(tag: str) -> None:
            with contextlib.suppress(NotFound):
                pointed[tag] = await self.head(tag)
            if advance is not None:
                advance()

        await gather_few(_ASKED_AT_ONCE, map(ask, tags))
        return pointed

    async def listed(self, tag: str) -> Manifest | None:
        """One GET request."""
        try:
            listed = await self._read_manifest(tag, sound_only=True)
        except NotFound:
            return None
        if not listed.descriptor.is_index:
            raise ContentError(f"{self._spelled(tag)} is not a list of referrers, as its name says")
        return listed

    async def untag(self, tag: str, digest: str) -> Untagged:
        """Remove the tag alone, in whichever way this registry has; see deletion.Deletion.untag."""
        return await self._deletions.untag(parse_tag(tag), parse_digest(digest))

    async def delete_manifest(self, digest: str, tags: Collection[str] = ()) -> str:
        return await self._deletions.manifest(digest, tags)

    @functools.cached_property
    def _deletions(self) -> Deletion:
        from imagesync_cli.stores.registry.deletion import Deletion  # most runs delete nothing
        from imagesync_cli.stores.registry.hosts.host_api import HostApi

        return Deletion(HostApi(*self._asked), self._found)

    def _spelled(self, wanted: str) -> str:
        return f"{self.name}{'@' if is_digest(wanted) else ':'}{wanted}"


def _manifest(wanted: str) -> str:
    return f"manifests/{parse_name(wanted)}"


def _may_be_unwelcome(manifest: Manifest) -> bool:
    """Whether distribution may refuse it for good, as if parts were missing: for a URL, or for an index's blob."""
    return any(blob.is_foreign for blob in manifest.blobs) or (manifest.descriptor.is_index and bool(manifest.blobs))
