"""How fast something goes and how long it will take, by a clock that the test holds."""

from __future__ import annotations

import pytest

from imagesync_cli.output.progress import Rate, duration_text


def _noted(*seen: tuple[float, float]) -> Rate:
    pace = Rate()
    for now_s, so_far in seen:
        pace.note(now_s, so_far)
    return pace


def test_steady() -> None:
    """A steady copy has its rate, and a rest that takes as long as it did so far."""
    pace = _noted((100, 0), (105, 50), (110, 100))
    assert pace.per_second == 10
    assert pace.left_s(100) == 10


def test_what_was_long_ago_does_not_count() -> None:
    """Images that were there already, done in a moment at the beginning, make nobody believe the rest is as quick."""
    pace = _noted((0, 0), (1, 900), *((float(now_s), 900 + now_s) for now_s in range(2, 30)))
    assert pace.per_second == pytest.approx(1)


@pytest.mark.parametrize(
    "seen", [[], [(0.0, 0.0)], [(0.0, 0.0), (0.5, 9.0)], [(0.0, 5.0), (3.0, 5.0)], [(0.0, 5.0), (3.0, 1.0)]]
)
def test_too_little_to_tell_by(seen: list[tuple[float, float]]) -> None:
    """Nothing is told at the beginning, where nothing moves, and where a retry took back what had moved."""
    pace = _noted(*seen)
    assert pace.per_second == 0
    assert pace.left_s(10) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0:00"), (8, "0:08"), (59.6, "1:00"), (750, "12:30"), (3750, "1:02:30"), (90_000, "more than a day")],
)
def test_durations(seconds: float, text: str) -> None:
    """Time left reads as a clock does."""
    assert duration_text(seconds) == text
