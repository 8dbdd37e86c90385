"""docker-credential-* programs that behave, and many that do not."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.concurrency import within
from imagesync_cli.credentials import Anonymous, Credential, find_login, helpers
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.secret import Secret
from tests.command import imagesync, imagesync_process
from tests.credentials.test_files import HOST, find, wanted
from tests.embedded_registry import Authentication, EmbeddedRegistry, Manner
from tests.embedded_registry.images import image
from tests.embedded_registry.wire import Request
from tests.logins import CANARY, auth, write_auths

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")
ANSWERS = json.dumps({"ServerURL": "x", "Username": "ann", "Secret": CANARY})


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the PATH for the programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def helper(programs: Path, script: str, name: str = "test") -> None:
    program = programs / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_auths(tmp_path / "config.json", {}, credHelpers={HOST: "test"})


def test_a_login(programs: Path, config: Path) -> None:
    """A helper is asked with "get" and the host on stdin, and what it answers is the login."""
    helper(programs, f"""[ "$1" = get ] && [ "$(cat)" = {HOST} ] && echo '{ANSWERS}'""")
    found = find(HOST, config)
    assert found == Credential("docker-credential-test", "ann", Secret(CANARY))


def test_a_token(programs: Path, config: Path) -> None:
    """The user <token> means that the secret is an identity token."""
    helper(programs, f"""echo '{{"Username": "<token>", "Secret": "{CANARY}"}}'""")
    assert find(HOST, config) == Credential("docker-credential-test", identity_token=Secret(CANARY))


def test_docker_hub(programs: Path, tmp_path: Path) -> None:
    """Helpers know Docker Hub by the name that `docker login` gives it."""
    file = write_auths(tmp_path / "config.json", {}, credsStore="test")
    helper(programs, f"""[ "$(cat)" = https://index.docker.io/v1/ ] && echo '{ANSWERS}'""")
    assert isinstance(find("docker.io", file), Credential)


def test_not_found(programs: Path, config: Path) -> None:
    """ "credentials not found" is the one failure that means: nobody is logged in."""
    helper(programs, "echo 'credentials not found in native keychain'; exit 1")
    assert isinstance(find(HOST, config), Anonymous)


def test_an_empty_answer(programs: Path, config: Path) -> None:
    """Some helpers say with empty fields that they know nobody."""
    helper(programs, """echo '{"ServerURL": "", "Username": "", "Secret": ""}'""")
    assert isinstance(find(HOST, config), Anonymous)


def test_what_a_helper_inherits(programs: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper sees the environment, but not the passwords that are meant for registries."""
    for name in ("IMAGESYNC_PASSWORD_OTHER", "imagesync_password_other", "IMAGESYNC_USERNAME_OTHER"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("HELPER_NEEDS", "this")
    helper(programs, f"""[ "$HELPER_NEEDS" = this ] && ! env | grep -qi {CANARY} && echo '{ANSWERS}'""")
    assert isinstance(find(HOST, config), Credential)


def test_the_order_within_a_file(programs: Path, tmp_path: Path) -> None:
    """First the helper for the host, then the file's own entry, then the helper for all hosts."""
    helper(programs, """echo '{"Username": "own", "Secret": "x"}'""", "own")
    helper(programs, """echo '{"Username": "all", "Secret": "x"}'""", "all")
    auths = {HOST: auth("file", "x"), "b.example.com": auth("file", "x"), "c.example.com": {}}
    file = write_auths(tmp_path / "config.json", auths, credHelpers={HOST: "own"}, credsStore="all")
    found = [find(host, file) for host in (HOST, "b.example.com", "c.example.com", "d.example.com")]
    assert [login.username for login in found if isinstance(login, Credential)] == ["own", "file", "all", "all"]


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (f"echo 'error getting credentials: {CANARY}'; echo {CANARY} >&2; exit 1", "failed with exit code 1"),
        (f"echo '{ANSWERS}'; exit 3", "failed with exit code 3"),
        ("exit 0", "did not answer with Username and Secret"),
        (f"echo {CANARY}", "did not answer with Username and Secret"),
        (f"echo '[\"{CANARY}\"]'", "did not answer with Username and Secret"),
        (f"""echo '{{"Username": 1, "Secret": "{CANARY}"}}'""", "did not answer with Username and Secret"),
        ("""echo '{"Username": "ann", "Secret": ""}'""", "did not answer with Username and Secret"),
        ("kill -9 $$", "failed with exit code -9"),
        ("cat /dev/zero", "more than 65536 bytes"),
    ],
)
def test_misbehaving(programs: Path, config: Path, script: str, says: str) -> None:
    """Whatever else a helper does is an error that names it and the host, and repeats nothing of what it said."""
    helper(programs, script)
    with pytest.raises(UsageError) as caught:
        find(HOST, config)
    assert says in str(caught.value)
    assert "docker-credential-test" in str(caught.value)
    assert HOST in str(caught.value)
    assert CANARY not in str(caught.value)


def test_missing(config: Path) -> None:
    """A helper that is not installed is an error that names it and the file which asks for it."""
    with pytest.raises(UsageError, match=r"docker-credential-test, which .*config\.json names"):
        find(HOST, config)


