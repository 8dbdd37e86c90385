"""A repository of a running registry as a test sees it: push, look, tamper.

Plain HTTP and not a line of imagesync, so that no error of ours hides itself.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from tests.embedded_registry.images import Image

MANIFESTS = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
WITHIN_S = 60  # a registry on a busy machine may take longer than the 5 s that httpx gives it


@dataclass(frozen=True)
class RemoteRepository:
    host: str
    name: str

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"

    def tagged(self, tag: str) -> str:
        return f"{self}:{tag}"

    def push(self, image: Image, *tags: str) -> str:
        """Push a whole image, under these tags if there are any; returns its digest."""
        for digest, blob in image.blobs.items():
            opened = self._request("POST", "blobs/uploads/")
            location = opened.url.join(opened.headers["Location"]).copy_merge_params({"digest": digest})
            httpx.put(location, content=blob, timeout=WITHIN_S).raise_for_status()
        for target, manifest in [*image.manifests.items(), *((tag, image.root) for tag in tags)]:
            headers = {"Content-Type": manifest.media_type}
            self._request("PUT", f"manifests/{target}", manifest.content, headers).raise_for_status()
        return image.digest

    def digest(self, reference: str) -> str | None:
        """Return what a tag or digest points at, or None where the registry has no such thing."""
        answer = self._request("HEAD", f"manifests/{reference}")
        if answer.status_code == 404:
            return None
        return str(answer.raise_for_status().headers["Docker-Content-Digest"])

    def content(self, reference: str) -> bytes:
        """Return a manifest's bytes."""
        return self._request("GET", f"manifests/{reference}").raise_for_status().content

    def holds(self, image: Image) -> bool:
        return all(self.digest(digest) for digest in image.manifests)

    def delete(self, digest: str) -> None:
        self._request("DELETE", f"manifests/{digest}").raise_for_status()

    def delete_blob(self, digest: str) -> None:
        self._request("DELETE", f"blobs/{digest}").raise_for_status()

    def has_blob(self, digest: str) -> bool:
        return self._request("HEAD", f"blobs/{digest}").status_code == 200

    @contextlib.contextmanager
    def watched(self, tag: str) -> Iterator[list[str | None]]:
        """Poll a tag while the block runs; yields the digests seen, None for absent, each change once."""
        seen = [self.digest(tag)]
        over = threading.Event()

        def poll() -> None:
            while not over.is_set():
                digest = self.digest(tag)
                if digest != seen[-1]:
                    seen.append(digest)

        watcher = threading.Thread(target=poll)
        watcher.start()
        try:
            yield seen
        finally:
            over.set()
            watcher.join()

    def _request(
        self, method: str, path: str, content: bytes = b"", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        url = f"http://{self.host}/v2/{self.name}/{path}"
        accepting = {"Accept": MANIFESTS} | (headers or {})
        return httpx.request(method, url, content=content, headers=accepting, timeout=WITHIN_S)
