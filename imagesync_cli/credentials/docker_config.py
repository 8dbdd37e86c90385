"""Logins in files of the form of Docker's config.json and Podman's auth.json.

``auths`` holds them, ``credHelpers`` and ``credsStore`` name programs that do (docs.docker.com, "docker login";
containers-auth.json(5)). A key of ``auths`` is a host[:port], which must match exactly, and may go on with a path: the
longest one that the repository lies in wins. Files are read once a run, when a registry asks who we are.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imagesync_cli.credentials.credential import Credential, Wanted
from imagesync_cli.credentials.helpers import ask_helper
from imagesync_cli.values import documents
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.hosts import DOCKER_HUB, registry_of
from imagesync_cli.values.secret import Secret

# What "docker login" calls Docker Hub, in files and to helpers.
_HUB_KEY = "https://index.docker.io/v1/"
_LIMIT_BYTES = 4 * 1024 * 1024
_REPAIR = "repair the file, or remove it and log in again"


async def from_files(wanted: Wanted) -> Credential | None:
    for file in _files(wanted):
        if (login := await file.login(wanted)) is not None:
            return login
    return None


def account(wanted: Wanted) -> str:
    """The longest path under which any file has a login for this repository: equal for equal logins."""
    entries = (file.entry(wanted) for file in _files(wanted))
    return max((path for path, _ in filter(None, entries)), key=len, default="")


def server_name(registry: str) -> str:
    """What files and helpers call the registry."""
    return _HUB_KEY if registry == DOCKER_HUB else registry


def _files(wanted: Wanted) -> Iterator[LoginFile]:
    for path in wanted.auth_files:
        if path not in wanted.documents:
            wanted.documents[path] = LoginFile(path, required=path in wanted.settings.required_files)
        yield wanted.documents[path]


class LoginFile:
    """A file and what stands in it, which is nothing where there is no file unless that is ``required``."""

    def __init__(self, path: Path, *, required: bool = False) -> None:
        self.path = path
        self.document = _read(path, required=required)

    async def login(self, wanted: Wanted) -> Credential | None:
        """Who we are, by the helper for the registry, the file itself, or the helper for all registries."""
        server = server_name(wanted.registry)
        for helper in self._helpers(wanted.registry):
            if login := await ask_helper(helper, server, self.path):
                return login
        if entry := self.entry(wanted):
            return _credential(entry[1], wanted.registry, self.path)
        if store := self.document.get("credsStore"):
            return await ask_helper(store, server, self.path)
        return None

    def entry(self, wanted: Wanted) -> tuple[str, dict[str, Any]] | None:
        """The entry with the longest path that holds the repository, and that path."""
        return max(self._entries(wanted), key=lambda entry: len(entry[0]), default=None)

    def keeper(self, registry: str) -> Any:
        """The name of the helper that is to keep logins for the registry, None where the file itself is."""
        return next(self._helpers(registry), self.document.get("credsStore") or None)

    def has_login(self, registry: str) -> bool:
        """Whether the file itself has a login for the whole registry."""
        return any(entry for key, entry in self._object("auths").items() if _place(key) == (registry, ""))

    def without_login(self, registry: str) -> dict[str, Any]:
        """The document without any entry for the whole registry, however it is spelled."""
        others = {key: entry for key, entry in self._object("auths").items() if _place(key) != (registry, "")}
        return {**self.document, "auths": others}

    def with_login(self, registry: str, entry: dict[str, str]) -> dict[str, Any]:
        """The document with this entry in place of all others for the registry."""
        others = self.without_login(registry)
        return {**others, "auths": {**others["auths"], server_name(registry): entry}}

    def _helpers(self, registry: str) -> Iterator[Any]:
        return (helper for key, helper in self._object("credHelpers").items() if _place(key) == (registry, ""))

    def _entries(self, wanted: Wanted) -> Iterator[tuple[str, dict[str, Any]]]:
        for key, entry in self._object("auths").items():
            registry, path = _place(key)
            if registry != wanted.registry or not f"{wanted.repository}/".startswith(f"{path}/" if path else ""):
                continue
            if not isinstance(entry, dict):
                raise UsageError(f"{self.path}: the entry for {key} is not an object", hint="log in again")
            if any(entry.get(name) for name in ("auth", "username", "identitytoken", "registrytoken")):
                yield path, entry  # Docker leaves {} where a helper holds the login

    def _object(self, key: str) -> dict[str, Any]:
        value = {} if self.document.get(key) is None else self.document[key]
        if not isinstance(value, dict):
            raise UsageError(f"{self.path}: {key} is not an object", hint=_REPAIR)
        return value


def _read(file: Path, *, required: bool) -> dict[str, Any]:
    try:
        content = documents.read_file(file, _LIMIT_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        if required:
            raise UsageError(f"there is no {file}", hint="it is named as the login file") from None
        return {}
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}", hint="repair it, or name another one") from error
    if not content.strip():  # what "touch" makes, and /dev/null: nobody has logged in yet
        return {}
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        # Nothing of the parser's error: some quote the text, which holds passwords.
        raise UsageError(f"{file} is not JSON", hint=_REPAIR) from None
    if not isinstance(document, dict):
        raise UsageError(f"{file} is not a JSON object", hint=_REPAIR)
    return document


def _place(key: str) -> tuple[str, str]:
    """The registry that a key is about, and the path in it, "" for all of it."""
    scheme, separator, rest = key.partition("://")
    if not separator:
        scheme, rest = "", key
    elif scheme.lower() not in ("http", "https"):
        return "", ""
    host, _, path = rest.partition("/")
    path = path.strip("/")
    if scheme or path in ("v1", "v2"):  # docker login has written URLs: they mean the host
        path = ""
    return registry_of(host), path


def _credential(entry: dict[str, Any], registry: str, file: Path) -> Credential:
    username, password = entry.get("username"), entry.get("password")
    if entry.get("auth"):
        username, _, password = _decoded(entry["auth"], registry, file).partition(":")
    identity, bearer = entry.get("identitytoken") or "", entry.get("registrytoken") or ""
    if identity or bearer:
        username, password = username or "", password or ""
    elif not username:
        raise UsageError(f"{file}: the entry for {registry} has no user name", hint="log in again")
    texts = (username, password, identity, bearer)
    if not all(isinstance(text, str) for text in texts):
        raise UsageError(f"{file}: the entry for {registry} has no user name and password", hint="log in again")
    username, password, identity, bearer = map(str, texts)
    return Credential(str(file), username, Secret(password.rstrip("\0")), Secret(identity), Secret(bearer))


def _decoded(auth: Any, registry: str, file: Path) -> str:
    try:
        # Kubernetes' secrets, and what people paste, come with line breaks: Go's decoder passes over them.
        return base64.b64decode(auth.replace("\r", "").replace("\n", ""), validate=True).decode("utf-8")
    except (AttributeError, TypeError, ValueError, binascii.Error):
        raise UsageError(f"{file}: auth of {registry} is not base64 text", hint="log in again") from None
