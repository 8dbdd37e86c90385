"""Images that a plan copies although it leaves out their objects: -target names objects, one process copies for all.

With -target that process runs for every entry of its call, and for every instance of a call with ``for_each``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from imagesync_cli.terraform.explain.look import Look, look_at
from imagesync_cli.terraform.explain.reading.members import items, text
from imagesync_cli.terraform.explain.reading.plan import Call, ImageChange, Plan
from imagesync_cli.terraform.explain.reading.stored import Stored, place_of
from imagesync_cli.terraform.explain.sentence import Sentence, say
from imagesync_cli.values.digest import is_digest

# What is done to such an image, beside Terraform's words for objects.
COPY = "copy"


def add_copied(plan: Plan) -> None:
    """Add a change for each image that is copied so; what a rule refuses is not copied, and fails no such plan."""
    for call in plan.calls:
        if call.copies:
            found = list(_copied(call))
            call.changes += found
            call.left_out = [stored for stored in call.left_out if all(each.before is not stored for each in found)]


def _copied(call: Call) -> Iterator[ImageChange]:
    planned = {change.key for change in call.wanted}
    for key, question in call.destination.asked.items():
        digest = text(question, "copy", "digest")
        refused = (items(reading.answer(key), "refused") for reading in (call.source, call.destination, call.trust))
        if key in planned or not is_digest(digest) or any(refused):
            continue
        look, index = look_at(call, key, digest), f"{key}@{digest}"
        if look.held or look.present is None:
            continue
        if look.present == digest and not look.damage and not look.missing_referrers:
            continue
        before, reference = call.prior.get(index), text(question, "reference")
        # Its object may remember another place, and keeps that.
        after = before if before and before.place == place_of(reference) else None
        after = after or Stored(digest, reference, "", "", "", "", call.destination.is_secret, None)
        address = f"{call.module}.terraform_data.image[{json.dumps(index)}]".lstrip(".")
        yield ImageChange(call, key, digest, address, (COPY,), "", before, after)


def why_copied(change: ImageChange, look: Look) -> list[Sentence]:
    """Why this image is copied, where that is no change of its object."""
    if change.actions != (COPY,):
        return []
    is_another = look.present not in ("", change.digest)
    condition = ", if overwrite allows it" if is_another and change.call.overwrite != "always" else ""
    return [say(f"the plan leaves out its object, and copies it all the same{condition}")]
