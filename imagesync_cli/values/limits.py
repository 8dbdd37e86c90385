"""What one host is asked at most, as people write it: HOST=N."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.hosts import is_loopback, parse_registry, spellings_of, without_login

REQUESTS_PER_SECOND, CONNECTIONS = KINDS = ("requests_per_second", "connections")
# By kind and registry. Docker Hub's aliases are one, and so is a host with HTTPS's own port.
Limits = Mapping[str, Mapping[str, float]]
_DECIMAL, _WHOLE = r"[0-9]{1,6}(?:\.[0-9]{1,6})?", "[0-9]{1,6}"
# A request in a quarter of an hour is the slowest; a process may have no more open files than it has connections.
_NUMBERS = {REQUESTS_PER_SECOND: (_DECIMAL, 0.001, 100_000.0), CONNECTIONS: (_WHOLE, 1.0, 256.0)}
_EXAMPLES = {REQUESTS_PER_SECOND: "docker.io=10 or docker.io=0.5", CONNECTIONS: "docker.io=4"}
_LONGEST_SHOWN = 100


class PullLimit(NamedTuple):
    """What a registry says of pulls: ``left`` of so many in ``window_s`` seconds; some are back in ``returns_in_s``.

    ``most`` is 0 where it allows none for now and does not say how many else.

    ``source`` is whose pulls are counted: those of an "address" or an "account", "" where it is not told.
    """

    registry: str
    most: int
    left: int
    window_s: int
    returns_in_s: int
    source: str = ""

    @property
    def allows(self) -> str:
        """Why nothing more may be pulled now."""
        from imagesync_cli.values.times import wait_text  # most runs never say it

        known = f"{self.most} pulls in {wait_text(self.window_s)}, and {self.left} are left"
        return (
            f"{self.registry} allows {known if self.most else 'no more pulls for now'}: "
            f"more in at most {wait_text(self.returns_in_s)}"
        )

    def wait_s(self, pulls: int) -> int:
        """How long so many more pulls must wait at most, 0 if they need not."""
        lacking = pulls - self.left
        windows = (-(-lacking // self.most) if self.most else 1) if lacking > 0 else 0
        return (self.returns_in_s or self.window_s) + (windows - 1) * self.window_s if windows else 0

    @property
    def text(self) -> str:
        """Such as "61 of 100 pulls left, reset in at most 4 h"."""
        from imagesync_cli.values.times import wait_text

        reset = f", reset in at most {wait_text(self.returns_in_s)}" if self.returns_in_s else ""
        return f"{f'{self.left} of {self.most}' if self.most else 'no'} pulls left{reset}"


def read_limits(pairs: Mapping[str, Iterable[tuple[str, Any]]], where: str = "") -> Limits:
    """Hosts and numbers by what is limited; UsageError for what is no host, no number, or a host that comes twice.

    ``where`` opens the errors: a file, a variable; "" for options, which are named as they are written.
    """
    read: dict[str, dict[str, float]] = {kind: {} for kind in KINDS}
    for kind, told in pairs.items():
        for host, number in told:
            name = where or f"--{kind.replace('_', '-')}"
            registry = _registry(host, name, kind)
            if registry in read[kind]:
                raise UsageError(f"{name} has two numbers for {registry}", hint="leave one of them")
            read[kind][registry] = _number(str(number), host, name, kind)
    return read


def split_pairs(texts: Iterable[str]) -> list[tuple[str, str]]:
    """The parts of HOST=N; what is amiss with them is found by ``read_limits``."""
    return [
        (host, number) if equals else (number, "") for host, equals, number in (text.rpartition("=") for text in texts)
    ]


def _registry(host: str, name: str, kind: str) -> str:
    try:
        registry = parse_registry(host)
    except UsageError:
        shown = without_login(host)[:_LONGEST_SHOWN]
        raise UsageError(f"{name}: {shown!r} is not a host", hint=f"it takes HOST=N: {_EXAMPLES[kind]}") from None
    # With HTTPS's own port it is the same host. This machine speaks plain HTTP: there it is another one.
    return registry if is_loopback(registry) else spellings_of(registry)[0]


def _number(text: str, host: str, name: str, kind: str) -> float:
    pattern, least, most = _NUMBERS[kind]
    if not re.fullmatch(pattern, text) or not least <= float(text) <= most:
        raise UsageError(
            f"{name}: {text[:_LONGEST_SHOWN]!r} for {host}",
            hint=f"it takes a number from {least:g} to {most:g} as HOST=N; without one, {host} has no such limit",
        )
    return float(text)
