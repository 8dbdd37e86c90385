"""How many pulls a registry still allows, as its answers tell; and, where that is wished, the wait for more of them.

A pull is a GET of a manifest; HEAD is none. Docker Hub says with every answer about a manifest how many are left
(``ratelimit-limit: 100;w=21600``, ``ratelimit-remaining: 61;w=21600``), and not until when. Each pull comes back a
window after it was made at the latest, whether the registry's window slides or not: that is what is told and waited
for. What a registry says is believed for itself alone, and a window is a day at most.

1. Without a wait, whoever asks too much is told so by the registry; those who follow are not sent there any more.
2. With it, the first pull goes alone: its answer says how many may follow.
3. An image whose first pull is not allowed yet fails at once with LimitReached, and may begin anew later: nothing was
   pulled for it. One that has begun waits for its next pull. Few are begun where few pulls are left.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextvars import ContextVar

from imagesync_cli.concurrency import having, within
from imagesync_cli.values.errors import LimitReached, Unavailable
from imagesync_cli.values.limits import PullLimit

LONGEST_WINDOW_S = 24 * 3600
# Compiled where a registry says something: most do not.
_LIMIT = r"([0-9]{1,9}) ?; ?w=([0-9]{1,6})"
_LEFT = r"([0-9]{1,9})(?: ?; ?w=[0-9]{1,6})?"
# Whose pulls are counted; which address or account it is belongs into no bug report.
_SOURCES = {"address": r"[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]{1,40}", "account": r"[0-9A-Za-z-]{1,64}"}
_HINT = "sync --file --wait-for-limit waits for more pulls, and a login may allow more"
# An index and six platforms are seven pulls: for so many left, one more image may begin.
_PULLS_AN_IMAGE = 8
_MOST_REFUSALS = 2


class OneImage:
    """The pulls for one image: where they may be made, where some were, and how often they were refused then."""

    def __init__(self) -> None:
        self.admitted: list[Pulls] = []
        self.begun: list[Pulls] = []
        self.refusals = 0


_image: ContextVar[OneImage | None] = ContextVar("image", default=None)


@contextlib.contextmanager
def pulls_of_one_image() -> Iterator[None]:
    """All pulls in the block are for one image."""
    image = OneImage()
    try:
        with having(_image, image):
            yield
    finally:
        for pulls in image.admitted:
            pulls.image_ended()


class Pulls:
    """The pulls at one registry with one login. ``waits`` says that they wait until they are allowed."""

    def __init__(self, registry: str, *, waits: bool = False) -> None:
        self._registry = registry
        self._waits = waits
        self._most = self._window_s = 0  # 0: the registry says nothing of it
        self._source = ""
        self._returns: deque[tuple[float, int]] = deque()  # when so many pulls come back
        self._used = 0
        self._in_flight = self._begun = 0
        self._images = 0
        self._closed_until = 0.0
        self._was_answered = self._has_refused = False
        self._changed = asyncio.Event()

    def limit(self) -> PullLimit | None:
        """What is known now; None where the registry has said nothing."""
        if not self._most and self._closed_until <= _now_s():
            return None
        self._take_back()
        return PullLimit(
            self._registry, self._most, max(0, self._left), self._window_s, round(self.returns_in_s), self._source
        )

    @property
    def returns_in_s(self) -> float:
        """In how many seconds, at the latest, there are more pulls; 0 where none are used."""
        self._take_back()
        waits_s = [self._closed_until - _now_s(), self._returns[0][0] - _now_s() if self._returns else 0.0]
        return max(0.0, *waits_s)

    @property
    def are_used_up(self) -> bool:
        self._take_back()
        return self._closed_until > _now_s() or (bool(self._most) and self._left <= 0)

    def mark(self) -> int:
        """What a request begins with, for ``hear``: nobody's pull must be under way beside it."""
        return -1 if self._in_flight else self._begun

    async def begin(self) -> int:
        """Before a pull: LimitReached, or a wait, where none is allowed. Gives what ``end`` is to be told."""
        if self._waits:
            await self._wait()
        elif self._has_refused and self.are_used_up:
            raise self._reached()
        self._begun += 1
        mark = self.mark()
        self._in_flight += 1
        return mark

    def end(self, mark: int, status: int | None, headers: Mapping[str, str]) -> None:
        """After a pull: what was answered, None for no answer."""
        self._in_flight -= 1
        if status not in (None, 401):  # that asks who we are, and counts nothing
            self._was_answered = True
            self._use(1)
        if status == 200 and (image := _image.get()) is not None:
            image.begun.append(self)
        self.hear(mark, headers)
        self._notify()

    def hear(self, mark: int, headers: Mapping[str, str]) -> None:
        """Take in what an answer says; what makes no sense says nothing.

        That there are more pulls than we know of counts if it was said after all of ours: others overtake an answer.
        """
        told = read_pull_limit(headers)
        if told is None:
            return
        most, left, window_s = told
        if (most, window_s) != (self._most, self._window_s):
            self._most, self._window_s, self._used = most, window_s, 0
            self._returns.clear()
        source = headers.get("docker-ratelimit-source", "")
        self._source = next((kind for kind, pattern in _SOURCES.items() if re.fullmatch(pattern, source)), "")
        self._take_back()
        others = most - left - self._used
        if others > self._in_flight:
            self._use(others - self._in_flight)
        elif not self._in_flight and mark == self._begun:
            self._give_back(-others)
            self._notify()

    def refused(self, error: Unavailable) -> Unavailable:
        """Our error for a pull that was answered with "too many" (429)."""
        are_used_up = bool(self._most) and self._left <= 0
        if not are_used_up and (error.retry_after_s is None or not self._waits):
            # Too many in a second, perhaps; retry.py knows what to do.
            error.hint = error.hint or ("" if error.retry_after_s is None else _HINT)
            return error
        self._has_refused = True
        self._closed_until = _now_s() + min(error.retry_after_s or 0.0, LONGEST_WINDOW_S)
        reached = self._reached(error.reason)
        if self._waits and not reached.is_early:
            image = _image.get() or OneImage()
            image.refusals += 1
            reached.retry_after_s, reached.may_pass = 0.0, image.refusals <= _MOST_REFUSALS  # begin() waits
        return reached

    def image_ended(self) -> None:
        self._images -= 1
        self._notify()

    @property
    def _has_begun(self) -> bool:
        image = _image.get()
        return image is None or self in image.begun

    async def _wait(self) -> None:
        while not self._may_go():
            if not self._has_begun and self.are_used_up:
                raise self._reached()
            await self._change()
        image = _image.get()
        if image is not None and self not in image.admitted:
            image.admitted.append(self)
            self._images += 1

    def _may_go(self) -> bool:
        self._take_back()
        if self._closed_until > _now_s():
            return False
        if not self._most:
            return self._was_answered or not self._in_flight
        image = _image.get()
        admitted = image is None or self in image.admitted or self._images < max(1, self._left // _PULLS_AN_IMAGE)
        return self._left > 0 and admitted

    @property
    def _left(self) -> int:
        return self._most - self._used - self._in_flight

    def _reached(self, said: str = "") -> LimitReached:
        limit = self.limit()
        allows = limit.allows if limit else f"{self._registry} allows no more pulls just now"
        error = LimitReached(
            f"{f'{said}; ' if said else ''}{allows}",
            hint=_HINT,
            retry_after_s=self.returns_in_s,
            may_pass=not self._waits,
            status=429,
        )
        error.is_early = self._waits and not self._has_begun
        return error

    def _use(self, number: int) -> None:
        if self._most:
            self._returns.append((_now_s() + self._window_s, number))
            self._used += number

    def _take_back(self) -> None:
        while self._returns and self._returns[0][0] <= _now_s():
            self._used -= self._returns.popleft()[1]

    def _give_back(self, number: int) -> None:
        while number > 0 and self._returns:
            at, most = self._returns.popleft()
            self._used -= min(number, most)
            if most > number:
                self._returns.appendleft((at, most - number))
            number -= most

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _change(self) -> None:
        """Wait until somebody's pull has ended, or some come back."""
        wait_s = self.returns_in_s or LONGEST_WINDOW_S
        with contextlib.suppress(asyncio.TimeoutError):
            await within(wait_s, asyncio.ensure_future(self._changed.wait()))


def read_pull_limit(headers: Mapping[str, str]) -> tuple[int, int, int] | None:
    """How many pulls there are in a window, how many of them are left, and its length in seconds; or None."""
    if "ratelimit-limit" not in headers:
        return None
    limit = re.fullmatch(_LIMIT, headers["ratelimit-limit"])
    left = re.fullmatch(_LEFT, headers.get("ratelimit-remaining", ""))
    if limit is None or left is None:
        return None
    most, remaining, window_s = int(limit[1]), int(left[1]), int(limit[2])
    return (most, remaining, window_s) if remaining <= most and most and 0 < window_s <= LONGEST_WINDOW_S else None


def _now_s() -> float:
    return asyncio.get_running_loop().time()
