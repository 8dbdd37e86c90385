"""Where images live: a registry's repository, a layout folder, an archive; behind one small protocol (store.py).

This module loads next to nothing, since a process that waits for another one needs a room of it and no store.
"""

from __future__ import annotations

import contextlib
import enum
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

# httpx builds its own command line (click, rich, pygments) if it can; without it the import takes half as long.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Iterable
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from imagesync_cli.settings import Settings
    from imagesync_cli.stores.files.oci_archive import OciArchive, OpenArchive
    from imagesync_cli.stores.registry.client import Client
    from imagesync_cli.stores.registry.mirrored import Mirrored
    from imagesync_cli.stores.registry.probe import Probe
    from imagesync_cli.stores.store import SAID_TO_BE_GONE, Store, Untagged, Written
    from imagesync_cli.stores.transport.http import Http
    from imagesync_cli.stores.transport.preconnect import Preconnected
    from imagesync_cli.stores.transport.retry import comes_true, twice
    from imagesync_cli.stores.transport.tally import counting
    from imagesync_cli.values.errors import ImagesyncError
    from imagesync_cli.values.limits import PullLimit
    from imagesync_cli.values.manifest import Descriptor
    from imagesync_cli.values.names import RepositoryName
    from imagesync_cli.values.reference import ArchiveReference, Reference, RegistryReference

__all__ = [
    "SAID_TO_BE_GONE",
    "Access",
    "Mirrored",
    "Side",
    "Store",
    "Stores",
    "Untagged",
    "Written",
    "comes_true",
    "counting",
    "twice",
]


