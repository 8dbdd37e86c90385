"""Who has signed the sources that are to be copied: an answer of its own, since most plans do not need it.

``signed`` says it in words, "" where ``default`` accepts what no rule names; ``refused`` are sentences. Rules that make
no sense, or libraries that are not there, are an answer too: a failed read would block a destroy.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagesync_cli.concurrency import gather, within
from imagesync_cli.look.selection import find_wanted
from imagesync_cli.look.trust.judge import Judge
from imagesync_cli.look.trust.reading import read_trust
from imagesync_cli.output.check import signed_text
from imagesync_cli.values.documents import why_misread
from imagesync_cli.values.errors import ImagesyncError, Refused, Unavailable, UsageError

if TYPE_CHECKING:
    from imagesync_cli.stores import Stores
    from imagesync_cli.terraform.query import Image

_NOBODY = {"signed": "", "refused": []}


async def trusted_answers(
    stores: Stores, asked: dict[str, Image], rules: str, deadline_s: float
) -> dict[str, dict[str, Any]]:
    """The answer for each image, by the rules in a JSON text."""
    try:
        judge = Judge(read_trust(_document(rules), Path()))
    except UsageError as error:
        return {key: _NOBODY | {"refused": [str(error)]} for key in asked}
    answers = await gather(_answer(stores, image, judge, deadline_s) for image in asked.values())
    return dict(zip(asked, answers, strict=True))


async def _answer(stores: Stores, image: Image, judge: Judge, deadline_s: float) -> dict[str, Any]:
    async def judged() -> str:
        store = stores.open(image.reference)
        wanted = await find_wanted(store, image.reference, image.selection)
        return signed_text(await judge.judge(store, image.reference, wanted))

    late = Unavailable(f"no answer within {deadline_s:g} s", hint="see IMAGESYNC_TIMEOUT")
    try:
        return _NOBODY | {"signed": await within(deadline_s, stores.crowd.run(judged), late)}
    except Refused as error:
        return _NOBODY | {"refused": [str(error)]}
    except ImagesyncError as error:  # a rule that could not be checked refuses the image
        return _NOBODY | {"refused": [f"whether trust allows the source {image.reference} is not known: {error}"]}


def _document(rules: str) -> Any:
    try:
        return json.loads(rules)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"trust is not JSON: {why_misread(error)}") from error
