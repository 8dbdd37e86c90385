"""Where images live: a repository in a registry, or an OCI layout folder, behind one small protocol (store.py)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from imagesync_cli.reference import LayoutReference, Reference
from imagesync_cli.settings import Settings
from imagesync_cli.stores.store import Store, Untagged, Written

if TYPE_CHECKING:
    from imagesync_cli.stores.client import Client
    from imagesync_cli.stores.http import Http

__all__ = ["Access", "Store", "Stores", "Untagged", "Written"]


class Access(enum.Enum):
    """What a token is asked for: no more than the operation needs."""

    READ = "pull"
    WRITE = "pull,push"
    DELETE = "pull,push,delete"


class Stores:
    """Every store of one run; connections, logins and what is known of a registry are shared."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clients: dict[str, Client] = {}
        self._http: Http | None = None

    def open(self, reference: Reference, access: Access = Access.READ) -> Store:
        """The store that holds the reference; nothing is asked yet."""
        if isinstance(reference, LayoutReference):
            from imagesync_cli.stores.layout import Layout

            return Layout(reference, self._settings.max_manifest_bytes)
        from imagesync_cli.stores.registry import Repository

        return Repository(self._client(reference.registry), reference, access.value)

    def _client(self, registry: str) -> Client:
        from imagesync_cli.stores.client import Client
        from imagesync_cli.stores.http import Http

        if self._http is None:
            self._http = Http(self._settings)
        if registry not in self._clients:
            self._clients[registry] = Client(registry, self._http, self._settings)
        return self._clients[registry]

    async def aclose(self) -> None:
        """Close every connection."""
        if self._http is not None:
            await self._http.aclose()
