"""What registries, images and files say reaches people and programs as text, whatever command repeats it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command import Finished, imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import Fault
from tests.embedded_registry.images import Image, image, listing
from tests.embedded_registry.wire import json_response

EVIL = "amd64\x1b[2J\n##[set-output name=x]y\n::add-mask::z\n  # module.db will be destroyed\x9b31m\u202e"
RUNNERS = re.compile(r"^\s*::|##\w*\[", re.MULTILINE)


def harmless(text: str) -> bool:
    """Whether neither a terminal nor a CI runner would do anything for it."""
    return all(line.isprintable() for line in text.split("\n")) and not RUNNERS.search(text)


def texts(document: Any) -> Iterator[str]:
    """Every text in a document, those in texts that are JSON themselves too."""
    if isinstance(document, str):
        yield from texts(json.loads(document)) if document.startswith("{") else [document]
    elif isinstance(document, dict):
        yield from (text for value in document.values() for text in texts(value))
    elif isinstance(document, list):
        yield from (text for value in document for text in texts(value))


@pytest.fixture
def evil() -> Image:
    """An index whose platforms have names that would forge lines."""
    parts = [(image(number), {"platform": {"os": "linux", "architecture": f"{EVIL}{number}"}}) for number in range(2)]
    return listing(parts)


def assert_told(finished: Finished) -> None:
    assert harmless(finished.out), finished.out
    assert harmless(finished.err), finished.err
    assert "amd64" in finished.out + finished.err


def test_terraform_gets_no_line_from_an_image(registry: EmbeddedRegistry, evil: Image) -> None:
    """A platform's name in the damage, or in what speaks against a copy, cannot forge a line of a plan."""
    evil.seed(registry.repository("app"), "1")
    lost = next(iter(image(0).blobs))
    del registry.repository("app").blobs[lost]
    asked: dict[str, Any] = {"deep": {"reference": f"{registry.host}/app:1", "verify": "deep"}}
    source = f"{registry.host}/app:1"
    asked["copy"] = {"reference": f"{registry.host}/new:1", "copy": {"source": source, "platforms": ["linux/s390x"]}}
    finished = imagesync("external", stdin=json.dumps({"images": json.dumps(asked)}))
    assert_told(finished)
    assert lost in finished.out
    assert [text for text in texts(json.loads(finished.out)) if not text.isprintable() or not harmless(text)] == []


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["lines", "json"])
def test_a_check_tells_a_platform_as_text(registry: EmbeddedRegistry, evil: Image, form: tuple[str, ...]) -> None:
    """The same in what check prints, for people and for programs."""
    evil.seed(registry.repository("app"), "1")
    del registry.repository("app").blobs[next(iter(image(0).blobs))]
    finished = imagesync("check", "--deep", f"{registry.host}/app:1", *form)
    assert finished.code == 8
    assert_told(finished)


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["lines", "json"])
def test_a_platform_that_lacks_is_told_as_text(
    registry: EmbeddedRegistry, evil: Image, tmp_path: Path, form: tuple[str, ...]
) -> None:
    """An error that lists what an image has shows it as text, in a log, an event and a report."""
    evil.seed(registry.repository("app"), "1")
    file = tmp_path / "images.yaml"
    source, mirror = f"{registry.host}/app:1", f"oci:{tmp_path}/x:1"
    file.write_text(json.dumps({"images": [{"source": source, "destination": mirror, "platforms": ["linux/s390x"]}]}))
    for ending in ("md", "xml", "json"):
        report = tmp_path / f"report.{ending}"
        finished = imagesync("sync", "--file", str(file), "--report", str(report), *form)
        assert finished.code == 3
        assert_told(finished)
        assert harmless(report.read_text())
    assert_told(imagesync("sync", "--platform", "linux/s390x", source, mirror, *form))


@pytest.mark.parametrize("command", ["resolve {}", "tags {}", "check {} {}x", "delete {}", "doctor {}", "sync {} {}x"])
def test_a_registrys_words_are_told_as_text(registry: EmbeddedRegistry, command: str) -> None:
    """Whatever a registry says with an error, no command repeats it as it came."""
    errors = {"errors": [{"code": EVIL, "message": EVIL}]}
    registry.fault = lambda _: Fault(answer=json_response(403, errors))
    finished = imagesync(*command.format(f"{registry.host}/app", f"{registry.host}/app").split())
    assert finished.code != 0
    assert_told(finished)


def test_an_argument_that_is_refused_is_told_as_text(tmp_path: Path) -> None:
    """A call that a script put together from foreign words forges nothing either."""
    calls: list[list[str]] = [["sync", f"--jobs={EVIL}"], [EVIL], ["sync", f"--{EVIL}"], ["resolve", EVIL]]
    for call in calls:
        finished = imagesync(*call)
        assert finished.code == 2
        assert harmless(finished.err)
    file = tmp_path / "images.yaml"
    file.write_text(json.dumps({"images": [{"source": EVIL, "destination": EVIL, EVIL: 1}]}))
    assert_told(imagesync("sync", "--file", str(file)))
