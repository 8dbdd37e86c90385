"""Deleting in one repository: by the distribution API (end-9), or by the host's own (hosts/)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

import httpx

from imagesync_cli.stores.registry.hosts.host_api import HostApi
from imagesync_cli.stores.registry.hosts.own_apis import GUARDED, NO_TAG_DELETION, OwnApi, api_by_answer, api_of
from imagesync_cli.stores.registry.refusals import read_codes, read_errors, spelled
from imagesync_cli.stores.store import SAID_TO_BE_GONE, Untagged
from imagesync_cli.stores.transport.retry import comes_true
from imagesync_cli.values.errors import NotFound, Unavailable
from imagesync_cli.values.progress import note


class Deletion:
    """What can be removed from one repository, and how; ``found`` gives the digest of what is there."""

    def __init__(self, host_api: HostApi, found: Callable[[str], Awaitable[str]]) -> None:
        self._host_api, self._found = host_api, found
        self._registry, self._name = host_api.client.registry, host_api.name
        self._no_tag_deletion: Untagged | None = None
        self._api = api_of(self._registry)

    async def untag(self, tag: str, digest: str) -> Untagged:
        """DELETE by tag, or the host's own API; what the registry cannot do is told, the rest is an error."""
        if self._no_tag_deletion is not None:
            return self._no_tag_deletion
        response = await self._delete(tag, f"removing the tag {self._name}:{tag}", NO_TAG_DELETION)
        if response is None:
            return Untagged.ABSENT
        if response.status_code not in NO_TAG_DELETION:
            await response.aclose()
            if _is_done_later(response):
                await self._wait(tag, digest)
            return Untagged.DONE
        codes = await read_codes(response)
        way = api_by_answer(self._registry, response.status_code, codes)
        if isinstance(way, OwnApi):
            self._api = way
            way = await way.untag(self._host_api, tag, digest) if way.untag else Untagged.NOT_OFFERED
            if way is Untagged.DONE and _is_done_later(response):
                await self._wait(tag, digest)
        if way in (Untagged.ONLY_BY_DIGEST, Untagged.NOT_OFFERED):
            self._no_tag_deletion = way
        return way

    async def manifest(self, digest: str, tags: Collection[str] = ()) -> str:
        """DELETE by digest, or by the host's own API; gives the reason where the manifest is kept, else "".

        No answer is believed without a look: proxies drop a DELETE, and say 202 or 404.
        """
        response = await self._delete(digest, f"deleting manifest {self._name}@{digest}", GUARDED)
        if response is None:
            return "" if await self._is_gone(digest, digest) else SAID_TO_BE_GONE
        if response.status_code < 300:
            await response.aclose()
            if await self._is_gone(digest, digest) or await self._wait(digest, digest):
                return ""
            if _is_done_later(response):  # Pulp keeps in this way what an index lists
                return "the registry took on to delete it, and has not done so yet"
            raise Unavailable(
                f"{self._name} still has {digest}, which it said it had deleted",
                hint="either the request did not get there, or somebody put it back; run it again",
            )
        errors = await read_errors(response)
        if response.status_code in NO_TAG_DELETION and self._api is not None and self._api.delete is not None:
            return await self._api.delete(self._host_api, digest, tags)
        return "; ".join(spelled(errors)) or f"it answers {response.status_code}"

    async def _is_gone(self, wanted: str, digest: str) -> bool:
        """Whether it is not there, or the tag is on something else."""
        return await self._found(wanted) != digest

    async def _wait(self, wanted: str, digest: str) -> bool:
        """Wait until it is gone: some take a deletion on and do it later. False if that does not come about in time."""
        note(f"waiting for {self._registry}, which deletes after it says so")
        return await comes_true(lambda: self._is_gone(wanted, digest))

    async def _delete(self, wanted: str, doing: str, understood: frozenset[int]) -> httpx.Response | None:
        """The response, with a status in ``understood`` or a success; None where there was nothing to delete."""
        accept = {200, 202, 204, *understood}
        try:
            return await self._host_api.send(
                "DELETE", f"manifests/{wanted}", doing=doing, accept=accept, with_body=True
            )
        except NotFound:
            return None


def _is_done_later(response: httpx.Response) -> bool:
    """Whether this is an answer of Pulp: it takes everything on, and does it later (pulp_container 2.30)."""
    return "correlation-id" in response.headers and "x-registry-supports-signatures" in response.headers
