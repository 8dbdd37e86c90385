"""A double of two registries that hold nothing: one makes an image's bytes as they are read, one forgets them.

For images that no disk of a test machine has room for.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.images import Image, digest

_PIECE_BYTES = 256 * 1024


class _Server(ThreadingHTTPServer):
    def __init__(self, image: Image) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.image = image
        self.layers = {digest(layer): layer for layer in image.layers}
        self.documents = {each.digest: each for each in (*image.configs(), *image.manifests())}
        self.written: dict[str, str] = {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        wanted = self.path.rpartition("/")[2]
        document = self.server.documents.get(wanted) or self.server.image.manifests()[-1]
        layer = self.server.layers.get(wanted)
        if layer is None:
            self._answer(200, document.content, document.media_type, document.digest)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(layer.size_bytes))
        self.end_headers()
        for chunk in layer.chunks():
            self.wfile.write(chunk)

    def do_HEAD(self) -> None:
        self._answer(404)

    def do_POST(self) -> None:
        self.send_response(202)
        self.send_header("Location", f"/v2/copy/blobs/uploads/{len(self.server.written)}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_PUT(self) -> None:
        hasher, left = hashlib.sha256(), int(self.headers["Content-Length"])
        while left:
            piece = self.rfile.read(min(left, _PIECE_BYTES))
            hasher.update(piece)
            left -= len(piece)
        found = f"sha256:{hasher.hexdigest()}"
        self.server.written[self.path.rpartition("=")[2] if "digest=" in self.path else self.path] = found
        self._answer(201, named=found)

    def _answer(self, status: int, content: bytes = b"", media_type: str = "", named: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if media_type:
            self.send_header("Content-Type", media_type)
        if named:
            self.send_header("Docker-Content-Digest", named)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the library's name)
        """Nobody reads it."""


@contextlib.contextmanager
def streaming(image: Image) -> Iterator[tuple[str, dict[str, str]]]:
    """HOST:PORT of both, and what each path was written with, as a digest."""
    with _Server(image) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}", server.written
        finally:
            server.shutdown()
