"""What every benchmark needs: registries, tools, a folder, and how often and what to run."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import Cost, measure
from benchmarks.registries import Registry, Tls, running
from benchmarks.tools import Tool, environment, found_tools

_MEMORY = Path("/dev/shm")  # noqa: S108  (registries' storage, removed at the end)


@dataclass(frozen=True)
class Laboratory:
    """One run of the benchmarks."""

    folder: Path
    registry_program: str
    tools: Sequence[Tool]
    runs: int
    only: str = ""
    quick: bool = False
    failures: list[str] = field(default_factory=list)

    def wanted(self, scenario: str, delay_ms: int = 0) -> bool:
        """Whether the pattern of --only is found in "SCENARIO DELAY ms"."""
        return re.search(self.only, f"{scenario} {delay_ms} ms") is not None

    @contextlib.contextmanager
    def registry(self, tls: Tls | None = None) -> Iterator[Registry]:
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        with running(self.registry_program, folder, tls) as registry:
            yield registry

    def measure(self, command: Sequence[str], *, tls: Tls | None = None, stdin: str = "") -> Cost:
        return measure(command, self.environment(tls), stdin)

    def environment(self, tls: Tls | None = None) -> Mapping[str, str]:
        return environment(self.folder, tls)

    def cheapest(self, command: Sequence[str]) -> Cost:
        """The run that took the least CPU."""
        return min((self.measure(command) for _ in range(self.runs)), key=lambda cost: cost.cpu_s)

    def failed(self, what: str) -> None:
        """Remember a failure, and go on: one tool that fails does not cost the others' figures."""
        self.failures.append(what)
        self.say(what)

    @staticmethod
    def turns(tools: Sequence[Tool], runs: int) -> Iterator[Tool]:
        """Every tool, as many times as there are runs, each time in another order."""
        for run in range(runs):
            first = run % len(tools)
            yield from [*tools[first:], *tools[:first]]

    @staticmethod
    def say(text: str) -> None:
        sys.stderr.write(f"{text}\n")


@contextlib.contextmanager
def laboratory(
    *,
    registry_program: str,
    runs: int,
    only: str = "",
    tools: Sequence[str] = (),
    quick: bool = False,
    storage: Path | None = None,
) -> Iterator[Laboratory]:
    """A laboratory with a folder of its own, in memory if the machine has that."""
    if shutil.which(registry_program) is None:
        raise SystemExit(f"{registry_program} is not on the PATH (or name another with --registry)")
    parent = storage or (_MEMORY if _MEMORY.is_dir() else None)
    with tempfile.TemporaryDirectory(prefix="imagesync-benchmarks-", dir=parent) as folder:
        compared = [tool for tool in found_tools() if not tools or tool.name in tools]
        yield Laboratory(Path(folder), registry_program, compared, runs, only, quick)
