"""The registry under test and the few requests that most cases begin with, by plain HTTP.

It is not the package's own client: that one must not be the judge of its own counterpart.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import httpx

from tests.contract.expected import Expected
from tests.embedded_registry.images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
)
from tests.embedded_registry.state import Manifest, digest_of
from tests.pulp import ADMIN

ACCEPT = {"Accept": ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))}
OCTETS = {"Content-Type": "application/octet-stream"}


def outcome(response: httpx.Response) -> tuple[int, str]:
    """Return the status and the first error code, "" where there is none."""
    code = re.search(rb'"code": ?"(\w+)"', response.content) if response.status_code >= 400 else None
    return response.status_code, code[1].decode() if code else ""


@dataclass(frozen=True)
class Subject:
    """One repository of the registry under test."""

    client: httpx.Client
    repository: str
    expected: Expected

    def path(self, rest: str, repository: str = "") -> str:
        return f"/v2/{repository or self.repository}/{rest}"

    def get(self, reference: str) -> httpx.Response:
        return self.client.get(self.path(f"manifests/{reference}"), headers=ACCEPT)

    def head(self, reference: str) -> httpx.Response:
        return self.client.head(self.path(f"manifests/{reference}"), headers=ACCEPT)

    def delete(self, reference: str) -> httpx.Response:
        """Delete, and wait until that is done where it is done later."""
        answer = self.client.delete(self.path(f"manifests/{reference}"))
        if answer.status_code == 202 and self.expected.deletes_later:
            asked = {"logging_cid": answer.headers["Correlation-ID"], "state__in": "waiting,running"}
            while self.client.get("/pulp/api/v3/tasks/", params=asked, auth=ADMIN).json()["count"]:
                time.sleep(0.05)
        return answer

    def put(self, manifest: Manifest, reference: str = "") -> httpx.Response:
        path = self.path(f"manifests/{reference or manifest.digest}")
        return self.client.put(path, content=manifest.content, headers={"Content-Type": manifest.media_type})

    def tags(self) -> list[str]:
        return sorted(self.client.get(self.path("tags/list")).json()["tags"] or [])

    def start_upload(self, repository: str = "", **query: str) -> httpx.Response:
        return self.client.post(self.path("blobs/uploads/", repository), params=query)

    def location(self, response: httpx.Response, **query: str) -> httpx.URL:
        """Return where the answer points to, with more in its query."""
        return self.client.base_url.join(response.headers["Location"]).copy_merge_params(query)

    def patch(self, started: httpx.Response, content: bytes, content_range: str = "") -> httpx.Response:
        headers = {**OCTETS, "Content-Range": content_range} if content_range else OCTETS
        return self.client.patch(self.location(started), content=content, headers=headers)

    def finish(self, started: httpx.Response, digest: str, content: bytes = b"") -> httpx.Response:
        return self.client.put(self.location(started, digest=digest), content=content, headers=OCTETS)

    def push_blob(self, content: bytes) -> str:
        digest = digest_of(content)
        assert self.finish(self.start_upload(), digest, content).status_code == 201
        return digest

    def has_blob(self, digest: str, repository: str = "") -> bool:
        return self.client.head(self.path(f"blobs/{digest}", repository)).status_code == 200

    def push(self, image: Image, *tags: str) -> str:
        """Push everything, children first, the root under its digest and each tag; returns the digest."""
        for content in image.blobs.values():
            self.push_blob(content)
        for manifest in image.manifests.values():
            assert self.put(manifest).status_code == 201
        for tag in tags:
            assert self.put(image.root, tag).status_code == 201
        return image.digest
