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
# How the parts that look at one place of a text are written. The end is the very end, as for Go's clients.
_SPELLED = {"AT_BEGINNING": r"\A", "AT_BEGINNING_STRING": r"\A", "AT_END": r"\Z", "AT_END_STRING": r"\Z"}
_SPELLED |= {"AT_BOUNDARY": r"\b", "AT_NON_BOUNDARY": r"\B", "ANY": ".", "NEGATE": "^"}
_SPELLED |= {"CATEGORY_DIGIT": r"\d", "CATEGORY_SPACE": r"\s", "CATEGORY_WORD": r"\w"}
_SPELLED |= {"CATEGORY_NOT_DIGIT": r"\D", "CATEGORY_NOT_SPACE": r"\S", "CATEGORY_NOT_WORD": r"\W"}
_Test = Callable[[str, int], object]


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

    Each is an expression for one place of the text, so it is Python's own that says what matches there.
    It is built from its end, state 0, so that each part knows the state after it; ``_next`` are those after each.
    """

    def __init__(self, parsed: Any, *, ignores_case: bool) -> None:
        self._next: list[tuple[int, ...]] = [()]
        self._reads: dict[int, _Test] = {}
        self._holds: dict[int, _Test] = {}
        self._start = self._sequence(parsed, _MATCHED, ignores_case=ignores_case)

    def search(self, text: str) -> bool:
        states: set[int] = set()
        for at in range(len(text) + 1):
            states = self._reached({*states, self._start}, text, at)
            if _MATCHED in states:
                return True
            if at < len(text):
                reading = (each for each in states if each in self._reads and self._reads[each](text, at))
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
        tests = self._holds if operation == "AT" else self._reads
        tests[state] = re.compile(_spelled(operation, argument), re.IGNORECASE if ignores_case else 0).match
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


def _spelled(operation: str, argument: Any) -> str:
    """A part of an expression that looks at one place, as it is written."""
    if operation in ("AT", "CATEGORY"):
        return _SPELLED[str(argument)]
    if operation in ("ANY", "NEGATE"):
        return _SPELLED[operation]
    if operation == "LITERAL":
        return f"\\U{argument:08x}"
    if operation == "RANGE":
        return "-".join(_spelled("LITERAL", end) for end in argument)
    if operation == "NOT_LITERAL":
        return f"[^{_spelled('LITERAL', argument)}]"
    if operation == "IN":
        return f"[{''.join(_spelled(str(kind), value) for kind, value in argument)}]"
    raise re.error(f"{operation.lower().replace('_', ' ')} is not supported here")
