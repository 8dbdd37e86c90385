"""A Terraform state: resources with source, destination and an id NAME@DIGEST, as providers that mirror images have."""

from __future__ import annotations

import re

from imagesync_cli.batch.adopt.adopted import Adopted
from imagesync_cli.batch.adopt.section import Section, items_of, text_of

_ID = re.compile(r"(.+)@(sha256:[0-9a-f]{64})")
_TAKEN = {"id", "source", "destination", "source_digest", "digest"}


def is_state(top: Section) -> bool:
    """Whether it has the keys that a state always has."""
    return "terraform_version" in top.nodes or {"resources", "lineage"} <= top.nodes.keys()


def state(top: Section, adopted: Adopted) -> None:
    """Every image that a resource mirrors; what else is said of it is noted."""
    for resource in top.sections("resources"):
        name = f"{resource.text('type')}.{resource.text('name')}"
        if resource.text("mode") == "data":
            continue
        attributes = [instance.section("attributes") for instance in resource.sections("instances")]
        mirrored = [image for image in attributes if _ID.fullmatch(image.text("id"))]
        mirrored = [image for image in mirrored if image.text("source") and image.text("destination")]
        if not mirrored:
            adopted.note(resource.line, f"{name} mirrors no image")
        for image in mirrored:
            adopted.add(image.line, image.text("source"), image.text("destination"))
            others = ((key, node) for key, node in image.nodes.items() if key not in _TAKEN)
            if extra := sorted(key for key, node in others if text_of(node) or Section(node).nodes or items_of(node)):
                adopted.note(image.line, f"{name}: {', '.join(extra)} left out")
