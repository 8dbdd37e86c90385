"""Real registries and tools to test with, started on free loopback ports or found on the PATH.

A peer that is not there skips its test, or fails it where IMAGESYNC_REQUIRE_PEERS=1 says that all must be.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from benchmarks.registries import free_port

READY_WITHIN_S = 60
# Every program that a test starts and that a machine may lack. `.ci/run` installs them.
# fmt: off
PROGRAMS = frozenset({
    "actionlint", "apt-get", "bash", "buildah", "chromium", "conformance", "cosign", "cosign2", "crane",
    "debootstrap", "docker-registry", "fish", "git", "go", "groff", "initdb", "kubectl", "nginx", "openssl", "oras",
    "podman", "postgres", "promtool", "pulpcore-api", "pulpcore-content", "pulpcore-manager", "pulpcore-worker",
    "regctl", "registry", "sh", "skopeo", "tar", "terraform", "tofu", "umount", "unshare", "zsh",
})
# fmt: on
# Where Debian puts servers: users rarely have these on their PATH.
_SYSTEM_PROGRAMS = ("/usr/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin")))

# Debian's packages that are called otherwise than what they bring.
_PACKAGES = {
    "initdb": "postgresql",
    "kubectl": "kubernetes-client",
    "nginx": "nginx-light",
    "postgres": "postgresql",
    "promtool": "prometheus",
}

_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}}}
  delete: {{enabled: {deletes}}}
http: {{addr: {host}}}
"""
# distribution allows no foreign layers unless it is told from where.
ALLOWS_FOREIGN_LAYERS = "validation: {manifests: {urls: {allow: [^https://]}}}\n"
TAKES_SCHEMA_1 = "compatibility: {schema1: {enabled: true}}\n"


def unavailable(what: str) -> None:
    """Skip the test, or fail it where every peer is required."""
    if required():
        pytest.fail(f"{what} is required (IMAGESYNC_REQUIRE_PEERS=1) and not there")
    pytest.skip(f"{what} is not there")


def required() -> bool:
    """Whether every peer has to be there."""
    return os.environ.get("IMAGESYNC_REQUIRE_PEERS") == "1"


def missing() -> list[str]:
    """The programs that this machine lacks."""
    return sorted(name for name in PROGRAMS if _find(name) is None)


def how_to_install(names: Iterable[str]) -> list[str]:
    """Lines to paste that install these programs, told from `.ci/run`; what no line installs is only named."""
    text = (Path(__file__).parents[1] / ".ci/run").read_text("utf-8")
    packages, modules = (
        re.findall(r"[\w./@-]+", re.findall(rf"^{array}=\((.*?)\)$", text, re.MULTILINE | re.DOTALL)[0])
        for array in ("debian_packages", "go_programs")
    )
    by_name = {module.rpartition("/")[2].partition("@")[0]: module for module in modules}
    wanted = sorted(names)
    debian = sorted({_PACKAGES.get(name, name) for name in wanted} & {*packages})
    lines = [f"apt-get install -y --no-install-recommends {' '.join(debian)}"] if debian else []
    lines += [f"go install {by_name[name]}" for name in wanted if name in by_name]
    return lines


def program(name: str) -> str:
    """Find one of PROGRAMS on the PATH or where `go install` puts it."""
    assert name in PROGRAMS, f"add {name} to PROGRAMS, and to what .ci/run installs"
    found = _find(name)
    if found is None:
        unavailable(name)
    return str(found)


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join((_go_programs(), *_SYSTEM_PROGRAMS)))


def _go_programs() -> str:
    if "GOBIN" in os.environ:
        return os.environ["GOBIN"]
    return str(Path(os.environ.get("GOPATH", Path.home() / "go")) / "bin")


def free_host() -> str:
    """Return a loopback HOST:PORT that nothing listens on."""
    return f"127.0.0.1:{free_port()}"


@contextlib.contextmanager
def running(command: list[str], host: str) -> Iterator[str]:
    """Run a server until the block ends; enters once it accepts connections at HOST:PORT."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until_ready(process, host)
            yield host
        finally:
            process.kill()


def wait_until_ready(process: subprocess.Popen[bytes], host: str) -> None:
    address, _, port = host.rpartition(":")
    deadline = time.monotonic() + READY_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection((address, int(port)), timeout=1).close()
            return
        time.sleep(0.005)
    raise RuntimeError(f"{process.args!r} does not listen at {host} (exit code {process.poll()})")


@contextlib.contextmanager
def docker_registry(folder: Path, *, deletes: bool = True, more: str = "") -> Iterator[str]:
    """Run Debian's docker-registry (distribution 2.8), its storage in the folder; ``more`` is added to its config."""
    yield from _distribution("docker-registry", folder, deletes, more)


@contextlib.contextmanager
def distribution_v3(folder: Path, *, deletes: bool = True, more: str = "") -> Iterator[str]:
    """Run distribution v3's ``registry`` with its storage in the folder; ``more`` is added to its configuration."""
    yield from _distribution("registry", folder, deletes, more)


@contextlib.contextmanager
def crane_registry() -> Iterator[str]:
    """Run go-containerregistry's registry, in memory."""
    host = free_host()
    with running([program("crane"), "registry", "serve", "--address", host], host):
        yield host


def _distribution(name: str, folder: Path, deletes: bool, more: str) -> Iterator[str]:
    host = free_host()
    config = folder / "config.yml"
    config.write_text(_CONFIG.format(folder=folder / "storage", deletes=str(deletes).lower(), host=host) + more)
    with running([program(name), "serve", str(config)], host):
        yield host
