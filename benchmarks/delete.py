"""Deleting one tag of many: all others are asked whether they need the image, or they are not.

Ours asks them all at once. "one tag at a time" asks the same, one request after the other, as a simple script does;
regctl removes the tag alone and leaves its manifest, so it needs to ask nobody: it is here for its wall time, not as an
equal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.images import SMALL, Image, Layer, indexes_of
from benchmarks.laboratory import Laboratory
from benchmarks.measure import CommandError, Cost
from benchmarks.registries import Registry
from benchmarks.repository import Repository
from benchmarks.results import Row
from benchmarks.tools import IMAGESYNC, OURS

_ONE_BY_ONE = "one tag at a time"
_TAG = "to-be-deleted"
_MOST_MIB = 80
_ALONE = Image("alone", ((Layer(900, 1),),))


def rows(laboratory: Laboratory) -> Iterator[Row]:
    """One repository with many tags, one of them deleted again and again."""
    delay_ms = 1 if laboratory.quick else 20
    for count in (50,) if laboratory.quick else (10, 200, 2000):
        if laboratory.wanted(f"delete one of {count} tags", delay_ms):
            with laboratory.registry() as registry:
                bench = Bench(laboratory, registry, count)
                yield from bench.compare(f"delete one of {count} tags", delay_ms, shared=False)
                yield from bench.compare(f"delete one of {count} tags, its image shared", delay_ms, shared=True)
    yield from _indexes(laboratory, 50 if laboratory.quick else 10_000)


def _indexes(laboratory: Laboratory, count: int) -> Iterator[Row]:
    """Every tag has an index of its own, which is read; in little memory, however many there are."""
    scenario = f"delete one of {count} tags, each an index of ten"
    if not laboratory.wanted(scenario, 1):
        return
    with laboratory.registry() as registry:
        bench = Bench(laboratory, registry, 2)
        bench.put_indexes(count)
        for row in bench.compare(scenario, 1, shared=False, alone=True):
            if (most := max(cost.rss_mib for cost in row.costs)) > _MOST_MIB:
                laboratory.failed(f"{scenario}: {most:.0f} MiB")
            yield row


class Bench:
    """A repository whose tags are all on one image; the one to be deleted is on it or on one of its own."""

    def __init__(self, laboratory: Laboratory, registry: Registry, count: int) -> None:
        self._laboratory, self._registry = laboratory, registry
        self._repository = Repository(registry.address, "app")
        self._repository.push(SMALL, "0")
        self._repository.tag(SMALL, [str(number) for number in range(1, count - 1)])

    def put_indexes(self, count: int) -> None:
        """Add so many tags, each on an index that no other tag is on."""
        self._repository.put(indexes_of(SMALL, count))

    def compare(self, scenario: str, delay_ms: int, *, shared: bool, alone: bool = False) -> Iterator[Row]:
        """Ours, one tag at a time, and regctl where it is found; or ``alone``."""
        reference = f"{self._registry.proxied_host}/app:{_TAG}"
        commands: dict[str, tuple[str, ...]] = {
            OURS: (IMAGESYNC, "delete", "--quiet", reference),
            _ONE_BY_ONE: (sys.executable, "-m", "benchmarks.one_by_one", reference),
        }
        if alone:
            commands = {OURS: commands[OURS]}
        elif any(tool.name == "regctl" for tool in self._laboratory.tools):
            plain = f"--host=reg={self._registry.proxied_host},tls=disabled"
            commands["regctl"] = ("regctl", "tag", "delete", plain, reference)
        for tool, command in commands.items():
            costs: list[Cost] = []
            # A minute each, and it wobbles little.
            for _ in range(1 if tool == _ONE_BY_ONE else self._laboratory.runs):
                self._tag(shared=shared)
                self._registry.start_counting(delay_ms)
                try:
                    costs.append(self._laboratory.measure(command))
                except CommandError as error:
                    self._laboratory.failed(f"{scenario}: {error}")
                    continue
                requests = str(self._registry.counts().total)
                self._laboratory.say(f"{scenario} {delay_ms} ms {tool}: {costs[-1].wall_s * 1000:.0f} ms")
                if self._repository.digest(_TAG):
                    self._laboratory.failed(f"{scenario}: {tool} left the tag")
            if costs:
                yield Row(scenario, tool, delay_ms, costs, requests)

    def _tag(self, *, shared: bool) -> None:
        if shared:
            self._repository.tag(SMALL, [_TAG])
        else:
            self._repository.push(_ALONE, _TAG)
