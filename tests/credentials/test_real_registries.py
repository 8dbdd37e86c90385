"""Logging in to Debian's docker-registry: by htpasswd and signed tokens, with what docker and skopeo left behind."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import peers
from tests.command import environment, imagesync, imagesync_process
from tests.credentials.token_server import ISSUER, READ_ONLY, SERVICE, TokenServer
from tests.embedded_registry import EmbeddedRegistry, Manner
from tests.embedded_registry.images import compose, index, to_json
from tests.logins import variables

ANN, PASSWORD = "ann", "secret"
# bcrypt of the password, at little cost
HTPASSWD = f"{ANN}:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"
LIFE_S = 2
CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}/storage}}
  delete: {{enabled: true}}
http: {{addr: {host}}}
auth:
{auth}
"""
BY_HTPASSWD = "  htpasswd: {{realm: tests, path: {folder}/htpasswd}}"
BY_TOKEN = "  token: {{realm: 'http://{server}/token', service: {service}, issuer: {issuer}, rootcertbundle: {bundle}}}"


def running(folder: Path, auth: str) -> Iterator[str]:
    host = peers.free_host()
    config = folder / "config.yml"
    config.write_text(CONFIG.format(folder=folder, host=host, auth=auth))
    with peers.running([peers.program("docker-registry"), "serve", str(config)], host):
        yield host


@pytest.fixture(scope="module")
def with_htpasswd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a docker-registry that wants Basic."""
    folder = tmp_path_factory.mktemp("htpasswd")
    (folder / "htpasswd").write_text(HTPASSWD)
    yield from running(folder, BY_HTPASSWD.format(folder=folder))


@pytest.fixture(scope="module")
def with_tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a docker-registry that wants signed tokens, which live two seconds."""
    folder = tmp_path_factory.mktemp("tokens")
    tokens = TokenServer(folder, ANN, PASSWORD, life_s=LIFE_S)
    with tokens.server as server:
        auth = BY_TOKEN.format(server=server.host, service=SERVICE, issuer=ISSUER, bundle=tokens.bundle)
        yield from running(folder, auth)


