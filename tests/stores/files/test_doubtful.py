"""What one run has left is there for that run alone, and nothing else counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagesync_cli.stores.files.runs.doubtful import Doubtful
from imagesync_cli.stores.files.runs.wishes import said_by_us
from tests.command import imagesync

ONE, OTHER = ("--digest", "a", "b"), ("c",)


def test_it_is_taken_once(tmp_path: Path) -> None:
    """What comes twice is taken once, in order; afterwards there is nothing."""
    Doubtful(tmp_path, "1 default").leave([ONE])
    Doubtful(tmp_path, "1 default").leave(args for args in (OTHER, ONE))
    assert Doubtful(tmp_path, "1 default").take() == [ONE, OTHER]
    assert Doubtful(tmp_path, "1 default").take() == []


@pytest.mark.parametrize("run", ["2 default", "1 other"])
def test_another_run_has_left_nothing(tmp_path: Path, run: str) -> None:
    """Of another time or another workspace; and it takes away what it finds."""
    Doubtful(tmp_path, "1 default").leave([ONE])
    assert Doubtful(tmp_path, run).take() == []
    assert Doubtful(tmp_path, "1 default").take() == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"run": "1 default", "removals": [7]}', '{"run": "1 default"}'])
def test_what_cannot_be_read_is_nothing(tmp_path: Path, text: str) -> None:
    """Then images stay, and the next one is noted."""
    (tmp_path / "doubtful.json").write_text(text)
    doubtful = Doubtful(tmp_path, "1 default")
    doubtful.leave([ONE])
    assert doubtful.take() == [ONE]


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    """Images stay, and no removal fails of it."""
    (tmp_path / "file").touch()
    doubtful = Doubtful(tmp_path / "file", "1 default")
    doubtful.leave([ONE])
    assert doubtful.take() == []


@pytest.mark.parametrize(
    "removal",
    [["--claimant", "x/a", "reg/a:1"], ["--digest", f"sha256:{64 * '1'}", "reg/a:1"], ["--no-such-option"], []],
)
def test_what_is_no_removal_for_an_entry_removes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removal: list[str]
) -> None:
    """Arguments that no removal for an entry has are left alone, whoever has written them."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".terraform" / "imagesync"
    folder.mkdir(parents=True)
    Doubtful(folder, "1 default").leave([tuple(removal)])
    done = imagesync("forget", "x", environ={"IMAGESYNC_RUN": "1 default"})
    assert (done.code, done.out, done.err) == (0, "", "")


def test_windows_knows_no_number_of_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was left is taken there, too."""
    doubtful = Doubtful(tmp_path, "1 default")
    doubtful.leave([ONE])
    monkeypatch.setattr("imagesync_cli.stores.files.runs.wishes.sys.platform", "win32")
    monkeypatch.delattr("os.getuid")
    with (tmp_path / "doubtful.json").open("rb") as file:
        assert said_by_us(file.fileno()) == {"run": "1 default", "removals": [[*ONE]]}
