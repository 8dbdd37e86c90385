"""Blobs: read whole or in part, delete, and the storage that some registries redirect to (end-2, end-10)."""

from __future__ import annotations

import re

from tests.embedded_registry.manner import Manner, Refusal
from tests.embedded_registry.routes import Call, RefusedError, refuse
from tests.embedded_registry.state import DIGEST, State
from tests.embedded_registry.wire import Request, Response

BLOB_UNKNOWN = Refusal(404, "BLOB_UNKNOWN", "blob unknown to registry")
OCTETS = "application/octet-stream"


def get_blob(call: Call, storage_host: str = "") -> Response:
    """Answer GET and HEAD, from here or by a redirect to the storage host."""
    if not DIGEST.fullmatch(call.target):
        raise refuse(400, "DIGEST_INVALID", "provided digest is not one")
    content = call.find_blob(call.target)
    if content is None:
        raise RefusedError(BLOB_UNKNOWN, call.target)
    if storage_host and call.request.method == "GET":
        location = f"http://{storage_host}/{call.name}/{call.target}?signature=for-this-blob-only"
        return Response(307, {"Location": location, "Content-Type": OCTETS})
    return _send(call.request, content, call.target, call.manner)


def delete_blob(call: Call) -> Response:
    if call.manner.delete_blob:
        raise RefusedError(call.manner.delete_blob, call.target)
    repository = call.state.repositories.get(call.name)
    if repository is None:
        raise RefusedError(call.manner.delete_blob_in_unknown_repository, call.name)
    if call.manner.guards_blobs and any(call.target in one.blobs for one in repository.manifests.values()):
        raise RefusedError(call.manner.guards_blobs, call.target)
    if repository.blobs.pop(call.target, None) is None:
        raise RefusedError(BLOB_UNKNOWN, call.target)
    return Response(202)


def get_from_storage(state: State, request: Request) -> Response:
    """Answer for the storage host: a signed address is all the proof it takes, as with S3.

    A second proof is an error there, so a client that lets its Authorization header cross hosts is found out.
    """
    if "authorization" in request.headers:
        return Response(400, {"Content-Type": "application/xml"}, b"<Error>one auth mechanism only</Error>")
    name, _, digest = request.path.lstrip("/").rpartition("/")
    content = state.repository(name).blobs.get(digest)
    if content is None or "signature" not in request.query:
        return Response(403, {"Content-Type": "application/xml"}, b"<Error>AccessDenied</Error>")
    return _send(request, content, digest, Manner())


def _send(request: Request, content: bytes, digest: str, manner: Manner) -> Response:
    headers = {"Content-Type": OCTETS, "Docker-Content-Digest": digest, "ETag": f'"{digest}"'}
    text = request.headers.get("range", "")
    if manner.ranges == "none" or request.method == "HEAD" or not text:
        return Response(200, headers, content)
    headers["Accept-Ranges"] = "bytes"
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", text)
    size = len(content)
    first, last = _bounds(wanted[1], wanted[2], size) if wanted else (size, size)
    closed = wanted is not None and wanted[1] and wanted[2]
    if first >= size or first > last or (manner.ranges == "closed" and not closed):
        length = str(size) if manner.cuts_416 else None
        return Response(416, {"Content-Range": f"bytes */{size}"}, length=length, close=manner.cuts_416)
    headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return Response(206, headers, memoryview(content)[first : last + 1])


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return (max(0, size - int(last)), size - 1) if last else (size, size)
    return int(first), min(int(last), size - 1) if last else size - 1