@pytest.fixture(params=["with_htpasswd", "with_tokens"])
def locked(request: pytest.FixtureRequest) -> str:
    """Each of both."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def layout(tmp_path: Path) -> str:
    index("real", platforms=("linux/amd64", "linux/arm64"), layers=3).write_layout(tmp_path / "layout", "1")
    return f"oci:{tmp_path / 'layout'}:1"


def test_push_and_pull(locked: str, layout: str, repository_name: str, tmp_path: Path) -> None:
    """With a login an image goes there and comes back, byte for byte; without one neither, and the error says why."""
    there = f"{locked}/{repository_name}:1"
    assert imagesync("sync", layout, there).code == 4
    login = variables(locked, ANN, PASSWORD)
    assert imagesync("sync", layout, there, environ=login).code == 0
    assert imagesync("resolve", there).code == 4
    back = imagesync("sync", there, f"oci:{tmp_path}/back:1", environ=login)
    assert back.code == 0, back.err
    assert imagesync("delete", there, environ=login).code == 0


def test_within_one_registry(locked: str, layout: str, repository_name: str) -> None:
    """A copy within the registry is mounted, which needs the scopes of both repositories."""
    login = variables(locked, ANN, PASSWORD)
    there = f"{locked}/{repository_name}"
    imagesync("sync", layout, f"{there}:1", environ=login)
    done = imagesync("sync", f"{there}:1", f"{there}/copy:1", "--json", environ=login)
    assert done.code == 0, done.err
    blobs = json.loads(done.out)["blobs"]
    assert "sent" not in blobs
    assert blobs["mounted"] > 0


def test_a_wrong_password(locked: str, repository_name: str) -> None:
    """A wrong password is an error that says where it came from."""
    done = imagesync("resolve", f"{locked}/{repository_name}:1", environ=variables(locked, ANN, "wrong"))
    assert done.code == 4
    assert "IMAGESYNC_USERNAME_127_0_0_1" in done.err


@pytest.mark.parametrize(("folder", "outcome", "code"), [("", "ok", 0), (READ_ONLY, "no", 4)])
def test_doctor_makes_no_repository(
    with_tokens: str, repository_name: str, folder: str, outcome: str, code: int
) -> None:
    """Whether a repository that is not there yet may be pushed to is read from the token; no upload is opened."""
    there = f"{with_tokens}/{folder}{repository_name}:1"
    login = variables(with_tokens, ANN, PASSWORD)
    done = imagesync("doctor", "--json", "--destination", there, environ=login)
    (push,) = [step for step in json.loads(done.out)[0]["steps"] if step["name"] == "push"]
    assert (push["outcome"], done.code) == (outcome, code)
    assert imagesync("tags", there.removesuffix(":1"), environ=login).code == 3


@pytest.mark.parametrize("tool", ["skopeo", "docker"])
def test_after_login(tool: str, locked: str, layout: str, repository_name: str, tmp_path: Path) -> None:
    """After `skopeo login` or `docker login` an image is pushed without any further set-up."""
    found = shutil.which(tool) if tool == "docker" else peers.program(tool)
    if found is None:
        pytest.skip("the docker client is not there; skopeo's login has the same form")
    home = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    (tmp_path / "run").mkdir(mode=0o700)
    options = ["--tls-verify=false"] if tool == "skopeo" else []
    command = [found, "login", *options, "--username", ANN, "--password-stdin", locked]
    env = environment(**home)
    done = subprocess.run(
        command, input=PASSWORD, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    there = f"{locked}/{repository_name}:{tool}"
    pushed = imagesync_process("-v", "sync", layout, there, **home)
    assert pushed.code == 0, pushed.err
    assert f"{locked}: logging in with {tmp_path}" in pushed.err
    assert PASSWORD not in pushed.err + pushed.out


def test_tokens_that_die_meanwhile(with_tokens: str, repository_name: str) -> None:
    """A copy that takes several times as long as its tokens live ends well, without a refusal."""
    made = index("long", platforms=("linux/amd64", "linux/arm64"), layers=3)
    with EmbeddedRegistry(Manner(delay_ms=1500)) as slow:
        made.seed(slow.repository("app"), "1")
        there = f"{with_tokens}/{repository_name}:1"
        started = time.monotonic()
        done = imagesync("sync", f"{slow.host}/app:1", there, environ=variables(with_tokens, ANN, PASSWORD))
        assert time.monotonic() - started > 2 * LIFE_S
    assert done.code == 0, done.err


def grow_layer(layout: Path, size_bytes: int) -> None:
    """Replace the image of a layout by one whose only layer is so long."""
    blobs = layout / "blobs" / "sha256"
    with (blobs / "layer").open("w+b") as file:
        file.truncate(size_bytes)
        file.seek(0)
        hashed = hashlib.sha256()
        while chunk := file.read(2**20):
            hashed.update(chunk)
        layer = hashed.hexdigest()
    (blobs / "layer").rename(blobs / layer)
    top = json.loads((layout / "index.json").read_bytes())
    (entry,) = top["manifests"]
    document = json.loads((blobs / entry["digest"].removeprefix("sha256:")).read_bytes())
    document["layers"][0] |= {"digest": f"sha256:{layer}", "size": size_bytes}
    manifest = to_json(document)
    entry |= {"digest": f"sha256:{hashlib.sha256(manifest).hexdigest()}", "size": len(manifest)}
    (blobs / entry["digest"].removeprefix("sha256:")).write_bytes(manifest)
    (layout / "index.json").write_bytes(to_json(top))


@pytest.mark.soak
def test_two_gigabytes(with_tokens: str, tmp_path: Path, repository_name: str) -> None:
    """Two gigabytes in one layer, there and back with tokens that live two seconds, arrive whole."""
    layout = compose("linux/amd64", [b"small"]).write_layout(tmp_path / "big", "1")
    grow_layer(layout, 2 * 10**9)
    there = f"{with_tokens}/{repository_name}:1"
    done = imagesync_process("sync", f"oci:{tmp_path}/big:1", there, **variables(with_tokens, ANN, PASSWORD))
    assert done.code == 0, done.err
    back = imagesync_process("sync", there, f"oci:{tmp_path}/back:1", **variables(with_tokens, ANN, PASSWORD))
    assert back.code == 0, back.err
