"""The proxy between a tool and a registry: what passes, and what it counts."""

from __future__ import annotations

import contextlib
import http.client
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.images import SMALL
from benchmarks.registries import Registry, running
from benchmarks.repository import Repository
from tests import peers

CONTENT = os.urandom(3 * 1024 * 1024)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running(peers.program("registry"), tmp_path) as running_registry:
        running_registry.start_counting(0)
        yield running_registry


@pytest.fixture
def connection(registry: Registry) -> Iterator[http.client.HTTPConnection]:
    """A connection to the registry through its proxy."""
    with contextlib.closing(http.client.HTTPConnection(registry.proxied_host)) as opened:
        yield opened


def _upload_location(connection: http.client.HTTPConnection) -> str:
    connection.request("POST", "/v2/app/blobs/uploads/")
    answer = connection.getresponse()
    answer.read()
    return answer.headers["Location"]


def test_locations_lead_back_to_the_proxy(registry: Registry, connection: http.client.HTTPConnection) -> None:
    """An upload that starts at the proxy continues there, so that no request goes uncounted."""
    assert urlsplit(_upload_location(connection)).netloc == registry.proxied_host


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
def test_a_body_passes_as_it_is(registry: Registry, connection: http.client.HTTPConnection, chunked: bool) -> None:
    """Bodies with a length and in chunks arrive whole, and the connection goes on with the next request."""
    location = urlsplit(_upload_location(connection))
    pieces = [CONTENT[:70_000], CONTENT[70_000:]]
    headers = {} if chunked else {"Content-Length": str(len(CONTENT))}
    connection.request("PATCH", f"{location.path}?{location.query}", pieces, headers, encode_chunked=chunked)
    answer = connection.getresponse()
    answer.read()

    assert answer.status == 202
    assert answer.headers["Range"] == f"0-{len(CONTENT) - 1}"
    connection.request("GET", "/v2/")
    assert connection.getresponse().status == 200
    counts = registry.counts()
    assert counts.requests == {"POST": 1, "PATCH": 1, "GET": 1}
    assert counts.connections == 1
    assert counts.received_bytes > len(CONTENT)


def test_bytes_are_counted_both_ways(registry: Registry) -> None:
    """A push counts as received and a pull as sent, each a little more than the blob itself."""
    Repository(registry.proxied_host, "app").push(SMALL, "1")
    pushed = registry.counts()
    assert SMALL.size_bytes < pushed.received_bytes < SMALL.size_bytes + 10_000
    assert pushed.sent_bytes < 10_000

    registry.start_counting(1)
    assert registry.counts().total == 0
    assert Repository(registry.proxied_host, "app").digest("1") == SMALL.manifests()[-1].digest
    assert registry.counts().requests == {"HEAD": 1}


def test_a_registry_can_be_emptied(registry: Registry) -> None:
    """Between two cold copies nothing is left at the destination, which keeps its address."""
    Repository(registry.proxied_host, "app").push(SMALL, "1")
    registry.empty()

    assert Repository(registry.proxied_host, "app").digest("1") == ""
