"""What the tests of cloud logins may ask for: a registry that is reached under a cloud's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.security.authority import Authority
from tests.security.relay import ConnectProxy, TlsFront


class Served(Protocol):
    """Serves a registry under a public name; gives the environment in which it is found there."""

    def __call__(self, name: str, backend: str) -> dict[str, str]: ...


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority that nobody trusts by itself."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def served_as(authority: Authority, tmp_path: Path) -> Iterator[Served]:
    """Serve a loopback server over TLS under any name, by a proxy that is asked to connect to it."""
    with ExitStack() as running:

        def serve(name: str, backend: str) -> dict[str, str]:
            front = running.enter_context(TlsFront(backend, authority.server_context(name)))
            proxy = running.enter_context(ConnectProxy({f"{name}:443": front.host}))
            return {
                "HOME": str(tmp_path),
                "HTTPS_PROXY": f"http://{proxy.host}",
                "NO_PROXY": "127.0.0.1,localhost",
                "SSL_CERT_FILE": str(authority.ca_file),
            }

        yield serve
