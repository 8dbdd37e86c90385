"""Platforms: their names, brought to one form, and which of an image's platforms serves a wanted one.

The rules are containerd's (github.com/containerd/platforms: database.go, compare.go), but for two. Another architecture
never stands in, such as arm for arm64 or 386 for amd64: in a mirror nobody would notice. And a name says both system
and architecture: what is left out does not depend on the machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagesync_cli.values.errors import UsageError

_OS = re.compile(r"([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.-]+)\))?")
_PART = re.compile(r"[A-Za-z0-9_.-]+")
_ARCHITECTURES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"}
# Names that say the variant too, whatever stands beside them.
_WITH_VARIANT = {"armhf": ("arm", "v7"), "armel": ("arm", "v6"), "i386": ("386", "")}
# What is meant where no variant is told. Architectures that are not here have no order of variants.
_DEFAULT_VARIANT = {"arm": "v7", "amd64": "v1", "arm64": "v8"}
_VERSION = re.compile(r"v?([0-9]{1,3})(?:\.([0-9]{1,3}))?")
_OLDEST_ARM = 5
_ARM_V9_AHEAD = 5  # Armv9.N can do what Armv8.(N+5) can

Nearness = tuple[int, int, int]


@dataclass(frozen=True)
class Platform:
    """What an image runs on, in normal form: lower case, amd64 for x86_64, a variant only where the name needs one."""

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
    if "," in text and len(each := text.replace(",", " ").split()) > 1:
        hint = f"name each one by an option of its own: {' '.join(f'--platform {one}' for one in each[:8])}"
        raise UsageError(f"{text[:200]!r} is not a platform, but several", hint=hint)
    if not 2 <= len(parts) <= 3 or system is None or not all(_PART.fullmatch(part) for part in parts[1:]):
        raise UsageError(f"{text!r} is not a platform", hint="a platform looks like linux/amd64 or linux/arm/v7")
    return normal_platform(system[1], parts[1], "".join(parts[2:]), system[2] or "")


def normal_platform(os: str, architecture: str, variant: str = "", os_version: str = "") -> Platform:
    """The platform that these words, as a user or an index writes them, mean."""
    os, architecture, variant = os.lower(), architecture.lower(), variant.lower()
    os = "darwin" if os == "macos" else os
    architecture, variant = _WITH_VARIANT.get(architecture, (_ARCHITECTURES.get(architecture, architecture), variant))
    default = _DEFAULT_VARIANT.get(architecture)
    if default is not None:
        variant = _normal_version(variant or default)
        if variant == default and architecture != "arm":
            variant = ""
    return Platform(os, architecture, variant, os_version)


def read_platform(document: Mapping[str, Any]) -> Platform | None:
    """The platform that a descriptor's ``platform`` or an image's config tells (image-spec v1.1), None for none."""
    told = [document.get(name) or "" for name in ("os", "architecture", "variant", "os.version")]
    if not all(isinstance(part, str) for part in told) or not told[0] or not told[1]:
        return None
    return normal_platform(*told)


def nearness(wanted: Platform, offered: Platform) -> Nearness | None:
    """How well the offered platform serves the wanted one, more is better; None if it does not.

    A variant serves where it is not above the wanted one. A wanted OS version is the beginning of the offered one, up
    to a dot; an image that tells none comes after those that do.
    """
    if (wanted.os, wanted.architecture) != (offered.os, offered.architecture):
        return None
    version = offered.os_version
    if wanted.os_version and version and not f"{version}.".startswith(f"{wanted.os_version}."):
        return None
    variant = _variant_nearness(wanted, offered)
    return variant and (1 if wanted.os_version and version else 0, *variant)


def _variant_nearness(wanted: Platform, offered: Platform) -> tuple[int, int] | None:
    most, theirs = _version(wanted), _version(offered)
    if wanted.variant == offered.variant:
        return theirs or (0, 0)
    if most is None or theirs is None or (wanted.architecture == "arm" and theirs[0] < _OLDEST_ARM):
        return None
    if wanted.architecture == "arm64" and most[0] != theirs[0]:
        if (most[0], theirs[0]) != (9, 8):
            return None
        most = (8, most[1] + _ARM_V9_AHEAD)
    return theirs if theirs <= most else None


def _version(platform: Platform) -> tuple[int, int] | None:
    """The number in a variant, None where variants have no order or this one is none of them."""
    if platform.architecture not in _DEFAULT_VARIANT:
        return None
    number = _VERSION.fullmatch(platform.variant or _DEFAULT_VARIANT[platform.architecture])
    return (int(number[1]), int(number[2] or 0)) if number else None


def _normal_version(variant: str) -> str:
    """``v8`` for 8, 8.0 and v8.0."""
    number = _VERSION.fullmatch(variant)
    if number is None:
        return variant
    minor = int(number[2] or 0)
    return f"v{int(number[1])}.{minor}" if minor else f"v{int(number[1])}"
