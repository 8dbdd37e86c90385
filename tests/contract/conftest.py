"""The registries that the suite runs against: the embedded one in several manners, and real ones."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.contract.expected import EMBEDDED, REAL
from tests.contract.subject import Subject
from tests.embedded_registry import MANNERS, EmbeddedRegistry

_SUBJECTS = [*(f"embedded {manner}" for manner in EMBEDDED), *REAL]


@pytest.fixture(params=_SUBJECTS)
def subject(request: pytest.FixtureRequest, repository_name: str) -> Iterator[Subject]:
    """A repository of each registry in turn, with what is expected of its kind."""
    kind, _, manner = str(request.param).partition(" ")
    if manner:
        with EmbeddedRegistry(MANNERS[manner]) as registry, _client(registry.host) as client:
            yield Subject(client, repository_name, EMBEDDED[manner])
    else:
        with _client(request.getfixturevalue(kind)) as client:
            yield Subject(client, repository_name, REAL[kind])


def _client(host: str) -> httpx.Client:
    return httpx.Client(base_url=f"http://{host}", trust_env=False, timeout=10)
