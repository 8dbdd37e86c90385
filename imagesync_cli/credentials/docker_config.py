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


async def from_files(wanted: Wanted) -> Credential | None:
    for file in wanted.auth_files:
        if (login := await _from_file(file, wanted)) is not None:
            return login
    return None


def account(wanted: Wanted) -> str:
    """The longest path under which any file has a login for this repository: equal for equal logins."""
    entries = (_best(_document(file, wanted), wanted, file) for file in wanted.auth_files)
    return max((path for path, _ in filter(None, entries)), key=len, default="")


def server_name(registry: str) -> str:
    """What files and helpers call the registry."""
    return _HUB_KEY if registry == DOCKER_HUB else registry


def helper_for(document: dict[str, Any], registry: str, file: Path) -> Any:
    """The name of the helper that is to keep logins for the registry, None where the file itself is."""
    return next(_helpers(document, registry, file), document.get("credsStore") or None)


def _helpers(document: dict[str, Any], registry: str, file: Path) -> Iterator[Any]:
    """The names of those that the file names for the registry alone."""
    return (helper for key, helper in _object(document, "credHelpers", file).items() if _place(key) == (registry, ""))


def without_login(document: dict[str, Any], registry: str, file: Path) -> dict[str, Any]:
    """The document without any entry for the whole registry, however it is spelled."""
    auths = _object(document, "auths", file)
    return {**document, "auths": {key: entry for key, entry in auths.items() if _place(key) != (registry, "")}}


def with_login(document: dict[str, Any], registry: str, entry: dict[str, str], file: Path) -> dict[str, Any]:
    """The document with this entry in place of all others for the registry."""
    others = without_login(document, registry, file)
    return {**others, "auths": {**others["auths"], server_name(registry): entry}}


def has_login(document: dict[str, Any], registry: str, file: Path) -> bool:
    """Whether the file itself has a login for the whole registry."""
    auths = _object(document, "auths", file)
    return any(entry for key, entry in auths.items() if _place(key) == (registry, ""))


async def _from_file(file: Path, wanted: Wanted) -> Credential | None:
    document = _document(file, wanted)
    server = server_name(wanted.registry)
    for helper in _helpers(document, wanted.registry, file):
        if login := await ask_helper(helper, server, file):
            return login
    if best := _best(document, wanted, file):
        return _credential(best[1], wanted.registry, file)
    if store := document.get("credsStore"):
        return await ask_helper(store, server, file)
    return None


def _document(file: Path, wanted: Wanted) -> dict[str, Any]:
    if file not in wanted.documents:
        wanted.documents[file] = read_file(file, required=file in wanted.settings.required_files)
    document: dict[str, Any] = wanted.documents[file]
    return document


def read_file(file: Path, *, required: bool = False) -> dict[str, Any]:
    """The whole document, empty where there is no file unless that is ``required``."""
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
        raise UsageError(f"{file} is not JSON", hint="repair the file, or remove it and log in again") from None
    if not isinstance(document, dict):
        raise UsageError(f"{file} is not a JSON object", hint="repair the file, or remove it and log in again")
    return document


def _object(document: dict[str, Any], key: str, file: Path) -> dict[str, Any]:
    value = {} if document.get(key) is None else document[key]
    if not isinstance(value, dict):
        raise UsageError(f"{file}: {key} is not an object", hint="repair the file, or remove it and log in again")
    return value


def _best(document: dict[str, Any], wanted: Wanted, file: Path) -> tuple[str, dict[str, Any]] | None:
    """The entry with the longest path that holds the repository, and that path."""
    return max(_entries(document, wanted, file), key=lambda entry: len(entry[0]), default=None)


def _entries(document: dict[str, Any], wanted: Wanted, file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, entry in _object(document, "auths", file).items():
        registry, path = _place(key)
        if registry != wanted.registry or not f"{wanted.repository}/".startswith(f"{path}/" if path else ""):
            continue
        if not isinstance(entry, dict):
            raise UsageError(f"{file}: the entry for {key} is not an object", hint="log in again")
        if any(entry.get(name) for name in ("auth", "username", "identitytoken", "registrytoken")):
            yield path, entry  # Docker leaves {} where a helper holds the login


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
