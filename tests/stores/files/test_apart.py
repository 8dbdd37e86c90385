"""Copies into a repository and removals from it keep out of each other's way, in all processes of one user."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from imagesync_cli.stores.files.lock import COPY, apart, at_work
from imagesync_cli.stores.places import repository_of
from imagesync_cli.values.reference import parse_reference
from tests.command import IMAGESYNC, RUN_WITHIN_S, environment
from tests.embedded_registry import EmbeddedRegistry, Request
from tests.embedded_registry.images import index

# What does one thing and what does the other.
KINDS = [("copy", "remove"), ("remove", "copy")]
IMAGE = index("apart", platforms=("linux/amd64", "linux/arm64"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where processes meet; it is made by the first."""
    return tmp_path / "imagesync-0"


@pytest.mark.parametrize(("first", "second"), KINDS)
def test_one_after_the_other(folder: Path, first: str, second: str) -> None:
    """What is not alike waits for the end of what has begun, and what is alike does not."""
    told = list[str]()

    async def second_comes(began: asyncio.Event, alike: asyncio.Event) -> None:
        await began.wait()
        async with apart(folder, first, "app", patience_s=60):
            alike.set()
        async with apart(folder, second, "app", patience_s=60):
            told.append("second")

    async def run() -> None:
        began, alike = asyncio.Event(), asyncio.Event()
        other = asyncio.create_task(second_comes(began, alike))
        async with apart(folder, first, "app", patience_s=60):
            began.set()
            await alike.wait()
            told.append("first ends")
        await other

    asyncio.run(run())
    assert told == ["first ends", "second"]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("first", "second"), KINDS)
def test_patience_ends(folder: Path, first: str, second: str) -> None:
    """Who has waited long enough goes to work; another repository is not waited for at all."""

    async def run() -> None:
        async with apart(folder, first, "app", patience_s=60):
            async with apart(folder, second, "app", patience_s=0.05):
                pass
            async with apart(folder, second, "other", patience_s=60):
                pass

    asyncio.run(run())


def test_two_names_of_one_registry(folder: Path) -> None:
    """Who removes by one name of this machine sees who copies by another one."""

    async def run() -> list[Path]:
        stores = Stores(Settings(meeting_folder=folder))
        async with stores.copying(parse_reference("localhost:5000/app:1")):
            return at_work(folder, COPY, repository_of(parse_reference("127.0.0.1:5000/app:2")))

    assert len(asyncio.run(run())) == 1


def _stranger(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    folder.chmod(0o777)


def _link(folder: Path) -> None:
    folder.with_name("elsewhere").mkdir(mode=0o700)
    folder.symlink_to(folder.with_name("elsewhere"))


def _file(folder: Path) -> None:
    folder.write_text("")


@pytest.mark.parametrize("prepare", [_stranger, _link, _file])
def test_a_folder_that_is_not_ours(folder: Path, prepare: object) -> None:
    """Where others may write, or there can be no folder, nobody waits and nothing is left there."""
    prepare(folder)  # type: ignore[operator]

    def left_behind() -> list[str]:
        return [str(path) for path in folder.parent.rglob("*") if path.is_file() and path != folder]

    async def run() -> None:
        copying, removing = (apart(folder, doing, "app", patience_s=600) for doing, _ in KINDS)
        async with copying, removing:
            left.extend(left_behind())

    left = list[str]()
    asyncio.run(run())
    assert left == []


def _hold(folder: Path, holding: object) -> None:
    async def run() -> None:
        async with apart(folder, "copy", "app", patience_s=60):
            holding.set()  # type: ignore[attr-defined]
            await asyncio.Event().wait()

    asyncio.run(run())


def test_a_folder_without_locks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file system has no locks, nobody is kept from working, and no file stays or stays open."""

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    async def run() -> None:
        async with apart(folder, COPY, "app", patience_s=60):
            pass

    monkeypatch.setattr("fcntl.flock", none)
    asyncio.run(run())
    opened = os.dup(0)  # the lowest number that is free
    os.close(opened)
    asyncio.run(run())
    again = os.dup(0)
    os.close(again)
    assert again == opened
    assert list(folder.iterdir()) == []


def test_killed(folder: Path) -> None:
    """A process that is killed keeps nobody waiting."""
    context = multiprocessing.get_context("spawn")
    holding = context.Event()
    process = context.Process(target=_hold, args=(folder, holding))
    process.start()
    assert holding.wait(60)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()

    async def run() -> None:
        async with apart(folder, "remove", "app", patience_s=600):
            pass

    asyncio.run(run())


def test_delete_while_the_same_image_comes(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """A delete waits for a copy that found the image there and is about to tag it: the new tag is whole."""
    repository = registry.repository("app")
    IMAGE.seed(repository, "going")
    layout = IMAGE.write_layout(tmp_path / "layout", "1")
    about_to_tag, go_on = threading.Event(), threading.Event()

    def stop_before_the_tag(request: Request) -> None:
        if request.method == "PUT" and request.path.endswith("/manifests/coming"):
            about_to_tag.set()
            go_on.wait(RUN_WITHIN_S)

    registry.fault = stop_before_the_tag

    def start(*arguments: str) -> subprocess.Popen[str]:
        environ = environment(TMPDIR=str(tmp_path))
        return subprocess.Popen([*IMAGESYNC, *arguments], env=environ, stderr=subprocess.PIPE, text=True)

    with start("sync", f"oci:{layout}:1", f"{registry.host}/app:coming") as copying:
        assert about_to_tag.wait(RUN_WITHIN_S)
        with start("delete", f"{registry.host}/app:going") as removing:
            assert removing.stderr is not None
            assert "waiting for another imagesync on this machine" in removing.stderr.readline()
            assert not any(request.method == "DELETE" for request in registry.requests)
            go_on.set()
            assert (copying.wait(RUN_WITHIN_S), removing.wait(RUN_WITHIN_S)) == (0, 0)
    assert repository.tags == {"coming": IMAGE.digest}
    assert repository.manifests == IMAGE.manifests
