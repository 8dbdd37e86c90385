"""How fast something goes, by what was seen of it in the last seconds, and how long the rest will take."""

from __future__ import annotations

from collections import deque

_WINDOW_S = 15.0
_SEEN_FOR_S = 1.0


class Rate:
    """Is told now and then how far it is (bytes, images); what was long ago says nothing about now."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def note(self, now_s: float, so_far: float) -> None:
        """It is so far at this time."""
        self._seen.append((now_s, so_far))
        while now_s - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()

    @property
    def per_second(self) -> float:
        """0 before there is enough to tell by, and where nothing moves."""
        if not self._seen:
            return 0
        (since_s, at_first), (now_s, so_far) = self._seen[0], self._seen[-1]
        return max(0.0, so_far - at_first) / (now_s - since_s) if now_s - since_s >= _SEEN_FOR_S else 0

    def left_s(self, rest: float) -> float | None:
        """How many seconds the rest takes at this pace, None if that cannot be told."""
        return rest / self.per_second if self.per_second else None
