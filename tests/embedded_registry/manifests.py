"""Manifests: read, put, delete (distribution-spec v1.1, end-2, end-7, end-9)."""

from __future__ import annotations

import re

from tests.embedded_registry.manner import MANIFEST_UNKNOWN, NAME_UNKNOWN, Manner
from tests.embedded_registry.routes import Call, RefusedError, refuse
from tests.embedded_registry.state import DIGEST, Manifest, Repository, digest_of
from tests.embedded_registry.wire import Response

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
LATER = 2
"""How many requests a task waits for."""
MANIFEST_LIMIT_BYTES = 4 * 1024 * 1024


def get_manifest(call: Call) -> Response:
    """Answer GET and HEAD by tag or digest."""
    if call.request.method == "HEAD" and call.manner.head == "refused":
        raise refuse(405, "UNSUPPORTED", "The operation is unsupported.")
    if call.name not in call.state.repositories:
        raise RefusedError(call.manner.unknown_repository, call.name)
    manifest = call.known_repository.find(call.target)
    if manifest is None or not _acceptable(call, manifest):
        raise RefusedError(call.manner.unknown or MANIFEST_UNKNOWN, call.target)
    headers = {"Content-Type": manifest.media_type, "Docker-Content-Digest": manifest.digest}
    if call.manner.names_version:
        headers["Docker-Distribution-Api-Version"] = "registry/2.0"
    if call.request.method == "HEAD" and call.manner.head == "no-digest":
        del headers["Docker-Content-Digest"]
    return Response(200, headers, manifest.content)


def put_manifest(call: Call) -> Response:
    """Store a manifest under its digest and, where the target is one, under a tag."""
    content = bytes(call.request.body)
    if len(content) > MANIFEST_LIMIT_BYTES:
        raise refuse(413, "SIZE_INVALID", "the manifest is too large")
    manifest = _parse(call, content)
    _check_target(call, manifest)
    _check_presence(call, manifest)
    repository = call.writable_repository
    repository.manifests[manifest.digest] = manifest
    if DIGEST.fullmatch(call.target):
        if call.manner.validates != "json":
            repository.manifests[call.target] = manifest
    else:
        before = repository.tags.get(call.target)
        repository.tags[call.target] = manifest.digest
        if before not in (None, manifest.digest) and call.manner.collects_untagged:
            _collect(repository, str(before), moved=True)
    headers = call.stored(f"/v2/{call.name}/manifests/{manifest.digest}", manifest.digest)
    if manifest.subject and call.manner.referrers:
        headers["OCI-Subject"] = manifest.subject
    return Response(201, headers)


def delete_manifest(call: Call) -> Response:
    """Delete a tag or a digest, with all the differences between registries that there are."""
    by_digest = DIGEST.fullmatch(call.target)
    if call.manner.delete_tag and not by_digest:
        raise RefusedError(call.manner.delete_tag, call.target)
    repository = call.state.repositories.get(call.name)
    if repository is None:
        raise RefusedError(call.manner.delete_in_unknown_repository, call.name)
    if by_digest:
        if call.manner.deletes_later:
            return _delete_later(call, repository)
        delete_digest(call.manner, repository, call.target)
    elif repository.tags.pop(call.target, None) is None:
        raise RefusedError(MANIFEST_UNKNOWN, call.target)
    return Response(202)


def delete_digest(manner: Manner, repository: Repository, digest: str) -> None:
    """Take a manifest out by digest, if this kind of registry lets it go."""
    if manner.delete_digest:
        raise RefusedError(manner.delete_digest, digest)
    if digest not in repository.manifests:
        raise RefusedError(manner.unknown or MANIFEST_UNKNOWN, digest)
    tags = repository.tags_of(digest)
    check_mutable(manner, *tags)
    for refusal, applies in (
        (manner.guards_tagged, tags),
        (manner.guards_untagged, not tags),
        (manner.guards_children, manner.guards_children and repository.parents_of(digest)),
        (manner.guards_subjects, manner.guards_subjects and repository.referrers_of(digest)),
    ):
        if refusal and applies:
            raise RefusedError(refusal, digest)
    remove(manner, repository, digest)


def check_mutable(manner: Manner, *tags: str) -> None:
    """Refuse to take immutable tags away, where they are to stay for ever (Harbor)."""
    if manner.immutable_tags and manner.immutable_stay and tags:
        raise RefusedError(manner.tag_immutable, tags[0])


