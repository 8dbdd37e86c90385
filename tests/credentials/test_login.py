"""`imagesync login` and `logout`: what is kept, where, and what never is."""

from __future__ import annotations

import base64
import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import IMAGESYNC, Finished, environment, imagesync
from tests.commands.test_json import matches
from tests.embedded_registry import Authentication, EmbeddedRegistry, Manner
from tests.embedded_registry.images import image
from tests.logins import CANARY, auth, write_auths

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and scripts of POSIX")


@pytest.fixture(params=["basic", "bearer"])
def guarded(request: pytest.FixtureRequest) -> EmbeddedRegistry:
    """A registry that lets in ann alone."""
    return EmbeddedRegistry(Manner(authentication=Authentication(request.param, {"ann": CANARY})))


def log_in(home: Path, registry: str, *options: str, password: str = CANARY, **environ: str) -> Finished:
    done = imagesync(
        *("login", "--username", "ann", *options, registry),
        stdin=f"{password}\n",
        environ={"HOME": str(home), **environ},
    )
    assert CANARY not in done.out + done.err
    return done


def kept(home: Path) -> dict[str, object]:
    document: dict[str, object] = json.loads((home / ".docker/config.json").read_text())
    return document


def test_a_login_is_kept_and_used(guarded: EmbeddedRegistry, tmp_path: Path) -> None:
    """After a login the registry lets us in, after a logout no more; the file is its owner's alone."""
    with guarded as registry:
        image().seed(registry.repository("app"), "1")
        home = {"HOME": str(tmp_path)}
        assert imagesync("resolve", f"{registry.host}/app:1", environ=home).code == 4
        done = log_in(tmp_path, registry.host)
        assert (done.code, done.err) == (0, "")
        assert done.out == f"logged in to {registry.host}; kept in {tmp_path}/.docker/config.json\n"
        assert imagesync("resolve", f"{registry.host}/app:1", environ=home).code == 0
        modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (".docker", ".docker/config.json")]
        assert modes == [0o700, 0o600]
        assert [path.name for path in (tmp_path / ".docker").iterdir()] == ["config.json"]
        gone = imagesync("logout", registry.host, environ=home)
        assert (gone.code, gone.out) == (0, f"{registry.host}: forgotten in {tmp_path}/.docker/config.json\n")
        assert imagesync("resolve", f"{registry.host}/app:1", environ=home).code == 4
    assert kept(tmp_path) == {"auths": {}}


def test_a_wrong_password_is_not_kept(guarded: EmbeddedRegistry, tmp_path: Path) -> None:
    """What the registry refuses is told in a line, and the old login stays."""
    with guarded as registry:
        file = write_auths(tmp_path / ".docker/config.json", {registry.host: auth("ann", "old")})
        before = file.read_text()
        done = log_in(tmp_path, registry.host, password="wrong-password")
    assert done.code == 4
    assert f"{registry.host} refuses this user name and password" in done.err
    assert "wrong-password" not in done.err
    assert file.read_text() == before


