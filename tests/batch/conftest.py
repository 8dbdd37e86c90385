"""Two embedded registries and a file of images between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command import Finished, imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import Image, image
from tests.embedded_registry.state import Repository


class Bench:
    """A registry to copy from (``up``), one to copy to (``down``), and a file."""

    def __init__(self, up: EmbeddedRegistry, down: EmbeddedRegistry, folder: Path) -> None:
        self.up, self.down, self.folder = up, down, folder
        self.file = folder / "images.yaml"
        self.lock_file = folder / "images.lock.json"

    def seed(self, name: str, tag: str, made: Image | None = None) -> Image:
        made = made or image((name, tag))
        made.seed(self.up.repository(name), tag)
        return made

    def entry(self, name: str, tag: str = "", **more: Any) -> dict[str, Any]:
        suffix = f":{tag}" if tag else ""
        return {"source": f"{self.up.host}/{name}{suffix}", "destination": f"{self.down.host}/{name}{suffix}", **more}

    def write(self, *entries: dict[str, Any], **more: Any) -> None:
        self.file.write_text(json.dumps({"images": list(entries), **more}, indent=1))

    def sync(self, *options: str) -> Finished:
        return imagesync("sync", "--file", str(self.file), *options)

    def lock(self, *options: str) -> Finished:
        return imagesync("lock", "--file", str(self.file), *options)

    def there(self, name: str) -> Repository:
        return self.down.repository(name)

    def tags(self, name: str) -> dict[str, str]:
        return dict(self.down.repository(name).tags)

    def clear(self) -> None:
        self.up.clear_requests()
        self.down.clear_requests()

    def asked(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in (*self.up.requests, *self.down.requests)]


@pytest.fixture
def bench(registry: EmbeddedRegistry, tmp_path: Path) -> Iterator[Bench]:
    with EmbeddedRegistry() as up:
        yield Bench(up, registry, tmp_path)
