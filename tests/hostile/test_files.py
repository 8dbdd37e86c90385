"""Files that a user names or that runs share, and that are no such file: links, pipes, devices, folders, nonsense."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imagesync_cli.stores.files.runs import wishes
from imagesync_cli.stores.files.runs.claimed import Claimant
from imagesync_cli.stores.files.runs.claims import Claims
from imagesync_cli.stores.files.runs.wishes import Answer, Run, Wish
from imagesync_cli.values.errors import ContentError
from tests.command import imagesync_process
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no pipes among its files")

NESTED = "[" * 200_000
PLANTED: dict[str, Callable[[Path], object]] = {
    "a device without end": lambda path: path.symlink_to("/dev/zero"),
    "a pipe": os.mkfifo,
    "a folder": lambda path: path.mkdir(),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "what is nested": lambda path: path.write_text(NESTED),
    "no text": lambda path: path.write_bytes(b"\xff\xfe"),
    "another kind": lambda path: path.write_text('{"run": [1], "images": 7}'),
    "nothing": lambda path: path.touch(),
}


@pytest.mark.parametrize("command", ["sync --locked", "lock", "report merge", "resolve"])
def test_a_file_that_does_not_end(command: str, registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """What is read whole has a limit, whatever the user's path leads to: an error names it, within moments."""
    image().seed(registry.repository("app"), "1")
    file, endless = tmp_path / "images.json", tmp_path / "config.json"
    file.write_text(
        json.dumps({"images": [{"source": f"{registry.host}/app:1", "destination": f"oci:{tmp_path}/x:1"}]})
    )
    endless.symlink_to("/dev/zero")
    arguments = {
        "sync --locked": ["sync", "--file", str(file), "--locked", "--lock-file", str(endless)],
        "lock": ["lock", "--file", str(file), "--lock-file", str(endless)],
        "report merge": ["report", "merge", str(endless)],
        "resolve": ["resolve", f"{registry.host}/app:1"],
    }[command]
    environ = {"DOCKER_CONFIG": str(tmp_path)} if command == "resolve" else {}
    done = imagesync_process(*arguments, **environ)
    if command == "resolve":  # nobody asked for a login, and its proxies are only a suggestion
        assert done.code == 0, done.err
    else:
        assert done.code == 2, done.err
        assert str(endless) in done.err
    assert endless.is_symlink()


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_what_a_plan_has_seen_and_is_none(planted: Callable[[Path], object], tmp_path: Path) -> None:
    """Whatever lies there, a removal asks the registry then."""
    (tmp_path / "seen").mkdir()
    planted(tmp_path / "seen" / "call.json")
    seen = Claims(tmp_path).seen()
    assert seen.read("registry.example/app") == {}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_claims_that_are_none(planted: Callable[[Path], object], tmp_path: Path) -> None:
    """Nothing is removed, nor waited for, while it cannot be told who relies on what."""
    (tmp_path / "claims").mkdir()
    planted(tmp_path / "claims" / "call.json")
    with pytest.raises(ContentError, match=r"claims/call\.json"):
        Claims(tmp_path).read().of(Claimant("call", "key"))


@pytest.fixture
def leader(tmp_path: Path) -> Run:
    run = Run(str(tmp_path))
    assert run.join(["lead"]) is None
    return run


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_wishes_that_are_none(planted: Callable[[Path], object], leader: Run, tmp_path: Path) -> None:
    """The leader carries out nothing that no process of the run can have wanted, and goes on."""
    path = tmp_path / "wishes" / f"{os.getpgrp()}-1-1.wish"
    planted(path)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if path.is_file() else -1
    if handle >= 0:
        fcntl.flock(handle, fcntl.LOCK_EX)  # as one does that waits for its answer
    assert leader.wishes() == []
    assert leader._lead >= 0


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_answers_that_are_none(planted: Callable[[Path], object], tmp_path: Path) -> None:
    """Whoever finds no answer of the leader in its place does the work itself."""
    planted(tmp_path / "1.wish.answer")
    if (tmp_path / "1.wish.answer").is_symlink():
        with pytest.raises(OSError, match="symbolic link"):  # which join takes for a run that cannot be led
            wishes._answer_to(str(tmp_path / "1.wish"))
    else:
        assert wishes._answer_to(str(tmp_path / "1.wish")) == (None,)


def test_an_answer_goes_through_no_link(leader: Run, tmp_path: Path) -> None:
    """Where somebody has put a link in the place of an answer, what it leads to stays as it is."""
    mine = tmp_path / "mine"
    mine.write_text("kept")
    wish = Wish(str(tmp_path / "wishes" / "1.wish"), ())
    Path(f"{wish.path}.part").symlink_to(mine)
    leader.answer(wish, Answer(0, "done"))
    assert mine.read_text() == "kept"
    assert wishes._answer_to(wish.path) == (Answer(0, "done", ""),)


def test_a_wish_of_another_user(leader: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wish is carried out with our logins, so another user's is none."""
    path = tmp_path / "wishes" / f"{os.getpgrp()}-1-1.wish"
    path.write_text('["--yes"]')
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
        assert leader.wishes() == []
        monkeypatch.undo()
        assert leader.wishes() == [Wish(str(path), ("--yes",))]
