"""The chart at the top of the page of figures, drawn from that page's own table: ours beside the best peer."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import NamedTuple

_SCENARIOS = {
    "cold six platforms, 50 ms": "first copy, six platforms, 50 ms away",
    "cold medium, 50 ms": "first copy, ten layers, 50 ms away",
    "cold small, 20 ms": "first copy, one small layer, 20 ms away",
    "mount six platforms, 50 ms": "into another repository, 50 ms away",
    "warm small, 20 ms": "nothing to do, 20 ms away",
    "cold medium": "first copy, ten layers, no delay",
}
_OURS = "imagesync"
_PEERS = ("crane", "regctl", "skopeo", "oras")
_LEFT, _LONGEST, _BAR, _GROUP = 270, 330, 16, 50
_ROW = re.compile(r"^\| ([^|]*) \| ([^|]+) \| (\d+) \|", re.MULTILINE)


class _Pair(NamedTuple):
    ours_ms: int
    best_ms: int
    best: str


def chart(page: Path) -> str:
    """An SVG with a pair of bars for each scenario; each pair has a scale of its own."""
    pairs = _pairs(page.read_text("utf-8"))
    height = 34 + _GROUP * len(pairs)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" font-family="system-ui, sans-serif" '
        'font-size="13" role="img" aria-labelledby="title">',
        '<title id="title">Seconds that imagesync and the fastest of crane, regctl, skopeo and oras take</title>',
        f'<rect width="720" height="{height}" fill="#ffffff"/>',
        '<text x="10" y="21" fill="#10272b" font-weight="600">seconds; shorter is better</text>',
    ]
    for number, (scenario, pair) in enumerate(pairs.items()):
        parts += _group(_SCENARIOS[scenario], pair, 34 + _GROUP * number)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _pairs(text: str) -> dict[str, _Pair]:
    """The times in the table, in milliseconds; a row without a scenario belongs to the one above it."""
    times: dict[str, dict[str, int]] = {}
    scenario = ""
    for first, tool, median in _ROW.findall(text.partition("<!-- rows -->")[2]):
        scenario = first.strip() or scenario
        times.setdefault(scenario, {})[tool.strip()] = int(median)
    pairs = {}
    for name in _SCENARIOS:
        best = min(_PEERS, key=times[name].__getitem__)
        pairs[name] = _Pair(times[name][_OURS], times[name][best], best)
    return pairs


def _group(label: str, pair: _Pair, y: int) -> list[str]:
    scale = _LONGEST / max(pair.ours_ms, pair.best_ms)
    return [
        f'<text x="10" y="{y + 21}" fill="#10272b">{escape(label)}</text>',
        *_bar(y, pair.ours_ms, scale, "#12757f", _OURS),
        *_bar(y + _BAR + 2, pair.best_ms, scale, "#8195a3", pair.best),
    ]


def _bar(y: int, ms: int, scale: float, colour: str, tool: str) -> list[str]:
    width = ms * scale
    return [
        f'<rect x="{_LEFT}" y="{y}" width="{width:.0f}" height="{_BAR}" fill="{colour}"/>',
        f'<text x="{_LEFT + width + 6:.0f}" y="{y + 13}" fill="#10272b">{ms / 1000:.2f} {tool}</text>',
    ]
