"""What a configuration allows as a source, and what speaks against it in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from imagesync_cli.look.trust.sources import is_among
from imagesync_cli.stores.places import tag_of
from imagesync_cli.values.reference import Reference, as_meant


@dataclass(frozen=True)
class Rules:
    """``allowed_sources`` are patterns; ``require_digest`` says that a source must name its digest."""

    allowed_sources: tuple[str, ...] = ("**",)
    require_digest: bool = False

    def refusals(self, source: Reference, digest: str) -> list[str]:
        """A sentence for each rule that this source breaks; ``digest`` is what it is now."""
        meant, refused = as_meant(source), list[str]()
        if not is_among(source, self.allowed_sources):
            allowed = ", ".join(self.allowed_sources)
            refused.append(f"the source {meant} is not one of allowed_sources, which are {allowed}.")
        if self.require_digest and not source.digest:
            refused.append(f"require_digest wants the source {source} with its digest, like {meant}@{digest}.")
        return refused


def destination_refusals(
    destination: Reference, source: Reference | None, others: list[str], rivals: list[str]
) -> list[str]:
    """What speaks against a destination: it is the source, or that of other entries, by their keys.

    ``others`` are of the same call; ``rivals``, of other calls, have another image for it.
    """
    refused = []
    if source is not None and tag_of(source) == tag_of(destination):
        refused.append(f"its destination {destination} is its source: to remove the entry would remove the source.")
    if others:
        refused.append(f"its destination {destination} is that of {', '.join(others)} as well.")
    if rivals:
        named = ", ".join(rivals)
        refused.append(f"its destination {destination} is that of {named} in another module call, with another image.")
    return refused
