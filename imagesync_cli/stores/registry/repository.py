"""One repository in a registry: manifests and tags; blobs are beside it (OCI distribution-spec v1.1)."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import httpx

from imagesync_cli.concurrency import gather
from imagesync_cli.stores.registry.blobs.reader import BlobReader
from imagesync_cli.stores.registry.blobs.writer import BlobWriter
from imagesync_cli.stores.registry.client import Client, read_errors
from imagesync_cli.stores.store import Content, Store, Untagged, Written
from imagesync_cli.stores.transport.tally import count
from imagesync_cli.values.digest import Digest, is_digest, parse_digest
from imagesync_cli.values.errors import (
    ContentError,
    Denied,
    ImagesyncError,
    NotFound,
    Refused,
    Unavailable,
    UsageError,
)
from imagesync_cli.values.manifest import MANIFEST_TYPES, OCI_INDEX, Descriptor, Manifest, parse_manifest
from imagesync_cli.values.names import is_tag, parse_name, parse_tag
from imagesync_cli.values.reference import RegistryReference

if TYPE_CHECKING:
    from imagesync_cli.stores.registry.hosts.host_api import Place

_ACCEPT = {"Accept": ", ".join(MANIFEST_TYPES)}
_TAGS_LIMIT_BYTES = 4 * 1024 * 1024
# As many as possible, since each page is a round trip; ECR and GitLab refuse to give more than the second number.
_TAGS_A_PAGE = 10_000
_FEWER_TAGS_A_PAGE = 1000
_USUAL_PAGES = frozenset({50, 100, 200, 250, 500, 1000})
_MOST_PAGES = 1000
_MOST_TAGS = 100_000
# Each tag that is asked for costs memory while it is asked.
_ASKED_AT_ONCE = 64
_SIZE = re.compile(r"[0-9]{1,18}")
_MEDIA_TYPE = re.compile(r"[!#-'*+.0-9A-Z^-z|~-]+/[!#-'*+.0-9A-Z^-z|~-]+")
_NO_REPOSITORY = frozenset({"NAME_UNKNOWN", "NOT_FOUND", "MANIFEST_UNKNOWN"})


class Repository:
    """``actions`` are those a token is asked for: "pull", "pull,push" or "pull,push,delete"."""

    def __init__(self, client: Client, reference: RegistryReference, actions: str) -> None:
        self.name = reference.name
        self.registry, self.repository = reference.location
        self._client = client
        self._scopes = (f"repository:{self.repository}:{actions}",)
        self._tags_a_page = _TAGS_A_PAGE
        self._no_tag_deletion: Untagged | None = None
        self._blobs = BlobReader(client, self.repository, self.name, self._scopes)
        self._uploads = BlobWriter(client, self.repository, self.name, self._scopes)

    def warm(self, count: int) -> None:
        """Begin so many connections."""
        self._client.warm(count)

    async def head(self, wanted: str) -> Descriptor:
        """One HEAD request, which registries do not count as a pull; a GET where it gives no digest (end-3)."""
        doing = f"looking up {self._spelled(wanted)}"
        try:
            response = await self._client.send(
                "HEAD", self._manifest_path(wanted), doing=doing, scopes=self._scopes, headers=_ACCEPT
            )
        except (Denied, Refused) as error:
            # Some allow or know GET alone; a real refusal is repeated there, with its reason.
            if isinstance(error, Refused) and error.status not in (400, 405, 501):
                raise
            return (await self.manifest(wanted)).descriptor
        await response.aclose()
        digest = response.headers.get("docker-content-digest", "")
        size = response.headers.get("content-length", "")
        if not is_digest(digest) or not _SIZE.fullmatch(size):
            return (await self.manifest(wanted)).descriptor
        if is_digest(wanted) and digest != wanted:
            raise ContentError(f"{doing}: the registry answers with {digest}")
        media_type = response.headers.get("content-type", "").partition(";")[0].strip()
        if media_type and not _MEDIA_TYPE.fullmatch(media_type):
            raise ContentError(f"{doing}: the registry answers with the media type {media_type[:100]!r}")
        return Descriptor(media_type, digest, int(size))

    async def manifest(self, wanted: str, most_bytes: int | None = None) -> Manifest:
        """One GET request, its body checked against the digest asked for and the one in its header (end-3)."""
        return await self._read_manifest(wanted, most_bytes)

    async def _read_manifest(self, wanted: str, most_bytes: int | None = None, *, sound_only: bool = False) -> Manifest:
        limit_bytes = min(filter(None, (most_bytes, self._client.settings.max_manifest_bytes)))
        try:
            return await self._read_manifest_once(wanted, limit_bytes, sound_only=sound_only)
        except ContentError:  # on the way here, perhaps, and not at the registry
            count(retries=1)
            return await self._read_manifest_once(wanted, limit_bytes, sound_only=sound_only)

    async def _read_manifest_once(self, wanted: str, limit_bytes: int, *, sound_only: bool) -> Manifest:
        doing = f"reading manifest {self._spelled(wanted)}"
        response, content = await self._client.fetch(
            self._manifest_path(wanted),
            doing=doing,
            scopes=self._scopes,
            limit_bytes=limit_bytes,
            headers=_ACCEPT,
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
            error.during(doing)
            raise
        if is_digest(told) and told != manifest.digest and told.startswith("sha256:"):
            raise ContentError(f"{doing}: the registry calls it {told}")
        return manifest

    async def has_manifest(self, manifest: Descriptor) -> bool:
        """One HEAD request."""
        try:
            return (await self.head(manifest.digest)).digest == manifest.digest
        except NotFound:
            return False

    def read_blob(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Stream a blob; see BlobReader.read."""
        return self._blobs.read(blob)

    async def has_blob(self, blob: Descriptor) -> bool:
        """Whether the repository holds the blob."""
        return await self._uploads.has(blob)

    async def blob_size(self, blob: Descriptor) -> int | None:
        """The length that the registry tells; see BlobReader.size."""
        return await self._blobs.size(blob)

    async def write_blob(self, blob: Descriptor, content: Content, origin: Store, *, anew: bool = False) -> Written:
        """Mount the blob where ``origin`` is on the same registry, else upload it; see BlobWriter.write."""
        sibling = ""
        if isinstance(origin, Repository) and origin.registry == self.registry:
            sibling = origin.repository
        return await self._uploads.write(blob, content, sibling, anew=anew)

    async def put_manifest(self, manifest: Manifest, tag: str = "") -> bool:
        """One PUT request; ContentError if the registry stored something else, also the second time (end-7).

        A registry that lists referrers says so with OCI-Subject ("Pushing Manifests with Subject").
        """
        try:
            return await self._write_manifest(manifest, tag)
        except ContentError:  # it was damaged on the way, perhaps, and the tag must not stay on that
            count(retries=1)
            return await self._write_manifest(manifest, tag)

    async def _write_manifest(self, manifest: Manifest, tag: str) -> bool:
        doing = f"writing manifest {self._spelled(tag or manifest.digest)}"
        response = await self._client.send(
            "PUT",
            self._manifest_path(tag or manifest.digest),
            doing=doing,
            scopes=self._scopes,
            accept=(200, 201, 202),
            headers={"Content-Type": manifest.media_type},
            body=manifest.content,
        )
        await response.aclose()
        stored = response.headers.get("docker-content-digest") or await self._found(tag or manifest.digest)
        if stored != manifest.digest:
            raise ContentError(f"{doing}: the registry stored {stored} instead of {manifest.digest}")
        return manifest.subject is not None and response.headers.get("oci-subject") == manifest.subject.digest

    async def _found(self, wanted: str) -> str:
        """What is there, for a registry that does not say what it has stored."""
        try:
            return (await self.head(wanted)).digest
        except NotFound:
            return "nothing"

    async def tags(self) -> Mapping[str, Descriptor | None]:
        """Every tag, following the pages (end-8b); none where the repository is not known.

        Google's registries tell in the same answer what each points at (``size`` is 0 then: it is not told).
        """
        doing = f"listing the tags of {self.name}"
        target: str | httpx.URL = self._tags_path(self._tags_a_page)
        found: dict[str, Descriptor | None] = {}
        for _ in range(_MOST_PAGES):
            try:
                response, content = await self._client.fetch(
                    target, doing=doing, scopes=self._scopes, limit_bytes=_TAGS_LIMIT_BYTES
                )
            except NotFound as error:
                # Anything else, or a list that ends in the middle, would be taken for the whole.
                if found or not error.codes & _NO_REPOSITORY:
                    raise
                return found
            except Refused as error:
                if found or error.status != 400 or self._tags_a_page == _FEWER_TAGS_A_PAGE:
                    raise
                self._tags_a_page = _FEWER_TAGS_A_PAGE
                target = self._tags_path(self._tags_a_page)
                continue
            page = _tags(content, doing)
            new = {tag: told for tag, told in page.items() if tag not in found}
            found.update(new)
            if len(found) > _MOST_TAGS:
                raise Unavailable(f"{doing}: more than {_MOST_TAGS} tags", may_pass=False)
            following = response.links.get("next", {}).get("url")
            if not following and len(page) in (self._tags_a_page, *_USUAL_PAGES):
                # The go-containerregistry registry cuts its answer at n and names no next page; others may.
                following = f"list?{httpx.QueryParams(n=self._tags_a_page, last=list(page)[-1])}"
            if not following or not new:
                return found
            target = self._next_page(response.url, following, doing)
        raise Unavailable(f"{doing}: more than {_MOST_PAGES} pages", may_pass=False)

    async def tagged(self, tags: Iterable[str], advance: Callable[[], None] | None = None) -> Mapping[str, Descriptor]:
        """One HEAD a tag, many at once."""

        waiting, found = iter(tags), {}

        async def ask() -> None:
            for tag in waiting:  # the next one that nobody asks for yet
                with contextlib.suppress(NotFound):
                    found[tag] = await self.head(tag)
                if advance is not None:
                    advance()

        await gather(ask() for _ in range(_ASKED_AT_ONCE))
        return found

    async def referrers(self, digest: str) -> list[Descriptor]:
        """The Referrers API's answer, following the pages (end-12); none where the registry does not have it."""
        doing = f"listing the referrers of {self._spelled(digest)}"
        target: str | httpx.URL = f"/v2/{self.repository}/referrers/{parse_digest(digest)}"
        found: dict[Digest, Descriptor] = {}
        for _ in range(_MOST_PAGES):
            answer = await self._referrers_page(target, doing)
            if answer is None:
                return []
            response, content = answer
            page = parse_manifest(content, OCI_INDEX, sound_only=True).manifests
            new = {entry.digest: entry for entry in page if entry.digest not in found}
            found.update(new)
            following = response.links.get("next", {}).get("url")
            if not following or not new:
                return list(found.values())
            target = self._next_page(response.url, following, doing)
        raise Unavailable(f"{doing}: more than {_MOST_PAGES} pages", may_pass=False)

    async def _referrers_page(self, target: str | httpx.URL, doing: str) -> tuple[httpx.Response, bytes] | None:
        """None where there is no such API, which is remembered for the whole registry."""
        if not self._client.lists_referrers:
            return None
        limit_bytes = self._client.settings.max_manifest_bytes
        try:
            response, content = await self._client.fetch(
                target, doing=doing, scopes=self._scopes, limit_bytes=limit_bytes
            )
        except (NotFound, Refused) as error:
            # An unknown repository says nothing of the registry.
            self._client.lists_referrers = "NAME_UNKNOWN" in error.codes
            return None
        if response.headers.get("content-type", "").partition(";")[0].strip() != OCI_INDEX:
            self._client.lists_referrers = False  # any web server may answer 200
            return None
        return response, content

    async def listed(self, tag: str) -> Manifest | None:
        """One GET request."""
        try:
            found = await self._read_manifest(tag, sound_only=True)
        except NotFound:
            return None
        if not found.descriptor.is_index:
            raise ContentError(f"{self._spelled(tag)} is not a list of referrers, as its name says")
        return found

    async def untag(self, tag: str, digest: str) -> Untagged:
        """DELETE by tag (end-9), or the host's own API; what the registry cannot do is told, the rest is an error."""
        if self._no_tag_deletion is not None:
            return self._no_tag_deletion
        from imagesync_cli.stores.registry.hosts import deletion_apis

        response = await self._delete(tag, f"removing the tag {self._spelled(tag)}", deletion_apis.NO_TAG_DELETION)
        if response is None:
            return Untagged.ABSENT
        if response.status_code not in deletion_apis.NO_TAG_DELETION:
            await response.aclose()
            return Untagged.DONE
        codes = frozenset(code for code, _ in await read_errors(response))
        way = deletion_apis.own_untag(self.registry, response.status_code, codes)
        if isinstance(way, deletion_apis.Kind):
            assert way.untag is not None  # noqa: S101  (for the type checker)
            way = await way.untag(self._place(way.api), parse_tag(tag), parse_digest(digest))
        if way in (Untagged.ONLY_BY_DIGEST, Untagged.NOT_OFFERED):
            self._no_tag_deletion = way
        return way

    async def delete_manifest(self, digest: str, tags: Collection[str] = ()) -> str:
        """DELETE by digest (end-9), or by the host's own API; gives the reason where the manifest is kept, else ""."""
        from imagesync_cli.stores.registry.hosts import deletion_apis

        response = await self._delete(digest, f"deleting manifest {self._spelled(digest)}", deletion_apis.GUARDED)
        if response is None:
            return ""
        if response.status_code < 300:
            await response.aclose()
            return ""
        errors = await read_errors(response)
        kind = deletion_apis.kind_of(self.registry)
        if response.status_code in deletion_apis.NO_TAG_DELETION and kind is not None and kind.delete is not None:
            return await kind.delete(self._place(kind.api), digest, tags)
        return "; ".join(f"{code}: {text}" for code, text in errors) or f"it answers {response.status_code}"

    def _place(self, api: str) -> Place:
        from imagesync_cli.stores.registry.hosts.host_api import Place

        return Place(self._client, self.repository, self.name, self._scopes, api or str(self._client.base))

    async def _delete(self, wanted: str, doing: str, understood: frozenset[int]) -> httpx.Response | None:
        """The response, with a status in ``understood`` or a success; None where there was nothing to delete."""
        try:
            return await self._client.send(
                "DELETE",
                self._manifest_path(wanted),
                doing=doing,
                scopes=self._scopes,
                accept={200, 202, 204, *understood},
            )
        except NotFound:
            return None

    def _next_page(self, url: httpx.URL, following: str, doing: str) -> httpx.URL:
        page = self._client.resolve_location(url, following)
        if (page.scheme, page.netloc) != (url.scheme, url.netloc):
            raise ContentError(f"{doing}: the next page is on another host, {page.host}")
        return page

    def _tags_path(self, count: int) -> str:
        return f"/v2/{self.repository}/tags/list?n={count}"

    def _manifest_path(self, wanted: str) -> str:
        return f"/v2/{self.repository}/manifests/{parse_name(wanted)}"

    def _spelled(self, wanted: str) -> str:
        return f"{self.name}{'@' if is_digest(wanted) else ':'}{wanted}"


def _tags(content: bytes, doing: str) -> dict[str, Descriptor | None]:
    try:
        document = json.loads(content)
        tags = document.get("tags") or []
    except (ValueError, AttributeError, RecursionError) as error:
        raise ContentError(f"{doing}: the answer is not a list of tags") from error
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ContentError(f"{doing}: the answer is not a list of tags")
    if strange := [tag for tag in tags if not is_tag(tag)]:
        # It would become a part of a URL, and who uses what could not be asked of it.
        raise ContentError(f"{doing}: the registry names a tag that is none, {strange[0][:100]!r}")
    told = _told(document.get("manifest"))
    return {tag: told.get(tag) for tag in tags}


def _told(manifests: Any) -> dict[str, Descriptor]:
    """Google's registries name every manifest beside the tags; whatever else stands there tells nothing."""
    try:
        return {
            tag: Descriptor(str(manifest["mediaType"]), parse_digest(digest), 0)
            for digest, manifest in (manifests or {}).items()
            for tag in manifest["tag"]
        }
    except (AttributeError, KeyError, TypeError, UsageError):
        return {}
