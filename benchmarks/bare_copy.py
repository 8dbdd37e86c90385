"""Copy an image of one manifest as fast as sockets and SHA-256 go: the floor that a copy with hashing is held against.

    python -m benchmarks.bare_copy HOST:PORT/NAME:TAG HOST:PORT/NAME:TAG

A thread a blob, blocking sockets, one buffer each. It is no client: nothing is retried, resumed, shared or reported.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from benchmarks.images import MANIFEST

_AT_ONCE = 4
_BUFFER_BYTES = 512 * 1024


class Side:
    """One repository and a tag in it."""

    def __init__(self, reference: str) -> None:
        self.host, _, path = reference.partition("/")
        name, _, self.tag = path.rpartition(":")
        self.path = f"/v2/{name}"

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> http.client.HTTPResponse:
        """Send over a new connection; the answer closes it."""
        connection = http.client.HTTPConnection(self.host)
        connection.request(method, self.path + path, body, headers)
        return connection.getresponse()


def main() -> None:
    """Copy blobs, then the manifest."""
    source, destination = (Side(reference) for reference in sys.argv[1:])
    manifest = source.ask("GET", f"/manifests/{source.tag}", Accept=MANIFEST).read()
    document = json.loads(manifest)
    blobs = [*document["layers"], document["config"]]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(lambda blob: _copy(source, destination, blob), blobs))
    headers = {"Content-Type": document["mediaType"]}
    _expect(destination.ask("PUT", f"/manifests/{destination.tag}", manifest, **headers))


def _copy(source: Side, destination: Side, blob: dict[str, Any]) -> None:
    digest, left = blob["digest"], blob["size"]
    location = urlsplit(destination.ask("POST", "/blobs/uploads/").headers["Location"])
    upload = http.client.HTTPConnection(destination.host)
    upload.putrequest("PUT", f"{location.path}?{location.query}&digest={digest}")
    upload.putheader("Content-Length", str(left))
    upload.endheaders()
    download = http.client.HTTPConnection(source.host)
    download.request("GET", f"{source.path}/blobs/{digest}")
    first = download.getresponse().read1()  # what came with the head; the rest is still in the socket
    hasher, buffer = hashlib.sha256(first), memoryview(bytearray(_BUFFER_BYTES))
    upload.send(first)
    left -= len(first)
    while left:
        count = download.sock.recv_into(buffer)
        if not count:
            raise RuntimeError(f"{digest} ended {left} bytes early")
        hasher.update(buffer[:count])
        upload.send(buffer[:count])
        left -= count
    _expect(upload.getresponse())
    if digest != f"sha256:{hasher.hexdigest()}":
        raise RuntimeError(f"{digest} arrived as sha256:{hasher.hexdigest()}")


def _expect(answer: http.client.HTTPResponse) -> None:
    if answer.status != 201:
        raise RuntimeError(f"the destination answers {answer.status}")


if __name__ == "__main__":
    main()
