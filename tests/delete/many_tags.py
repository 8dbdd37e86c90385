"""A delete in a repository of as many tags as one likes, a process of its own so that its memory can be measured.

Takes the number of tags; says what was deleted and the largest size that it had, in KiB. The store answers from
arithmetic: there is no socket, and nothing is held but what imagesync holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from imagesync_cli.delete.delete import Policy, delete
from imagesync_cli.stores import Untagged
from imagesync_cli.values.digest import parse_digest
from imagesync_cli.values.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor, Manifest, parse_manifest
from imagesync_cli.values.reference import parse_reference

ENTRIES = 10


def _image(number: int) -> Manifest:
    config = {"mediaType": "application/octet-stream", "digest": f"sha256:{number:064x}", "size": 1}
    content = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []}
    return parse_manifest(json.dumps(content).encode())


def _index(children: Iterable[str]) -> bytes:
    entries = [{"mediaType": OCI_MANIFEST, "digest": digest, "size": 500} for digest in children]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


class ManyTags:
    """Stands for the stores and for the one store in them: ``gone`` is to go, and shares a child with the last tag."""

    name = "registry.example.com/app"

    def __init__(self, count: int) -> None:
        self._count = count
        self._images = [_image(number) for number in range(ENTRIES)]
        self._gone = parse_manifest(_index(image.digest for image in self._images))
        self._real: dict[str, Manifest] = {found.digest: found for found in [*self._images, self._gone]}
        self._has_gone = False
        self.deleted: list[str] = []

    def open(self, *_: object) -> Any:
        return self

    def removing(self, _: object) -> contextlib.nullcontext[None]:
        """Nobody else works here."""
        return contextlib.nullcontext()

    async def tags(self, *, must_exist: bool = False) -> Mapping[str, None]:
        return {f"v1.{number}-{number * 7919 % 1000003:06}": None for number in range(self._count)}

    async def tagged(self, tags: Iterable[str], advance: Callable[[], None] | None = None) -> Mapping[str, Descriptor]:
        numbers = {tag: int(tag[3:].partition("-")[0]) for tag in tags if tag != "gone"}
        size = len(_index(f"sha256:{0:064x}" for _ in range(ENTRIES)))
        return {
            tag: Descriptor(OCI_INDEX, parse_digest(f"sha256:{number:064x}"), size) for tag, number in numbers.items()
        }

    async def manifest(self, wanted: str, most_bytes: int | None = None) -> Manifest:
        if wanted == "gone":
            return self._gone
        if wanted in self._real:
            return self._real[wanted]
        number = int(wanted.removeprefix("sha256:"), 16)
        children = [f"sha256:{hashlib.sha256(f'{number} {n}'.encode()).hexdigest()}" for n in range(ENTRIES)]
        if number == self._count - 1:
            children[0] = self._images[0].digest
        read = parse_manifest(_index(children))
        return Manifest(read.content, read.media_type, parse_digest(wanted), read.manifests)

    async def referrers(self, digest: str) -> list[Descriptor]:
        return []

    async def untag(self, tag: str, digest: str) -> Untagged:
        return Untagged.DONE

    async def delete_manifest(self, digest: str, tags: Collection[str] = ()) -> str:
        self.deleted.append(digest)
        return ""

    @property
    def expected(self) -> set[str]:
        """What nobody else uses."""
        return {self._gone.digest, *(image.digest for image in self._images[1:])}


def main(count: int) -> None:
    store = ManyTags(count)
    reference = parse_reference(f"{store.name}:gone")
    (report,) = asyncio.run(delete(store, [reference], Policy()))  # type: ignore[arg-type]
    assert report.error is None, report.error
    assert set(store.deleted) == store.expected, report.items
    # getrusage counts what the parent had when it made this process, too.
    largest = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    sys.stdout.write(largest[1] if largest else "")


if __name__ == "__main__":
    main(int(sys.argv[1]))
