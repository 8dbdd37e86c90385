"""Times and spans of time as people and registries write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from imagesync_cli.values.errors import UsageError

# RFC 3339, and without seconds, as people write; Go writes nanoseconds, which Python does not read before 3.11.
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.[0-9]{1,9})?(Z|z|[+-][0-9]{2}:[0-9]{2})"
)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_time(text: object) -> datetime | None:
    """A time of RFC 3339, to the second; None for anything else."""
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    try:
        return datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3].upper().replace('Z', '+00:00')}")
    except ValueError:
        return None


def time_text(time: datetime) -> str:
    """The time in UTC, as RFC 3339 writes it, to the second."""
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_span(text: str) -> timedelta:
    """A number with a unit, 90m, 72h or 3d."""
    match = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    if match is None:
        raise UsageError(f"{text!r} is not a length of time", hint="it is like 90m, 72h or 3d")
    return int(match[1]) * _UNITS[match[2]]


def span_text(span: timedelta) -> str:
    """About how long it is, in one unit: "40 min", "3 h", "5 days"."""
    minutes = max(0, round(span.total_seconds() / 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{round(minutes / 60)} h" if minutes < 96 * 60 else f"{round(minutes / 1440)} days"


def wait_text(seconds: float) -> str:
    """The same for a wait, which may be short: "40 s", "3 h"."""
    return span_text(timedelta(seconds=seconds)) if seconds >= 120 else f"{max(1, round(seconds))} s"
