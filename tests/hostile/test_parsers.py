"""Every parser of what others wrote is total: a value or one of our errors, and in time that grows with the text."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import HealthCheck, given, settings

from imagesync_cli.values.errors import ImagesyncError
from tests.hostile.mutations import as_bytes, changed, changed_at_random, changed_once
from tests.hostile.parsers import PARSERS, Parser

EXAMPLES = 100
SOAK_EXAMPLES = 1_000_000 // len(PARSERS)
# What may be repeated until a pattern or a parser goes over it again and again.
PUMPS = [
    "a",
    " ",
    ",",
    '"',
    "\\",
    '\\"',
    "=",
    "a=",
    'a="',
    ',bearer "\\',
    ", ",
    "<",
    ", <",
    ">;",
    "/",
    ":",
    "@",
    ".",
    "-",
]
PUMPS += ["a.", "a-", "a/", "__", "[", "{", '{"a":', "[[],", "1", "9", "%", "%25", "\r\n ", "x: y\r\n", "ü", "٣"]
CPU_S = 2.0


def _read_changed(parser: Parser, every: int) -> None:
    for text in (each for right in parser.texts for each in changed_once(right, every)):
        with contextlib.suppress(ImagesyncError):
            parser.read(text.encode("utf-8", "replace") if parser.of_bytes else text)


def _read(parser: Parser) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(as_bytes(changed(parser.texts)) if parser.of_bytes else changed(parser.texts))
    def reads(text: object) -> None:
        with contextlib.suppress(ImagesyncError):
            parser.read(text)

    reads()


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_one_change(parser: Parser) -> None:
    """A right text with any one word or sign replaced by any strange one is read or refused, never a traceback."""
    _read_changed(parser, every=4)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_nearly_right(parser: Parser) -> None:
    """What is nearly right is read or refused by an error that a user can understand, never by a traceback."""
    _read(parser)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_nearly_right_a_million_times(parser: Parser) -> None:
    """The same, a million times in all."""
    _read_changed(parser, every=1)
    for seed in range(SOAK_EXAMPLES):
        text = changed_at_random(parser.texts, seed)
        with contextlib.suppress(ImagesyncError):
            parser.read(text.encode("utf-8", "replace") if parser.of_bytes else text)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_long(parser: Parser) -> None:
    """Whatever is repeated in a text of 64 KiB, reading it takes no time that grows with its square."""
    right = parser.texts[0]
    for pump in PUMPS:
        repeated = pump * (64 * 1024 // len(pump))
        for text in (repeated, right[: len(right) // 2] + repeated, right + repeated):
            started = time.process_time()
            with contextlib.suppress(ImagesyncError):
                parser.read(text.encode() if parser.of_bytes else text)
            assert time.process_time() - started < CPU_S, (pump, text[:40])
