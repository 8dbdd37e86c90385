"""Expressions for tags: they mean what Python says, take a bounded time, and stand on a parser that is pinned."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagesync_cli.values import regex
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.regex import compile_regex

_ATOM = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "\\d", "\\w", "1", "-", "\\b", "^", "$"])


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeated = st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "*?", "+?"]))
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        repeated.map(lambda parts: f"(?:{parts[0]}){parts[1]}"),
        inner.map(lambda part: f"({part})"),
    )


@settings(max_examples=300, deadline=None)
@given(st.recursive(_ATOM, _grown, max_leaves=8), st.text("ab1-", max_size=8))
def test_an_expression_means_what_python_says(expression: str, text: str) -> None:
    """What backtracks nowhere finds exactly what Python's own search finds."""
    assert compile_regex(expression)(text) == bool(re.search(expression, text))


HARMLESS = [
    *("(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*)*x", "(\\w+\\.?)+$", "(a*)*(a*)*(a*)*b"),
    "^" + "(" * 90 + "a*" + ")*" * 90 + "$",
    "^" + "(" * 60 + "a?" + "){0,2}" * 4 + ")*" * 56 + "b",
    "(a{1,25}){1,25}b",
    ".{0,127}.{0,127}.{0,127}x$",
]
TOO_LARGE = [
    "((((((a{200}){200}){200}){200}){200}){200})",
    "(((((a{0,200}){0,200}){0,200}){0,200}){0,200})",
    "((((((((a{9}){9}){9}){9}){9}){9}){9}){9}){9}",
    "(((((){200}){200}){200}){200}){200}",
    "a{2001}",
    "(?:a{50}|b{50}|c{50}){50}",
]


@pytest.mark.parametrize("expression", HARMLESS)
def test_no_expression_hangs(expression: str) -> None:
    """An expression that would keep a backtracking matcher busy for ever is answered at once, whatever the tag."""
    started = time.monotonic()
    compile_regex(expression)("a" * 127 + "-")
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("expression", TOO_LARGE)
def test_repeats_that_multiply_are_refused(expression: str) -> None:
    """A short expression that stands for millions of parts is an error at once, before it is built."""
    started = time.monotonic()
    with pytest.raises(UsageError, match="too large"):
        compile_regex(expression)
    assert time.monotonic() - started < 10


def test_a_tag_may_be_counted_out() -> None:
    """Counted repeats within a tag's length are no reason to refuse."""
    matches = compile_regex("^[a-z0-9]{7,40}(-[0-9]{1,3}){0,3}$")
    assert matches("0f1e2d3-12-3")
    assert not matches("0f1e2d-12")
    assert compile_regex("^.{128}$")("x" * 128)


def test_the_end_is_the_end() -> None:
    """A line break behind what is wanted is not wanted: an identity is matched so, too."""
    assert compile_regex("^a$")("a")
    assert not compile_regex("^a$")("a\n")


def test_an_expression_may_ignore_case() -> None:
    """Flags in an expression count as they do in Python."""
    assert compile_regex("(?i)^RC")("rc1")
    assert compile_regex("^(?i:R)C")("rC")
    assert not compile_regex("^(?i:R)C")("rc")
    assert not compile_regex("^RC")("rc1")


@pytest.mark.parametrize(
    "expression", ["[^b]", "[^a-b]", "[^\\d_B]", "(?i:[^b])", "[^(?-i:b)]", "b", "[a-b]", "\\D", "[\\W]"]
)
@pytest.mark.parametrize("flags", ["", "(?i)"])
def test_what_ignores_case_leaves_out_both_cases(expression: str, flags: str) -> None:
    """Without regard to case [^b] leaves out B as well, as it does in Python."""
    matches, python = compile_regex(f"{flags}^{expression}$"), re.compile(f"{flags}^{expression}$")
    for character in "aAbBcC1_-":
        assert matches(character) == bool(python.search(character)), character


# What this Python's own parser gives for each construct that is taken: operations by name, with their arguments.
PARSED = {
    "a": [("LITERAL", 97)],
    "[^a]": [("NOT_LITERAL", 97)],
    ".": [("ANY", None)],
    "[a-c]": [("IN", [("RANGE", (97, 99))])],
    "[^a-c]": [("IN", [("NEGATE", None), ("RANGE", (97, 99))])],
    "\\d": [("IN", [("CATEGORY", "CATEGORY_DIGIT")])],
    "[\\W]": [("IN", [("CATEGORY", "CATEGORY_NOT_WORD")])],
    "\\s": [("IN", [("CATEGORY", "CATEGORY_SPACE")])],
    "^\\A": [("AT", "AT_BEGINNING"), ("AT", "AT_BEGINNING_STRING")],
    "$\\Z": [("AT", "AT_END"), ("AT", "AT_END_STRING")],
    "\\b\\B": [("AT", "AT_BOUNDARY"), ("AT", "AT_NON_BOUNDARY")],
    "aa|bb": [("BRANCH", (None, [[("LITERAL", 97)] * 2, [("LITERAL", 98)] * 2]))],
    "(?i:a)": [("SUBPATTERN", (None, 2, 0, [("LITERAL", 97)]))],
    "(?:a)": [("LITERAL", 97)],
    "(a)": [("SUBPATTERN", (1, 0, 0, [("LITERAL", 97)]))],
    "a{2,3}": [("MAX_REPEAT", (2, 3, [("LITERAL", 97)]))],
    "a+?": [("MIN_REPEAT", (1, "MAXREPEAT", [("LITERAL", 97)]))],
}


parser = vars(regex)["parser"]


def _as_words(parsed: object) -> object:
    """The parser's answer in plain values: its constants by their names, its lists as lists."""
    if isinstance(parsed, tuple):
        return tuple(map(_as_words, parsed))
    if isinstance(parsed, (list, parser.SubPattern)):
        return list(map(_as_words, parsed))
    return str(parsed) if type(parsed).__name__ == "_NamedIntConstant" else parsed


@pytest.mark.parametrize("expression", PARSED)
def test_the_parser_gives_what_is_built_on(expression: str) -> None:
    """A Python whose private parser says something else is noticed here, not by tags that are picked or left."""
    assert _as_words(parser.parse(expression)) == PARSED[expression]


@pytest.mark.parametrize(
    "expression", ["(?=a)b", "(?<=a)b", "(?!a)b", "(a)\\1", "(?P<n>a)(?P=n)", "(a)?(?(1)b|c)", "a++", "(?>a+)"]
)
def test_what_needs_backtracking_is_refused(expression: str) -> None:
    """No construct is taken for another one: what is not supported is an error on every Python."""
    with pytest.raises(UsageError, match="is not a regular expression"):
        compile_regex(expression)
