"""Fill and look at a repository, with http.client and not a line of what is measured."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import ssl
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from benchmarks.images import INDEX, MANIFEST, MIB, Document, Image, digest


class Repository:
    """One repository of a registry at HOST:PORT."""

    def __init__(self, host: str, name: str, context: ssl.SSLContext | None = None) -> None:
        self._path = f"/v2/{name}"
        self._host, self._context = host, context

    def push(self, image: Image, tag: str, *, mounted_from: str = "") -> str:
        """Push the image under the tag, its blobs by mount from a repository that has them all; returns its digest."""
        with self._connected():
            for layer in image.layers:
                self._push_blob(digest(layer), layer.size_bytes, layer.chunks(), mounted_from)
            for config in image.configs():
                self._push_blob(config.digest, len(config.content), [config.content], mounted_from)
            *children, root = image.manifests()
            for child in children:
                self._put(child.digest, child)
            self._put(tag, root)
        return root.digest

    def tag(self, image: Image, tags: Iterable[str]) -> None:
        """Put an image that is there under more tags."""
        root = image.manifests()[-1]
        with self._connected():
            for tag in tags:
                self._put(tag, root)

    def put(self, manifests: Iterable[Document]) -> None:
        """Put manifests under tags that are their numbers."""
        with self._connected():
            for number, manifest in enumerate(manifests):
                self._put(str(number), manifest)

    def digest(self, tag: str) -> str:
        """The digest under a tag; empty where there is no such tag."""
        with self._connected():
            answer = self._request("HEAD", f"{self._path}/manifests/{tag}", Accept=f"{INDEX}, {MANIFEST}")
            return answer.headers.get("Docker-Content-Digest", "") if answer.status == 200 else ""

    def is_whole(self, image: Image) -> bool:
        """Whether every manifest and blob of the image is there, byte for byte."""
        documents = [*image.configs(), *image.manifests()]
        blobs = {digest(layer) for layer in image.layers} | {config.digest for config in image.configs()}
        paths = {each.digest: f"manifests/{each.digest}" for each in documents} | {
            each: f"blobs/{each}" for each in blobs
        }
        with self._connected():
            return all(self._hashed(f"{self._path}/{path}") == wanted for wanted, path in paths.items())

    def _hashed(self, path: str) -> str:
        """The digest of what is at the path, "" for nothing."""
        self._connection.request("GET", path, headers={"Accept": f"{INDEX}, {MANIFEST}"})
        answer = self._connection.getresponse()
        hasher = hashlib.sha256()
        while chunk := answer.read(MIB):
            hasher.update(chunk)
        return f"sha256:{hasher.hexdigest()}" if answer.status == 200 else ""

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        if self._context is None:
            self._connection = http.client.HTTPConnection(self._host, timeout=60)
        else:
            self._connection = http.client.HTTPSConnection(self._host, timeout=60, context=self._context)
        with contextlib.closing(self._connection):
            yield

    def _put(self, reference: str, manifest: Document) -> None:
        headers = {"Content-Type": manifest.media_type}
        self._expect(201, "PUT", f"{self._path}/manifests/{reference}", manifest.content, **headers)

    def _push_blob(self, blob: str, size_bytes: int, content: Iterable[bytes], mounted_from: str) -> None:
        if mounted_from:
            self._expect(201, "POST", f"{self._path}/blobs/uploads/?mount={blob}&from={mounted_from}")
            return
        location = urlsplit(self._expect(202, "POST", f"{self._path}/blobs/uploads/").headers["Location"])
        target = f"{location.path}?{location.query}&digest={blob}"
        self._expect(201, "PUT", target, content, **{"Content-Length": str(size_bytes)})

    def _expect(
        self, status: int, method: str, path: str, body: Iterable[bytes] | bytes = b"", **headers: str
    ) -> http.client.HTTPResponse:
        answer = self._request(method, path, body, **headers)
        if answer.status != status:
            raise RuntimeError(f"{method} {path} answers {answer.status}, not {status}")
        return answer

    def _request(
        self, method: str, path: str, body: Iterable[bytes] | bytes = b"", **headers: str
    ) -> http.client.HTTPResponse:
        self._connection.request(method, path, body=body, headers=headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer
