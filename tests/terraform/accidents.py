"""What goes wrong while Terraform applies: requests fail, and processes are killed in the middle of their work."""

from __future__ import annotations

import itertools
import os
import random
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.command import imagesync_process
from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.faults import refusal
from tests.terraform.generated import PLACES, SOURCES

ENDS_WITHIN_S = 30


class Accidents:
    """Those of one configuration; ``processes`` is a file that all calls of imagesync are noted in."""

    def __init__(
        self, choose: random.Random, source: EmbeddedRegistry, mirror: EmbeddedRegistry, processes: Path
    ) -> None:
        self.random, self.source, self.mirror = choose, source, mirror
        self._processes = processes

    @property
    def noting(self) -> list[str]:
        """What a command begins with, so that it can be killed."""
        return ["/bin/sh", "-c", f'echo "$$ $PPID" >> {self._processes}; exec "$0" "$@"']

    @contextmanager
    def happen(self, kind: str) -> Iterator[None]:
        """Let it happen while the block lasts."""
        self._processes.write_text("")
        number, end = self.random.randint(1, 6), self.random.choice([signal.SIGINT, signal.SIGKILL])
        unlucky, everything = self.random.choice(SOURCES), self.random.random() < 0.5
        requests = itertools.count(1)
        hooks: dict[str, Callable[[Request], Fault | None]] = {
            "removals fail": lambda request: refusal(403) if request.method == "DELETE" else None,
            "requests fail": lambda _: refusal(400) if next(requests) % (number + 10) == 0 else None,
            "imagesync is killed": self._at_write(number, lambda: self._kill(end, imagesync=True)),
            "terraform is killed": self._at_write(
                number, lambda: self._kill(end, terraform=True, imagesync=everything)
            ),
        }
        self.mirror.fault = hooks.get(kind)
        if kind == "copies fail":
            blobs = f"/v2/{unlucky}/blobs/"
            self.source.fault = lambda request: refusal(403) if request.path.startswith(blobs) else None
        others = threading.Thread(target=self._others_work, args=(random.Random(number),))  # noqa: S311
        if kind == "others work":
            others.start()
        yield
        if kind == "others work":
            others.join()
        self.source.fault = self.mirror.fault = None
        self._wait_for_processes()

    def _others_work(self, choose: random.Random) -> None:
        """Somebody else syncs and deletes at the command line, in our repositories, under tags of their own."""
        for _ in range(4):
            repository = f"{self.mirror.host}/{choose.choice(PLACES)[0]}:scratch"
            imagesync_process("sync", f"{self.source.host}/{choose.choice(SOURCES)}:1", repository)
            imagesync_process("delete", "--referrers", repository)

    def _at_write(self, number: int, act: Callable[[], None]) -> Callable[[Request], None]:
        """Act once, at this request of those that write or remove a manifest."""
        left = iter(range(number))
        lock = threading.Lock()

        def hook(request: Request) -> None:
            if request.method in ("PUT", "DELETE") and "/manifests/" in request.path:
                with lock:
                    if next(left, None) == number - 1:
                        act()

        return hook

    def _kill(self, end: signal.Signals, *, terraform: bool = False, imagesync: bool = False) -> None:
        own, parent = (int(number) for number in self._processes.read_text().split()[-2:])
        for process in [parent] * terraform + [own] * imagesync:
            with suppress(ProcessLookupError):
                os.kill(process, end)

    def _wait_for_processes(self) -> None:
        """Wait for those that Terraform has left behind."""
        for line in self._processes.read_text().splitlines():
            with suppress(ProcessLookupError):
                descriptor = os.pidfd_open(int(line.split()[0]))
                try:
                    select.select([descriptor], [], [], ENDS_WITHIN_S)
                finally:
                    os.close(descriptor)
