"""Other names for tags at the destination: ``{tag}-mirror`` makes 1.27-mirror of 1.27."""

from __future__ import annotations

from imagesync_cli.values.digest import subject_of_tag
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.names import Tag, is_tag

_FIELD = "{tag}"


def parse_rename(text: str) -> str:
    """A template that has {tag} once, given back unchanged; UsageError for anything else."""
    if text.count(_FIELD) != 1 or text.count("{") != 1 or not is_tag(text.replace(_FIELD, "x")):
        raise UsageError(f"as {text!r} is not a template", hint="it is a tag with {tag} in it, once: {tag}-mirror")
    return text


def renamed(template: str, tag: str) -> Tag:
    """What the template makes of a tag; UsageError if that is none, or belongs to signatures and lists of referrers."""
    made = template.replace(_FIELD, tag)
    if not is_tag(made):
        raise UsageError(f"as makes {made!r} of the tag {tag}, which is not a valid tag", hint="use a shorter one")
    if subject_of_tag(made):
        raise UsageError(f"as makes {made!r} of the tag {tag}, which is a name for referrers")
    return made
