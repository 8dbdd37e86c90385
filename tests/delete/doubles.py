"""Makes an embedded registry count as a host of a kind: the seam is the table of known hosts, which a login follows.

Everything here is a double of the product it is named after (tests/embedded_registry/presets.py says from what).
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from imagesync_cli.settings import Settings
from imagesync_cli.values.hosts import KNOWN_HOSTS

# The manner of the embedded registry → the kind of host that has an API of its own; Harbor is known by its answers.
OWN_API = {"docker-hub": "Docker Hub", "ghcr": "GitHub", "acr": "Azure", "ecr": "Amazon ECR"}


@contextlib.contextmanager
def pretending(manner: str, host: str) -> Iterator[None]:
    """While the block lasts, ``host`` is a host of the kind that the manner is a double of."""
    if manner not in OWN_API:
        yield
        return
    known = next(known for known in KNOWN_HOSTS if known.name == OWN_API[manner])
    double = replace(known, pattern=re.escape(host), cloud="", api=f"http://{host}")
    KNOWN_HOSTS.insert(0, double)
    try:
        yield
    finally:
        KNOWN_HOSTS.remove(double)


def logins(folder: Path, host: str) -> Path:
    """A file with a login for the host, as docker login writes it."""
    file = folder / "auth.json"
    auth = base64.b64encode(b"user:password").decode("ascii")
    file.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return file


def settings(file: Path) -> Settings:
    """Nothing but the logins in this file."""
    return Settings(auth_files=(file,))
