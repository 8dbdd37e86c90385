"""Names of platforms, and which platform serves which: containerd's rules as tables.

The expectations are those of containerd's own tests (github.com/containerd/platforms, platforms_test.go and
compare_test.go), but for architectures that stand in for another, which a mirror never lets them.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.platforms import nearness, parse_platform, read_platform

NAMES = {
    "linux/amd64": ["Linux/x86_64", "linux/x86-64", "LINUX/AMD64", "linux/amd64/v1"],
    "linux/amd64/v2": ["linux/x86_64/v2"],
    "linux/386": ["linux/i386", "linux/i386/v5"],
    "linux/arm64": ["linux/aarch64", "linux/Aarch64/v8", "linux/arm64/8", "linux/arm64/v8", "linux/arm64/v8.0"],
    "linux/arm64/v9": ["linux/arm64/9", "linux/arm64/9.0", "linux/arm64/v9.0"],
    "linux/arm64/v8.2": ["linux/aarch64/v8.2"],
    "linux/arm/v7": ["linux/arm", "linux/armhf", "linux/arm/7", "linux/armhf/v6"],
    "linux/arm/v6": ["linux/armel", "linux/arm/6"],
    "linux/arm/v5": ["linux/arm/5"],
    "darwin/arm64": ["macOS/arm64"],
    "linux/riscv64/rva23u64": ["linux/RISCV64/rva23u64"],
    "windows(10.0.17763)/amd64": ["Windows(10.0.17763)/x86_64"],
}

# What is wanted: what serves, best first, and what does not.
SERVES: dict[str, tuple[list[str], list[str]]] = {
    "linux/amd64": (["linux/amd64"], ["linux/amd64/v2", "linux/386", "linux/arm64", "windows/amd64"]),
    "linux/amd64/v2": (["linux/amd64/v2", "linux/amd64"], ["linux/amd64/v3", "linux/amd64/v4", "linux/386"]),
    "linux/amd64/v4": (["linux/amd64/v4", "linux/amd64/v3", "linux/amd64/v2", "linux/amd64"], ["linux/amd64/v5"]),
    "linux/386": (["linux/386"], ["linux/amd64", "linux/arm/v7"]),
    "windows/amd64": (["windows/amd64"], ["linux/amd64", "windows/arm"]),
    "linux/arm/v8": (
        ["linux/arm/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"],
        ["linux/arm/v4", "linux/arm64", "linux/arm/v9"],
    ),
    "linux/arm": (["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"], ["linux/arm/v8", "linux/arm/v4", "linux/arm64"]),
    "linux/arm/v6": (["linux/arm/v6", "linux/arm/v5"], ["linux/arm", "linux/arm/v4", "linux/arm/v8"]),
    "linux/arm/v5": (["linux/arm/v5"], ["linux/arm/v4", "linux/arm/v6"]),
    "linux/arm/v4": (["linux/arm/v4"], ["linux/arm/v5", "linux/arm"]),
    "linux/arm64": (["linux/arm64"], ["linux/arm", "linux/arm/v8", "linux/arm64/v8.1", "linux/arm64/v9"]),
    "linux/arm64/v8.2": (
        ["linux/arm64/v8.2", "linux/arm64/v8.1", "linux/arm64"],
        ["linux/arm64/v8.3", "linux/arm64/v9", "linux/arm/v8"],
    ),
    "linux/arm64/v9": (
        ["linux/arm64/v9", "linux/arm64/v8.5", "linux/arm64/v8.1", "linux/arm64/v8"],
        ["linux/arm64/v8.6", "linux/arm64/v9.1", "linux/arm/v7"],
    ),
    "linux/arm64/v9.2": (
        ["linux/arm64/v9.2", "linux/arm64/v9.1", "linux/arm64/v9.0", "linux/arm64/v8.7", "linux/arm64"],
        ["linux/arm64/v9.3", "linux/arm64/v8.8"],
    ),
    "linux/ppc64le": (["linux/ppc64le"], ["linux/ppc64le/power9", "linux/ppc64"]),
    "linux/ppc64le/power10": (["linux/ppc64le/power10"], ["linux/ppc64le/power9", "linux/ppc64le"]),
    "windows(10.0.17763)/amd64": (
        ["windows(10.0.17763.5830)/amd64", "windows/amd64"],
        ["windows(10.0.20348.1)/amd64", "windows(10.0.177630.1)/amd64", "linux/amd64"],
    ),
}


@pytest.mark.parametrize(("normal", "name"), [(normal, name) for normal, names in NAMES.items() for name in names])
def test_names(normal: str, name: str) -> None:
    """Names that mean one platform are one platform, and it is always spelled the same way."""
    assert parse_platform(name) == parse_platform(normal)
    assert str(parse_platform(name)) == normal


@pytest.mark.parametrize(
    "name",
    ["", "linux", "arm64", "/", "linux/", "/amd64", "linux/arm/v7/more", "linux /amd64", "linux/amd64,linux/arm64",
     "windows()/amd64", "windows(1/amd64", "linux/amd 64", "*/*", "linux//v7", "linux/arm/", "linux/amd64\n"],
)  # fmt: skip
def test_no_platform(name: str) -> None:
    """What is no platform is bad usage, and the hint shows a right one; nothing is guessed from the machine."""
    with pytest.raises(UsageError) as refused:
        parse_platform(name)
    assert repr(name) in refused.value.message
    assert "linux/amd64" in refused.value.hint


@pytest.mark.parametrize("wanted", SERVES)
def test_what_serves(wanted: str) -> None:
    """Each wanted platform is served by those in the table, in their order, and by no other."""
    serving, others = SERVES[wanted]
    near = [nearness(parse_platform(wanted), parse_platform(name)) for name in serving]
    found = [each for each in near if each is not None]
    assert len(found) == len(serving)
    assert found == sorted(set(found), reverse=True)
    assert [name for name in others if nearness(parse_platform(wanted), parse_platform(name)) is not None] == []


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"os": "linux", "architecture": "arm"}, "linux/arm/v7"),
        ({"os": "windows", "architecture": "amd64", "os.version": "10.0.1"}, "windows(10.0.1)/amd64"),
        ({"os": "linux", "architecture": "arm", "variant": None}, "linux/arm/v7"),
        ({"os": "wasip1", "architecture": "wasm"}, "wasip1/wasm"),
        ({}, "None"),
        ({"os": "linux"}, "None"),
        ({"os": "", "architecture": ""}, "None"),
        ({"os": 1, "architecture": "amd64"}, "None"),
        ({"os": "linux", "architecture": "amd64", "variant": ["v1"]}, "None"),
    ],
)
def test_what_an_image_tells(told: dict[str, Any], name: str) -> None:
    """What a descriptor or a config says is a platform, or none where it makes no sense."""
    assert str(read_platform(told)) == name


@given(st.text(), st.text())
def test_every_name(one: str, other: str) -> None:
    """Whatever foreign text a platform consists of, comparing it is no accident, and it serves itself."""
    offered = read_platform({"os": "linux", "architecture": "arm64", "variant": one, "os.version": other})
    assert offered is not None
    assert nearness(offered, offered) is not None
