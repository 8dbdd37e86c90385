"""What a source of credentials may answer, as values that do not print themselves."""

from __future__ import annotations

import base64
import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagesync_cli.settings import Settings
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.secret import NO_SECRET, Secret

# POST a form to a URL: the status and the body that come back. Lent by those who know HTTP (stores).
Post = Callable[[str, Mapping[str, str]], Awaitable[tuple[int, bytes]]]


@dataclass(frozen=True)
class Credential:
    """Who we are at a registry, and the source that knew it: one of a password and the two kinds of token.

    ``identity_token`` is an OAuth2 refresh token, which the token server turns into bearer tokens; ``registry_token``
    is a bearer token that somebody got for us and that is sent as it is.
    """

    source: str
    username: str = ""
    password: Secret = NO_SECRET
    identity_token: Secret = NO_SECRET
    registry_token: Secret = NO_SECRET

    def __post_init__(self) -> None:
        secrets = (self.password, self.identity_token, self.registry_token)
        texts = [self.username, *(secret.reveal() for secret in secrets)]
        # A bearer token is visible ASCII without spaces (RFC 6750).
        is_word = all("!" <= c <= "~" for c in self.registry_token.reveal())
        if any("\ud800" <= c <= "\udfff" for text in texts for c in text) or not is_word:
            # Whoever sends it would say what it cannot send, secret and all.
            raise UsageError(f"the login of {self.source} has characters that cannot be sent", hint="log in again")

    @functools.cached_property
    def basic(self) -> Secret:
        """The value of an Authorization header (RFC 7617); kept, since what a server repeats is known as long as it."""
        pair = f"{self.username}:{self.password.reveal()}".encode()
        return Secret(f"Basic {base64.b64encode(pair).decode('ascii')}")


@dataclass(frozen=True)
class Anonymous:
    """Nobody is logged in; ``advice`` is what to do about it if the registry insists."""

    advice: str


@dataclass(frozen=True)
class Wanted:
    """What a source is asked: who we are at ``registry`` (``host[:port]``) for what lies in ``repository``.

    ``documents`` holds what was read so far, by file.
    """

    registry: str
    repository: str
    auth_files: tuple[Path, ...]
    settings: Settings
    post: Post
    documents: dict[Path, Any]
