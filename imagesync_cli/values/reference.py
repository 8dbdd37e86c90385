"""References: text that names an image, in a registry, in an OCI image layout folder or in an archive file.

    registry  := ["docker://"] [host "/"] path [":" tag] ["@" digest]
    host      := (name | "[" IPv6 "]") [":" port]      contains "." or ":", or is localhost, or has upper case
    path, tag := see names.py
    layout    := "oci:" folder [":" tag] ["@" digest]    a colon in the folder's last part takes a "/" at its end
    archive   := "oci-archive:" file [":" name] ["@" digest]
               | "docker-archive:" file [":" (image | "@" number)] ["@" digest]
    name      := an image name, see names.py
    image     := path with or without host, [":" tag]  as in RepoTags

An archive's file ends at the first colon, as skopeo has it; a drive letter's colon does not count.

Docker's shorthands hold: no host means docker.io, and a one-word path there means library/PATH; no tag and no
digest means latest. The grammar is that of github.com/distribution/reference. Nothing here touches the network
or the disk.
"""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import TypeVar

from imagesync_cli.values.digest import ALGORITHMS, NO_DIGEST, Digest, is_digest, parse_digest
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.hosts import DOCKER_HUB, SCHEMES, is_host, registry_of, without_login
from imagesync_cli.values.names import (
    NO_TAG,
    ImageName,
    RepositoryName,
    Tag,
    is_image_name,
    is_repository,
    is_tag,
    parse_tag,
)

_LATEST = Tag("latest")
_T = TypeVar("_T", bound="_Reference")
_LONGEST_SHOWN = 500
OCI_ARCHIVE, DOCKER_ARCHIVE = FORMS = ("oci-archive", "docker-archive")
# Not compiled until an archive, or an image's id, is named.
_NUMBER = r"@[0-9]{1,9}"
_DRIVE = r"[A-Za-z]:[\\/]"
_IMAGE_ID = r"[0-9a-f]{64}"
_LONGEST = 8192  # no host, repository, tag or path needs as much
_FOLDER_WITH_COLON = "a reference looks like oci:folder:1.2; for a folder whose name has a colon, end it with /"
_DEEPEST = 256
_EXAMPLE = "a reference looks like registry.example.com/team/app:1.2 or oci:folder:1.2"


class _Reference:
    """What the three have in common. ``tag`` and ``digest`` may be empty."""

    __slots__ = ()

    tag: Tag | ImageName
    digest: Digest

    @property
    @abstractmethod
    def name(self) -> str:
        """Where the image lives, without tag and digest."""

    @property
    def wanted(self) -> str:
        """What to ask for: the digest if there is one, else the tag, else "" for a layout's only image."""
        return self.digest or self.tag

    @property
    def meant_tag(self) -> Tag | ImageName:
        """The tag, latest where there is none: what is written goes under it."""
        return self.tag or _LATEST

    def at(self: _T, *, tag: str = "", digest: str = "") -> _T:
        """The same repository, folder or file under another tag or digest; UsageError for what is none."""
        return replace(  # type: ignore[type-var]  # each is a dataclass
            self, tag=parse_tag(tag) if tag else NO_TAG, digest=parse_digest(digest) if digest else NO_DIGEST
        )

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}{'@' if self.digest else ''}{self.digest}"


@dataclass(frozen=True, slots=True)
class RegistryReference(_Reference):
    """An image in a registry; ``host`` is as the user spelled it, ``tag`` or ``digest`` is never both empty."""

    host: str
    repository: RepositoryName
    tag: Tag = NO_TAG
    digest: Digest = NO_DIGEST

    @property
    def registry(self) -> str:
        """The registry meant by the host: Docker Hub's aliases are one."""
        return registry_of(self.host)

    @property
    def name(self) -> str:
        return f"{self.host}/{self.repository}"

    @property
    def location(self) -> tuple[str, str]:
        """Equal for two references into the same repository, however they are spelled."""
        return self.registry, self.repository


class _OnDisk(_Reference):
    """What a ``path`` of this machine leads to; ``form`` is what stands before it."""

    form: str
    path: str

    @property
    def name(self) -> str:
        return f"{self.form}:{self.path}"

    @property
    def location(self) -> tuple[str, str]:
        """Equal for two references into the same folder or file, as far as their spelling tells."""
        return self.form, os.path.abspath(self.path)  # noqa: PTH100  (a Path would not take out "..")


@dataclass(frozen=True)
class LayoutReference(_OnDisk):
    """An image in an OCI image layout folder; without tag and digest it is the folder's only image."""

    path: str
    tag: Tag = NO_TAG
    digest: Digest = NO_DIGEST
    form: str = field(default="oci", init=False)


@dataclass(frozen=True)
class ArchiveReference(_OnDisk):
    """An image in a tar file; without tag and digest it is the file's only image.

    ``form`` is one of FORMS. ``tag`` is a name in index.json, or for docker-archive an image's name with its tag, as
    the user spelled it, or "@" and its number.
    """

    form: str
    path: str
    tag: Tag | ImageName = NO_TAG
    digest: Digest = NO_DIGEST


Reference = RegistryReference | LayoutReference | ArchiveReference


