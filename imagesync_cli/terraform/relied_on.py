"""What a call of a module relies on, claimed before it is looked at: no removal of the same run takes it meanwhile.

A plan must not fail where nothing can be written: the apply, which does claim, says so.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagesync_cli.concurrency import within
from imagesync_cli.stores.files.runs.claimed import Claim, claim_of
from imagesync_cli.stores.files.runs.claims import Claims
from imagesync_cli.values.errors import ImagesyncError, Unavailable
from imagesync_cli.values.manifest import Descriptor
from imagesync_cli.values.tags.replacing import names_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imagesync_cli.stores.files.runs.seen import Seen
    from imagesync_cli.terraform.query import Query


async def claim_wanted(query: Query, run_folder: Path, deadline_s: float) -> dict[str, list[str]]:
    """Claim what is to be at each destination, and wait for removals there that have begun: Unavailable after so long.

    Gives the entries of other calls that want another image at the same destination, by the keys of ours.
    """
    claims, wanted = Claims(run_folder), _wanted(query)
    intents = {key: image.intent for key, image in query.sound.items() if image.intent}
    named = names_of([each.source for each in intents.values()] + [image.reference for image in query.sound.values()])
    sources = {key: claim_of(each.source, each.selection.digest) for key, each in intents.items()}
    late = Unavailable(
        f"a removal from a repository of these images has not ended within {deadline_s:g} s",
        hint="try again when it has, or see IMAGESYNC_TIMEOUT",
    )
    try:
        is_all = len(wanted) == len(query.asked)
        claims.claim(query.call, query.run, wanted, named, sources, complete=is_all, workspace=query.workspace)
        await within(deadline_s, claims.wait_for_removals(claim.repository for claim in wanted.values()), late)
        return claims.read(query.run, query.workspace).rivals(query.call, query.run, wanted)
    except ImagesyncError as error:
        if error is late:  # what it is about to remove is there still
            raise
        return {}


def _wanted(query: Query) -> dict[str, Claim]:
    return {
        key: claim_of(image.reference, image.intent.digest)
        for key, image in query.sound.items()
        if image.intent and image.intent.digest
    }


def note_seen(seen: Seen, query: Query, described: Mapping[str, Mapping[str, Any]]) -> None:
    """Note what has been found as it is wanted: a destroy that follows at once does not ask for it again."""
    wanted = {claim: described[key] for key, claim in _wanted(query).items()}
    sound = {claim: there for claim, there in wanted.items() if there["digest"] == claim.digest}
    images = {claim: Descriptor(at["media_type"], at["digest"], at["size"]) for claim, at in sound.items()}
    seen.note(query.call, images)


def claim_found(query: Query, run_folder: Path, digests: Mapping[str, str]) -> None:
    """Claim what the destinations have for images whose sources told nothing: it may be gone on with."""
    unknown = {
        key: image for key, image in query.sound.items() if digests[key] and not (image.intent and image.intent.digest)
    }
    if unknown:
        claims = {key: claim_of(image.reference, digests[key]) for key, image in unknown.items()}
        with contextlib.suppress(ImagesyncError):
            Claims(run_folder).claim(query.call, query.run, claims, (), complete=False, workspace=query.workspace)
