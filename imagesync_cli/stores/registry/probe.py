"""Questions to a registry that change nothing: may we read, push, mount, delete here?

What has to be begun to be asked is taken back: an upload session is cancelled, and what is deleted never existed.
"""

from __future__ import annotations

import contextlib
import uuid
from typing import Any

import httpx

from imagesync_cli.stores.registry.blobs.upload import Upload
from imagesync_cli.stores.registry.client import Client, OneRepository
from imagesync_cli.stores.registry.hosts.host_api import HostApi
from imagesync_cli.stores.registry.hosts.own_apis import NO_TAG_DELETION, OwnApi, api_by_answer
from imagesync_cli.stores.registry.refusals import read_codes
from imagesync_cli.stores.store import Untagged
from imagesync_cli.stores.transport.addresses import addresses_of
from imagesync_cli.values.digest import sha256
from imagesync_cli.values.errors import ContentError, Denied, ImagesyncError, NotFound, Refused, Unavailable
from imagesync_cli.values.hosts import host_name, known_host
from imagesync_cli.values.limits import PullLimit
from imagesync_cli.values.manifest import MANIFEST_TYPES, Descriptor
from imagesync_cli.values.reference import RegistryReference

# The digest of nothing: no registry has to hold a blob by this name, and all know it for a digest.
_EMPTY = sha256(b"")
_SESSIONS = frozenset({201, 202})


