"""Logins as users write them: in files of Docker's form and in variables."""

from __future__ import annotations

import base64
import json
from pathlib import Path

CANARY = "c4nary-p4ssw0rd"


def auth(username: str, password: str) -> dict[str, str]:
    """Make an entry of ``auths`` as `docker login` writes it."""
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def write_auths(file: Path, auths: dict[str, dict[str, str]], **more: object) -> Path:
    """Write a file of the form of Docker's config.json."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"auths": auths, **more}))
    return file


def variables(host: str, username: str, password: str) -> dict[str, str]:
    """Make the pair of variables that log in to a host."""
    name = host.upper().replace("-", "__").replace(".", "_").replace(":", "_")
    return {f"IMAGESYNC_USERNAME_{name}": username, f"IMAGESYNC_PASSWORD_{name}": password}
