"""Pulp: a tag is removed from a repository, which the distribution at this path serves; both by Pulp's REST API.

pulp_container 2.30, app/viewsets.py (``untag``); pulpproject.org/pulp_container/docs, "REST API".
Every removal is a task that is done later: 202 says that it was taken on.
"""

from __future__ import annotations

import json
import re

from imagesync_cli.stores.registry.hosts.host_api import HostApi
from imagesync_cli.stores.store import Untagged
from imagesync_cli.values.errors import ContentError, Refused

_DISTRIBUTIONS = "/pulp/api/v3/distributions/container/container/"
_REPOSITORY = re.compile(r"/pulp/(?:[A-Za-z0-9_-]+/)+repositories/container/container(?:-push)?/[0-9a-f-]{36}/")


async def untag(api: HostApi, tag: str, _: str) -> Untagged:
    """Remove the tag, wherever it points by now: no condition is offered here."""
    doing = f"removing the tag {api.name}:{tag} by Pulp's API"
    login = (await api.login()).basic
    distributions = await api.ask("GET", f"{_DISTRIBUTIONS}?base_path={api.repository}", doing=doing, login=login)
    try:
        (distribution,) = distributions["results"]
        serves_it = distribution["base_path"] == api.repository  # a filter that is not known may be passed over
        repository = _REPOSITORY.fullmatch(distribution["repository"]) if serves_it else None
    except (KeyError, TypeError, ValueError):
        repository = None
    if repository is None:
        raise ContentError(f"{doing}: the answer does not name one repository")
    content = json.dumps({"tag": tag}).encode()
    answer = await api.ask(
        "POST", f"{repository[0]}untag/", doing=doing, login=login, accept=(202, 400), content=content
    )
    if isinstance(answer, dict) and "task" in answer:
        return Untagged.DONE
    if isinstance(answer, dict) and f"The tag '{tag}' does not exist" in str(answer.get("non_field_errors")):
        return Untagged.ABSENT
    raise Refused(f"{doing}: the registry answers 400")
