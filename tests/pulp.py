"""A real Pulp (pulpcore and pulp-container, from pip) over Debian's PostgreSQL, on free loopback ports.

It takes 10 seconds and 400 MB to run, and 40 seconds more the first time, when its database is made and kept in the
cache folder. So all processes of a test run share one:

1. Whoever needs it holds a shared lock for as long as that lasts.
2. The first one starts this module as a process, which starts the servers and writes down where they are.
3. That process then waits for an exclusive lock, which it has once nobody needs Pulp, and ends the servers.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests import peers

ADMIN = ("admin", "password")
STARTS_WITHIN_S = 180
SERVERS = ("pulpcore-api", "pulpcore-content", "pulpcore-worker")
_SETTINGS = """\
SECRET_KEY = "loopback-test"
CONTENT_ORIGIN = "http://127.0.0.1:{content}"
DATABASES = {{"default": {{
    "ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": "{database}", "NAME": "postgres",
    "USER": "postgres", "PASSWORD": "nobody asks",
}}}}
DEPLOY_ROOT = "{folder}"
MEDIA_ROOT = "{folder}/media/"
STATIC_ROOT = "{folder}/static"
WORKING_DIRECTORY = FILE_UPLOAD_TEMP_DIR = "{folder}/tmp/"
DB_ENCRYPTION_KEY = "{folder}/kept/database.key"
PRIVATE_KEY_PATH, PUBLIC_KEY_PATH = "{folder}/kept/private.pem", "{folder}/kept/public.pem"
TOKEN_SERVER, TOKEN_SIGNATURE_ALGORITHM = "http://{api}/token/", "ES256"
CACHE_ENABLED = ANALYTICS = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""


@contextlib.contextmanager
def running(shared: Path) -> Iterator[str]:
    """HOST:PORT of the one Pulp of this test run, all of whose processes name the same folder."""
    for program in (*SERVERS, "pulpcore-manager", "initdb", "postgres", "openssl"):
        peers.program(program)
    shared.mkdir(exist_ok=True)
    with (shared / "needed").open("w") as needed:
        fcntl.flock(needed, fcntl.LOCK_SH)
        yield _started(shared)


def _started(shared: Path) -> str:
    where = shared / "host"
    with (shared / "starting").open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        if not where.exists():
            _start(shared, where)
    return where.read_text()


def _start(shared: Path, where: Path) -> None:
    """Start a process that outlives this one, if another one needs Pulp for longer."""
    command = [sys.executable, "-m", "tests.pulp", str(shared)]
    log = [(os.POSIX_SPAWN_OPEN, 1, str(shared / "log"), os.O_WRONLY | os.O_CREAT, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)]
    folder = str(Path(__file__).parents[1])
    process = os.posix_spawn(command[0], command, os.environ | {"PYTHONPATH": folder}, file_actions=log)
    deadline = time.monotonic() + STARTS_WITHIN_S
    while not where.exists():
        if os.waitpid(process, os.WNOHANG)[0] or time.monotonic() > deadline:
            raise RuntimeError(f"Pulp does not start:\n{(shared / 'log').read_text()}")
        time.sleep(0.05)


def main(shared: Path) -> None:
    """Run Pulp for as long as anybody needs it."""
    del os.environ["PYTHONPATH"]  # its packages are its own
    with tempfile.TemporaryDirectory(prefix="pulp.", ignore_cleanup_errors=True) as name, contextlib.ExitStack() as up:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user where this is root
        for part in ("media", "tmp", "static"):
            (folder / part).mkdir()
        host = _serve(folder, up)
        (shared / "host.new").write_text(host)
        (shared / "host.new").rename(shared / "host")
        with (shared / "needed").open("w") as needed:
            fcntl.flock(needed, fcntl.LOCK_EX)
            (shared / "host").unlink()


def _serve(folder: Path, up: contextlib.ExitStack) -> str:
    """Start all servers; returns HOST:PORT of the registry."""
    api, content, database = (peers.free_host() for _ in range(3))
    ports = {"content": content.rpartition(":")[2], "database": database.rpartition(":")[2]}
    (folder / "settings.py").write_text(_SETTINGS.format(folder=folder, api=api, **ports))
    os.environ["PULP_SETTINGS"] = str(folder / "settings.py")
    kept = folder / "kept"
    if not _cached().exists():
        _make_what_is_kept(kept, database)
    subprocess.run(["cp", "-a", "--no-target-directory", str(_cached()), str(kept)], check=True)
    up.enter_context(_postgres(kept, database))
    for name, *options in ((SERVERS[0], "-b", api, "-w", "2"), (SERVERS[1], "-b", content, "-w", "1"), (SERVERS[2],)):
        up.enter_context(_process([peers.program(name), *options]))
    _wait_until_it_answers(api)
    return api


def _make_what_is_kept(kept: Path, database: str) -> None:
    """Make keys and a database with Pulp's tables and the account in it, and put them into the cache."""
    (kept / "database").mkdir(parents=True, mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(kept / "database", "postgres", "postgres")
    initdb = [peers.program("initdb"), "-D", str(kept / "database"), "-U", "postgres", "--auth=trust", "-E", "UTF8"]
    subprocess.run(initdb, cwd="/", check=True, **_postgres_user())  # type: ignore[call-overload]
    openssl, private, public = peers.program("openssl"), str(kept / "private.pem"), str(kept / "public.pem")
    subprocess.run([openssl, "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", private], check=True)
    subprocess.run([openssl, "ec", "-in", private, "-pubout", "-out", public], check=True)
    (kept / "database.key").write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
    with _postgres(kept, database):
        for arguments in (("migrate", "--noinput"), ("reset-admin-password", "--password", ADMIN[1])):
            subprocess.run([peers.program("pulpcore-manager"), *arguments], cwd="/", check=True)
    made = _cached().with_name(f"{_cached().name}.{os.getpid()}")
    made.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", str(kept), str(made)], check=True)
    made.rename(_cached())


def _cached() -> Path:
    """The folder of the cache that fits the programs: named like Pulp's venv and PostgreSQL's version."""
    venv = Path(peers.program("pulpcore-manager")).resolve().parents[1].name
    version = Path(peers.program("postgres")).resolve().parents[1].name
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "imagesync-ci")
    return folder / f"{venv}-database-{version}"


@contextlib.contextmanager
def _postgres(kept: Path, host: str) -> Iterator[None]:
    """Run PostgreSQL for as long as the block lasts."""
    port = host.rpartition(":")[2]
    settings = ("listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories=", "fsync=off")
    command = [peers.program("postgres"), "-D", str(kept / "database")]
    command += [part for setting in settings for part in ("-c", setting)]
    with _process(command, **_postgres_user()) as process:
        peers.wait_until_ready(process, host)
        yield


@contextlib.contextmanager
def _process(command: list[str], **options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server; SIGINT ends each of these without waiting for its clients."""
    process = subprocess.Popen(command, cwd="/", **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()


def _postgres_user() -> dict[str, str]:
    """PostgreSQL refuses to run as root; Debian's package makes a user for it."""
    return {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}


def _wait_until_it_answers(host: str) -> None:
    while True:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"http://{host}/v2/", timeout=5).status_code == 401:
                return
        time.sleep(0.05)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main(Path(sys.argv[1]))
