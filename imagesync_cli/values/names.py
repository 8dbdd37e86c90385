"""Names that become a part of a URL or a path, each a value of its own type: what is no such name never gets there.

    repository := component ("/" component)*           component: a-z 0-9, joined by . _ __ or dashes
    tag        := [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127}
    image name := part (separator part)*               part: A-Za-z0-9, separator: one of - . _ : @ / +

The first two are those of a registry (distribution-spec v1.1, "Pulling manifests"). The last is what an entry of
index.json may be called (image-spec v1.1, annotations.md); it is looked up in a layout or an archive, and never sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import NewType, TypeGuard

from imagesync_cli.values.digest import Digest, is_digest
from imagesync_cli.values.errors import UsageError

# Made here, and in reference.py, by functions that look at the text first.
RepositoryName = NewType("RepositoryName", str)
Tag = NewType("Tag", str)
ImageName = NewType("ImageName", str)
_LONGEST_SHOWN = 200
NO_TAG = Tag("")
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
# A media type (RFC 6838, section 4.2), with no parameters: not compiled until one is named.
_MEDIA_TYPE = r"[!#-'*+.0-9A-Z^-z|~-]{1,127}/[!#-'*+.0-9A-Z^-z|~-]{1,127}"
_IMAGE_NAME = r"[A-Za-z0-9]+(?:[-._:@/+]+[A-Za-z0-9]+)*"  # not compiled until an archive is named


def is_repository(text: str) -> TypeGuard[RepositoryName]:
    """Whether this can be a repository of a registry."""
    return _REPOSITORY.fullmatch(text) is not None


def paths_over(paths: Iterable[str]) -> Callable[[str], list[str]]:
    """Which of these paths a name is below.

    A stranger's name may be megabytes of slashes, so no more of it is looked at than paths have lengths.
    """
    wanted = set(paths)
    lengths = {len(path) for path in wanted}

    def over(name: str) -> list[str]:
        ends = [length for length in lengths if not length or name[length : length + 1] == "/"]
        return [path for end in ends if (path := name[:end]) in wanted]

    return over


def names_below(paths: Collection[str], names: Iterable[str]) -> dict[str, list[str]]:
    """The repositories below each path, each of them looked at once, however many paths there are."""
    below: dict[str, list[str]] = {path: [] for path in paths}
    over = paths_over(paths)
    for name in names:
        for path in over(name):
            below[path].append(name)
    return below


def is_tag(text: str) -> TypeGuard[Tag]:
    """Whether this can be a tag."""
    return _TAG.fullmatch(text) is not None


def parse_tag(text: str) -> Tag:
    """Give the tag back unchanged, or raise UsageError."""
    if not is_tag(text):
        raise UsageError(f"{text[:_LONGEST_SHOWN]!r} is not a tag")
    return text


def parse_name(text: str) -> Tag | Digest:
    """What a registry may be asked for, given back unchanged; UsageError for anything else."""
    return text if is_digest(text) else parse_tag(text)


def is_image_name(text: str) -> TypeGuard[ImageName]:
    """Whether an image of a layout or an archive can be called so."""
    return is_tag(text) or re.fullmatch(_IMAGE_NAME, text) is not None


def is_media_type(text: str) -> bool:
    """Whether a type of content or artifacts can be called so."""
    return re.fullmatch(_MEDIA_TYPE, text) is not None


def parse_artifact_type(text: str) -> str:
    """Give the type of an artifact back unchanged, or raise UsageError."""
    if not is_media_type(text):
        hint = "it looks like application/spdx+json"
        raise UsageError(f"{text[:_LONGEST_SHOWN]!r} is not an artifact type", hint=hint)
    return text