# A delete waits no longer for a copy, which may take hours, nor a copy for a delete.
_PATIENCE_S = 30.0
_MODULES = dict.fromkeys(("SAID_TO_BE_GONE", "Store", "Untagged", "Written"), "store")
_MODULES |= dict.fromkeys(("comes_true", "twice"), "transport.retry")
_MODULES |= {"Mirrored": "registry.mirrored", "counting": "transport.tally"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


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

    def __init__(self, settings: Settings, preconnected: dict[tuple[str, int], Preconnected] | None = None) -> None:
        from imagesync_cli.concurrency import Crowd

        self.crowd = Crowd()  # of works on several images
        self._settings = settings
        self._preconnected = preconnected
        self._clients: dict[tuple[str, Path | None], Client] = {}
        self._archives: list[OciArchive] = []
        self._read_archives: dict[str, OciArchive] = {}
        self._written_archives: dict[str, OpenArchive] = {}
        self._http: Http | None = None
        self._left_out: set[str] = set()  # mirrors that have failed

    def open(self, reference: Reference, access: Access = Access.READ, side: Side = Side.SOURCE) -> Store:
        """The store that holds the reference; nothing is asked yet."""
        from imagesync_cli.values.reference import ArchiveReference, LayoutReference

        if isinstance(reference, LayoutReference):
            from imagesync_cli.stores.files.layout import Layout

            return Layout(reference, self._settings.max_manifest_bytes)
        if isinstance(reference, ArchiveReference):
            return self._archive(reference, access, side)
        from imagesync_cli.stores.registry.repository import Repository

        return Repository(self.client(reference.registry, side), reference, access.value)

    def check_place(self, reference: Reference) -> None:
        """UsageError where a folder or file cannot be written, as far as that is seen without writing."""
        from pathlib import Path

        from imagesync_cli.stores.files.folder import obstacle
        from imagesync_cli.values.errors import UsageError
        from imagesync_cli.values.reference import ArchiveReference

        self.open(reference, Access.WRITE, Side.DESTINATION)
        place = Path(reference.location[1])
        if why := obstacle(place.parent if isinstance(reference, ArchiveReference) else place):
            raise UsageError(why, hint="name another place")

    def mirrored(self, reference: RegistryReference, mirrors: Iterable[RegistryReference] = ()) -> Mirrored:
        """A source whose bytes these may have as well, and whoever is added later; see mirrored.py."""
        from imagesync_cli.stores.registry.mirrored import Mirrored

        source = Mirrored(self.client(reference.registry), reference, Access.READ.value, self._left_out)
        for mirror in mirrors:
            source.add_mirror(self.open(mirror))
        return source

    def _archive(self, reference: ArchiveReference, access: Access, side: Side) -> Store:
        """Archives that are only read are indexed once a run; each writer has a new file of its own."""
        from imagesync_cli.values.errors import UsageError
        from imagesync_cli.values.reference import DOCKER_ARCHIVE

        is_read = access is Access.READ
        if reference.form == DOCKER_ARCHIVE and not (is_read and side is Side.SOURCE):
            raise UsageError(f"{reference.name} is read-only", hint="write to oci-archive: or oci: instead")
        if is_read and reference.name in self._read_archives:
            return self._read_archives[reference.name]
        if reference.form == DOCKER_ARCHIVE:
            from imagesync_cli.stores.files.docker_archive import DockerArchive as Archive
        else:
            from imagesync_cli.stores.files.oci_archive import OciArchive as Archive  # type: ignore[assignment]
        archive = Archive(reference, self._settings.max_manifest_bytes)
        self._archives.append(archive)
        if is_read:
            self._read_archives[reference.name] = archive
        else:
            archive.opened = self._written_archives.setdefault(reference.path, archive.opened)
        return archive

    def pull_limits(self) -> list[PullLimit]:
        """What registries have said of pulls until now."""
        return [limit for client in self._clients.values() if (limit := client.pulls.limit()) is not None]

    def pace(self, registry: str) -> float | None:
        """How many requests in a second a user lets it be sent, None for any number."""
        return self._settings.limits_at(*self._settings.address(registry))[1]

    def one_image(self) -> AbstractContextManager[None]:
        """A block whose pulls are for one image: LimitReached before the first of them means that it has not begun."""
        from imagesync_cli.stores.registry.pulls import pulls_of_one_image

        return pulls_of_one_image()

    async def more_pulls(self) -> bool:
        """Wait until one of the registries that allow no more pulls does so again; False where it need not wait."""
        from imagesync_cli.stores.transport import retry

        used_up = [client.pulls for client in self._clients.values() if client.pulls.are_used_up]
        await retry.pause(min((pulls.returns_in_s for pulls in used_up), default=0.0))
        return bool(used_up)

    def copying(self, reference: Reference) -> AbstractAsyncContextManager[None]:
        """Copy into a repository while no other process of this user on this machine removes from it."""
        return self._apart(reference, "copy")

    def removing(self, reference: Reference) -> AbstractAsyncContextManager[None]:
        """Remove from a repository while no other process of this user on this machine copies into it."""
        return self._apart(reference, "remove")

    def _apart(self, reference: Reference, doing: str) -> AbstractAsyncContextManager[None]:
        from imagesync_cli.values.reference import RegistryReference

        folder = self._settings.meeting_folder
        if folder is None or not isinstance(reference, RegistryReference):
            return contextlib.nullcontext()  # folders and archives have locks of their own
        from imagesync_cli.stores.files.lock import apart
        from imagesync_cli.stores.places import repository_of

        return apart(folder, doing, repository_of(reference), patience_s=_PATIENCE_S)

    def read_foreign(self, blob: Descriptor, source: Store) -> AsyncGenerator[bytes, None]:
        """A foreign layer, from the source if that has it, else from its own URLs; see foreign.py."""
        from imagesync_cli.stores.registry.blobs.foreign import read_foreign

        return read_foreign(blob, source, self._the_http(), self._settings)

    async def pushed_at(self, reference: Reference, digest: str) -> datetime | None:
        """When a registry says that this digest was pushed; None where nobody tells, as for files."""
        from imagesync_cli.values.reference import RegistryReference

        if not isinstance(reference, RegistryReference):
            return None
        from imagesync_cli.stores.registry.client import OneRepository
        from imagesync_cli.stores.registry.hosts.host_api import HostApi
        from imagesync_cli.stores.registry.hosts.own_apis import pushed_at

        repository = OneRepository.of(self.client(reference.registry), reference, Access.READ.value)
        return await pushed_at(HostApi(*repository), reference.meant_tag, digest)

    async def repositories(
        self, registry: str, paths: Collection[str]
    ) -> dict[str, list[RepositoryName] | ImagesyncError]:
        """Every repository of a registry below each path, "" for all, or why that is not known; see catalog.py."""
        from imagesync_cli.stores.registry.catalog import list_repositories

        return await list_repositories(self.client(registry), paths)

    def probe(self, reference: RegistryReference, side: Side = Side.SOURCE) -> Probe:
        """Questions to a registry that change nothing (look/doctor.py)."""
        from imagesync_cli.stores.registry.probe import Probe

        return Probe(self.client(reference.registry, side), reference)

    def client(self, registry: str, side: Side = Side.SOURCE) -> Client:
        """The one client of this run for a registry, and for a side that has a login of its own."""
        from imagesync_cli.stores.registry.client import Client

        settings = self._settings
        auth_file = settings.source_auth_file if side is Side.SOURCE else settings.destination_auth_file
        key = (registry, auth_file)
        if key not in self._clients:
            self._clients[key] = Client(registry, self._the_http(), settings, auth_file)
        return self._clients[key]

    def _the_http(self) -> Http:
        if self._http is None:
            from imagesync_cli.stores.transport.http import Http

            self._http = Http(self._settings, self._preconnected)
        return self._http

    async def aclose(self) -> None:
        """Close every connection and archive; what was written for no tag is gone."""
        for archive in self._archives:
            archive.close()
        if self._http is not None:
            await self._http.aclose()
        if self._preconnected:
            from imagesync_cli.stores.transport.preconnect import close_unused

            close_unused(self._preconnected.values())
