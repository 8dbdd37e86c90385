"""Copies: everything new (cold), nothing to do (warm), a second repository (mount), one layer new (near)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.images import BIG, HUGE, MEDIUM, SIX, SMALL, Image, nearly
from benchmarks.laboratory import Laboratory
from benchmarks.measure import CommandError, Cost
from benchmarks.registries import Registry, Tls
from benchmarks.repository import Repository
from benchmarks.results import Row
from benchmarks.tls import certificate, context
from benchmarks.tools import FLOOR, Tool

_TAG = "1"
_SOURCE = "upstream/app"
_MIRROR = "mirror/app"


@dataclass(frozen=True)
class Copy:
    """One kind of copy of one image."""

    kind: str
    image: Image
    delays_ms: tuple[int, ...]
    most_runs: int = 100
    tls: bool = False
    bytes_count: bool = False  # without delay its bytes are what takes time: compared with the floor as well

    @property
    def name(self) -> str:
        return f"{self.kind} {self.image.name}{' over TLS' if self.tls else ''}"


COPIES = (
    Copy("cold", SMALL, (0, 20, 50)),
    Copy("cold", SIX, (0, 20, 50)),
    Copy("cold", MEDIUM, (0, 20, 50), bytes_count=True),
    Copy("cold", BIG, (0,), most_runs=3, bytes_count=True),
    Copy("cold", BIG, (0,), most_runs=3, tls=True),
    Copy("warm", SMALL, (0, 20, 50)),
    Copy("warm", MEDIUM, (20,)),
    Copy("warm", BIG, (20,), most_runs=3),
    Copy("warm", SIX, (0, 20, 50)),
    Copy("mount", SMALL, (20,)),
    Copy("mount", MEDIUM, (20,)),
    Copy("mount", BIG, (20,), most_runs=3),
    Copy("mount", SIX, (20, 50)),
    Copy("near", MEDIUM, (20, 50)),
    Copy("near", BIG, (0,), most_runs=3),
    Copy("near", SIX, (20, 50)),
)
QUICK = (Copy("cold", SMALL, (0, 1)), Copy("warm", SMALL, (1,)), Copy("mount", SMALL, (1,)))
# On request only: it takes 20 GiB of storage.
ON_REQUEST = (Copy("cold", HUGE, (0,), most_runs=1),)


def rows(laboratory: Laboratory) -> Iterator[Row]:
    """All copies that are wanted, each with every tool."""
    copies = QUICK if laboratory.quick else COPIES
    asked_for = [copy for copy in ON_REQUEST if copy.image.name in laboratory.only]
    for copy in (*copies, *asked_for):
        delays_ms = [delay_ms for delay_ms in copy.delays_ms if laboratory.wanted(copy.name, delay_ms)]
        tls = certificate(laboratory.folder) if copy.tls and delays_ms else None
        if copy.tls and tls is None:
            continue
        if delays_ms:
            with laboratory.registry(tls) as source, laboratory.registry(tls) as destination:
                bench = Bench(laboratory, copy, source, source if copy.kind == "mount" else destination, tls)
                for delay_ms in delays_ms:
                    yield from bench.rows(delay_ms)


class Bench:
    """One copy on its pair of registries."""

    def __init__(
        self, laboratory: Laboratory, copy: Copy, source: Registry, destination: Registry, tls: Tls | None
    ) -> None:
        self._laboratory, self._copy, self._tls = laboratory, copy, tls
        self._source, self._destination = source, destination
        self._digest = Repository(source.host, _SOURCE, context(tls)).push(copy.image, _TAG)
        self._repositories = 0
        if copy.kind in ("warm", "near"):
            there = copy.image if copy.kind == "warm" else nearly(copy.image)
            Repository(destination.host, _MIRROR).push(there, _TAG)

    def rows(self, delay_ms: int) -> Iterator[Row]:
        """Run every tool in turn; without delay the timed runs go past the proxy and one more is counted."""
        runs = min(self._laboratory.runs, self._copy.most_runs)
        tools = [*self._laboratory.tools, *([FLOOR] if self._copy.bytes_count and delay_ms == 0 else [])]
        costs: dict[str, list[Cost]] = {tool.name: [] for tool in tools}
        counted: dict[str, tuple[str, int]] = {}
        for tool in self._laboratory.turns(tools, runs):
            try:
                cost = self._run(tool, delay_ms, proxied=delay_ms > 0)
            except CommandError as error:
                self._laboratory.failed(f"{self._copy.name}: {error}")
                continue
            costs[tool.name].append(cost)
            if delay_ms > 0:
                counted[tool.name] = self._counted()
            self._laboratory.say(f"{self._copy.name} {delay_ms} ms {tool.name}: {cost.wall_s * 1000:.0f} ms")
        for tool in (tool for tool in tools if costs[tool.name]):
            if delay_ms == 0 and self._tls is None:
                self._run(tool, 0, proxied=True)
                counted[tool.name] = self._counted()
            requests, moved_bytes = counted.get(tool.name, ("", 0))
            size_bytes = self._copy.image.size_bytes if self._copy.kind == "cold" else 0
            yield Row(self._copy.name, tool.name, delay_ms, costs[tool.name], requests, moved_bytes, size_bytes)

    def _run(self, tool: Tool, delay_ms: int, *, proxied: bool) -> Cost:
        name = self._prepare()
        for registry in (self._source, self._destination):
            registry.start_counting(delay_ms)
        source, destination = (
            registry.proxied_host if proxied else registry.host for registry in (self._source, self._destination)
        )
        command = tool.copying(f"{source}/{_SOURCE}:{_TAG}", f"{destination}/{name}:{_TAG}", self._tls)
        cost = self._laboratory.measure(command, tls=self._tls)
        if Repository(self._destination.host, name, context(self._tls)).digest(_TAG) != self._digest:
            raise CommandError(f"{tool.name} says that it has copied {self._copy.name}, and has not")
        return cost

    def _prepare(self) -> str:
        """Make the destination what the copy says; returns the repository's name."""
        if self._copy.kind == "cold":
            self._destination.empty()
        if self._copy.kind in ("cold", "warm"):
            return _MIRROR
        self._repositories += 1
        name = f"{_MIRROR}-{self._repositories}"
        if self._copy.kind == "near":
            Repository(self._destination.host, name).push(nearly(self._copy.image), "0", mounted_from=_MIRROR)
        return name

    def _counted(self) -> tuple[str, int]:
        counts = [registry.counts() for registry in dict.fromkeys((self._source, self._destination))]
        requests = "+".join(str(count.total) for count in counts)
        return requests, sum(count.sent_bytes + count.received_bytes for count in counts)
