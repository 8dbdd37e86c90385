"""What Harbor says no to: the right exit code and reason, and nothing is changed. Harbor is a double."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.command import Finished, imagesync
from tests.delete.doubles import logins
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Manner
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image

HARBOR = MANNERS["harbor"]
OLD, NEW = image("old"), image("new")


@contextmanager
def harbor(manner: Manner, folder: Path) -> Iterator[tuple[EmbeddedRegistry, Callable[..., Finished]]]:
    """A double with one image, and imagesync with a login for it."""
    with EmbeddedRegistry(manner) as registry:
        OLD.seed(registry.repository("team/app"), "1")
        environ = {"REGISTRY_AUTH_FILE": str(logins(folder, registry.host))}
        yield registry, lambda *arguments: imagesync(*arguments, environ=environ)


@pytest.fixture
def layout(tmp_path: Path) -> str:
    return f"oci:{NEW.write_layout(tmp_path / 'layout', '1')}:1"


def test_an_immutable_tag(tmp_path: Path, layout: str) -> None:
    """An immutable tag is neither moved nor removed: both say why, and its image stays whole."""
    with harbor(replace(HARBOR, immutable_tags=True), tmp_path) as (registry, run):
        before = registry.repository("team/app").manifests.copy()
        moved = run("sync", layout, f"{registry.host}/team/app:1")
        removed = run("delete", f"{registry.host}/team/app:1")
        assert (moved.code, removed.code) == (7, 7)
        for done in (moved, removed):
            assert "configured as immutable" in done.err
        assert registry.repository("team/app").tags == {"1": OLD.digest}
        assert registry.repository("team/app").manifests.items() >= before.items()


@pytest.mark.parametrize("arguments", [("sync",), ("resolve",), ("delete",)])
def test_a_project_that_is_missing(tmp_path: Path, layout: str, arguments: tuple[str, ...]) -> None:
    """A project that nobody made is told by its name, not as a login that went wrong."""
    with harbor(replace(HARBOR, projects=frozenset({"team"})), tmp_path) as (registry, run):
        source = (layout,) if arguments == ("sync",) else ()
        done = run(*arguments, *source, f"{registry.host}/taem/app:1")
        assert done.code == 4
        assert "project taem not found" in done.err
        assert registry.state.repositories.keys() == {"team/app"}


def test_no_right_to_remove_tags(tmp_path: Path) -> None:
    """An account that may push but not remove tags is refused by the API, and nothing goes by digest instead."""
    with harbor(HARBOR, tmp_path) as (registry, run):
        before = registry.dump()
        registry.fault = lambda request: refusal(403, "FORBIDDEN") if request.path.startswith("/api/") else None
        done = run("delete", f"{registry.host}/team/app:1")
        assert done.code == 4
        assert "FORBIDDEN" in done.err
        assert registry.dump() == before
