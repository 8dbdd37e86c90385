"""Where images live: a repository in a registry, or an OCI layout folder, behind one small protocol (store.py)."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from imagesync_cli.reference import LayoutReference, Reference, RegistryReference
from imagesync_cli.settings import Settings
from imagesync_cli.stores.meter import Meter, metered
from imagesync_cli.stores.store import Store, Untagged, Written

# httpx builds its own command line (click, rich, pygments) if it can; without it the import takes half as long.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

if TYPE_CHECKING:
    from imagesync_cli.stores.client import Client
    from imagesync_cli.stores.early import Early
    from imagesync_cli.stores.http import Http
    from imagesync_cli.stores.probe import Probe

__all__ = ["Access", "Meter", "Side", "Store", "Stores", "Untagged", "Written", "metered"]


class Access(enum.Enum):
    """What a token is asked for: no more than the operation needs."""

    READ = "pull"
    WRITE = "pull,push"
    DELETE = "pull,push,delete"


class Side(enum.Enum):
    """Which end of a copy a store is: each may have a login of its own, on the same registry."""

    SOURCE = "source"
    DESTINATION = "destination"


class Stores:
    """Every store of one run; connections, logins and what is known of a registry are shared."""

    def __init__(self, settings: Settings, early: dict[tuple[str, int], Early] | None = None) -> None:
        self._settings = settings
        self._early = early
        self._clients: dict[tuple[str, Path | None], Client] = {}
        self._http: Http | None = None

    def open(self, reference: Reference, access: Access = Access.READ, side: Side = Side.SOURCE) -> Store:
        """The store that holds the reference; nothing is asked yet."""
        if isinstance(reference, LayoutReference):
            from imagesync_cli.stores.layout import Layout

            return Layout(reference, self._settings.max_manifest_bytes)
        from imagesync_cli.stores.registry import Repository

        return Repository(self.client(reference.registry, side), reference, access.value)

    def probe(self, reference: RegistryReference) -> Probe:
        """Questions to a registry that change nothing (operations/doctor.py)."""
        from imagesync_cli.stores.probe import Probe

        return Probe(self.client(reference.registry), reference)

    def client(self, registry: str, side: Side = Side.SOURCE) -> Client:
        """The one client of this run for a registry, and for a side that has a login of its own."""
        from imagesync_cli.stores.client import Client
        from imagesync_cli.stores.http import Http

        if self._http is None:
            self._http = Http(self._settings, self._early)
        settings = self._settings
        auth_file = settings.source_auth_file if side is Side.SOURCE else settings.destination_auth_file
        key = (registry, auth_file)
        if key not in self._clients:
            self._clients[key] = Client(registry, self._http, settings, auth_file)
        return self._clients[key]

    async def aclose(self) -> None:
        """Close every connection."""
        if self._http is not None:
            await self._http.aclose()
        if self._early:
            from imagesync_cli.stores.early import close_unused

            close_unused(self._early.values())
