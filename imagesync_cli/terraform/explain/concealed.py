"""Values that a plan marks as sensitive: they are not shown, wherever else they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from imagesync_cli.terraform.explain.changes import Change, Old
from imagesync_cli.terraform.explain.consumers import texts_in
from imagesync_cli.terraform.explain.reading.members import member, text
from imagesync_cli.terraform.explain.reading.plan import Plan
from imagesync_cli.terraform.explain.reading.stored import HIDDEN

# What is shorter stands in words by chance.
_SHORTEST = 4


class Concealing:
    """Takes the sensitive values of one plan out of what is said of it."""

    def __init__(self, plan: Plan) -> None:
        secrets = {secret for secret in _secrets(plan) if len(secret) >= _SHORTEST}
        self._secrets = sorted(secrets, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without them."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def change(self, change: Change) -> Change:
        """The change without them: what is quoted, not what is our own."""
        if not self._secrets:
            return change
        return replace(
            change,
            key=self.text(change.key),
            destination=self.text(change.destination),
            why=[sentence.mapped(self.text) for sentence in change.why],
            source=self.text(change.source),
            copy=replace(change.copy, error=self.text(change.copy.error)),
            signed=self.text(change.signed),
            old=[
                Old(replace(old.outcome, why=old.outcome.why.mapped(self.text)), old.digest, self.text(old.destination))
                for old in change.old
            ],
        )


def _secrets(plan: Plan) -> Iterator[str]:
    declared, given = plan.variables
    for name, variable in declared.items():
        if isinstance(variable, dict) and variable.get("sensitive") is True:
            yield from texts_in(member(given, name, "value"))
            yield from texts_in(variable.get("default"))
    for call in plan.calls:
        for change in call.changes:
            sides = (stored for stored in (change.before, change.after) if stored is not None and stored.is_secret)
            yield from (_without_key(stored.destination, change.key) for stored in sides)
        yield from (stored.destination for stored in call.left_out if stored.is_secret)
        for reading in (call.source, call.destination):
            if reading.is_secret:
                yield from (_without_key(text(asked, "reference"), key) for key, asked in reading.asked.items())


def _without_key(destination: str, key: str) -> str:
    """The prefix, which hides every place in it; keys are no secret. The whole where there is none."""
    return destination.removesuffix(key).rstrip("/") or destination
