"""Credentials as values that do not print themselves."""

from __future__ import annotations

import base64
from dataclasses import dataclass


class Secret:
    """Text that shows itself only to ``reveal``: not in a repr, a log line, a traceback or JSON."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one header or body it is meant for."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True)
class Credential:
    """A user name and password for a registry, and the source that knew them."""

    username: str
    password: Secret
    source: str

    def basic(self) -> str:
        """The value of an Authorization header (RFC 7617)."""
        pair = f"{self.username}:{self.password.reveal()}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"
