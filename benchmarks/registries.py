"""Registries to measure against: a process each, a free loopback port each, behind the proxy where asked.

Their storage is a folder in memory where the machine has one (/dev/shm), so that no disk is measured.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY_WITHIN_S = 60
_PORTS = (15_000, 32_768)  # what lies below net.ipv4.ip_local_port_range
_ports = random.SystemRandom()  # no seed, of a test or Hypothesis's, gives two processes the same

_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {storage}, maxthreads: 1000}}
  delete: {{enabled: true}}
http: {{addr: "{address}"{tls}}}
"""


@dataclass(frozen=True)
class Tls:
    """A certificate that is its own CA, and the name it is for."""

    name: str
    certificate: Path
    key: Path


@dataclass(frozen=True)
class Counts:
    """What passed one proxy since the last start; bytes are those of the registry's answers and of the requests."""

    requests: dict[str, int]
    connections: int
    received_bytes: int
    sent_bytes: int

    @property
    def total(self) -> int:
        return sum(self.requests.values())


class Registry:
    """One registry. ``host`` is where it listens itself, ``proxied_host`` where it is delayed and counted."""

    def __init__(self, program: str, folder: Path, tls: Tls | None = None) -> None:
        self._program = program
        self._storage = folder / "storage"
        self._config = folder / "config.yml"
        self._port = free_port()
        self._proxy_port = free_port()
        self.address = f"127.0.0.1:{self._port}"
        self.host = f"{tls.name}:{self._port}" if tls else self.address
        self.proxied_host = f"127.0.0.1:{self._proxy_port}"
        keys = f", tls: {{certificate: {tls.certificate}, key: {tls.key}}}" if tls else ""
        self._config.write_text(_CONFIG.format(storage=self._storage, address=self.address, tls=keys))
        self._start()
        command = [sys.executable, "-m", "benchmarks.proxy", str(self._proxy_port), str(self._port)]
        self._proxy = _run(command, self._proxy_port)

    def empty(self) -> None:
        """Start again with nothing in it, at the same address."""
        self._stop(self._process)
        shutil.rmtree(self._storage, ignore_errors=True)
        self._start()

    def start_counting(self, delay_ms: int) -> None:
        """Set the proxy's delay and forget what it counted."""
        self._ask(f"/-/start?{delay_ms}")

    def counts(self) -> Counts:
        return Counts(**self._ask("/-/counts"))

    def close(self) -> None:
        self._stop(self._proxy)
        self._stop(self._process)
        shutil.rmtree(self._storage, ignore_errors=True)

    def _start(self) -> None:
        self._process = _run([self._program, "serve", str(self._config)], self._port)

    @staticmethod
    def _stop(process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()

    def _ask(self, path: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._proxy_port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer: dict[str, Any] = json.load(connection.getresponse())
            return answer


@contextlib.contextmanager
def running(program: str, folder: Path, tls: Tls | None = None) -> Iterator[Registry]:
    """A registry until the block ends."""
    registry = Registry(program, folder, tls)
    try:
        yield registry
    finally:
        registry.close()


def free_port() -> int:
    """Return a loopback port that nothing listens on.

    The system gives none of these ports to anybody who asks for any free one: no connection and no server of another
    program takes it before it is used, and who tries whether a server listens there yet never reaches itself. Nor is
    it given to anybody else who asks here, in whatever process, for as long as this one runs.
    """
    while True:
        port = _ports.randrange(*_PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            if sys.platform == "linux":
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as claim:
                    claim.bind(f"\0imagesync-port-{port}")  # a name without a file, which goes with the process
                    claim.detach()
            return port


def _run(command: list[str], port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + READY_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process
        time.sleep(0.005)
    process.kill()
    process.wait()
    raise RuntimeError(f"{command[0]} does not listen at port {port}")
