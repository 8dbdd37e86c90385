"""The public registries as the examples name them: loopback registries, under TLS, behind a proxy that knows the names.

So an example is run with the references that it ships with. Whoever asks for any other name gets no answer.
"""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType

from tests.remote_repository import RemoteRepository
from tests.security.authority import Authority
from tests.security.relay import ConnectProxy, TlsFront

DOCKER_HUB = "registry-1.docker.io"


class Internet:
    """Serves while its ``with`` block lasts; ``environment`` is that of whoever can reach it."""

    def __init__(self, authority: Authority, backends: dict[str, str]) -> None:
        self._backends = backends
        self._running = ExitStack()
        fronts = {name: TlsFront(host, authority.server_context(name)) for name, host in backends.items()}
        self._proxy = ConnectProxy({f"{name}:443": front.host for name, front in fronts.items()})
        self._servers = [*fronts.values(), self._proxy]
        self.environment = {
            "HTTPS_PROXY": f"http://{self._proxy.host}",
            "NO_PROXY": "127.0.0.1,localhost",
            "SSL_CERT_FILE": str(authority.ca_file),
        }

    def __enter__(self) -> Internet:
        for server in self._servers:
            self._running.enter_context(server)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Be gone, as behind an air gap."""
        self._running.close()

    def repository(self, registry: str, name: str) -> RemoteRepository:
        """Return a public repository to fill."""
        return RemoteRepository(self._backends[registry], name)
