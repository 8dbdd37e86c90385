"""The registries that the suite runs against: the embedded one in several manners, and real ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.expected import EMBEDDED, REAL
from tests.contract.subject import Subject
from tests.embedded_registry import MANNERS, EmbeddedRegistry
from tests.served import Served

_SUBJECTS = [*(f"embedded {manner}" for manner in EMBEDDED), *REAL]


@pytest.fixture(params=_SUBJECTS)
def subject(request: pytest.FixtureRequest, repository_name: str) -> Iterator[Subject]:
    """A repository of each registry in turn, with what is expected of its kind."""
    kind, _, manner = str(request.param).partition(" ")
    if manner:
        with EmbeddedRegistry(MANNERS[manner]) as registry, Served(registry.host).client() as client:
            yield Subject(client, repository_name, EMBEDDED[manner])
    else:
        running = request.getfixturevalue(kind)
        served = running if isinstance(running, Served) else Served(running)
        with served.client() as client:
            yield Subject(client, repository_name, REAL[kind])
