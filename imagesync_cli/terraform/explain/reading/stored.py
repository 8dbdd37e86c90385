"""What an object of an image remembers in ``input``: where the image is, and what is to become of it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.hosts import one_spelling
from imagesync_cli.values.reference import parse_reference

HIDDEN = "(sensitive)"
_OPTIONS = {"on_replace": "delete", "on_destroy": "delete", "claimant": "", "keep_last": ""}


@dataclass(frozen=True)
class Place:
    """A tag of a repository, all spellings of it alike."""

    repository: str
    tag: str


@dataclass(frozen=True)
class Stored:
    """The input of one object. ``destination`` is "" where it is known only at apply, and hidden if ``is_secret``.

    The policies are "" where the plan does not tell them, and ``keep_last`` is "" also where all old images stay.
    """

    digest: str
    destination: str
    on_replace: str
    on_destroy: str
    claimant: str
    keep_last: str
    is_secret: bool
    command: list[Any] | None  # which is only compared

    @cached_property
    def place(self) -> Place | None:
        """Where the image is; None if that is not known."""
        return place_of(self.destination)

    @property
    def shown(self) -> str:
        """Where the image is, for people."""
        return HIDDEN if self.is_secret else self.destination


def place_of(destination: str) -> Place | None:
    """The tag that a reference names; None for "", and for what is no reference."""
    try:
        reference = parse_reference(destination)
    except UsageError:
        return None
    where, path = reference.location
    return Place(f"{one_spelling(where)}/{path}", reference.tag)


def read_stored(digest: str, values: Any, unknown: Any, sensitive: Any) -> Stored | None:
    """The input in these values of an object; None where they are none of ours."""
    if not isinstance(values, dict):
        return None
    given = values.get("input")
    is_unknown = at(unknown, "input", "destination") is True
    is_secret = at(sensitive, "input", "destination") is True  # where it is left out as well, as HCP Terraform does
    if given is None and (is_unknown or is_secret):
        return Stored(digest, "", "", "", "", "", is_secret, None)
    if isinstance(given, str):
        destination, _, command = given.partition(" removed by: ")
        words: list[Any] = command.split(" ")
    else:
        destination, words = _members(given, digest)
    policy = _policy(words)
    if policy is None or not (isinstance(destination, str) or is_unknown or is_secret):
        return None
    return Stored(
        digest=digest,
        destination=destination if isinstance(destination, str) else "",
        is_secret=is_secret,
        command=words,
        **policy,
    )


def at(marks: Any, *path: str) -> Any:
    """What a document of marks says of a value: a mark of something that holds it counts."""
    for name in path:
        if not isinstance(marks, Mapping):
            return marks
        marks = marks.get(name)
    return marks


def _members(given: Any, digest: str) -> tuple[Any, list[Any]]:
    """What earlier modules left: an object, whose command is one text, or before that a list."""
    if not isinstance(given, Mapping) or given.get("digest") != digest:
        return None, []
    command = given.get("delete_command", given.get("delete"))
    words = command.split(" ") if isinstance(command, str) else command
    return given.get("destination"), words if isinstance(words, list) else []


def _policy(command: list[Any]) -> dict[str, str] | None:
    """The options of ``imagesync delete`` that it will be called with."""
    words = [word if isinstance(word, str) else "" for word in command]
    following = dict(itertools.pairwise(words))
    if not following.get("delete", "").startswith("--"):
        return None
    return {name: following.get(f"--{name.replace('_', '-')}", default) for name, default in _OPTIONS.items()}
