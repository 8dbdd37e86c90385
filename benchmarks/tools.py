"""The command lines that are compared: ours, and those of the peers that are on the PATH."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.registries import Tls

OURS = "imagesync"
IMAGESYNC = str(Path(sys.executable).with_name(OURS))


@dataclass(frozen=True)
class Tool:
    """How a tool is told to copy and to resolve; the plain variants are for registries without TLS."""

    name: str
    copy: tuple[str, ...]
    resolve: tuple[str, ...]
    version: tuple[str, ...]
    plain_copy: tuple[str, ...] = ()
    plain_resolve: tuple[str, ...] = ()
    scheme: str = ""

    def copying(self, source: str, destination: str, tls: Tls | None = None) -> list[str]:
        plain = () if tls else self.plain_copy
        return [*self.copy, *_for_hosts(plain, source, destination), self.scheme + source, self.scheme + destination]

    def resolving(self, reference: str) -> list[str]:
        return [*self.resolve, *_for_hosts(self.plain_resolve, reference), self.scheme + reference]


def _for_hosts(options: tuple[str, ...], *references: str) -> list[str]:
    """The options, and those with a HOST in them once for each host."""
    hosts = dict.fromkeys(reference.partition("/")[0] for reference in references)
    fixed = [option for option in options if "HOST" not in option]
    return fixed + [option.replace("HOST", host) for host in hosts for option in options if "HOST" in option]


_ALL = (
    Tool(OURS, (IMAGESYNC, "sync", "--quiet"), (IMAGESYNC, "resolve"), (IMAGESYNC, "--version")),
    Tool("crane", ("crane", "copy"), ("crane", "digest"), ("crane", "version")),
    Tool(
        "regctl",
        copy=("regctl", "image", "copy"),
        resolve=("regctl", "image", "digest"),
        version=("regctl", "version"),
        plain_copy=("--host=reg=HOST,tls=disabled",),
        plain_resolve=("--host=reg=HOST,tls=disabled",),
    ),
    Tool(
        "skopeo",
        copy=("skopeo", "--insecure-policy", "copy", "--all", "--preserve-digests", "--quiet"),
        resolve=("skopeo", "inspect", "--no-tags", "--format={{.Digest}}"),
        version=("skopeo", "--version"),
        plain_copy=("--src-tls-verify=false", "--dest-tls-verify=false"),
        plain_resolve=("--tls-verify=false",),
        scheme="docker://",
    ),
    Tool(
        "oras",
        copy=("oras", "cp", "--no-tty"),
        resolve=("oras", "resolve"),
        version=("oras", "version"),
        plain_copy=("--from-plain-http", "--to-plain-http"),
        plain_resolve=("--plain-http",),
    ),
)


# No peer, for it is no client: what sockets and hashing alone take.
FLOOR = Tool("bare sockets", (sys.executable, "-m", "benchmarks.bare_copy"), (), ())
PEERS = frozenset(tool.name for tool in _ALL) - {OURS}


def found_tools() -> list[Tool]:
    """Ours first, then the peers that are there."""
    return [tool for tool in _ALL if shutil.which(tool.copy[0])]


def environment(home: Path, tls: Tls | None = None) -> Mapping[str, str]:
    """Nothing of the user's: no logins, no proxies, no settings."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_RUNTIME_DIR": str(home), "LANG": "C.UTF-8"}
    if tls:
        environ["SSL_CERT_FILE"] = str(tls.certificate)
    return environ
