"""The log: every request with what one needs to debug it, and nothing that is a login."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import imagesync, imagesync_process
from tests.embedded_registry import Authentication, EmbeddedRegistry, Fault, Manner, Request
from tests.embedded_registry.images import image
from tests.embedded_registry.wire import Response
from tests.logins import CANARY, variables
from tests.security.test_canary import assert_clean


def events(text: str) -> list[dict[str, Any]]:
    """The requests of a log in JSON."""
    return [event for line in text.splitlines() if (event := json.loads(line)).get("url")]


def test_every_request_is_told(registry: EmbeddedRegistry) -> None:
    """Method, address, status, time and length of each; the answer on stdout is as without a log."""
    made = image()
    made.seed(registry.repository("app"), "1")
    quiet = imagesync("resolve", f"{registry.host}/app:1")
    done = imagesync("resolve", "--log-level", "debug", f"{registry.host}/app:1")
    assert done.out == quiet.out
    (line,) = (line for line in done.err.splitlines() if "manifests/1" in line)
    assert line.startswith(f"imagesync: HEAD http://{registry.host}/v2/app/manifests/1: 200, ")
    assert f"{len(made.root.content)} bytes" in line
    told = imagesync("--log-format", "json", "--log-level", "debug", "resolve", f"{registry.host}/app:1").err
    (event,) = events(told)
    assert event["level"] == "debug"
    assert (event["method"], event["status"], event["attempt"]) == ("HEAD", 200, 1)
    assert event["bytes"] == len(made.root.content)


def test_what_is_tried_again_is_told_with_its_number(registry: EmbeddedRegistry, pauses: list[float]) -> None:
    """The registry's own name for a request is there, which its support asks for."""
    image().seed(registry.repository("app"), "1")
    failing = iter([True, False])

    def fail_once(request: Request) -> Fault | None:
        if request.path.endswith("/1") and next(failing):
            return Fault(answer=Response(503, {"X-Request-Id": "abc-\x9b123"}, b""))
        return None

    registry.fault = fail_once
    done = imagesync("resolve", "--log-level", "debug", f"{registry.host}/app:1")
    assert done.code == 0
    assert len(pauses) == 1
    first, second = (line for line in done.err.splitlines() if "manifests/1" in line)
    assert ": 503, " in first
    assert "request id abc-" in first
    assert "\x9b" not in first
    assert ": 200, " in second
    assert second.endswith("attempt 2")


def test_no_answer_is_told_with_its_reason(pauses: list[float]) -> None:
    """A host that is not there is an entry too, once for each attempt."""
    done = imagesync("resolve", "--log-level", "debug", "127.0.0.1:1/app:1")
    assert done.code == 5
    lines = [line for line in done.err.splitlines() if "HEAD http://127.0.0.1:1/" in line]
    assert len(lines) == len(pauses) + 1
    assert all("Connect" in line for line in lines)


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_environment_asks_for_a_file(form: str, registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """Where no option can be given and nobody sees stderr; several runs write to the end of one file."""
    image().seed(registry.repository("app"), "1")
    file = tmp_path / "imagesync.log"
    environ = {"IMAGESYNC_LOG": "debug", "IMAGESYNC_LOG_FILE": str(file), "IMAGESYNC_LOG_FORMAT": form}
    query = json.dumps({"images": json.dumps({"app": f"{registry.host}/app:1"})})
    plain = imagesync_process("external", stdin=query)
    for _ in range(2):
        done = imagesync_process("external", stdin=query, **environ)
        assert (done.code, done.out, done.err) == (0, plain.out, "")
    lines = [line for line in file.read_text().splitlines() if "manifests/1" in line]
    assert len(lines) == 2
    if form == "json":
        assert [event["url"] for event in events("\n".join(lines))] == [
            f"http://{registry.host}/v2/app/manifests/1"
        ] * 2
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"IMAGESYNC_LOG": "loud"}, "IMAGESYNC_LOG is info or debug"),
        ({"IMAGESYNC_LOG": "debug", "IMAGESYNC_LOG_FORMAT": "xml"}, "IMAGESYNC_LOG_FORMAT text or json"),
        ({"IMAGESYNC_LOG": "debug", "IMAGESYNC_LOG_FILE": "/proc/no/log"}, "/proc/no/log cannot be written"),
    ],
)
def test_a_log_that_cannot_be_written_stops_nothing(
    environ: dict[str, str], said: str, registry: EmbeddedRegistry
) -> None:
    """A plan does not fail for its log; it says what is wrong with it."""
    image().seed(registry.repository("app"), "1")
    done = imagesync_process("resolve", f"{registry.host}/app:1", **environ)
    assert done.code == 0
    assert said in done.err


def test_words_are_taken_as_terraform_takes_its_own(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """TF_LOG is written in capitals, and knows TRACE: what this does not know is told in the file, where it is read."""
    image().seed(registry.repository("app"), "1")
    file = tmp_path / "imagesync.log"
    for level in ("DEBUG", "TRACE"):
        environ = {"IMAGESYNC_LOG": level, "IMAGESYNC_LOG_FILE": str(file), "IMAGESYNC_LOG_FORMAT": "JSON"}
        done = imagesync_process("resolve", f"{registry.host}/app:1", **environ)
        assert (done.code, done.err) == (0, "")
    *lines, last = file.read_text().splitlines()
    assert [event["method"] for event in events("\n".join(lines))] == ["HEAD"]
    assert "IMAGESYNC_LOG is info or debug" in last


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_no_login_is_in_it(scheme: str, tmp_path: Path) -> None:
    """Neither password nor token nor a signed address, in a copy that uses all of them."""
    rules = Authentication(scheme, {"ann": CANARY})  # type: ignore[arg-type]
    file = tmp_path / "log"
    with EmbeddedRegistry(Manner(authentication=rules, redirects_blobs=True)) as registry:
        image().seed(registry.repository("app"), "1")
        environ = {**variables(registry.host, "ann", CANARY), "IMAGESYNC_LOG": "debug", "IMAGESYNC_LOG_FILE": str(file)}
        done = imagesync_process("sync", f"{registry.host}/app:1", f"{registry.host}/other:1", **environ)
        assert done.code == 0, done.err
        text = file.read_text()
        assert "PUT http" in text
        assert_clean(text, *registry.authenticator.tokens)
    assert f"{registry.host}: logging in with " in text
    for part in text.split():
        assert "signature=" not in part or "signature=…" in part
