"""A double of limits: as strict as a registry can be, with windows that slide.

Set it as ``registry.fault``. The request that is one too many is answered 429. It counts all the same. Pulls are told
in Docker Hub's words (its documentation of usage and limits, November 2026): a GET of a manifest is one, HEAD is none.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace

from tests.embedded_registry.faults import Fault, refusal
from tests.embedded_registry.wire import Request, Response


def is_pull(request: Request) -> bool:
    return request.method == "GET" and "/manifests/" in request.path


class SlidingWindow:
    """At most so many in any ``window_s`` of a clock."""

    def __init__(self, most: int, window_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self.window_s = window_s
        self._clock = clock
        self._came: deque[float] = deque()

    def takes_one_more(self) -> bool:
        now_s = self._clock()
        while self._came and self._came[0] <= now_s - self.window_s:
            self._came.popleft()
        self._came.append(now_s)
        return len(self._came) <= self.most

    @property
    def left(self) -> int:
        return max(0, self.most - len(self._came))


class StrictLimits:
    """``requests`` of all kinds, and ``pulls`` among them; ``told_window_s`` is what the answers say of the latter.

    ``retry_after_s`` is what it asks for beside 429, "" for nothing. ``of_action`` limits the requests of one action by
    itself, by a function that knows them.
    """

    def __init__(
        self,
        requests: SlidingWindow | None = None,
        pulls: SlidingWindow | None = None,
        *,
        told_window_s: int = 0,
        retry_after_s: str = "",
        of_action: tuple[Callable[[Request], bool], SlidingWindow] | None = None,
    ) -> None:
        self._requests = requests
        self._pulls = pulls
        self._told_window_s = told_window_s
        self._asks = {"Retry-After": retry_after_s} if retry_after_s else {}
        self._of_action = of_action
        self._lock = threading.Lock()
        self.refused: list[str] = []
        self.refused_at: list[float] = []
        self.pulled: Counter[str] = Counter()

    def __call__(self, request: Request) -> Fault | None:
        with self._lock:
            fits = self._requests is None or self._requests.takes_one_more()
            if self._of_action is not None and self._of_action[0](request):
                fits = self._of_action[1].takes_one_more() and fits
            if is_pull(request) and self._pulls is not None:
                fits = self._pulls.takes_one_more() and fits
            if not fits:
                self.refused.append(str(request))
                self.refused_at.append(time.monotonic())
                return refusal(429, "TOOMANYREQUESTS", {**self._headers(), **self._asks})
            if is_pull(request):
                self.pulled[request.path] += 1
            headers = self._headers() if "/manifests/" in request.path else {}
        return Fault(change=lambda response: _with(response, headers)) if headers else None

    def _headers(self) -> dict[str, str]:
        if self._pulls is None or not self._told_window_s:
            return {}
        window = f";w={self._told_window_s}"
        return {"RateLimit-Limit": f"{self._pulls.most}{window}", "RateLimit-Remaining": f"{self._pulls.left}{window}"}


def _with(response: Response, headers: dict[str, str]) -> Response:
    return replace(response, headers={**response.headers, **headers})
