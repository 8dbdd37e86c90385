"""Settings of one run, from the command line and the environment; the only reader of os.environ."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imagesync_cli.errors import UsageError
from imagesync_cli.reference import is_loopback

DEFAULT_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Settings:
    """How to reach registries and who to be there; sizes in bytes, times in seconds."""

    plain_http: frozenset[str] = frozenset()
    external_timeout_s: float = DEFAULT_TIMEOUT_S
    auth_files: tuple[Path, ...] = ()
    proxies: Mapping[str, str] = field(default_factory=dict)
    max_manifest_bytes: int = 4 * 1024 * 1024

    def scheme(self, host: str) -> str:
        """``http`` for this machine itself and for the hosts named for it, else ``https``."""
        return "http" if is_loopback(host) or host.lower() in self.plain_http else "https"


def read_settings(*, plain_http: Iterable[str] = (), environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from options and environment; an option wins where both say something."""
    named = [*plain_http, *environ.get("IMAGESYNC_PLAIN_HTTP", "").replace(",", " ").split()]
    return Settings(
        plain_http=frozenset(host.lower() for host in named),
        external_timeout_s=_seconds(environ.get("IMAGESYNC_TIMEOUT", ""), "IMAGESYNC_TIMEOUT"),
        auth_files=tuple(_auth_files(environ)),
        proxies={name.lower(): value for name, value in environ.items() if name.lower().endswith("_proxy")},
    )


def _seconds(text: str, name: str) -> float:
    if not text:
        return DEFAULT_TIMEOUT_S
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"{name} is {text!r}", hint="it takes a number of seconds, such as 30")
    return seconds


def _auth_files(environ: Mapping[str, str]) -> Iterable[Path]:
    """Files in the form of Docker's config.json, in the order in which they are asked."""
    for name in ("IMAGESYNC_AUTH_FILE", "REGISTRY_AUTH_FILE"):
        if environ.get(name):
            yield Path(environ[name])
    if environ.get("DOCKER_CONFIG"):
        yield Path(environ["DOCKER_CONFIG"], "config.json")
    elif environ.get("HOME") or environ.get("USERPROFILE"):
        yield Path(environ.get("HOME") or environ["USERPROFILE"], ".docker", "config.json")
