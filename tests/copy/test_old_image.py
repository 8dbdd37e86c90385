"""Where a registry drops what no tag leads to any more, the image from before stays, and so do those of others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.command import imagesync
from tests.embedded_registry import MANNERS, EmbeddedRegistry
from tests.embedded_registry.faults import Fault, refusal
from tests.embedded_registry.images import Image, image, listing
from tests.embedded_registry.state import Repository
from tests.embedded_registry.wire import Request

SHARED, NEW = image("shared"), listing([(image("new"), {})])


def index_with(*parts: Image, name: str) -> Image:
    return listing([(part, {}) for part in parts], annotations={"name": name})


OLD, OTHER = index_with(SHARED, image("old"), name="old"), index_with(SHARED, image("other"), name="other")
NESTED = index_with(OLD, name="nested")


@pytest.fixture
def zot() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry(MANNERS["zot"]) as running:
        yield running


def whole(repository: Repository, made: Image) -> bool:
    return made.manifests.items() <= repository.manifests.items()


@pytest.mark.parametrize("new", [NEW, image("single")], ids=["index", "image"])
@pytest.mark.parametrize("old", [OLD, SHARED, NESTED], ids=["index", "a child of another index", "nested"])
def test_a_tag_that_moves(source: EmbeddedRegistry, zot: EmbeddedRegistry, old: Image, new: Image) -> None:
    """The image before can still be pulled by its digest, and another tag's index has all that it lists."""
    there = zot.repository("copy")
    old.seed(there, "1")
    OTHER.seed(there, "u")
    new.seed(source.repository("app"), "1")
    finished = imagesync("sync", f"{source.host}/app:1", f"{zot.host}/copy:1")
    assert finished.code == 0, finished.err
    assert there.tags == {"1": new.digest, "u": OTHER.digest}
    assert all(whole(there, made) for made in (old, OTHER, new))


def test_inside_one_repository(zot: EmbeddedRegistry) -> None:
    """A tag that moves from a child to the index that lists it leaves that index whole."""
    there = zot.repository("app")
    OTHER.seed(there, "a")
    there.tags["t"] = SHARED.digest
    finished = imagesync("sync", f"{zot.host}/app:a", f"{zot.host}/app:t")
    assert finished.code == 0, finished.err
    assert there.tags == {"a": OTHER.digest, "t": OTHER.digest}
    assert whole(there, OTHER)


def test_what_another_tag_is_on_costs_one_question(source: EmbeddedRegistry, zot: EmbeddedRegistry) -> None:
    """Where the old image has another tag it is asked for once, and not written."""
    there = zot.repository("copy")
    SHARED.seed(there, "1", "2")
    NEW.seed(source.repository("app"), "1")
    assert imagesync("sync", f"{source.host}/app:1", f"{zot.host}/copy:1").code == 0
    asked = [request.method for request in zot.requests if request.path.endswith(SHARED.digest)]
    assert asked == ["GET", "HEAD"]


def test_elsewhere_nothing_is_asked(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """A registry that keeps what has no tag gets no request about the image that was there before."""
    OLD.seed(registry.repository("copy"), "1")
    NEW.seed(source.repository("app"), "1")
    assert imagesync("sync", f"{source.host}/app:1", f"{registry.host}/copy:1").code == 0
    assert not [request for request in registry.requests if OLD.digest in request.path]


def test_a_dry_run_reads_nothing_of_it(source: EmbeddedRegistry, zot: EmbeddedRegistry) -> None:
    """A dry run moves no tag, so nothing can go."""
    OLD.seed(zot.repository("copy"), "1")
    NEW.seed(source.repository("app"), "1")
    assert imagesync("sync", "--dry-run", f"{source.host}/app:1", f"{zot.host}/copy:1").code == 0
    assert not [request for request in zot.requests if OLD.digest in request.path]


def test_a_damaged_one_is_replaced(source: EmbeddedRegistry, zot: EmbeddedRegistry) -> None:
    """An old image that is not whole does not keep the new one away."""
    there = zot.repository("copy")
    OLD.seed(there, "1")
    del there.manifests[SHARED.digest]
    NEW.seed(source.repository("app"), "1")
    registry_says = imagesync("sync", f"{source.host}/app:1", f"{zot.host}/copy:1")
    assert there.tags == {"1": NEW.digest}, registry_says.err
    assert whole(there, NEW)


def test_what_cannot_be_put_back_is_told(source: EmbeddedRegistry, zot: EmbeddedRegistry) -> None:
    """Where the registry does not take the old image again, the error names it and says that the new one is there."""
    SHARED.seed(zot.repository("copy"), "1")
    NEW.seed(source.repository("app"), "1")

    def full(request: Request) -> Fault | None:
        return refusal(403, "DENIED") if request.method == "PUT" and request.path.endswith(SHARED.digest) else None

    zot.fault = full
    finished = imagesync("sync", f"{source.host}/app:1", f"{zot.host}/copy:1")
    assert finished.code == 4
    assert SHARED.digest in finished.err
    assert "the new image is there" in finished.err