def test_hanging(programs: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper that hangs is ended after its time, together with what it has started."""
    monkeypatch.setattr(helpers, "TIMEOUT_S", 0.3)
    pid_file = tmp_path / "pid"
    helper(programs, f"sleep 60 & echo $! > {pid_file}; wait")
    started = time.monotonic()
    with pytest.raises(UsageError, match="did not answer within"):
        find(HOST, config)
    assert time.monotonic() - started < 30
    _wait_for_its_end(int(pid_file.read_text()))


def _wait_for_its_end(pid: int) -> None:
    """Return when it is dead: a signal is sent before a busy machine has let it end."""
    until = time.monotonic() + 30
    while _lives(pid):
        assert time.monotonic() < until


def _lives(pid: int) -> bool:
    """Whether the process runs; one that only waits for its parent to look does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


def test_children_that_stay(programs: Path, config: Path) -> None:
    """A helper that answers and leaves something running behind does not keep us waiting."""
    helper(programs, f"sleep 60 >/dev/null 2>&1 & echo '{ANSWERS}'")
    started = time.monotonic()
    assert isinstance(find(HOST, config), Credential)
    assert time.monotonic() - started < 30


def test_children_that_hold_the_output(programs: Path, config: Path) -> None:
    """Nor does one whose child keeps its output: what was said until its end is the answer."""
    helper(programs, f"sleep 60 & echo '{ANSWERS}'")
    started = time.monotonic()
    assert isinstance(find(HOST, config), Credential)
    assert time.monotonic() - started < helpers.TIMEOUT_S / 2


def test_an_answer_in_pieces(programs: Path, config: Path) -> None:
    """An answer may take its time."""
    start, end = ANSWERS[:20], ANSWERS[20:]
    helper(programs, f"printf %s '{start}'; sleep 0.3; printf %s '{end}'; exec >&-; sleep 0.3")
    assert isinstance(find(HOST, config), Credential)


def test_an_answer_while_we_are_busy(programs: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a helper has said counts, also where all of it came, and its end, before we had time to look."""
    helper(programs, f"cat > /dev/null; echo '{ANSWERS}'")
    create, processes, looks = asyncio.create_subprocess_exec, list[asyncio.subprocess.Process](), list[float]()

    async def start(*arguments: Any, **more: Any) -> asyncio.subprocess.Process:
        processes.append(await create(*arguments, **more))
        return processes[-1]

    async def look(timeout_s: float, work: Coroutine[Any, Any, Any]) -> Any:
        looks.extend([timeout_s] if timeout_s == helpers._LOOK_AFTER_S else [])
        if looks != [timeout_s]:
            return await within(timeout_s, work)
        work.close()
        while processes[0].returncode is None:  # noqa: ASYNC110  (nobody else may wait for it)
            await asyncio.sleep(0)
        raise asyncio.TimeoutError

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    monkeypatch.setattr(helpers, "within", look)
    assert isinstance(find(HOST, config), Credential)
    assert len(looks) > 1


def test_no_shell(programs: Path, tmp_path: Path) -> None:
    """A helper's name is a name: not a path, not a command line."""
    for name in ("a b", "../x", "x;touch y", "$(touch y)", "", "x/y", "x\ny"):
        file = write_auths(tmp_path / "config.json", {}, credHelpers={HOST: name})
        with pytest.raises(UsageError, match="credential helper"):
            find(HOST, file)


def test_one_run_for_all(programs: Path, tmp_path: Path) -> None:
    """However many images are asked for at once, the helper runs once; -v says that it answered, not what."""
    runs = tmp_path / "runs"
    helper(programs, f"""echo run >> {runs}; echo '{ANSWERS}'""")
    with EmbeddedRegistry(Manner(authentication=Authentication("bearer", {"ann": CANARY}))) as registry:
        write_auths(tmp_path / "config.json", {}, credHelpers={registry.host: "test"})
        references = [f"{registry.host}/app{number}:1" for number in range(30)]
        for number in range(30):
            image().seed(registry.repository(f"app{number}"), "1")
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        done = imagesync_process("-v", "resolve", *references, DOCKER_CONFIG=str(tmp_path), PATH=path)
    assert done.code == 0, done.err
    assert runs.read_text() == "run\n"
    assert done.err == f"imagesync: {registry.host}: logging in with docker-credential-test\n"


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_a_login_that_ends(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """A login that ends in the middle of a copy is asked for again, and the copy goes on with the new one."""
    monkeypatch.setattr("imagesync_cli.stores.registry.login._FRESH_S", 0.0)
    password = tmp_path / "password"
    password.write_text("old")
    helper(programs, f"""printf '{{"Username": "ann", "Secret": "%s"}}' "$(cat {password})\"""")
    accounts = {"ann": "old"}
    rules = Authentication("basic" if scheme == "basic" else "bearer", accounts)
    with EmbeddedRegistry() as source, EmbeddedRegistry(Manner(authentication=rules)) as registry:
        image(layers=3).seed(source.repository("app"), "1")
        write_auths(tmp_path / "config.json", {}, credHelpers={registry.host: "test"})

        def end(request: Request) -> None:
            if request.method == "PUT":
                accounts["ann"] = "new"
                password.write_text("new")
                registry.authenticator.revoke_tokens()
                registry.fault = None

        registry.fault = end
        environ = {"DOCKER_CONFIG": str(tmp_path), "PATH": os.environ["PATH"]}
        done = imagesync("sync", f"{source.host}/app:1", f"{registry.host}/app:1", environ=environ)
        assert done.code == 0, done.err
        assert registry.repository("app").tags == {"1": image(layers=3).digest}


def test_interrupted(programs: Path, config: Path, tmp_path: Path) -> None:
    """Whoever gives up on a lookup leaves no helper running."""
    pid_file = tmp_path / "pid"
    helper(programs, f"echo $$ > {pid_file}; exec sleep 60")

    async def give_up() -> None:
        task = asyncio.create_task(find_login(wanted(HOST, "app", config)))
        while not (pid_file.exists() and pid_file.read_text().strip()):  # noqa: ASYNC110  (a file rings no bell)
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    _wait_for_its_end(int(pid_file.read_text()))
