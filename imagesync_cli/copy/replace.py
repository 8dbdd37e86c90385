"""Whether an image may be replaced under its tag, before anything is written."""

from __future__ import annotations

from imagesync_cli.stores import Store
from imagesync_cli.values.digest import parse_digest
from imagesync_cli.values.errors import NotFound, Refused
from imagesync_cli.values.manifest import Descriptor


async def check_replaceable(overwrite: str, here: Store, there: Store, tag: str, before: str) -> None:
    """Raise Refused where the tag holds an image that ``overwrite`` keeps; ``before`` is its digest, "" for none."""
    if not before or overwrite in ("always", before):
        return
    if overwrite == "ours" and await _comes_from(here, there, before):
        return
    why = {
        "never": "overwrite is never, so a tag stays as it is",
        "ours": f"overwrite is ours, and {here.name} does not have that image",
    }.get(overwrite, f"only {overwrite} may be replaced")
    raise Refused(
        f"{there.name}:{tag} has another image already, {before}: {why}",
        hint="remove or rename that tag, use another one, or allow it with overwrite = always",
    )


async def _comes_from(here: Store, there: Store, digest: str) -> bool:
    """Whether the source's repository has this image, or for an index of chosen platforms all that it lists."""
    if await here.has_manifest(Descriptor("", parse_digest(digest), 0)):
        return True
    try:
        children = (await there.manifest(digest)).manifests
    except NotFound:
        return False
    for child in children:
        if not await here.has_manifest(child):
            return False
    return bool(children)
