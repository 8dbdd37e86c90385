"""Platforms: their names as users write them, brought to one form, as containerd does."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagesync_cli.errors import UsageError

_OS = re.compile(r"([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.+-]+)\))?")
_PART = re.compile(r"[A-Za-z0-9_.-]+")
_ARCHITECTURES = {
    "i386": "386",
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "armel": "arm",
}
# What an architecture's name, or its silence about the variant, means.
_IMPLIED = {"armhf": "v7", "armel": "v6", "arm": "v7"}
_DEFAULT_VARIANT = {"amd64": "v1", "arm64": "v8"}


@dataclass(frozen=True)
class Platform:
    """What an image runs on, in normal form: lower case, amd64 for x86_64, no variant where it is the default one."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    def __str__(self) -> str:
        version = f"({self.os_version})" if self.os_version else ""
        return "/".join(filter(None, (f"{self.os}{version}", self.architecture, self.variant)))


def parse_platform(text: str) -> Platform:
    """Read ``os/architecture[/variant]`` or ``os(version)/architecture``, or raise UsageError."""
    parts = text.split("/")
    system = _OS.fullmatch(parts[0])
    if not 2 <= len(parts) <= 3 or system is None or not all(_PART.fullmatch(part) for part in parts[1:]):
        raise UsageError(f"{text!r} is not a platform", hint="a platform looks like linux/amd64 or linux/arm/v7")
    return normal_platform(system[1], parts[1], "".join(parts[2:]), system[2] or "")


def normal_platform(os: str, architecture: str, variant: str = "", os_version: str = "") -> Platform:
    """The platform that these words, as a user or an index writes them, mean."""
    os, architecture, variant = os.lower(), architecture.lower(), variant.lower()
    os = "darwin" if os == "macos" else os
    variant = variant or _IMPLIED.get(architecture, "")
    architecture = _ARCHITECTURES.get(architecture, architecture)
    if variant.isascii() and variant[:1].isdigit():
        variant = f"v{variant}"
    if variant == _DEFAULT_VARIANT.get(architecture):
        variant = ""
    return Platform(os, architecture, variant, os_version)
