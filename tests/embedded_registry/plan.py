"""Which request goes wrong, and how: every kind of fault by name, by enumeration or from a seed.

A request is known by what it is about and how often that came before, so that two runs of the same copy can be
compared although their requests come in another order and their upload sessions have other names.
"""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.embedded_registry.faults import (
    Fault,
    FaultHook,
    cut_in_half,
    drop_answer,
    flip_bit,
    gzip_added,
    login_page,
    refusal,
    reset_before_handling,
    with_header,
    with_length,
    with_two_lengths,
    without_length,
)
from tests.embedded_registry.wire import Request

_OTHER = f"sha256:{'0' * 64}"
_SESSION = re.compile(r"/uploads/[^/?]+")

# What passes, and what a copy has to survive however often it comes up to three times in a row.
PASSING: dict[str, Callable[[], Fault]] = {
    "reset": reset_before_handling,
    "reset in the body": lambda: Fault(drop_request_after=10),
    "closed": lambda: Fault(drop_request_after=0, ending="close"),
    "lost answer": drop_answer,
    "cut in half": cut_in_half,
    "length too long": lambda: with_length(+10),
    "no length": without_length,
    "two lengths": with_two_lengths,
    "the same length twice": lambda: with_two_lengths(0),
    **{str(status): lambda status=status: refusal(status) for status in (408, 429, 500, 502, 503, 504, 520)},  # type: ignore[misc]
}
# What is wrong on the way once: content that is checked is fetched again.
DAMAGING: dict[str, Callable[[], Fault]] = {
    "flipped bit": lambda: flip_bit(7),
    "gzip": gzip_added,
    "length too short": lambda: with_length(-1),
}
# What a copy cannot know better than the registry; it may fail, and must not do harm.
LYING: dict[str, Callable[[], Fault]] = {
    "another digest": lambda: with_header("Docker-Content-Digest", _OTHER),
    "another type": lambda: with_header("Content-Type", "application/vnd.oci.image.config.v1+json"),
    "not found": lambda: refusal(404, "NOT_FOUND"),
    "refused": lambda: refusal(400, "UNSUPPORTED"),
    "denied": lambda: refusal(403, "DENIED"),
    "login page": login_page,
}
FAULTS = PASSING | DAMAGING | LYING


def name_of(request: Request) -> str:
    """What the request is about: method and target, without the name of an upload session."""
    return f"{request.method} {_SESSION.sub('/uploads/*', request.target)}"


@dataclass
class Census:
    """Counts the requests of one run as they come; ``named`` are their names in that order, each once."""

    on_arrival: Callable[[str], Fault | None] = lambda _: None
    named: list[str] = field(default_factory=list)
    _seen: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hook(self, side: str) -> FaultHook:
        """The hook for the registry on this side."""

        def arrived(request: Request) -> Fault | None:
            with self._lock:
                plain = f"{side} {name_of(request)}"
                self._seen[plain] += 1
                name = f"{plain} #{self._seen[plain]}"
                self.named.append(name)
                return self.on_arrival(name)

        return arrived


def at(wanted: str, kind: str) -> Census:
    """A run in which the request of this name goes wrong."""
    return Census(lambda name: FAULTS[kind]() if name == wanted else None)


def seeded(seed: int, kinds: list[str], most: int = 3, probability: float = 0.15) -> Census:
    """A run in which up to ``most`` requests go wrong, as the seed decides for each by its name.

    Whatever order they come in, a seed makes the same ones go wrong, until there were enough.
    """
    left = [most]

    def decide(name: str) -> Fault | None:
        choose = random.Random(f"{seed} {name}")  # noqa: S311
        if not left[0] or choose.random() > probability:
            return None
        left[0] -= 1
        return FAULTS[choose.choice(kinds)]()

    return Census(decide)
