"""`imagesync external` against registries: all at once, within its own deadline, and never more than HEAD requests."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image


def ask(images: dict[str, Any], **environ: str) -> dict[str, dict[str, Any]]:
    finished = imagesync("external", stdin=json.dumps({"images": json.dumps(images)}), environ=environ)
    assert (finished.code, finished.err) == (0, "")
    return {key: json.loads(text) for key, text in json.loads(finished.out).items()}


def test_two_hundred_references(registry: EmbeddedRegistry) -> None:
    """Two hundred references are two hundred HEAD requests, over few connections, and each is answered."""
    references = {}
    for number in range(200):
        image(number).seed(registry.repository(f"app-{number}"), "1")
        references[f"key-{number}"] = f"{registry.host}/app-{number}:1"
    found = ask(references)
    assert {key: answer["digest"] for key, answer in found.items()} == {
        f"key-{number}": image(number).digest for number in range(200)
    }
    assert {request.method for request in registry.requests} == {"HEAD"}
    assert len(registry.requests) == 200
    assert registry.connections_opened <= 40


def test_same_reference_twice(registry: EmbeddedRegistry) -> None:
    """A reference that stands there twice is asked for once."""
    digest = image().seed(registry.repository("app"), "1")
    found = ask(dict.fromkeys("abc", f"{registry.host}/app:1"))
    assert [answer["digest"] for answer in found.values()] == [digest] * 3
    assert len(registry.requests) == 1


def test_deadline(registry: EmbeddedRegistry) -> None:
    """A silent registry costs no more than the deadline, and hides no other answer."""
    digest = image().seed(registry.repository("app"), "1")
    never = threading.Event()
    registry.fault = lambda request: Fault(stall=never) if "silent" in request.path else None
    started = time.monotonic()
    found = ask({"a": f"{registry.host}/app:1", "b": f"{registry.host}/silent:1"}, IMAGESYNC_TIMEOUT="2")
    assert time.monotonic() - started < 20
    never.set()
    assert found["a"]["digest"] == digest
    assert found["b"]["kind"] == "unreachable"
    assert f"looking up {registry.host}/silent:1: no answer within 2 s" in found["b"]["error"]
    assert "IMAGESYNC_TIMEOUT" in found["b"]["error"]


def test_deadline_of_a_deep_look(registry: EmbeddedRegistry) -> None:
    """A look that does not come to its end within the deadline is unreachable; a silent registry hides no damage."""
    never = threading.Event()
    for name in ("silent", "stalling", "whole", "damaged"):
        image().seed(registry.repository(name), "1")
    del registry.repository("damaged").blobs[image().root.blobs[1]]

    def fault(request: Request) -> Fault | None:
        silent = "silent" in request.path or ("stalling" in request.path and "/blobs/" in request.path)
        return Fault(stall=never) if silent else None

    registry.fault = fault
    keys = ("silent", "stalling", "whole", "damaged")
    asked: dict[str, Any] = {key: {"reference": f"{registry.host}/{key}:1", "verify": "deep"} for key in keys}
    found = ask({**asked, "tag": f"{registry.host}/silent:1"}, IMAGESYNC_TIMEOUT="3")
    never.set()
    assert [found[key]["kind"] for key in (*keys, "tag")] == ["unreachable", "unreachable", "", "", "unreachable"]
    assert "looking at all of" in found["stalling"]["error"]
    assert (found["whole"]["damage"], "1 of 2 blobs is missing" in found["damaged"]["damage"]) == ("", True)


@pytest.mark.parametrize(
    ("status", "kind"), [(404, "missing"), (403, "denied"), (503, "unreachable"), (418, "invalid")]
)
def test_kind(registry: EmbeddedRegistry, pauses: list[float], status: int, kind: str) -> None:
    """The kind tells what sort of trouble it is, and the error says it in a sentence."""
    registry.fault = lambda _: refusal(status)
    found = ask({"a": f"{registry.host}/app:1"})
    assert (found["a"]["kind"], found["a"]["digest"]) == (kind, "")
    assert str(status) in found["a"]["error"]
    assert len(pauses) == (4 if status == 503 else 0)


def test_simple_form(registry: EmbeddedRegistry) -> None:
    """The simple form says whether a destination is in sync, and its id when it is."""
    digest = image().seed(registry.repository("app"), "1")
    query = {"source": f"{registry.host}/app:1", "destination": f"{registry.host}/mirror:1"}
    found = json.loads(imagesync("external", stdin=json.dumps(query)).out)
    assert found == {
        "digest": digest,
        "id": f"{registry.host}/mirror@{digest}",
        "destination_digest": "",
        "in_sync": "false",
        "error": "",
        "kind": "",
    }


def test_bad_timeout() -> None:
    """A deadline that is no number is bad usage."""
    finished = imagesync("external", stdin='{"images": "{}"}', environ={"IMAGESYNC_TIMEOUT": "soon"})
    assert finished.code == 2
    assert "IMAGESYNC_TIMEOUT is 'soon'" in finished.err