class Probe:
    """One repository; every method raises what the registry refuses with."""

    def __init__(self, client: Client, reference: RegistryReference) -> None:
        self._client = client
        self._reference = reference
        self._refused: Denied | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port that were found to be right."""
        return str(self._client.base)

    async def addresses(self) -> list[str]:
        """What the name of the registry resolves to here; a proxy may see something else."""
        host = self._client.base.netloc.decode("ascii")
        try:
            return sorted(await addresses_of(host))
        except (OSError, UnicodeError) as error:
            name, hint = host_name(host), "check the name and the DNS"
            raise Unavailable(f"there is no host {name}", hint=hint, may_pass=False) from error

    async def greet(self) -> str:
        """What the registry is, as far as its name and its answer tell; a login that it refuses is not in the way."""
        host = known_host(self._reference.registry)
        said = [host.name] if host else []
        try:
            doing = f"GET {self._reference.registry}"
            response = await self._client.send(
                "GET", "/v2/", doing=doing, scopes=(), accept=range(200, 500), again=False
            )
        except Denied as error:
            self._refused = error
        else:
            said += [response.headers.get(name, "") for name in ("server", "docker-distribution-api-version")]
        return ", ".join(filter(None, said))

    async def refused_login(self) -> Denied | None:
        """What the registry says of our login when it is greeted; None where it lets us in, or we have none."""
        return self._refused if self._refused and self._client.login.source(()) else None

    async def read(self) -> bool:
        """Whether there is something under the reference; Denied where it may not be read."""
        target = f"manifests/{self._reference.wanted}"
        try:
            await self._ask(target, headers={"Accept": ", ".join(MANIFEST_TYPES)})
        except NotFound:
            return False
        return True

    def pull_limit(self) -> PullLimit | None:
        """What the registry has said of pulls until now; None where it says nothing."""
        return self._client.pulls.limit()

    async def tags(self) -> None:
        """Ask for one tag of the list."""
        await self._ask("tags/list?n=1")

    async def has_referrers_api(self) -> bool:
        """Whether signatures and the like are listed by the registry, or only by a tag (end-12a)."""
        response = await self._ask(f"referrers/{_EMPTY}", accept=(200, 400, 404, 405))
        return response.status_code == 200

    async def grants_push(self) -> bool:
        """Whether the token for it says so; False where there is none, or it does not tell. Nothing is opened."""
        target = f"blobs/{_EMPTY}"
        await self._send("HEAD", target, "pull,push", accept=(200, 400, 404, 405))
        granted = self.granted("pull,push")
        if granted and "push" not in granted.split(","):
            raise Denied(f"the token for it grants {granted} alone")
        return bool(granted)

    async def push(self) -> None:
        """Open an upload and cancel it (end-4a)."""
        await self._cancel(await self._send("POST", "blobs/uploads/", "pull,push", accept=_SESSIONS))

    async def mounts(self) -> bool:
        """Whether the registry understands a mount; what it opens for one that it cannot do is cancelled (end-11)."""
        source = f"blobs/uploads/?mount={_EMPTY}&from={self._reference.location[1]}"
        response = await self._send("POST", source, "pull,push", accept=range(200, 500), with_body=True)
        if response.status_code == 404:
            # Pulp looks for the blob first and offers no upload in its place.
            return "BLOB_UNKNOWN" in await read_codes(response)
        await self._cancel(response)
        return response.status_code in _SESSIONS

    async def untags(self, *, repository_exists: bool) -> Untagged | None:
        """How the registry deletes tags, asked with a tag and a digest that nobody has (end-9).

        None where that takes a host's own API that cannot be asked so. Refused where it deletes nothing at all.
        """
        nobodys = f"imagesync-doctor-{uuid.uuid4().hex}"
        answer = await self._delete(nobodys)
        if answer is None:
            return Untagged.DONE
        way = api_by_answer(self._reference.registry, *answer)
        if isinstance(way, OwnApi):
            if not repository_exists or way.untag is None:
                return None
            offer = await way.untag(HostApi(*self._repository("pull,push,delete")), nobodys, sha256(nobodys.encode()))
            way = Untagged.DONE if offer is Untagged.ABSENT else offer
        if way is not Untagged.DONE and await self._delete(sha256(nobodys.encode())) is not None:
            raise Refused(
                f"{self._reference.registry} deletes nothing",
                hint="turn deletes on (distribution: REGISTRY_STORAGE_DELETE_ENABLED=true), or set on_destroy to keep",
            )
        return way

    async def _delete(self, wanted: str) -> tuple[int, frozenset[str]] | None:
        """None where the registry would delete what is called so; else its status and codes."""
        target = f"manifests/{wanted}"
        # Without a repository some say so by 400 (zot), which is no word about deleting.
        accept = {200, 202, 204, 404, *NO_TAG_DELETION}
        response = await self._send("DELETE", target, "pull,push,delete", accept=accept, with_body=True)
        if response.status_code not in NO_TAG_DELETION:
            await response.aclose()
            return None
        codes = await read_codes(response)
        return None if "NAME_UNKNOWN" in codes else (response.status_code, codes)

    def login(self) -> str:
        """Where the login came from, "" where none is known or the registry has not asked for one."""
        return self._client.login.source(self._repository("pull").scopes)

    def advice(self) -> str:
        """What to do where there is no login."""
        return self._client.advice(self._repository("pull").scopes)

    def granted(self, actions: str) -> str:
        """The actions that the last token for these grants, "" where it does not tell."""
        return self._client.login.granted(self._repository(actions).scopes)

    def _repository(self, actions: str) -> OneRepository:
        return OneRepository.of(self._client, self._reference, actions)

    async def _cancel(self, response: httpx.Response) -> None:
        await response.aclose()
        if response.status_code == 202:
            with contextlib.suppress(ImagesyncError):  # the registry forgets it by itself
                await Upload(self._repository("pull,push"), Descriptor("", _EMPTY, 0), response).cancel()

    async def _ask(self, target: str, **more: Any) -> httpx.Response:
        """Something that is never a web page: what no registry is may answer 200 to everything.

        Quay says so of /v2/, and other answers whose body means nothing.
        """
        response = await self._send("GET", target, "pull", **more)
        if response.status_code == 200 and response.headers.get("content-type", "").startswith("text/html"):
            await response.aclose()
            raise ContentError(
                f"{self._reference.registry} answers with a web page",
                hint="check the host: this is not a registry, or a proxy or a login page answers in its place",
            )
        return response

    async def _send(self, method: str, target: str | httpx.URL, actions: str, **more: Any) -> httpx.Response:
        """One request with a token for these actions; ``more`` is for ``Client.send``."""
        doing = f"{method} {self._reference.registry}"
        return await self._repository(actions).send(method, target, doing=doing, again=False, **more)
