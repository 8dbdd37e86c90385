"""GitHub's container registry: a manifest is a package version, deleted with every tag on it.

docs.github.com/rest/packages: List package versions, Get a package version, Delete package version; for an
organization, and where there is none of that name for a user. GitHub does not ask whether an index needs the version.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from datetime import datetime
from typing import Any
from urllib.parse import quote

from imagesync_cli.stores.registry.hosts.host_api import HostApi, member
from imagesync_cli.values.errors import ContentError, Denied, NotFound, Refused
from imagesync_cli.values.manifest import MANIFEST_TYPES
from imagesync_cli.values.secret import Secret
from imagesync_cli.values.times import parse_time

_A_PAGE = 100
_NEEDS = "the token needs read:packages and delete:packages, and the role admin on the package"
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


async def delete(api: HostApi, digest: str, tags: Collection[str]) -> str:
    """Delete the version of this digest unless it has other tags than these; "" or the reason why it stays."""
    doing = f"deleting {api.name}@{digest} by GitHub's API"
    login = Secret(f"Bearer {(await api.login()).password.reveal()}")
    versions, version = await _version(api, digest, login, doing)
    number = version.get("id") if version else 0
    if not isinstance(number, int):
        raise ContentError(f"{doing}: the answer names a version without a number")
    try:
        if version is not None:
            return await _delete(api, f"{versions}/{number}", tags, login, doing)
    except NotFound:
        pass  # it went meanwhile, or so GitHub says
    # Who may not see a package is told that there is none, although the registry gives him the image.
    try:
        await api.send("HEAD", f"manifests/{digest}", doing=doing, headers={"Accept": ", ".join(MANIFEST_TYPES)})
    except NotFound:
        return ""
    return f"GitHub's API knows no such package version: {_NEEDS}"


async def pushed_at(api: HostApi, _: str, digest: str) -> datetime | None:
    """When the version of this digest was made, which is when it was pushed; None where there is none."""
    doing = f"asking when {api.name}@{digest} was pushed"
    login = Secret(f"Bearer {(await api.login()).password.reveal()}")
    _, version = await _version(api, digest, login, doing)
    return parse_time(member(version, "created_at"))


async def _version(api: HostApi, digest: str, login: Secret, doing: str) -> tuple[str, dict[str, Any] | None]:
    """Where the versions of the package are, of an organization or else of a user; and the one of this digest."""
    owner, _, package = api.repository.partition("/")
    for kind in ("orgs", "users"):
        path = f"/{kind}/{owner}/packages/container/{quote(package, safe='')}/versions"
        with contextlib.suppress(NotFound):
            async for page in api.pages(f"{path}?per_page={_A_PAGE}", doing=doing, login=login, headers=_HEADERS):
                if not isinstance(page, list) or not all(isinstance(version, dict) for version in page):
                    raise ContentError(f"{doing}: the answer is not a list of versions")
                for version in page:
                    if version.get("name") == digest:
                        return path, version
            break
    return "", None


async def _delete(api: HostApi, path: str, tags: Collection[str], login: Secret, doing: str) -> str:
    # Asked again, alone: the list may be pages and seconds old.
    version = await api.ask("GET", path, doing=doing, login=login, headers=_HEADERS)
    try:
        its_tags = [str(tag) for tag in version["metadata"]["container"]["tags"]]
    except (KeyError, TypeError) as error:
        raise ContentError(f"{doing}: the answer names no tags") from error
    if others := sorted({*its_tags} - {*tags}):
        return f"its package version has the tags {', '.join(others)}"
    try:
        await api.ask("DELETE", path, doing=doing, login=login, accept=(204,), headers=_HEADERS)
    except Denied as error:
        error.hint = _NEEDS
        raise
    except Refused as error:
        return error.message  # such as: the last tagged version, or more than 5,000 downloads
    return ""
