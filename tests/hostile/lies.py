"""Answers of a registry that a seed chose: the truth, bent in its status, headers, body, pages, or where it leads."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.embedded_registry.faults import Fault
from tests.embedded_registry.images import OCI_INDEX, OCI_MANIFEST
from tests.embedded_registry.wire import Request, Response

STATUSES = (200, 201, 202, 204, 206, 301, 307, 308, 400, 401, 403, 404, 405, 406, 409, 412, 413, 416, 429, 500, 503)
CODES = ("UNKNOWN", "DENIED", "DIGEST_INVALID", "UNSUPPORTED", "MANIFEST_UNKNOWN", "NAME_UNKNOWN", "TAG_INVALID")
NAMES = (
    "../../../victim/app/manifests/latest",
    "1/../../../../victim/app/manifests/keep",
    "..",
    "a\x1b[2Jb",
    "##[command]rm",
    "sha256-" + "0" * 64 + ".x/../../../victim/app/manifests/latest",
    "x" * 300,
    "",
)
Lie = Callable[[Response], Response]


class Bent:
    """A JSON document with one value that is another one, somewhere in it."""

    def __init__(self, choose: random.Random, digests: list[str]) -> None:
        self._random = choose
        self._digests = digests

    def __call__(self, document: Any) -> Any:
        if isinstance(document, dict) and document and self._random.random() < 0.8:
            key = self._random.choice(sorted(document))
            return {**document, key: self(document[key])}
        if isinstance(document, list) and document and self._random.random() < 0.8:
            position = self._random.randrange(len(document))
            return [*document[:position], self(document[position]), *document[position + 1 :]]
        tombstone = {"imagesync.tombstone": f"{self._random.choice(self._digests)} 0"}
        strange: list[Any] = [None, -1, 10**30, 0.5, True, [], {}, [[]] * 50, tombstone, [document] * 3, "unknown"]
        return self._random.choice([*NAMES, *self._digests, *strange])


class Liar:
    """A fault hook that bends some answers; ``elsewhere`` is a registry that is none of its business."""

    def __init__(self, seed: int, elsewhere: str, digests: list[str]) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._every = self._random.choice((1, 2, 3, 6))
        self._elsewhere = elsewhere
        self._digests = digests
        self._bent = Bent(self._random, digests)

    def __call__(self, request: Request) -> Fault | None:
        if self._random.randrange(self._every):
            return None
        lies: list[Lie] = [
            self._status,
            self._lead_away,
            self._header,
            self._body,
            self._page,
            self._much,
            self._refuse,
        ]
        lie = self._random.choice(lies)
        if self._random.random() < 0.1:
            return Fault(cut_answer_after=self._random.choice((0, 1, 100)), ending="close")
        return Fault(change=lie)

    def _address(self) -> str:
        """Somewhere that matters to somebody else, or leads nowhere."""
        digest = self._random.choice(self._digests)
        return self._random.choice(
            (
                f"http://{self._elsewhere}/v2/victim/app/manifests/{digest}",
                f"http://{self._elsewhere}/v2/victim/app/manifests/latest",
                f"//{self._elsewhere}/v2/victim/app/blobs/uploads/1",
                f"http://{self._elsewhere}/v2/victim/app/tags/list",
                "/v2/victim/app/manifests/latest",
                "?last=1",
                "https://xn--0/x",
                "http://[::1",
                "file:///etc/passwd",
                "",
            )
        )

    def _status(self, response: Response) -> Response:
        return replace(response, status=self._random.choice(STATUSES))

    def _lead_away(self, response: Response) -> Response:
        status = self._random.choice((301, 302, 307, 308, response.status, 202))
        return replace(response, status=status, headers={**response.headers, "Location": self._address()})

    def _refuse(self, _: Response) -> Response:
        errors = [{"code": self._random.choice(CODES), "message": self._random.choice(NAMES)}]
        headers = {"Content-Type": "application/json"}
        if self._random.random() < 0.4:
            realm = self._random.choice((f"http://{self._elsewhere}/token", "https://192.0.2.1/t", "/token"))
            headers["WWW-Authenticate"] = f'Bearer realm="{realm}",service="s",scope="repository:victim/app:push"'
        status = self._random.choice((400, 401, 403, 404, 405, 409, 412, 429, 500))
        return Response(status, headers, json.dumps({"errors": errors}).encode())

    def _header(self, response: Response) -> Response:
        name, value = self._random.choice(
            (
                ("Docker-Content-Digest", self._random.choice(self._digests)),
                ("Docker-Content-Digest", "sha256:zz"),
                ("Content-Type", self._random.choice((OCI_INDEX, OCI_MANIFEST, "text/html", "a\tb"))),
                ("Content-Encoding", self._random.choice(("gzip", "identity", "x", "aws-chunked"))),
                ("Content-Range", "bytes 0-9/10"),
                ("Range", "0-0"),
                ("OCI-Subject", self._random.choice(self._digests)),
                ("OCI-Filters-Applied", "artifactType"),
                ("OCI-Chunk-Min-Length", "99999999999"),
                ("Retry-After", self._random.choice(("0", "-1", "99999999999999999999", "x"))),
                ("Docker-Upload-UUID", "../.."),
                ("Set-Cookie", "a=b"),
            )
        )
        return replace(response, headers={**response.headers, name: value})

    def _page(self, response: Response) -> Response:
        link = self._random.choice(
            (
                f'<{self._address()}>; rel="next"',
                '<?last=1>; rel="last next"',
                "<?n=1&last=a>; REL=NEXT",
                '<?last=1>; title="a;b"; rel="next"',
                '<a>; rel="prev", <?last=2>; rel="next"',
                ",,;<>",
            )
        )
        return replace(response, headers={**response.headers, "Link": link})

    def _body(self, response: Response) -> Response:
        try:
            document = json.loads(bytes(response.body))
        except ValueError:
            body = bytearray(response.body or b"x")
            body[self._random.randrange(len(body))] ^= 1
            return replace(response, body=bytes(body))
        return replace(response, body=json.dumps(self._bent(document)).encode())

    def _much(self, response: Response) -> Response:
        """More than anybody wants to keep."""
        size = self._random.choice((200_000, 3_900_000, 9_000_000))
        body = self._random.choice(
            (
                b"[" * size,
                b'{"tags": [' + b'"a",' * (size // 4) + b'"b"]}',
                b'{"schemaVersion": 2, "manifests": [' + b"{}," * (size // 3) + b"{}]}",
                b"x" * size,
                b'{"' + b"k" * size + b'": 1}',
            )
        )
        return replace(response, body=body)
