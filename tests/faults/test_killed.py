"""A copy that is killed (SIGKILL) at each request and at each file call: old or new, and the next run finishes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagesync_cli.stores.files.new_file import PREFIX
from tests.delete.killable import Killable
from tests.embedded_registry import EmbeddedRegistry, Fault, Response
from tests.embedded_registry.images import Image
from tests.embedded_registry.plan import Census
from tests.embedded_registry.state import digest_of
from tests.faults.mirror import BESIDE, OLD, SHAPES, UP, Mirror, mirror

TAG = "org.opencontainers.image.ref.name"
_MOST_FILE_CALLS = 500


@pytest.fixture(scope="module")
def killable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killable]:
    """A process whose forks are runs."""
    home = tmp_path_factory.mktemp("home")
    started = Killable({"PATH": os.environ["PATH"], "HOME": str(home), "DOCKER_CONFIG": str(home)})
    yield started
    started.close()


@pytest.fixture
def shape(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "image"))


@pytest.fixture
def app(shape: str, tmp_path: Path, killable: Killable) -> Iterator[Mirror]:
    """Two registries; the login is where the runs look for it."""
    with mirror(shape, tmp_path) as made:
        killable.start("oci-1.1", "", "--version")
        assert killable.end() == 0
        yield made


class Killing:
    """Runs that are killed at one request, before or after that is handled."""

    def __init__(self, mirror: Mirror, killable: Killable) -> None:
        self._mirror, self._killable = mirror, killable
        self._process = 0
        self._started = threading.Event()

    def run(self, wanted: str = "", handled: bool = False) -> int:
        """Run, killed at the request of this name if there is one; gives the exit code."""

        def kill(response: Response) -> Response:
            assert self._started.wait(timeout=10)
            os.kill(self._process, signal.SIGKILL)
            return response

        def arrived(name: str) -> Fault | None:
            if name != wanted:
                return None
            if handled:
                return Fault(change=kill)
            kill(Response())
            return Fault(drop_request_after=0)

        self._mirror.watch(Census(arrived))
        self._started.clear()
        arguments = (*self._mirror.arguments, "--quiet", "--dst-auth-file", str(self._mirror.login / "config.json"))
        self._process = self._killable.start("oci-1.1", "", *arguments)
        self._started.set()
        return self._killable.end()


def killed_at_every_request(mirror: Mirror, killable: Killable) -> None:
    census = Census()
    finished = mirror.run(census)
    assert finished.code == 0, finished.err
    killing = Killing(mirror, killable)
    for name in census.named:
        # Killed after a question was answered is killed before the next one is asked.
        for handled in (False,) if " GET " in name or " HEAD " in name else (False, True):
            mirror.reset()
            assert killing.run(name, handled) == -signal.SIGKILL, name
            assert mirror.broken() == [], (name, handled)
            assert killing.run() == 0, (name, handled)
            assert mirror.broken() == [], (name, handled)
            assert mirror.arrived, (name, handled)


def test_killed_at_every_request(app: Mirror, killable: Killable) -> None:
    """Before and after each request the tag is old or new, no other is lost, and the next run ends well."""
    killed_at_every_request(app, killable)


@pytest.mark.soak
@pytest.mark.parametrize("shape", ["index"], indirect=True)
def test_killed_at_every_request_of_an_index(app: Mirror, killable: Killable) -> None:
    """The same with several platforms."""
    killed_at_every_request(app, killable)


class Folder:
    """A layout folder with the tags ``1`` (old) and ``beside``."""

    def __init__(self, path: Path, made: Path, new: Image) -> None:
        self.path, self._made, self._new = path, made, new

    def reset(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(self._made, self.path)

    def tags(self) -> dict[str, str]:
        entries = json.loads((self.path / "index.json").read_text())["manifests"]
        return {entry["annotations"][TAG]: entry["digest"] for entry in entries}

    def broken(self, allowed: set[str | None]) -> list[str]:
        """What must not be: a tag that is none of those allowed, one that is lost, files that miss or are not whole."""
        tags = self.tags()
        wrong = [] if tags.get("1") in allowed else [f"1 is {tags.get('1')}"]
        wrong += [] if tags.get("beside") == BESIDE.digest else ["beside is lost"]
        whole = {OLD.digest: OLD, self._new.digest: self._new, BESIDE.digest: BESIDE}
        for digest in tags.values():
            for named in {**whole[digest].manifests, **whole[digest].blobs}:
                file = self.path / "blobs" / named.replace(":", "/")
                if not file.is_file() or digest_of(file.read_bytes()) != named:
                    wrong.append(f"{digest} misses {named}")
        return wrong

    @property
    def left(self) -> list[Path]:
        """Temporary files."""
        return list(self.path.rglob(f"{PREFIX}*"))


@pytest.fixture
def folder(shape: str, tmp_path: Path) -> Folder:
    """A layout with two images, and how it is made anew for each run."""
    made = OLD.write_layout(tmp_path / "made", "1")
    beside = BESIDE.write_layout(tmp_path / "beside", "beside")
    shutil.copytree(beside / "blobs", made / "blobs", dirs_exist_ok=True)
    index = json.loads((made / "index.json").read_text())
    index["manifests"] += json.loads((beside / "index.json").read_text())["manifests"]
    (made / "index.json").write_text(json.dumps(index))
    return Folder(tmp_path / "layout", made, SHAPES[shape])


def killed_at_every_file_call(folder: Folder, killable: Killable, *arguments: str, old: str, new: str | None) -> None:
    """Run it, killed before its first file call, its second and so on until there are no more."""
    for call in range(1, _MOST_FILE_CALLS):
        folder.reset()
        killable.start("oci-1.1", "", *arguments, folder=str(folder.path), call=call)
        code = killable.end()
        assert code in (0, -signal.SIGKILL), call
        assert folder.broken({old, new}) == [], call
        killable.start("oci-1.1", "", *arguments)
        assert killable.end() == 0, call
        assert folder.broken({new}) == [], call
        if code == 0:
            assert folder.left == []
            assert call > 20
            return
    pytest.fail("there is no end to it")


@pytest.mark.parametrize("shape", ["image", pytest.param("index", marks=pytest.mark.soak)], indirect=True)
def test_sync_killed_at_every_file_call(
    shape: str, folder: Folder, registry: EmbeddedRegistry, killable: Killable
) -> None:
    """In a layout, before each file call, the tag is the old image or the new one, and no other is lost."""
    new = SHAPES[shape]
    new.seed(registry.repository(UP), "1")
    arguments = ("sync", "--quiet", f"{registry.host}/{UP}:1", f"oci:{folder.path}:1")
    killed_at_every_file_call(folder, killable, *arguments, old=OLD.digest, new=new.digest)


def test_delete_killed_at_every_file_call(folder: Folder, killable: Killable) -> None:
    """A delete from a layout that is killed takes the tag or leaves it, and breaks no other."""
    arguments = ("delete", "--quiet", f"oci:{folder.path}:1")
    killed_at_every_file_call(folder, killable, *arguments, old=OLD.digest, new=None)


def test_what_a_kill_left_is_swept(folder: Folder, registry: EmbeddedRegistry, killable: Killable) -> None:
    """The temporary file of a killed writer goes with the next write; one that is being written stays."""
    new = SHAPES["image"]
    new.seed(registry.repository(UP), "1")
    folder.reset()
    arguments = ("sync", "--quiet", f"{registry.host}/{UP}:1", f"oci:{folder.path}:1")
    for call in range(1, _MOST_FILE_CALLS):
        killable.start("oci-1.1", "", *arguments, folder=str(folder.path), call=call)
        killable.end()
        if folder.left:
            break
    assert folder.left
    killable.start("oci-1.1", "", *arguments)
    assert killable.end() == 0
    assert folder.left == []
    assert folder.broken({new.digest}) == []
