"""What a registry says of pulls is believed as far as it makes sense, and waited for where that is wished."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import httpx
import pytest

from imagesync_cli.stores.registry.pulls import LONGEST_WINDOW_S, Pulls, pulls_of_one_image, read_pull_limit
from imagesync_cli.values.errors import LimitReached, Unavailable
from tests.fake_time import run_in_fake_time

HOUR = 3600
Part = tuple[int, int]


class Window:
    """A double of a registry that allows so many pulls in an hour, with a window that slides or is fixed.

    It refuses what is one too many, and says what is left with every answer.
    """

    def __init__(self, most: int, *, slides: bool = True, others: int = 0, tells: bool = True) -> None:
        self._slides = slides
        self._most = most
        self._tells = tells
        self._began_s = asyncio.get_running_loop().time()
        self._at = [self._began_s - 60.0] * others
        self.refused = 0
        self.pulled: list[Part] = []

    def pull(self, what: Part = (0, 0)) -> tuple[int, Mapping[str, str]]:
        now = asyncio.get_running_loop().time()
        begin = now - HOUR if self._slides else now - (now - self._began_s) % HOUR
        self._at = [at for at in self._at if at > begin]
        status = 200 if len(self._at) < self._most else 429
        if status == 200:
            self._at.append(now)
            self.pulled.append(what)
        self.refused += status == 429
        left = {
            "RateLimit-Limit": f"{max(1, self._most)};w={HOUR}",
            "RateLimit-Remaining": f"{self._most - len(self._at)};w=3600",
        }
        return status, httpx.Headers(left if self._tells else {})


async def pull(pulls: Pulls, registry: Window, what: Part = (0, 0)) -> None:
    """One pull over a network, as exchange.py makes it."""
    mark = await pulls.begin()
    await asyncio.sleep(0.1)
    status, headers = registry.pull(what)
    await asyncio.sleep(0.1)
    pulls.end(mark, status, headers)
    if status == 429:
        raise pulls.refused(Unavailable("the registry answers 429", status=429))


async def mirror(pulls: Pulls, registry: Window, images: int, pulls_each: int) -> float:
    """Images as a batch copies them: what must wait before it has begun is begun again later. Seconds that it took."""
    began, waiting = asyncio.get_running_loop().time(), list(range(images))

    async def image(number: int) -> int | None:
        try:
            with pulls_of_one_image():
                for part in range(pulls_each):
                    await pull(pulls, registry, (number, part))
        except LimitReached as error:
            return number if error.is_early else -1
        return None

    while waiting:
        later = await asyncio.gather(*map(image, waiting))
        waiting = [number for number in later if number is not None]
        await asyncio.sleep(pulls.returns_in_s if waiting and pulls.are_used_up else 0)
    return asyncio.get_running_loop().time() - began


@pytest.mark.parametrize("slides", [True, False])
@pytest.mark.parametrize(
    ("images", "each", "others", "hours"),
    [
        (60, 1, 0, 0),
        (100, 1, 0, 1),
        (20, 7, 0, 2),
        (10, 1, 55, 1),
        (61, 1, 60, 2),
    ],
)
def test_all_arrive_with_no_pull_too_many(images: int, each: int, others: int, hours: int, slides: bool) -> None:
    """Where 60 pulls an hour are allowed, each is made once, as soon as it may be, and at most the first is refused."""

    async def work() -> tuple[float, Window]:
        registry = Window(60, slides=slides, others=others)
        took_s = await mirror(Pulls("r.lan", waits=True), registry, images, each)
        return took_s, registry

    took_s, registry = run_in_fake_time(work())
    assert sorted(registry.pulled) == [(image, part) for image in range(images) for part in range(each)]
    assert registry.refused <= (others == 60)
    assert took_s < hours * HOUR + 60


def test_a_registry_that_says_nothing_is_asked_as_ever() -> None:
    """Without a word of limits nobody waits but for the first answer."""

    async def work() -> float:
        return await mirror(Pulls("r.lan", waits=True), Window(1000, tells=False), 100, 3)

    assert run_in_fake_time(work()) < 2


def test_few_images_are_begun_where_few_pulls_are_left() -> None:
    """What is left goes to whole images, not to the beginnings of many."""

    async def work() -> Window:
        registry = Window(60)
        pulls = Pulls("r.lan", waits=True)
        task = asyncio.ensure_future(mirror(pulls, registry, 50, 7))
        await asyncio.sleep(HOUR / 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return registry

    pulled = run_in_fake_time(work()).pulled
    whole = [number for number in range(50) if all((number, part) in pulled for part in range(7))]
    assert len(whole) >= 6


def test_without_waiting_nobody_else_is_sent_there() -> None:
    """Once a registry has said that it allows no more, all further pulls fail at once, with limit, reset and option."""

    async def work() -> tuple[Window, list[object]]:
        registry, pulls = Window(3), Pulls("docker.io")
        return registry, [await _outcome(pull(pulls, registry)) for _ in range(10)]

    registry, outcomes = run_in_fake_time(work())
    said = [str(each) for each in outcomes if isinstance(each, LimitReached)]
    assert (len(registry.pulled), registry.refused, len(said)) == (3, 1, 7)
    assert all("docker.io allows 3 pulls in 60 min, and 0 are left: more in at most 60 min" in text for text in said)
    assert all("--wait-for-limit" in text for text in said)


def test_pulls_that_come_back_early_are_made() -> None:
    """A registry that has refused and then says, with a HEAD, that there are pulls again is believed."""

    async def work() -> list[object]:
        registry, pulls = Window(1), Pulls("docker.io")
        before = [await _outcome(pull(pulls, registry)) for _ in range(3)]
        pulls.hear(pulls.mark(), httpx.Headers({"ratelimit-limit": "1;w=3600", "ratelimit-remaining": "1;w=3600"}))
        return [*before, await _outcome(pull(pulls, Window(1)))]

    outcomes = run_in_fake_time(work())
    assert [isinstance(each, LimitReached) for each in outcomes] == [False, True, True, False]


async def _outcome(work: Coroutine[Any, Any, None]) -> object:
    return (await asyncio.gather(work, return_exceptions=True))[0]


def test_who_never_lets_anybody_pull_is_not_asked_for_ever() -> None:
    """An image that has begun is refused a few times after full waits; then it fails, and says why."""

    async def work() -> tuple[float, list[bool]]:
        pulls, may_pass = Pulls("r.lan", waits=True), list[bool]()
        with pulls_of_one_image():
            await pull(pulls, Window(1))
            refusing = Window(0)
            while not may_pass or may_pass[-1]:
                error = await _outcome_here(pull(pulls, refusing))
                may_pass.append(error.may_pass)
        return asyncio.get_running_loop().time() - 1000, may_pass

    took_s, may_pass = run_in_fake_time(work())
    assert may_pass == [True, True, False]
    assert took_s <= 3 * HOUR + 10


async def _outcome_here(work: Coroutine[Any, Any, None]) -> LimitReached:
    with pytest.raises(LimitReached) as raised:
        await work
    return raised.value


@pytest.mark.parametrize(
    ("limit", "left", "read"),
    [
        ("100;w=21600", "61;w=21600", (100, 61, 21600)),
        ("100;w=21600", "0;w=21600", (100, 0, 21600)),
        ("100 ; w=60", "61", (100, 61, 60)),
        ("", "61;w=21600", None),
        ("100;w=21600", "", None),
        ("100", "61", None),
        ("100;w=21600", "101;w=21600", None),
        ("0;w=21600", "0;w=21600", None),
        ("100;w=0", "61;w=0", None),
        ("-100;w=21600", "61;w=21600", None),
        ("100;w=21600", "-1;w=21600", None),
        ("100;w=86401", "61;w=86401", None),
        ("100;w=999999999999", "61", None),
        ("9" * 10_000, "61;w=21600", None),
        ("100;w=21600", "x" * 10_000, None),
        ("100;w=21600, 100;w=21600", "61;w=21600", None),
        ("\u0661\u0660\u0660;w=21600", "61;w=21600", None),
        ("1e2;w=21600", "61;w=21600", None),
        ("999999999;w=1", "999999999;w=1", (999999999, 999999999, 1)),
    ],
)
def test_what_is_said_of_pulls(limit: str, left: str, read: tuple[int, int, int] | None) -> None:
    """Negative, huge and contradictory numbers, and texts of any length, say nothing."""
    assert read_pull_limit({"ratelimit-limit": limit, "ratelimit-remaining": left}) == read


def test_huge_numbers_cost_nothing() -> None:
    """A billion pulls that others have made are one entry, and all of them come back."""

    async def work() -> tuple[int, int]:
        pulls = Pulls("r.lan")
        pulls.hear(0, httpx.Headers({"ratelimit-limit": "999999999;w=60", "ratelimit-remaining": "0;w=60"}))
        before = pulls.limit()
        await asyncio.sleep(60)
        after = pulls.limit()
        assert before is not None
        assert after is not None
        return before.left, after.left

    assert run_in_fake_time(work()) == (0, 999999999)


def test_what_is_shown_of_a_limit() -> None:
    """How many are left, until when at the latest, and whose pulls are counted."""

    async def work() -> list[str]:
        pulls, shown = Pulls("docker.io"), []
        told = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "61;w=21600"}
        for source in ("203.0.113.7", "\x1b[2J", "x" * 65):
            pulls.hear(0, httpx.Headers({**told, "docker-ratelimit-source": source}))
            await asyncio.sleep(HOUR)
            limit = pulls.limit()
            assert limit is not None
            shown.append(f"{limit.text} {limit.source}")
        return shown

    assert run_in_fake_time(work()) == [
        "61 of 100 pulls left, reset in at most 5 h address",
        "61 of 100 pulls left, reset in at most 4 h ",
        "61 of 100 pulls left, reset in at most 3 h ",
    ]


def test_a_wait_is_a_day_at_most() -> None:
    """A registry that asks to wait a year is waited for no longer than one that tells a window."""

    async def work() -> float:
        pulls = Pulls("r.lan", waits=True)
        pulls.refused(Unavailable("no", retry_after_s=365 * 86400, status=429))
        return pulls.returns_in_s

    assert run_in_fake_time(work()) == LONGEST_WINDOW_S


def test_an_answer_that_was_overtaken() -> None:
    """Of two pulls at once the answer to the first may come last: it does not know of the second."""

    async def work() -> list[int]:
        pulls, left = Pulls("r.lan"), []
        marks = [await pulls.begin(), await pulls.begin()]
        for mark, told in ((marks[1], 3), (marks[0], 4)):
            pulls.end(mark, 200, httpx.Headers({"ratelimit-limit": "5;w=60", "ratelimit-remaining": f"{told};w=60"}))
            limit = pulls.limit()
            left.append(limit.left if limit else -1)
        pulls.hear(pulls.mark(), httpx.Headers({"ratelimit-limit": "5;w=60", "ratelimit-remaining": "5;w=60"}))
        limit = pulls.limit()
        return [*left, limit.left if limit else -1]

    assert run_in_fake_time(work()) == [3, 3, 5]
