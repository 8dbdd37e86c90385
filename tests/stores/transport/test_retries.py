"""What is tried again and what is not, at every kind of request that a copy makes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from imagesync_cli.stores.registry.blobs import upload as uploads
from imagesync_cli.stores.transport.retry import Budget
from imagesync_cli.values.errors import Unavailable
from tests.command import imagesync
from tests.embedded_registry import Authentication, EmbeddedRegistry, Fault, Manner
from tests.embedded_registry.faults import drop_answer, refusal, reset_before_handling
from tests.embedded_registry.images import image
from tests.peers import free_host
from tests.stores.copying import NAME, Copying, Matches, always, blob, manifest, sent, times, upload

PASSING = [408, 425, 429, 499, 500, 502, 503, 504, 520, 524]
TOO_LARGE = refusal(413)

# side, requests; every one of them happens when an image replaces another
KINDS: dict[str, tuple[str, Matches]] = {
    "token": ("source", lambda request: request.path == "/token"),
    "looking up the source": ("source", manifest("HEAD")),
    "reading a manifest": ("source", manifest("GET")),
    "reading a blob": ("source", blob("GET")),
    "looking up the destination": ("destination", manifest("HEAD")),
    "opening an upload": ("destination", upload("POST")),
    "sending a chunk": ("destination", upload("PATCH")),
    "finishing an upload": ("destination", upload("PUT")),
    "writing a manifest": ("destination", manifest("PUT")),
}
FAULTS: dict[str, Callable[[], Fault]] = {
    "reset before": reset_before_handling,
    "reset after": drop_answer,
    **{f"{status}": lambda status=status: refusal(status) for status in (429, 500, 503, 520)},  # type: ignore[misc]
}


@pytest.fixture
def replacing(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> Copying:
    """A copy that makes every kind of request: tokens, a tag that is there already, chunks because a PUT is refused."""
    login = Authentication(scheme="bearer", anonymous_pull=True)
    copying.source = EmbeddedRegistry(Manner(authentication=login))
    image("old").seed(copying.destination.repository(NAME), "1")
    monkeypatch.setattr(uploads, "CHUNK_BYTES", 1000)
    return copying


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_three_failures(replacing: Copying, kind: str, fault: str) -> None:
    """Three failures in a row of any kind of request, and the copy is whole all the same."""
    side, matches = KINDS[kind]
    with replacing.source:
        new = replacing.seed(image("new"))
        registry = replacing.source if side == "source" else replacing.destination
        wrong = times(3, matches, FAULTS[fault]())
        in_chunks = kind == "sending a chunk"
        registry.fault = lambda request: (
            TOO_LARGE
            if in_chunks and upload("PUT")(request) and request.headers["content-length"] != "0"
            else wrong(request)
        )
        finished = replacing.run()
        assert (finished.code, finished.err.count("Traceback")) == (0, 0), finished.err
        assert replacing.arrived(new)
        committed = kind == "finishing an upload" and fault == "reset after"  # what is there is not sent again
        assert len(sent(registry, matches)) > (1 if committed else 3)


@pytest.mark.parametrize("status", PASSING)
def test_status_that_passes(copying: Copying, status: int) -> None:
    """What the server says will pass is asked again, after a random wait that grows."""
    app = copying.seed(image())
    copying.source.fault = times(3, manifest("GET"), refusal(status))
    assert copying.run().code == 0
    assert copying.arrived(app)
    assert len(copying.pauses) == 3
    assert all(0 <= pause_s <= 0.5 * 2**number for number, pause_s in enumerate(copying.pauses))


@pytest.mark.parametrize(
    ("status", "code"), [(400, 7), (403, 4), (404, 3), (409, 7), (410, 7), (415, 7), (418, 7), (501, 7), (505, 7)]
)
def test_status_that_lasts(copying: Copying, status: int, code: int) -> None:
    """What will be no better next time is said at once."""
    copying.seed(image())
    copying.source.fault = always(manifest("GET"), refusal(status, "A_CODE"))
    finished = copying.run()
    assert finished.code == code
    assert "A_CODE: a fault on purpose" in finished.err
    assert copying.pauses == []
    assert copying.untouched()


def test_wait_that_the_server_asks_for(copying: Copying) -> None:
    """The wait is as long as the server asks for."""
    app = copying.seed(image())
    copying.source.fault = times(1, manifest("GET"), refusal(429, headers={"Retry-After": "7"}))
    assert copying.run().code == 0
    assert copying.arrived(app)
    assert copying.pauses == [7.0]


def test_a_wait_of_nothing(copying: Copying) -> None:
    """A server that asks to wait for 0 s is not asked five times in a moment: our own waits are kept."""
    made = copying.seed(image())
    copying.source.fault = times(3, manifest("GET"), refusal(429, headers={"Retry-After": "0"}))
    assert copying.run().code == 0
    assert copying.arrived(made)
    assert len(copying.pauses) == 3
    assert all(copying.pauses)


def test_wait_that_is_too_long(copying: Copying) -> None:
    """A server that asks for more than two minutes is not waited for; the message says how long it would be."""
    copying.seed(image())
    copying.source.fault = always(manifest("GET"), refusal(429, "TOOMANYREQUESTS", {"Retry-After": "3600"}))
    finished = copying.run()
    assert finished.code == 5
    assert "it asks to wait 3600 s" in finished.err
    assert (copying.pauses, len(sent(copying.source, manifest("GET")))) == ([], 1)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("sending a chunk", "token")])
def test_failure_without_end(copying: Copying, kind: str) -> None:
    """A server that stays down is given up after five tries, whichever request it fails, and the tag is as it was."""
    side, matches = KINDS[kind]
    copying.seed(image("new"))
    old = image("old").seed(copying.destination.repository(NAME), "1")
    registry = copying.source if side == "source" else copying.destination
    registry.fault = always(matches, refusal(503, "DOWN"))
    finished = copying.run()
    assert (finished.code, finished.out) == (5, "")
    assert registry.host in finished.err
    assert "the registry answers 503" in finished.err
    assert ("DOWN" in finished.err) == ("looking up" not in kind)  # an answer to HEAD has no body
    assert copying.destination.repository(NAME).tags == {"1": old}
    assert len(sent(registry, matches)) <= 5 * 2  # config and layer are two


def test_nobody_listens(copying: Copying) -> None:
    """A port where nothing listens is tried five times and then named."""
    copying.seed(image())
    gone = free_host()
    finished = imagesync("sync", f"{copying.source.host}/{NAME}:1", f"{gone}/{NAME}:1")
    assert finished.code == 5
    assert f"looking up {gone}/team/app:1: no answer from {gone}" in finished.err
    assert len(copying.pauses) == 4


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("advance_bytes", "seconds", "failures"),
    [(64 * 1024, 60, 100), (64 * 1024, 70, 5), (16 * 1024, 1, 100), (10 * 1024, 1, 5), (1, 0, 5), (2**30, 3600, 100)],
)
def test_progress_that_is_worth_its_time(advance_bytes: int, seconds: float, failures: int) -> None:
    """What fails again and again goes on as long as each five tries bring 64 KiB, and all of it 1 KiB a second."""
    now_s = [0.0]

    async def fail_often() -> int:
        budget = Budget(lambda: now_s[0])
        for failed in range(1, 101):
            now_s[0] += seconds
            budget.advance(failed * advance_bytes)
            try:
                await budget.spend(Unavailable("it broke off"))
            except Unavailable:
                return failed
        return 100

    assert asyncio.run(fail_often()) == failures