def _delete_later(call: Call, repository: Repository) -> Response:
    """Take the deletion on; what is in use by then stays (Pulp)."""
    if call.target not in repository.manifests:
        raise RefusedError(MANIFEST_UNKNOWN, call.target)

    def do() -> None:
        if call.target in repository.manifests and not repository.parents_of(call.target):
            remove(call.manner, repository, call.target)

    call.state.later.append([LATER, do])
    return Response(202)


def _collect(repository: Repository, digest: str, *, moved: bool = False) -> None:
    """Take out what lost its tag, unless it has another one; what it lists only where no index lists it (zot)."""
    is_listed = not moved and repository.parents_of(digest)
    if digest in repository.manifests and not repository.tags_of(digest) and not is_listed:
        children = repository.manifests.pop(digest).children
        for child in children:
            _collect(repository, child)


def remove(manner: Manner, repository: Repository, digest: str) -> None:
    """Take a manifest out without asking whether anything guards it."""
    manifest = repository.manifests.pop(digest)
    tags = repository.tags_of(digest)
    if manner.tags_of_deleted == "removed":
        for tag in tags:
            del repository.tags[tag]
    elif manner.tags_of_deleted == "answering" and tags:
        repository.deleted_but_tagged[digest] = manifest
    if manner.deletes_children:
        for child in manifest.children:
            used = repository.tags_of(child) or repository.parents_of(child)
            if child in repository.manifests and not used:
                remove(manner, repository, child)
    if manner.forgets_blobs:
        named = {blob for kept in repository.manifests.values() for blob in kept.blobs}
        for blob in set(manifest.blobs) - named:
            repository.blobs.pop(blob, None)


def _acceptable(call: Call, manifest: Manifest) -> bool:
    return not call.manner.needs_accept or manifest.media_type in call.request.headers.get("accept", "")


def _parse(call: Call, content: bytes) -> Manifest:
    media_type = call.request.headers.get("content-type", "")
    if media_type in call.manner.refused_media_types:
        raise refuse(415, "MANIFEST_INVALID", "this media type is not taken here")
    manifest = Manifest(media_type, content)
    if call.manner.validates == "nothing":
        return manifest
    if call.manner.validates == "json":
        if not manifest.document:
            raise RefusedError(call.manner.not_json)
        return manifest
    try:
        document = manifest.document
        _ = manifest.children, manifest.blobs, manifest.subject
    except (KeyError, TypeError, AttributeError) as error:
        raise refuse(400, "MANIFEST_INVALID", f"manifest invalid: {type(error).__name__}") from error
    if not document:
        raise RefusedError(call.manner.not_json)
    if document.get("mediaType", media_type) != media_type:
        raise refuse(400, "MANIFEST_INVALID", "not a manifest of this Content-Type")
    return manifest


def _check_target(call: Call, manifest: Manifest) -> None:
    target = call.target
    if call.manner.validates != "manifests":
        return
    if DIGEST.fullmatch(target):
        algorithm = target.partition(":")[0]
        if digest_of(manifest.content, algorithm) != target:
            raise RefusedError(call.manner.wrong_digest)
        object.__setattr__(manifest, "digest", target)
    elif not TAG.fullmatch(target):
        raise refuse(400, "TAG_INVALID", "manifest tag did not match URI")
    repository = call.state.repositories.get(call.name)
    if call.manner.immutable_tags and repository and target in repository.tags:
        raise RefusedError(call.manner.tag_immutable, target)


def _check_presence(call: Call, manifest: Manifest) -> None:
    """Refuse a manifest whose blobs or children are not here; the answer names each that misses."""
    manner, repository = call.manner, call.state.repositories.get(call.name, Repository())
    if manner.creates_repositories == "with blobs" and call.name not in call.state.repositories:
        raise RefusedError(NAME_UNKNOWN, call.name)
    if manner.missing_config and (missing := [d for d in manifest.blobs[:1] if d not in repository.blobs]):
        raise RefusedError(manner.missing_config, *missing)
    if manner.missing_blob and (missing := [d for d in manifest.blobs if d not in repository.blobs]):
        raise RefusedError(manner.missing_blob, *(missing if manner.names_missing else ()))
    if manner.missing_child and (missing := [d for d in manifest.children if d not in repository.manifests]):
        raise RefusedError(manner.missing_child, *(missing if manner.names_missing else ()))