def test_what_else_is_in_the_file_stays(guarded: EmbeddedRegistry, tmp_path: Path) -> None:
    """Other logins and settings are left as they are, and the file keeps its place behind a link and its mode."""
    with guarded as registry:
        others = {"other.example": auth("bob", "x"), f"https://{registry.host}/v2/": auth("ann", "older")}
        real = write_auths(tmp_path / "dotfiles/docker.json", others, proxies={"default": {}})
        real.chmod(0o640)
        (tmp_path / ".docker").mkdir()
        (tmp_path / ".docker/config.json").symlink_to(real)
        assert log_in(tmp_path, registry.host).code == 0
    wanted = {"other.example": auth("bob", "x"), registry.host: auth("ann", CANARY)}
    assert kept(tmp_path) == {"auths": wanted, "proxies": {"default": {}}}
    assert (tmp_path / ".docker/config.json").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_registry_that_asks_for_no_login(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """A login that was not checked is kept, and that is said."""
    done = log_in(tmp_path, registry.host, "--json")
    told = matches(done.out, "login")
    assert told == {"registry": registry.host, "kept_in": f"{tmp_path}/.docker/config.json", "checked": False}


HELPER = """#!/bin/sh
printf '%s ' "$1" >> {folder}/calls; cat >> {folder}/calls; echo >> {folder}/calls
{then}
"""


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A helper on the PATH that notes what it is told."""
    program = tmp_path / "bin/docker-credential-notes"
    program.parent.mkdir()
    program.write_text(HELPER.format(folder=tmp_path, then=""))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program


@pytest.mark.parametrize("named", ["credsStore", "credHelpers"])
def test_a_helper(registry: EmbeddedRegistry, tmp_path: Path, helper: Path, named: str) -> None:
    """Where the file names a helper that keeps the login, and the file holds none."""
    names = {"credsStore": "notes"} if named == "credsStore" else {"credHelpers": {registry.host: "notes"}}
    write_auths(tmp_path / ".docker/config.json", {}, **names)
    done = log_in(tmp_path, registry.host)
    assert "kept in docker-credential-notes" in done.out
    assert CANARY not in (tmp_path / ".docker/config.json").read_text()
    gone = imagesync("logout", registry.host, "--json", environ={"HOME": str(tmp_path)})
    assert matches(gone.out, "logout")["forgotten_in"] == ["docker-credential-notes"]
    stored, erased = (tmp_path / "calls").read_text().splitlines()
    assert json.loads(stored.removeprefix("store ")) == {
        "ServerURL": registry.host,
        "Username": "ann",
        "Secret": CANARY,
    }
    assert erased == f"erase {registry.host}"


def test_a_helper_that_fails(registry: EmbeddedRegistry, tmp_path: Path, helper: Path) -> None:
    """What a helper says when it fails is not shown, for it may repeat the password; nothing is kept elsewhere."""
    helper.write_text(HELPER.format(folder=tmp_path, then=f"echo {CANARY}; exit 1"))
    file = write_auths(tmp_path / ".docker/config.json", {}, credsStore="notes")
    before = file.read_text()
    done = log_in(tmp_path, registry.host)
    assert done.code == 2
    assert f"docker-credential-notes failed with exit code 1 when told a login for {registry.host}" in done.err
    assert file.read_text() == before


def test_logins_elsewhere_are_named(tmp_path: Path) -> None:
    """A login that Podman keeps stays, and a logout says so, however quiet: who leaves a machine must know."""
    write_auths(tmp_path / ".config/containers/auth.json", {"r.example": auth("ann", "x")})
    done = imagesync("logout", "--quiet", "r.example", environ={"HOME": str(tmp_path)})
    assert (done.code, done.out) == (0, "r.example: no login was kept\n")
    assert f"{tmp_path}/.config/containers/auth.json still has a login for r.example" in done.err
    assert not (tmp_path / ".docker/config.json").exists()


def test_docker_hub_is_called_as_docker_does(tmp_path: Path) -> None:
    """Docker Hub's entry is found by whichever of its names."""
    file = write_auths(tmp_path / ".docker/config.json", {"https://index.docker.io/v1/": auth("ann", "x")})
    done = imagesync("logout", "docker.io", environ={"HOME": str(tmp_path)})
    assert (done.code, json.loads(file.read_text())) == (0, {"auths": {}})


@pytest.mark.parametrize(
    ("call", "stdin", "says"),
    [
        (["login", "--username", "ann", "r.example"], "", "there is no password on stdin"),
        (["login", "--username", "ann", "r.example"], b"\xff\xfe" + CANARY.encode(), "on stdin is not UTF-8"),
        (["login", "--username", "ann", "r.example/team"], CANARY, "it takes a host[:port]"),
        (["login", "--username", "ann", "--password", CANARY, "r.example"], "", "No such option"),
        (["login", "r.example"], CANARY, "Missing option '-u' / '--username'"),
    ],
)
def test_wrong_calls(tmp_path: Path, call: list[str], stdin: str | bytes, says: str) -> None:
    """A call that is none is told, without what was to be secret in it."""
    done = imagesync(*call, stdin=stdin, environ={"HOME": str(tmp_path)})
    assert done.code == 2
    assert says in done.err
    assert CANARY not in done.err
    assert not (tmp_path / ".docker").exists()


@pytest.mark.parametrize(
    ("environ", "file"),
    [({"HOME": "/dev/null"}, "/dev/null/.docker/config.json"), ({"DOCKER_CONFIG": "/proc"}, "/proc/config.json")],
)
def test_a_home_that_is_none(registry: EmbeddedRegistry, environ: dict[str, str], file: str) -> None:
    """Where nothing can be written that is said, and not taken for a login: no folder, and none for new files."""
    done = imagesync("login", "--username", "ann", registry.host, stdin=CANARY, environ=environ)
    assert done.code == 2
    assert f"{file} cannot be written" in done.err
    assert "IMAGESYNC_AUTH_FILE" in done.err


def test_a_terminal_shows_no_password(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """On a terminal the password is asked for, and is not shown while it is typed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*IMAGESYNC, "login", "--username", "ann", registry.host],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(HOME=str(tmp_path), TERM="dumb"),
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    while b"Password" not in seen:
        seen += os.read(ours, 1024)
    os.write(ours, f"{CANARY}\n".encode())
    assert process.wait(30) == 0
    seen += os.read(ours, 4096)
    os.close(ours)
    assert CANARY.encode() not in seen
    assert base64.b64encode(f"ann:{CANARY}".encode()).decode() in (tmp_path / ".docker/config.json").read_text()
