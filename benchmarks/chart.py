"""Rows as a chart: for each scenario the tools' times, in multiples of the best peer's. Smaller is better."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from benchmarks.results import Row
from benchmarks.tools import OURS, PEERS

_COLOURS = {OURS: "#d62728", "crane": "#1f77b4", "regctl": "#2ca02c", "skopeo": "#9467bd", "oras": "#ff7f0e"}
_LEFT, _WIDTH, _TOP, _LINE = 230, 520, 58, 22
_MOST = 4.0  # further right is drawn at the edge


def svg(rows: Iterable[Row]) -> str:
    """The scenarios that peers take part in, in the order in which they were measured."""
    groups = [list(group) for _, group in itertools.groupby(rows, lambda row: (row.scenario, row.delay_ms))]
    groups = [group for group in groups if {row.tool for row in group} & PEERS]
    height = _TOP + _LINE * len(groups) + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 30}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        *_legend(),
        *_scale(height),
    ]
    for number, group in enumerate(groups):
        parts += _line(group, _TOP + _LINE * number + _LINE // 2)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend() -> Iterator[str]:
    yield _text(10, 20, "time ÷ best peer", weight="bold")
    for number, (tool, colour) in enumerate(_COLOURS.items()):
        x = _LEFT + 95 * number
        yield _dot(x, 16, colour, 6 if tool == OURS else 4)
        yield _text(x + 10, 20, tool)


def _scale(height: int) -> Iterator[str]:
    for step in range(int(2 * _MOST) + 1):
        x, colour = _x(step / 2), "#666" if step == 2 else "#ddd"
        yield f'<line x1="{x:.0f}" y1="{_TOP - 6}" x2="{x:.0f}" y2="{height - 24}" stroke="{colour}"/>'
        yield _text(x - 8, _TOP - 12, f"{step / 2:g}")


def _line(group: Sequence[Row], y: int) -> Iterator[str]:
    first = group[0]
    yield _text(10, y + 4, f"{first.scenario}, {first.delay_ms} ms" if first.delay_ms else first.scenario)
    best_ms = min(row.wall_ms for row in group if row.tool in PEERS)
    for row in sorted(group, key=lambda row: row.tool == OURS):
        if row.tool in _COLOURS:
            yield _dot(_x(min(row.wall_ms / best_ms, _MOST)), y, _COLOURS[row.tool], 6 if row.tool == OURS else 4)


def _x(multiple: float) -> float:
    return _LEFT + _WIDTH * multiple / _MOST


def _dot(x: float, y: int, colour: str, radius: int) -> str:
    return f'<circle cx="{x:.1f}" cy="{y}" r="{radius}" fill="{colour}"/>'


def _text(x: float, y: int, text: str, weight: str = "normal") -> str:
    return f'<text x="{x:.0f}" y="{y}" font-weight="{weight}">{escape(text)}</text>'
