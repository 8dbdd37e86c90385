"""One copy between two embedded registries, and what can be asked of it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.command import Finished, imagesync
from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.faults import FaultHook
from tests.embedded_registry.images import Image

NAME = "team/app"
Matches = Callable[[Request], bool]


@dataclass
class Copying:
    """Copies ``team/app:1`` from the source to the destination."""

    source: EmbeddedRegistry
    destination: EmbeddedRegistry
    pauses: list[float]

    def run(self, *options: str) -> Finished:
        return imagesync("sync", f"{self.source.host}/{NAME}:1", f"{self.destination.host}/{NAME}:1", *options)

    def seed(self, image: Image) -> Image:
        """Put the image where it is to be copied from."""
        image.seed(self.source.repository(NAME), "1")
        return image

    def arrived(self, image: Image) -> bool:
        """Tell whether the destination holds the image whole, under its tag."""
        there = self.destination.repository(NAME)
        blobs = all(there.blobs.get(digest) == content for digest, content in image.blobs.items())
        return blobs and image.manifests.items() <= there.manifests.items() and there.tags == {"1": image.digest}

    def untouched(self) -> bool:
        """Tell whether no tag was written."""
        return not self.destination.repository(NAME).tags


def blob(method: str, digest: str = "") -> Matches:
    """Requests for blobs, or for this one, but not those of uploads."""
    return lambda request: (
        request.method == method
        and "/blobs/" in request.path
        and "/uploads/" not in request.path
        and digest in request.path
    )


def upload(method: str) -> Matches:
    """Requests that open, fill, finish or cancel an upload."""
    return lambda request: request.method == method and "/blobs/uploads/" in request.path


def manifest(method: str) -> Matches:
    """Requests for manifests."""
    return lambda request: request.method == method and "/manifests/" in request.path


def always(matches: Matches, fault: Fault) -> FaultHook:
    """Let this go wrong every time."""
    return lambda request: fault if matches(request) else None


def times(count: int, matches: Matches, fault: Fault) -> FaultHook:
    """Let this go wrong so many times, and never again."""
    left = [fault] * count
    return lambda request: left.pop() if left and matches(request) else None


def once(matches: Matches, fault: Fault) -> FaultHook:
    """Let this go wrong one time."""
    return times(1, matches, fault)


def sent(registry: EmbeddedRegistry, matches: Matches) -> list[Request]:
    """Give the requests of a kind that came."""
    return [request for request in registry.requests if matches(request)]
