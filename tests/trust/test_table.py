"""The table of cases: what imagesync says of each, and that cosign's verdict is the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.trust.cases import APP, CASES, OTHER, Case, World
from tests.trust.cosign import cosign
from tests.trust.signing import write_trust


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def registry() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as running:
        yield running


@pytest.mark.parametrize(("name", "case"), CASES.items(), ids=CASES)
def test_verdicts_agree(world: World, registry: EmbeddedRegistry, tmp_path: Path, name: str, case: Case) -> None:
    """Each is taken or refused by imagesync, with the reason; and cosign takes or refuses the same."""
    repository = registry.repository(f"case-{list(CASES).index(name)}")
    for image in (APP, OTHER):
        image.seed(repository, image.digest.partition(":")[2][:8])
    case.made(world, repository)
    root = world.ours.write_root(tmp_path)
    reference = f"{registry.host}/case-{list(CASES).index(name)}@{APP.digest}"
    found = imagesync("verify", "--trust", write_trust(tmp_path, case.ask.rule(), trusted_root=root), reference)
    assert found.code == (7 if case.said else 0), found.err
    assert case.said in found.err
    done = cosign(tmp_path, *case.ask.of_cosign(tmp_path, root), reference)
    assert (done.returncode == 0) == (found.code == 0 or bool(case.stricter)), done.stderr