def parse_reference(text: str) -> Reference:
    """Read a reference, or raise UsageError that names the part which is wrong."""
    if len(text) > _LONGEST:
        raise _wrong(text, f"it is longer than {_LONGEST} characters")
    if text.count("/") > _DEEPEST:  # Python makes a folder's parents by recursion
        raise _wrong(text, f"it is nested more than {_DEEPEST} deep")
    if text.startswith(SCHEMES) and not text.startswith("oci:///"):
        _, _, meant = text.partition("://")
        raise _wrong(text, "is an address of the web", hint=f"leave the scheme out: {meant[:_LONGEST_SHOWN]}")
    if text.startswith("oci:"):
        return _parse_layout(text)
    form, colon, rest = text.partition(":")
    if colon and form in FORMS:
        return _parse_archive(text, form, rest)
    return _parse_registry(text, text)


def _parse_layout(text: str) -> LayoutReference:
    rest, digest = _split_digest(_last_at(text.removeprefix("oci:")), text)
    folder, colon, tag = rest.rpartition(":")
    if not colon or any(separator in tag for separator in "/\\"):  # the colon is one of the folder's name
        folder, tag = rest, ""
    elif folder and not is_tag(tag):  # not a folder of that name: a shell's empty $TAG would write to "mirror:"
        raise _wrong(text, f"{tag!r} is not a tag", hint=_FOLDER_WITH_COLON)
    if not folder or not _is_path(folder):
        raise _wrong(text, "names no folder")
    return LayoutReference(folder, parse_tag(tag) if tag else NO_TAG, digest)


def _parse_archive(text: str, form: str, rest: str) -> ArchiveReference:
    rest, digest = _split_digest(_last_at(rest), text)
    drive = 2 if re.match(_DRIVE, rest) else 0
    file, colon, tag = rest[drive:].partition(":")
    if not file or not _is_path(file):
        raise _wrong(text, "names no file")
    named = _archived(tag, form, text) if colon else NO_TAG
    return ArchiveReference(form, rest[:drive] + file, named, digest)


def _archived(name: str, form: str, text: str) -> Tag | ImageName:
    if form == DOCKER_ARCHIVE:
        if not re.fullmatch(_NUMBER, name):
            _parse_registry(name, text)
        return ImageName(name)
    if not is_image_name(name):
        raise _wrong(text, f"{name!r} is not a tag")
    return name


def as_meant(reference: Reference) -> str:
    """The reference whole, under the registry's own name: two spellings of one image give the same."""
    return str(replace(reference, host=reference.registry) if isinstance(reference, RegistryReference) else reference)


def normal_name(text: str) -> str:
    """An image's name as Docker means it, host and tag included; two spellings of one name give the same."""
    meant = _parse_registry(text, text)
    return f"{meant.registry}/{meant.repository}:{meant.tag}"


def _is_path(folder: str) -> bool:
    """Whether a file system could have it: no NUL, nothing that it has no bytes for."""
    try:
        return b"\0" not in os.fsencode(folder)
    except UnicodeEncodeError:
        return False


def _parse_registry(name: str, text: str) -> RegistryReference:
    rest, digest = _split_digest(name.removeprefix("docker://").partition("@"), text)
    host, path = _split_host(rest)
    path, colon, tag = path.partition(":")
    named = NO_TAG if digest else _LATEST
    if colon:
        if not is_tag(tag):
            raise _wrong(text, f"{tag!r} is not a tag")
        named = tag
    if not is_host(host):
        raise _wrong(text, f"{host!r} is not a host")
    if registry_of(host) == DOCKER_HUB and path and "/" not in path:
        path = f"library/{path}"
    return RegistryReference(host, _repository(path, text), named, digest)


def _split_digest(parts: tuple[str, str, str], text: str) -> tuple[str, Digest]:
    name, at, digest = parts
    if not at:
        return name, NO_DIGEST
    if not is_digest(digest):
        raise _wrong(text, f"{digest!r} is not a digest")
    return name, digest


def _last_at(rest: str) -> tuple[str, str, str]:
    # A folder's name may hold an @: only what follows the last one and begins like a digest is meant as one.
    name, at, digest = rest.rpartition("@")
    return (name, at, digest) if digest.partition(":")[0] in ALGORITHMS else (rest, "", "")


def _split_host(rest: str) -> tuple[str, str]:
    # Docker's rule: the first part is a host only if it could not be a path component.
    first, slash, path = rest.partition("/")
    if slash and (any(c in first for c in ".:") or first == "localhost" or first != first.lower()):
        return first, path
    return DOCKER_HUB, rest


def _repository(path: str, text: str) -> RepositoryName:
    if re.fullmatch(_IMAGE_ID, text):
        raise _wrong(text, "is the id of a local image, not a name")
    if is_repository(path):
        if len(path) > 255:
            raise _wrong(text, "its repository is longer than 255 characters")
        return path
    if path != path.lower() and is_repository(path.lower()):
        raise _wrong(text, f"repository {path!r} must be lower case")
    raise _wrong(text, f"{path!r} is not a repository" if path else "names no repository")


def _wrong(text: str, why: str, hint: str = _EXAMPLE) -> UsageError:
    text = without_login(text) if "/" in text.rpartition("@")[2] else text
    shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return UsageError(f"reference {shown!r}: {why[: 2 * _LONGEST_SHOWN]}", hint=hint)
