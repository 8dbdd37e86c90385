"""The ``auths`` of Docker's config.json (docs.docker.com/reference/cli/docker/login).

Read once a run and only when a registry asks who we are. Credential helpers are not run from here.
"""

from __future__ import annotations

import base64
import binascii
import json
from functools import cache
from pathlib import Path
from typing import Any

from imagesync_cli.credentials.credential import Credential, Secret
from imagesync_cli.errors import UsageError
from imagesync_cli.reference import DOCKER_HUB
from imagesync_cli.settings import Settings

# What "docker login" writes for Docker Hub, and what people write by hand.
_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")


async def from_docker_config(registry: str, settings: Settings) -> Credential | None:
    """The first file that has an entry for ``host[:port]``, or None."""
    for file in settings.auth_files:
        entry = _entry(_read(file), registry, file)
        if entry is not None:
            return _credential(entry, registry, file)
    return None


@cache
def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}: {error}", hint="mend the file, or name another one") from error
    try:
        document = json.loads(text)
    except ValueError as error:
        # The parser's own message quotes nothing of the file; the error keeps to its position.
        raise UsageError(f"{file} is not JSON: {error}", hint="mend the file, or log in again") from None
    if not isinstance(document, dict):
        raise UsageError(f"{file} is not a JSON object", hint="mend the file, or log in again")
    return document


def _entry(document: dict[str, Any], registry: str, file: Path) -> dict[str, Any] | None:
    auths = document.get("auths") or {}
    if not isinstance(auths, dict):
        raise UsageError(f"{file}: auths is not an object", hint="mend the file, or log in again")
    keys = _HUB_KEYS if registry == DOCKER_HUB else (registry, f"https://{registry}", f"http://{registry}")
    for key, entry in auths.items():
        if key in keys or (key.startswith("http") and key.rstrip("/").removesuffix("/v2") in keys):
            if not isinstance(entry, dict):
                raise UsageError(f"{file}: the entry for {registry} is not an object", hint="log in again")
            return entry or None  # Docker leaves {} where a helper holds the credentials
    return None


def _credential(entry: dict[str, Any], registry: str, file: Path) -> Credential:
    username, password = entry.get("username"), entry.get("password")
    if entry.get("auth"):
        username, _, password = _decoded(entry["auth"], registry, file).partition(":")
    if not isinstance(username, str) or not isinstance(password, str) or not username:
        raise UsageError(f"{file}: the entry for {registry} has no user name and password", hint="log in again")
    return Credential(username, Secret(password.rstrip("\0")), str(file))


def _decoded(auth: Any, registry: str, file: Path) -> str:
    try:
        return base64.b64decode(auth, validate=True).decode("utf-8")
    except (TypeError, binascii.Error, UnicodeDecodeError):
        raise UsageError(f"{file}: auth of {registry} is not base64 text", hint="log in again") from None
