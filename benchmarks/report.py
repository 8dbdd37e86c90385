"""Rows as a Markdown table, each scenario's tools side by side with the ratio to the best peer."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from benchmarks.results import Row
from benchmarks.tools import OURS, PEERS

_HEAD = "| scenario | tool | ms, median | ms, least | CPU ms | CPU s/GiB | peak MiB | requests | ours ÷ best peer | |"


def markdown(rows: Iterable[Row]) -> str:
    """The whole table; a ratio stands in our row, and is that of the medians."""
    lines = [_HEAD, "|---|---|--:|--:|--:|--:|--:|--:|--:|---|"]
    for (scenario, delay_ms), group in itertools.groupby(rows, lambda row: (row.scenario, row.delay_ms)):
        tools = list(group)
        label = f"{scenario}, {delay_ms} ms" if delay_ms else scenario
        lines += [_line(label if number == 0 else "", row, tools) for number, row in enumerate(tools)]
    return "\n".join(lines) + "\n"


def ratio(rows: Sequence[Row]) -> float | None:
    """Our median wall time ÷ that of the best peer, of the rows of one scenario."""
    ours = [row.wall_ms for row in rows if row.tool == OURS]
    peers = [row.wall_ms for row in rows if row.tool in PEERS]
    return ours[0] / min(peers) if ours and peers else None


def _line(label: str, row: Row, tools: Sequence[Row]) -> str:
    compared = ratio(tools) if row.tool == OURS else None
    per_gib = row.cpu_ms / 1000 * 2**30 / row.image_bytes if row.image_bytes >= 2**26 else None
    cells = (
        label,
        row.tool,
        f"{row.wall_ms:.0f}",
        f"{row.least_wall_ms:.0f}",
        f"{row.cpu_ms:.0f}",
        "" if per_gib is None else f"{per_gib:.2f}",
        f"{row.rss_mib:.0f}",
        row.requests,
        "" if compared is None else f"**{compared:.2f}**",
        row.note,
    )
    return f"| {' | '.join(cells)} |"
