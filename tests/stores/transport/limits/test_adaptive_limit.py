"""How many requests to one host are under way at once."""

from __future__ import annotations

from imagesync_cli.stores.transport.limits.action import AdaptiveLimit


def test_too_many_requests() -> None:
    """A host that says "too many" gets half as many at once, once for all that were under way, and then more again."""
    now = [100.0]
    host = AdaptiveLimit(32, lambda: now[0])
    for _ in range(30):
        host.answered(429)
    assert host.limit == 16
    now[0] += 2
    host.answered(429)
    assert host.limit == 8
    for _ in range(9):
        host.answered(200)
    assert host.limit == 9
    for _ in range(2000):
        host.answered(200)
    assert host.limit == 32


def test_a_host_that_never_stops_saying_so() -> None:
    """One request at a time always goes on."""
    now = [100.0]
    host = AdaptiveLimit(32, lambda: now[0])
    for _ in range(20):
        now[0] += 2
        host.answered(429)
    assert host.limit == 1
