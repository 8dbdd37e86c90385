"""Text that must not be seen: it does not print itself."""

from __future__ import annotations

import re
import weakref

# Anything shorter is a part of too many words to be looked for.
_SHORTEST, _TELLING = 4, 12


class Secret:
    """Text that shows itself only to ``reveal``: not in a repr, a log line, a traceback or JSON."""

    __slots__ = ("__weakref__", "_spellings", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._spellings: tuple[str, ...] = ()
        _known[id(self)] = self

    def reveal(self) -> str:
        """The text itself, for the one header or body it is meant for."""
        return self._text

    @property
    def spellings(self) -> tuple[str, ...]:
        """As it may be repeated, first as it is: the value of a header without its scheme. Kept: every answer asks."""
        if self._text and not self._spellings:
            self._spellings = _written(self._text.removeprefix("Basic ").removeprefix("Bearer ").rstrip("="))
        return self._spellings

    def __repr__(self) -> str:
        return "Secret(***)"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be stored")


_known: weakref.WeakValueDictionary[int, Secret] = weakref.WeakValueDictionary()
NO_SECRET = Secret("")


def redacted(text: str) -> str:
    """The text without any secret of this process: a server that was told one may repeat it anywhere."""
    for spelling in _spellings(_SHORTEST):
        # A host's name is in lower case wherever it is shown.
        text = re.sub(re.escape(spelling), "***", text, flags=re.IGNORECASE)
    return text


def concealed(name: str) -> str:
    """The name, unless it is a secret of this process as a whole: one too short to be looked for within others."""
    return "***" if name.lower() in {spelling.lower() for spelling in _spellings(_SHORTEST)} else name


def holds_secret(content: bytes) -> bool:
    """Whether a secret stands in what a server answers; a short one may be a word that stands there by chance."""
    return any(spelling.encode("utf-8", "surrogatepass") in content for spelling in _spellings(_TELLING))


def _spellings(at_least: int) -> list[str]:
    """Every secret as it may be repeated, the longest first."""
    known = (secret.spellings for secret in _known.values())
    spelled = {spelling for spellings in known for spelling in spellings if len(spellings[0]) >= at_least}
    return sorted(spelled, key=len, reverse=True)


def _written(text: str) -> tuple[str, ...]:
    """The text as it is, as a message quotes it, and as JSON, a URL and a form have it."""
    import json
    from urllib.parse import quote, quote_plus

    in_json, raw = json.dumps(text)[1:-1], text.encode("utf-8", "surrogatepass")
    in_urls = quote(raw, safe=""), quote_plus(raw)
    return tuple(filter(None, dict.fromkeys((text, repr(text)[1:-1], in_json, in_json.replace("/", "\\/"), *in_urls))))
