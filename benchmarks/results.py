"""What was measured, as rows; no formatting here."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from benchmarks.measure import Cost


@dataclass(frozen=True)
class Row:
    """One tool in one scenario, all its runs. ``requests`` is "source+destination", or one number for one registry."""

    scenario: str
    tool: str
    delay_ms: int
    costs: list[Cost] = field(default_factory=list)
    requests: str = ""
    moved_bytes: int = 0
    image_bytes: int = 0
    note: str = ""

    def noted(self, note: str) -> Row:
        return replace(self, note=note)

    @property
    def wall_ms(self) -> float:
        """The median: what a user waits."""
        return 1000 * statistics.median(cost.wall_s for cost in self.costs)

    @property
    def least_wall_ms(self) -> float:
        """The fastest run: what is left when the machine does nothing else."""
        return 1000 * min(cost.wall_s for cost in self.costs)

    @property
    def cpu_ms(self) -> float:
        return 1000 * min(cost.cpu_s for cost in self.costs)

    @property
    def rss_mib(self) -> float:
        return max(cost.rss_mib for cost in self.costs)

    def as_json(self) -> dict[str, Any]:
        figures = ("wall_ms", "least_wall_ms", "cpu_ms", "rss_mib")
        return asdict(self) | {name: round(getattr(self, name), 1) for name in figures}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Row:
        """The row that was saved by as_json."""
        row = cls(**{each.name: saved[each.name] for each in fields(cls)})
        return replace(row, costs=[Cost(**cost) for cost in saved["costs"]])
