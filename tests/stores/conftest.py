"""A source and a destination on sockets of their own, and no waiting between attempts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.embedded_registry import EmbeddedRegistry
from tests.stores.copying import Copying


@pytest.fixture
def copying(pauses: list[float]) -> Iterator[Copying]:
    """A copy from one good registry to another."""
    with EmbeddedRegistry() as source, EmbeddedRegistry() as destination:
        yield Copying(source, destination, pauses)
