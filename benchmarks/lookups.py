"""Asking without copying: resolve one and many references, HEADs by the thousand, start-up."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.images import SMALL
from benchmarks.laboratory import Laboratory
from benchmarks.measure import CommandError, Cost
from benchmarks.registries import Registry
from benchmarks.repository import Repository
from benchmarks.results import Row
from benchmarks.tools import IMAGESYNC, OURS, PEERS

_EXTERNAL = f"{OURS} external"
_REPOSITORIES = 20
_MOST_REFERENCES = 2000
_MANY = 100
_GO_ON = 2
_PYTHON = "python -c pass"


@dataclass(frozen=True)
class Question:
    """One command line that is timed, under the tool's name in the table."""

    tool: str
    command: Sequence[str]
    stdin: str = ""


def rows(laboratory: Laboratory) -> Iterator[Row]:
    """All that is wanted, on one registry."""
    counts = (1, 20) if laboratory.quick else (1, 100, 500)
    delays_ms = (1,) if laboratory.quick else (20,)
    heads = 50 if laboratory.quick else _MOST_REFERENCES
    many_heads = f"{heads} HEADs in one call"
    wanted = [(count, delay) for count in counts for delay in delays_ms if laboratory.wanted(f"resolve {count}", delay)]
    if not wanted and not laboratory.wanted(many_heads) and not laboratory.wanted("start-up"):
        return
    with laboratory.registry() as registry:
        bench = Bench(laboratory, registry, max(heads, *counts))
        for count, delay_ms in wanted:
            yield from bench.resolve(count, delay_ms)
        if laboratory.wanted(many_heads):
            yield from bench.heads(many_heads, heads)
        if laboratory.wanted("start-up"):
            yield from bench.start_up()


class Bench:
    """A registry with many tags in several repositories."""

    def __init__(self, laboratory: Laboratory, registry: Registry, references: int) -> None:
        self._laboratory, self._registry = laboratory, registry
        self._compared = {tool.name for tool in laboratory.tools}
        tags = [str(number) for number in range(references // _REPOSITORIES + 1)]
        for number in range(_REPOSITORIES):
            repository = Repository(registry.address, f"app-{number}")
            repository.push(SMALL, tags[0], mounted_from="app-0" if number else "")
            repository.tag(SMALL, tags[1:])

    def resolve(self, count: int, delay_ms: int) -> Iterator[Row]:
        """Ours in one call, both ways; each peer in a loop."""
        references = self._references(self._registry.proxied_host, count)
        questions = [Question(_EXTERNAL, (IMAGESYNC, "external"), _query(references))]
        for tool in self._laboratory.tools:
            if tool.name == OURS:
                questions.append(Question(OURS, (*tool.resolve, *references)))
            elif tool.name in self._compared:
                loop = "set -e\n" + "\n".join(shlex.join(tool.resolving(reference)) for reference in references)
                questions.append(Question(tool.name, ("sh", "-c", loop)))
        # Loops of hundreds take up to a minute, and wobble little: one run, and then the two best go on.
        many = count >= _MANY
        rows = list(self._ask(f"resolve {count}", questions, delay_ms, 1 if many else self._laboratory.runs))
        if many:
            peers = sorted((row.wall_ms, row.tool) for row in rows if row.tool in PEERS)
            self._compared = {tool for _, tool in peers[:_GO_ON]}
        yield from rows

    def heads(self, scenario: str, count: int) -> Iterator[Row]:
        """The CPU of one HEAD among many: what the many cost more than one."""
        one, many = (self._references(self._registry.host, number) for number in (1, count))
        alone = self._laboratory.cheapest((IMAGESYNC, "resolve", *one))
        for row in self._ask(scenario, [Question(OURS, (IMAGESYNC, "resolve", *many))], 0, self._laboratory.runs):
            each_ms = (row.cpu_ms - 1000 * alone.cpu_s) / (count - 1)
            yield row.noted(f"{each_ms:.2f} ms of CPU each")

    def start_up(self) -> Iterator[Row]:
        """Python alone, ours, and the peers' version commands."""
        reference = self._references(self._registry.host, 1)
        questions = [
            Question(_PYTHON, (sys.executable, "-c", "pass")),
            Question(_EXTERNAL, (IMAGESYNC, "external"), _query(reference)),
            *(Question(f"{tool.name} version", tool.version) for tool in self._laboratory.tools),
        ]
        rows = list(self._ask("start-up", questions, 0, 4 * self._laboratory.runs))
        least_ms = next(row.least_wall_ms for row in rows if row.tool == _PYTHON)
        yield from (row.noted(f"least: {row.least_wall_ms / least_ms:.1f} times {_PYTHON}") for row in rows)

    def _ask(self, scenario: str, questions: Sequence[Question], delay_ms: int, runs: int) -> Iterator[Row]:
        costs: dict[str, list[Cost]] = {question.tool: [] for question in questions}
        requests: dict[str, str] = {}
        for _ in range(runs):
            for question in questions:
                self._registry.start_counting(delay_ms)
                try:
                    cost = self._laboratory.measure(question.command, stdin=question.stdin)
                except CommandError as error:
                    self._laboratory.failed(f"{scenario}: {error}")
                    continue
                costs[question.tool].append(cost)
                requests[question.tool] = str(self._registry.counts().total) if delay_ms else ""
                self._laboratory.say(f"{scenario} {delay_ms} ms {question.tool}: {cost.wall_s * 1000:.0f} ms")
        for tool, taken in costs.items():
            if taken:
                yield Row(scenario, tool, delay_ms, taken, requests[tool])

    @staticmethod
    def _references(host: str, count: int) -> list[str]:
        return [f"{host}/app-{number % _REPOSITORIES}:{number // _REPOSITORIES}" for number in range(count)]


def _query(references: Sequence[str]) -> str:
    return json.dumps({"images": json.dumps({str(number): reference for number, reference in enumerate(references)})})
