r"""Regular expressions in a time that grows with the text, whatever the expression: nothing backtracks.

Python's ``re`` parses, so the language is its own; what needs backtracking (look-around, back references, possessive
repeats) is refused. Where the text may be a stranger's, such as a tag, ``(a+)+$`` must not be a way to hang us.

The expression becomes an automaton (Thompson's construction), whose states are bounded as they are made: a counted
repeat is its inner part so many times, and nested ones multiply. A text is read once, with the set of states reached.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from imagesync_cli.values.errors import UsageError

if sys.version_info >= (3, 11):
    from re import _parser as parser  # type: ignore[attr-defined]
else:
    import sre_parse as parser

_LONGEST = 500
_MOST_STATES = 2000
_MATCHED = 0
_AT: dict[str, Callable[[str, int], bool]] = {
    "AT_BEGINNING": lambda _, at: at == 0,
    "AT_BEGINNING_STRING": lambda _, at: at == 0,
    "AT_END": lambda text, at: at == len(text),
    "AT_END_STRING": lambda text, at: at == len(text),
    "AT_BOUNDARY": lambda text, at: _is_word(text, at - 1) != _is_word(text, at),
    "AT_NON_BOUNDARY": lambda text, at: _is_word(text, at - 1) == _is_word(text, at),
}


def compile_regex(expression: str) -> Callable[[str], bool]:
    """A function that says whether a text, one line, has the expression somewhere in it; UsageError if it is none."""
    if len(expression) > _LONGEST:
        raise UsageError(f"the regular expression is longer than {_LONGEST} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            flags = re.compile(expression).flags
            automaton = _Automaton(parser.parse(expression), ignores_case=bool(flags & re.IGNORECASE))
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"/{expression}/ is not a regular expression: {error}") from error
    return automaton.search


class _Automaton:
    """States by number. ``_reads`` is the test of a state that reads a character, ``_holds`` that of one that does not.

    It is built from its end, state 0, so that each part knows the state after it; ``_next`` are those after each.
    """

    def __init__(self, parsed: Any, *, ignores_case: bool) -> None:
        self._next: list[tuple[int, ...]] = [()]
        self._reads: dict[int, Callable[[str], bool]] = {}
        self._holds: dict[int, Callable[[str, int], bool]] = {}
        self._start = self._sequence(parsed, _MATCHED, ignores_case=ignores_case)

    def search(self, text: str) -> bool:
        """Whether a match begins at any place of the text."""
        states: set[int] = set()
        for at in range(len(text) + 1):
            states = self._reached({*states, self._start}, text, at)
            if _MATCHED in states:
                return True
            if at < len(text):
                reading = (each for each in states if each in self._reads and self._reads[each](text[at]))
                states = {after for each in reading for after in self._next[each]}
        return False

    def _reached(self, states: set[int], text: str, at: int) -> set[int]:
        """These states, and those after them for which nothing need be read."""
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state in self._reads or (state in self._holds and not self._holds[state](text, at)):
                continue
            waiting += (new := set(self._next[state]) - states)
            states |= new
        return states

    def _state(self, *after: int) -> int:
        if len(self._next) > _MOST_STATES:
            raise re.error(f"it is too large: its repeats come to more than {_MOST_STATES} parts")
        self._next.append(after)
        return len(self._next) - 1

    def _sequence(self, parsed: Iterable[Any], after: int, *, ignores_case: bool) -> int:
        for operation, argument in reversed(list(parsed)):
            after = self._part(str(operation), argument, after, ignores_case=ignores_case)
        return after

    def _part(self, operation: str, argument: Any, after: int, *, ignores_case: bool) -> int:
        """The state at which this part of the expression begins."""
        if operation == "AT":
            state = self._state(after)
            self._holds[state] = _AT[str(argument)]
            return state
        if operation == "BRANCH":
            return self._state(*(self._sequence(each, after, ignores_case=ignores_case) for each in argument[1]))
        if operation == "SUBPATTERN":
            _, more, less, inner = argument
            ignores_case = (ignores_case or bool(more & re.IGNORECASE)) and not less & re.IGNORECASE
            return self._sequence(inner, after, ignores_case=ignores_case)
        if operation in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = argument
            return self._repeat(least, most, inner, after, ignores_case=ignores_case)
        state = self._state(after)
        self._reads[state] = _character(operation, argument, ignores_case=ignores_case)
        return state

    def _repeat(self, least: int, most: Any, inner: Any, after: int, *, ignores_case: bool) -> int:
        if most == parser.MAXREPEAT:
            start = self._state()
            self._next[start] = (self._sequence(inner, start, ignores_case=ignores_case), after)
        else:
            start = after
            for _ in range(most - least):
                start = self._state(self._sequence(inner, start, ignores_case=ignores_case), after)
        for _ in range(least):
            start = self._state(self._sequence(inner, start, ignores_case=ignores_case))
        return start


def _character(operation: str, argument: Any, *, ignores_case: bool) -> Callable[[str], bool]:
    """Whether one character is what this part of the expression wants."""
    if operation == "NOT_LITERAL":
        return _none_of([_character("LITERAL", argument, ignores_case=ignores_case)])
    if operation == "IN":
        negated = str(argument[0][0]) == "NEGATE"
        members = [_character(str(kind), value, ignores_case=ignores_case) for kind, value in argument[int(negated) :]]
        return _none_of(members) if negated else lambda character: any(member(character) for member in members)
    if operation == "CATEGORY":
        return _category(str(argument))
    matches = _plain_character(operation, argument)
    if not ignores_case:
        return matches
    return lambda character: any(map(matches, (character, character.lower(), character.upper())))


def _none_of(members: list[Callable[[str], bool]]) -> Callable[[str], bool]:
    return lambda character: not any(member(character) for member in members)


def _plain_character(operation: str, argument: Any) -> Callable[[str], bool]:
    if operation == "LITERAL":
        return lambda character: character == chr(argument)
    if operation == "ANY":
        return lambda character: character != "\n"
    if operation == "RANGE":
        return lambda character: len(character) == 1 and bool(argument[0] <= ord(character) <= argument[1])
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
