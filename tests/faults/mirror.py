"""Two registries with an image to replace and another to leave alone, and what must hold whatever happens between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.command import Finished, imagesync
from tests.embedded_registry import Authentication, EmbeddedRegistry, Manner
from tests.embedded_registry.images import Image, image, index
from tests.embedded_registry.plan import Census
from tests.embedded_registry.state import Repository, digest_of

UP, DOWN = "up/app", "team/app"
OLD, BESIDE = image("old"), image("beside")
SHAPES = {"image": image("new"), "index": index("new", platforms=("linux/amd64", "linux/arm64"))}


@dataclass
class Mirror:
    """Copies ``up/app:1`` over ``team/app:1``, beside ``team/app:beside``; each registry wants tokens."""

    source: EmbeddedRegistry
    destination: EmbeddedRegistry
    new: Image
    login: Path

    @property
    def repository(self) -> Repository:
        return self.destination.repository(DOWN)

    @property
    def arguments(self) -> tuple[str, ...]:
        return "sync", f"{self.source.host}/{UP}:1", f"{self.destination.host}/{DOWN}:1"

    @property
    def environ(self) -> dict[str, str]:
        return {"DOCKER_CONFIG": str(self.login)}

    def reset(self) -> None:
        """Everything as it is before a run."""
        self.destination.state.repositories.clear()
        self.destination.state.uploads.clear()
        OLD.seed(self.repository, "1")
        BESIDE.seed(self.repository, "beside")

    def run(self, census: Census | None = None, *options: str) -> Finished:
        """Copy, with what goes wrong."""
        self.watch(census)
        return imagesync(*self.arguments, *options, environ=self.environ)

    def watch(self, census: Census | None) -> None:
        """Count the requests from now on, and let go wrong what is to."""
        self.source.fault = census.hook("source") if census else None
        self.destination.fault = census.hook("destination") if census else None

    @property
    def arrived(self) -> bool:
        """Whether the tag is the new image."""
        return self.repository.tags.get("1") == self.new.digest

    def broken(self) -> list[str]:
        """What must not be: a tag that is neither old nor new, is lost, or misses something."""
        state = self.repository
        expected = {"1": {OLD.digest, self.new.digest}, "beside": {BESIDE.digest}}
        wrong = [
            f"{tag} is {state.tags.get(tag)}" for tag, allowed in expected.items() if state.tags.get(tag) not in allowed
        ]
        wrong += [f"{tag} came from nowhere" for tag in state.tags.keys() - expected.keys()]
        return wrong + [f"{tag} misses {lost}" for tag, digest in state.tags.items() for lost in lacking(state, digest)]


def lacking(state: Repository, digest: str) -> Iterator[str]:
    """What a manifest names, itself included, and is not there with the right bytes."""
    found = state.manifests.get(digest)
    if found is None or digest_of(found.content) != digest:
        yield digest
        return
    yield from (blob for blob in found.blobs if digest_of(state.blobs.get(blob, b"")) != blob)
    for child in found.children:
        yield from lacking(state, child)


@contextmanager
def mirror(shape: str, folder: Path) -> Iterator[Mirror]:
    """A mirror whose source lets everybody read, and whose destination wants a login."""
    anyone = Authentication(scheme="bearer", anonymous_pull=True)
    member = Authentication(scheme="bearer", accounts={"me": "a-password"})
    with (
        EmbeddedRegistry(Manner(authentication=anyone)) as source,
        EmbeddedRegistry(Manner(authentication=member)) as down,
    ):
        auths = {down.host: {"username": "me", "password": "a-password"}}
        (folder / "config.json").write_text(json.dumps({"auths": auths}))
        SHAPES[shape].seed(source.repository(UP), "1")
        made = Mirror(source, down, SHAPES[shape], folder)
        made.reset()
        yield made
