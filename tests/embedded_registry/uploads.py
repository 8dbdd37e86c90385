"""Uploads: sessions, whole and in chunks, and mounts from another repository.

distribution-spec v1.1: end-4 to end-6, end-11, end-13, end-14.
"""

from __future__ import annotations

import re
import uuid
from urllib.parse import quote

from tests.embedded_registry.blobs import BLOB_UNKNOWN
from tests.embedded_registry.manner import NAME_UNKNOWN, Manner
from tests.embedded_registry.routes import Call, RefusedError, refuse
from tests.embedded_registry.state import DIGEST, Repository, Upload, digest_of
from tests.embedded_registry.wire import Response


def start_upload(call: Call) -> Response:
    """Answer POST: a mount, a whole blob, or a new session."""
    repository, query = call.writable_repository, call.request.query
    if "mount" in query and call.manner.mount != "session":
        if call.manner.mount == "refused":
            raise refuse(405, "UNSUPPORTED", "mounting is not offered here")
        source = _mount_source(call)
        if call.manner.mount == "strict" and "from" in query:
            _check_mount(call, source)
        if source and query["mount"] in source.blobs:
            repository.blobs[query["mount"]] = source.blobs[query["mount"]]
            return _created(call, query["mount"], told=call.manner.names_mounts)
    if "digest" in query and call.manner.monolithic_post:
        return _store(call, bytes(call.request.body), query["digest"])
    session = uuid.uuid4().hex
    call.state.uploads[session] = Upload(call.name)
    return _progress(call, session, 202)


def patch_upload(call: Call) -> Response:
    """Take a chunk, or a whole stream without Content-Range."""
    upload = _session(call)
    _check_range(call, upload)
    upload.content += call.request.body
    return _progress(call, call.target, call.manner.patch_status)


def put_upload(call: Call) -> Response:
    """Take the rest, and close the session when the whole is what its digest says."""
    upload = _session(call)
    if "digest" not in call.request.query:
        raise RefusedError(call.manner.no_digest)
    _check_range(call, upload)
    content = bytes(upload.content + call.request.body) if upload.content else bytes(call.request.body)
    response = _store(call, content, call.request.query["digest"], believed=not upload.content)
    del call.state.uploads[call.target]
    return response


def get_upload(call: Call) -> Response:
    _check_offered(call)
    _session(call)
    return _progress(call, call.target, 204)


def delete_upload(call: Call) -> Response:
    _check_offered(call)
    _session(call)
    del call.state.uploads[call.target]
    return Response(204)


def _check_offered(call: Call) -> None:
    if call.manner.session_requests:
        raise RefusedError(call.manner.session_requests, call.target)


def _mount_source(call: Call) -> Repository | None:
    name = call.request.query.get("from", "")
    return call.state.repositories.get(name) if call.may_pull(call.request, name) else None


def _check_mount(call: Call, source: Repository | None) -> None:
    """Refuse what no tagged image of the source names (pulp_container 2.30, app/registry_api.py, mount_blob)."""
    if source is None:
        raise RefusedError(NAME_UNKNOWN, call.request.query["from"])
    tagged = set(source.tags.values())
    tagged.update(*(source.manifests[digest].children for digest in tagged))
    if not any(call.request.query["mount"] in source.manifests[digest].blobs for digest in tagged):
        raise RefusedError(BLOB_UNKNOWN, call.request.query["mount"])


def _session(call: Call) -> Upload:
    upload = call.state.uploads.get(call.target)
    if upload is None or upload.repository != call.name:
        raise RefusedError(call.manner.unknown_session, call.target)
    stale = call.request.query.get("_state", "") != _state(call.manner, upload)
    if call.manner.stale_location and stale and call.request.method in {"PATCH", "PUT"}:
        raise RefusedError(call.manner.stale_location, call.target)
    return upload


def _state(manner: Manner, upload: Upload) -> str:
    return f"opaque-{len(upload.content)}==" if manner.location_query else ""


def _check_range(call: Call, upload: Upload) -> None:
    text = call.request.headers.get("content-range")
    refusal = call.manner.out_of_order
    if text is None or refusal is None:
        return
    match = re.fullmatch(r"(\d+)-(\d+)", text)
    size = len(call.request.body)
    in_order = match is not None and int(match[1]) == len(upload.content)
    if match is None or not in_order or int(match[2]) - int(match[1]) + 1 != size:
        headers = {"Location": _location(call, call.target, upload), "Range": _range(upload)}
        raise RefusedError(refusal, call.target, headers=headers)


def _store(call: Call, content: bytes, digest: str, *, believed: bool = True) -> Response:
    is_checked = call.manner.checks_blobs or not believed
    if not DIGEST.fullmatch(digest) or (is_checked and digest_of(content, digest.partition(":")[0]) != digest):
        raise refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    call.writable_repository.blobs[digest] = content
    return _created(call, digest, call.manner.commit_status)


def _created(call: Call, digest: str, status: int = 201, *, told: bool = True) -> Response:
    headers = call.stored(f"/v2/{call.name}/blobs/{digest}", digest)
    if not told:
        del headers["Docker-Content-Digest"]
    return Response(status, headers)


def _progress(call: Call, session: str, status: int) -> Response:
    upload = call.state.uploads[session]
    headers = {
        "Location": _location(call, session, upload),
        "Range": _range(upload),
        **({"Docker-Upload-UUID": session} if call.manner.names_sessions else {}),
    }
    if call.manner.chunk_min_length and call.request.method == "POST":
        headers["OCI-Chunk-Min-Length"] = str(call.manner.chunk_min_length)
    return Response(status, headers)


def _location(call: Call, session: str, upload: Upload) -> str:
    path = f"/v2/{call.name}/blobs/uploads/{session}"
    state = _state(call.manner, upload)
    return call.address(f"{path}?_state={quote(state)}" if state else path)


def _range(upload: Upload) -> str:
    return f"0-{max(0, len(upload.content) - 1)}"
