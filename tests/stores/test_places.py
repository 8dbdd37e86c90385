"""Two names that may mean one registry, and two that do not."""

from __future__ import annotations

import asyncio

import pytest

from imagesync_cli.stores import places
from imagesync_cli.stores.places import may_be_one_registry, those_of_one_registry

ECR = "dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("registry.example", "registry.example"),
        ("127.0.0.1:5000", "localhost:5000"),
        ("[::1]", "ip6-loopback.invalid"),  # a name that was given up
        ("gone.invalid", "127.0.0.1"),
        ("[2001:db8::1]", "192.0.2.1"),  # a machine may have both
        (f"123456789012.{ECR}", "123456789012.dkr-ecr.eu-west-1.on.aws"),
    ],
)
def test_what_may_be_one_is_taken_for_one(one: str, other: str) -> None:
    """In doubt an image stays."""
    assert asyncio.run(may_be_one_registry(one, other))
    assert asyncio.run(may_be_one_registry(other, one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("127.0.0.1:5000", "127.0.0.1:5001"),
        ("127.0.0.1:5000", "localhost"),
        ("127.0.0.1", "127.0.0.2"),
        (f"123456789012.{ECR}", f"123456789013.{ECR}"),
        (f"123456789012.{ECR}", f"123456789012.{ECR.replace('west', 'north')}"),
        ("ghcr.io", "docker.io"),
    ],
)
def test_what_is_told_apart_is_two(one: str, other: str) -> None:
    """An image that moved to another registry is removed from the old one."""
    assert not asyncio.run(may_be_one_registry(one, other))
    assert not asyncio.run(may_be_one_registry(other, one))


def test_each_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many hosts none is asked for as often as there are others: where no name is known, each takes seconds."""
    asked = list[str]()

    async def addresses(name: str) -> set[str]:
        asked.append(name)
        return set() if name == "gone.example" else {name}

    monkeypatch.setattr(places, "_addresses", addresses)
    hosts = [f"host{number}.example" for number in range(20)]
    pairs = [(one, other) for one in [*hosts, "gone.example"] for other in hosts if one != other]
    assert asyncio.run(those_of_one_registry(pairs)) == {("gone.example", host) for host in hosts}
    assert sorted(asked) == sorted([*hosts, "gone.example"])
