r"""Regular expressions in a time that grows with the text, whatever the expression: nothing backtracks.

Python's ``re`` parses, so the language is its own; what needs backtracking (look-around, back references, possessive
repeats) is refused. Where the text may be a stranger's, such as a tag, ``(a+)+$`` must not be a way to hang us.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable
from typing import Any

from imagesync_cli.values.errors import UsageError

if sys.version_info >= (3, 11):
    from re import _parser as parser  # type: ignore[attr-defined]
else:
    import sre_parse as parser

_LONGEST = 500
_MOST_REPEATS = 200
_AT: dict[str, Callable[[str, int], bool]] = {
    "AT_BEGINNING": lambda _, at: at == 0,
    "AT_BEGINNING_STRING": lambda _, at: at == 0,
    "AT_END": lambda text, at: at == len(text),
    "AT_END_STRING": lambda text, at: at == len(text),
    "AT_BOUNDARY": lambda text, at: _is_word(text, at - 1) != _is_word(text, at),
    "AT_NON_BOUNDARY": lambda text, at: _is_word(text, at - 1) == _is_word(text, at),
}
# From some places in a text to those at which a match may end.
Step = Callable[[str, set[int]], set[int]]


def compile_regex(expression: str) -> Callable[[str], bool]:
    """A function that says whether a text, one line, has the expression somewhere in it; UsageError if it is none."""
    if len(expression) > _LONGEST:
        raise UsageError(f"the regular expression is longer than {_LONGEST} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            single = re.compile(expression)
            step = _sequence(parser.parse(expression), ignores_case=bool(single.flags & re.IGNORECASE))
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"/{expression}/ is not a regular expression: {error}") from error
    return lambda text: bool(step(text, set(range(len(text) + 1))))


def _sequence(parsed: Any, *, ignores_case: bool) -> Step:
    steps = [_step(str(operation), argument, ignores_case=ignores_case) for operation, argument in parsed]

    def run(text: str, places: set[int]) -> set[int]:
        for step in steps:
            if not places:
                break
            places = step(text, places)
        return places

    return run


def _step(operation: str, argument: Any, *, ignores_case: bool) -> Step:
    if operation == "AT":
        holds = _AT[str(argument)]
        return lambda text, places: {at for at in places if holds(text, at)}
    if operation == "BRANCH":
        branches = [_sequence(branch, ignores_case=ignores_case) for branch in argument[1]]
        return lambda text, places: set().union(*(branch(text, places) for branch in branches))
    if operation == "SUBPATTERN":
        _, more, less, inner = argument
        return _sequence(inner, ignores_case=(ignores_case or bool(more & re.IGNORECASE)) and not less & re.IGNORECASE)
    if operation in ("MAX_REPEAT", "MIN_REPEAT"):
        least, most, inner = argument
        return _repeat(_sequence(inner, ignores_case=ignores_case), least, most)
    return _one(_character(operation, argument), ignores_case=ignores_case)


def _repeat(step: Step, least: int, most: int) -> Step:
    if least > _MOST_REPEATS:
        raise re.error(f"more than {_MOST_REPEATS} repeats")

    def run(text: str, places: set[int]) -> set[int]:
        for _ in range(least):
            places = step(text, places)
        every, new, done = set(places), places, least
        # A place that was reached before leads nowhere new: so often as the text is long, at most.
        while new and done < most:
            new = step(text, new) - every
            every |= new
            done += 1
        return every

    return run


def _one(matches: Callable[[str], bool], *, ignores_case: bool) -> Step:
    def either(character: str) -> bool:
        return matches(character) or (ignores_case and (matches(character.lower()) or matches(character.upper())))

    return lambda text, places: {at + 1 for at in places if at < len(text) and either(text[at])}


def _character(operation: str, argument: Any) -> Callable[[str], bool]:
    """Whether one character is what this part of the expression wants."""
    if operation == "LITERAL":
        return lambda character: ord(character) == argument
    if operation == "NOT_LITERAL":
        return lambda character: ord(character) != argument
    if operation == "ANY":
        return lambda character: character != "\n"
    if operation == "RANGE":
        return lambda character: bool(argument[0] <= ord(character) <= argument[1])
    if operation == "CATEGORY":
        return _category(str(argument))
    if operation == "IN":
        negated = str(argument[0][0]) == "NEGATE"
        members = [_character(str(kind), value) for kind, value in argument[int(negated) :]]
        return lambda character: any(member(character) for member in members) != negated
    raise re.error(f"{operation.lower().replace('_', ' ')} is not supported here")


def _category(name: str) -> Callable[[str], bool]:
    tests: dict[str, Callable[[str], bool]] = {
        "DIGIT": str.isdecimal,
        "SPACE": str.isspace,
        "WORD": lambda character: character.isalnum() or character == "_",
    }
    negated = "_NOT_" in name
    test = tests[name.rpartition("_")[2]]
    return lambda character: test(character) != negated


def _is_word(text: str, at: int) -> bool:
    return 0 <= at < len(text) and (text[at].isalnum() or text[at] == "_")
