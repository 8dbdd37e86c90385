r"""Regular expressions as Go writes them (RE2), in Python's words, for tags: these are ASCII.

What has no such words is left as it is: an expression that Python does not take is refused by whoever reads it.
"""

from __future__ import annotations

import re

_FLAGS = re.compile(r"\(\?([ims]+)\)")
_LETTERS = {"L": "A-Za-z", "Lu": "A-Z", "Ll": "a-z", "N": "0-9", "Nd": "0-9", "P": "._-", "Latin": "A-Za-z"}
_POSIX = {
    **{"alnum": "0-9A-Za-z", "alpha": "A-Za-z", "digit": "0-9", "lower": "a-z", "upper": "A-Z", "xdigit": "0-9A-Fa-f"},
    **{"word": "0-9A-Za-z_", "punct": "!-/:-@\\[-`{-~", "ascii": "\\x00-\\x7f", "graph": "!-~", "print": " -~"},
    **{"space": "\\s", "blank": " \\t", "cntrl": "\\x00-\\x1f"},
}
_PART = re.compile(
    r"\\Q(?P<literal>.*?)(?:\\E|$)|\\p(?:\{(?P<long>\w+)\}|(?P<short>\w))|\[:(?P<posix>[a-z]+):\]|(?P<end>\\z)"
    r"|(?P<group>\(\?<(?=[A-Za-z_]))|\\."
)


def python_regex(expression: str) -> str:
    """The same expression in Python's words."""
    flags = _FLAGS.match(expression)
    rest = expression[flags.end() :] if flags else expression
    translated, position, in_class = "", 0, False
    while position < len(rest):
        found = _PART.match(rest, position)
        if found is None:
            character = rest[position]
            in_class = character == "[" or (in_class and character != "]")
            translated, position = translated + character, position + 1
            if character == "[":  # a bracket that closes nothing yet is a member, also after ^
                opening = re.match(r"\^?\]?", rest[position:])
                members = opening[0] if opening else ""
                translated, position = translated + members.replace("]", "\\]"), position + len(members)
            continue
        translated, position = translated + _translated(found, in_class=in_class), found.end()
    return f"(?{flags[1]}:{translated})" if flags else translated


def _translated(part: re.Match[str], *, in_class: bool) -> str:
    if part["literal"] is not None:
        return re.escape(part["literal"])
    members = _LETTERS.get(part["long"] or part["short"] or "") or _POSIX.get(part["posix"] or "")
    if members:
        return members if in_class else f"[{members}]"
    return "\\Z" if part["end"] else "(?P<" if part["group"] else part[0]


def whole_tag(expression: str, *, plain: bool = True) -> str:
    """A pattern for a whole tag, ``plain`` where it is a plain word."""
    is_word = re.fullmatch(r"[\w-]+", expression) is not None
    return expression if plain and is_word else f"/^(?:{python_regex(expression)})$/"


def part_of_tag(expression: str) -> str:
    """A pattern for a tag that has this somewhere in it."""
    return f"/{python_regex(expression)}/"
