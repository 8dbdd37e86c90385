"""What one repository lists: its tags, and what refers to a manifest (distribution-spec v1.1, end-8, end-12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from imagesync_cli.stores.registry.client import OneRepository
from imagesync_cli.stores.registry.pages import LONGEST_SHOWN, PAGE_SIZES, Answer, NameList, Pages, leave_out
from imagesync_cli.stores.transport.retry import persist
from imagesync_cli.values.digest import is_digest, parse_digest
from imagesync_cli.values.errors import ContentError, Denied, Gone, ImagesyncError, NotFound, Refused, Unavailable
from imagesync_cli.values.manifest import MAX_DESCRIPTORS, OCI_INDEX, Descriptor, parse_manifest
from imagesync_cli.values.names import is_tag


class Lists:
    """The lists of one repository."""

    def __init__(self, repository: OneRepository) -> None:
        self._repository, self._client = repository, repository.client
        self._sizes = list(PAGE_SIZES)
        self._is_denied = False  # who may read the repository may not ask for referrers
        self._has_listed = False  # so there is a Referrers API, whatever it answers later

    async def tags(self, *, sound_only: bool = False, must_exist: bool = False) -> Mapping[str, Descriptor | None]:
        """Every tag, following the pages (end-8b); none where the repository is not known, unless it ``must_exist``.

        Google's registries tell in the same answer what each points at (``size`` is 0 then: it is not told).
        """
        doing = f"listing the tags of {self._repository.name}"
        path, scopes = self._repository.at("tags/list"), self._repository.scopes
        names = NameList(self._client, path, "tags", doing, scopes, _told, sizes=self._sizes)
        try:
            tags = await names.all()
        except Gone:
            if must_exist:
                raise
            return {}
        strange = [tag for tag in tags if not is_tag(tag)]
        if strange and not sound_only:
            raise ContentError(f"{doing}: the registry lists an invalid tag, {strange[0][:LONGEST_SHOWN]!r}")
        leave_out(strange, doing, "tag")
        return {tag: told for tag, told in tags.items() if is_tag(tag)} if strange else tags

    async def referrers(self, digest: str) -> list[Descriptor]:
        """The Referrers API's answer, following the pages (end-12); none where the registry does not have it.

        The descriptors alone: anybody may write as much as he likes beside them.
        """
        doing = f"listing the referrers of {self._repository.name}@{digest}"
        pages = Pages(lambda target: self._referrers_page(target, doing), doing)
        referrers: dict[str, Descriptor] = {}
        if not self._client.lists_referrers or self._is_denied:
            return []
        try:
            async for content in pages.starting_at(f"referrers/{parse_digest(digest)}"):
                for entry in parse_manifest(content, OCI_INDEX, sound_only=True).manifests:
                    referrers[entry.digest] = entry.bare
                if len(referrers) > MAX_DESCRIPTORS:
                    raise ContentError(f"{doing}: more than {MAX_DESCRIPTORS} of them")
        except _NoApi as error:
            # Where there is an API, a refusal is no empty list; some say 404 for that.
            if self._has_listed and not isinstance(error.__cause__, NotFound):
                raise ContentError(f"{doing}: the list ends in the middle") from None
            return []
        return list(referrers.values())

    async def _referrers_page(self, target: str | httpx.URL, doing: str) -> Answer:
        """One page; _NoApi where there is no such API, which is remembered: for the whole registry if that is sure."""

        async def attempt() -> Answer:
            try:
                answer = await self._repository.fetch(target, doing=doing, again=False)
            except Unavailable as error:
                if error.is_elsewhere:  # any web server may be asked to say that there is no such page
                    raise _NoApi from error
                raise
            except (Denied, NotFound, Refused) as error:
                raise _NoApi from error
            if not _is_index(answer):
                raise _NoApi  # any web server may answer 200
            self._has_listed = True
            return answer

        try:
            return await persist(attempt)
        except _NoApi as error:
            # A repository that is not known, or not for us, says nothing of the registry.
            self._client.lists_referrers &= self._has_listed or isinstance(error.__cause__, (Denied, Gone))
            self._is_denied = isinstance(error.__cause__, Denied) and not self._has_listed
            raise


def _is_index(answer: Answer) -> bool:
    """Whether it is a list of referrers, by its type or, where a proxy has put another one there, by its form."""
    response, content = answer
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() == OCI_INDEX:
        return True
    try:
        return parse_manifest(content, sound_only=True).descriptor.is_index
    except ImagesyncError:
        return False


class _NoApi(NotFound):
    """There is no Referrers API, or none that can be asked here."""

    def __init__(self) -> None:
        super().__init__("there is no Referrers API")


def _told(document: Any) -> dict[str, Descriptor]:
    """Google's registries name every manifest beside the tags; whatever else stands there tells nothing."""
    try:
        return {
            tag: Descriptor(str(manifest["mediaType"]), digest, 0)
            for digest, manifest in (document["manifest"] or {}).items()
            for tag in manifest["tag"]
            if is_digest(digest)
        }
    except (AttributeError, KeyError, TypeError):
        return {}
