"""Limits of what a host is asked hold for all that the modules call, which take no options for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from imagesync_cli.stores.files.runs.claims import Claims
from imagesync_cli.stores.places import repository_of
from imagesync_cli.terraform import answer, read_query
from imagesync_cli.values.reference import parse_reference
from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image
from tests.terraform.workspace import Workspace

NAMES = tuple(f"app-{number}" for number in range(6))


def test_a_file_limits_plan_apply_and_destroy(workspace: Workspace, registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """Each process that Terraform starts, to read, copy or remove, opens one connection where no more are allowed."""
    config = tmp_path / "config.json"
    with EmbeddedRegistry() as source:
        for name in NAMES:
            image(name).seed(source.repository(name), "1")
        config.write_text(json.dumps({"connections": {source.host: 1, registry.host: 1}}))
        limited = workspace.with_environment({"IMAGESYNC_CONFIG": str(config)})
        images: Mapping[str, str] = {f"{name}:1": f"{source.host}/{name}:1" for name in NAMES}
        limited.write(images, destination_prefix=registry.host, on_destroy="delete")
        limited.apply()
        assert all(registry.repository(name).tags for name in NAMES)
        limited.destroy()
        calls = len(limited.calls())
        assert max(source.connections_opened, registry.connections_opened) <= calls
    assert not any(registry.repository(name).tags for name in NAMES)


@pytest.mark.parametrize(
    "words", [("external",), ("apply", "folder", "--call", "c", "--run", "r"), ("delete", "a/b:1")]
)
def test_a_slip_is_told_by_whatever_is_called(words: tuple[str, ...]) -> None:
    """A limit that cannot be read is an error before anything is asked, not a limit that does not hold."""
    finished = imagesync(*words, stdin='{"images": "{}"}', environ={"IMAGESYNC_REQUESTS_PER_SECOND": "docker.io:10"})
    assert finished.code == 2
    assert "IMAGESYNC_REQUESTS_PER_SECOND" in finished.err
    assert "HOST=N" in finished.err


def test_a_removal_that_goes_on_for_longer_than_a_plan_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The destination is not known then, and nothing is taken for in sync that is about to go; no program fails."""
    monkeypatch.chdir(tmp_path)
    place = f"oci:{image().write_layout(tmp_path / 'mirror', '1')}:1"
    wanted = {"reference": place, "copy": {"source": "registry.invalid/app:1", "digest": image().digest}}
    query = read_query(
        json.dumps({"call": "x", "run": "20261102080000", "images": json.dumps({"a": wanted, "b": "?"})})
    )
    settings = Settings(external_timeout_s=0.1)

    async def main() -> dict[str, str]:
        async with Claims(settings.run_folder).removing(repository_of(parse_reference(place))):
            found: dict[str, str] = json.loads(await answer(query, Stores(settings), settings))
            return found

    found = asyncio.run(main())
    late, wrong = (json.loads(found[key]) for key in "ab")
    assert (late["digest"], late["kind"], wrong["kind"]) == ("", "unreachable", "invalid")
    assert late["refused"] == [
        "the destination is unreachable: a removal from a repository of these images has not ended within 0.1 s "
        "(try again when it has, or see IMAGESYNC_TIMEOUT)"
    ]
