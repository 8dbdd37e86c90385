"""What the figures must show, and whether they do; one that was not measured says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.report import ratio
from benchmarks.results import Row
from benchmarks.tools import OURS, PEERS

_HEAD = "| figure | at most | measured | met | |\n|---|--:|--:|---|---|"
_GIB = 2**30
_EXTERNAL = f"{OURS} external"
# scenario → the fewest requests that the protocol allows, at the source + at the destination
_MINIMUM = {
    "cold small": "3+6",
    "cold medium": "12+24",
    "cold six platforms": "32+58",
    "near medium": "3+15",
    "mount small": "5",
    "mount medium": "14",
    "mount six platforms": "40",
    "warm six platforms": "1+1",
    "resolve 1": "1",
}


class Measured:
    """All rows of a run, by scenario."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = list(rows)

    def of(self, scenario: str, delay_ms: int) -> Sequence[Row]:
        return [row for row in self.rows if (row.scenario, row.delay_ms) == (scenario, delay_ms)]

    def row(self, scenario: str, delay_ms: int, tool: str = OURS) -> Row:
        """KeyError where it was not measured."""
        for row in self.of(scenario, delay_ms):
            if row.tool == tool:
                return row
        raise KeyError(scenario)


@dataclass(frozen=True)
class Figure:
    """One figure and its bound. ``value`` raises KeyError where its rows are missing."""

    name: str
    most: float
    value: Callable[[Measured], float]
    remark: Callable[[Measured], str] = lambda _: ""


def verdicts(rows: Iterable[Row]) -> str:
    """The figures as a Markdown table."""
    measured = Measured(rows)
    return "\n".join([_HEAD, *(_line(figure, measured) for figure in FIGURES)]) + "\n"


def _line(figure: Figure, measured: Measured) -> str:
    try:
        value, remark = figure.value(measured), figure.remark(measured)
    except KeyError:
        return f"| {figure.name} | {figure.most:g} | | not measured | |"
    met = "yes" if value <= figure.most else "**no**"
    return f"| {figure.name} | {figure.most:g} | {_rounded(value)} | {met} | {remark} |"


def _rounded(value: float) -> str:
    return f"{value:.2f}" if value < 10 and value != int(value) else f"{value:.0f}"


def _to_best(scenario: str, delay_ms: int, most: float) -> Figure:
    """Our time in multiples of the best peer's, with both times."""

    def value(measured: Measured) -> float:
        found = ratio(measured.of(scenario, delay_ms))
        if found is None:
            raise KeyError(scenario)
        return found

    def times(measured: Measured) -> str:
        peers = [row for row in measured.of(scenario, delay_ms) if row.tool in PEERS]
        peers.sort(key=lambda row: row.wall_ms)
        compared = [measured.row(scenario, delay_ms), *peers[:2]]
        return ", ".join(f"{row.tool} {row.wall_ms:.0f} ms" for row in compared)

    return Figure(f"{scenario}, {f'{delay_ms} ms' if delay_ms else 'no delay'}, ÷ best peer", most, value, times)


def _cpu_per_gib(scenario: str, name: str, most: float) -> Figure:
    def value(measured: Measured) -> float:
        row = measured.row(scenario, 0)
        return row.cpu_ms / 1000 * _GIB / row.image_bytes

    return Figure(name, most, value)


def _times_python(tool: str, name: str, most: float) -> Figure:
    def value(measured: Measured) -> float:
        alone = measured.row("start-up", 0, "python -c pass")
        return measured.row("start-up", 0, tool).least_wall_ms / alone.least_wall_ms

    return Figure(f"{name}, times `python -c pass`", most, value)


def _above_minimum(measured: Measured) -> float:
    ours = [row for row in measured.rows if row.tool == OURS and row.scenario in _MINIMUM and row.requests]
    if not ours:
        raise KeyError
    return sum(row.requests != _MINIMUM[row.scenario] for row in ours)


_DELETE = "delete one of 2000 tags"
FIGURES = (
    _to_best("cold small", 50, 0.75),
    _to_best("cold medium", 50, 0.7),
    _to_best("cold six platforms", 50, 0.5),
    _to_best("cold small", 20, 1.0),
    _to_best("cold medium", 20, 0.9),
    _to_best("cold six platforms", 20, 0.75),
    _to_best("mount six platforms", 50, 0.5),
    _to_best("warm six platforms", 50, 1.0),
    _to_best("cold medium", 0, 1.3),
    _to_best("cold big", 0, 1.1),
    _cpu_per_gib("cold big", "CPU s a GiB, plain", 1.9),
    _cpu_per_gib("cold big over TLS", "CPU s a GiB, TLS", 3.0),
    Figure("peak MiB at 2 GB", 80, lambda measured: measured.row("cold big", 0).rss_mib),
    Figure("peak MiB at 10 GB", 80, lambda measured: measured.row("cold huge", 0).rss_mib),
    _to_best("resolve 100", 20, 0.12),
    Figure(
        "500 references in `external`, 20 ms, seconds",
        3,
        lambda measured: measured.row("resolve 500", 20, _EXTERNAL).wall_ms / 1000,
    ),
    Figure(
        "CPU ms a HEAD, 2,000 HEADs",
        0.7,
        lambda measured: float(measured.row("2000 HEADs in one call", 0).note.split()[0]),
    ),
    # 3.3 s are a fortieth of what one request after the other for each tag and its manifest takes.
    Figure(f"{_DELETE}, 20 ms, seconds", 3.3, lambda measured: measured.row(_DELETE, 20).wall_ms / 1000),
    Figure("its requests, more than tags", 6, lambda measured: int(measured.row(_DELETE, 20).requests) - 2000),
    _times_python(f"{OURS} version", "`imagesync --version`", 4),
    _times_python(_EXTERNAL, "one-reference `external`", 15),
    Figure("copies and look-ups with other than the fewest requests", 0, _above_minimum),
)
