"""References: text that names an image, in a registry, in an OCI image layout folder or in an archive file.

    registry  := ["docker://"] [host "/"] path [":" tag] ["@" digest]
    host      := (name | "[" IPv6 "]") [":" port]      contains "." or ":", or is localhost, or has upper case
    path      := component ("/" component)*            component: a-z 0-9, joined by . _ __ or dashes
    tag       := [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127}
    layout    := "oci:" folder [":" tag] ["@" digest]
    archive   := "oci-archive:" file [":" name] ["@" digest]
               | "docker-archive:" file [":" (image | "@" number)] ["@" digest]
    name      := part (separator part)*                part: A-Za-z0-9, separator: one of - . _ : @ / +
    image     := path with or without host, [":" tag]  as in RepoTags

An archive's file ends at the first colon, as skopeo has it; a drive letter's colon does not count.

Docker's shorthands hold: no host means docker.io, and a one-word path there means library/PATH; no tag and no
digest means latest. The grammar is that of github.com/distribution/reference. Nothing here touches the network
or the disk.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, replace

from imagesync_cli.values.digest import ALGORITHMS, is_digest
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.hosts import DOCKER_HUB, registry_of

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_LONGEST_SHOWN = 500
OCI_ARCHIVE, DOCKER_ARCHIVE = FORMS = ("oci-archive", "docker-archive")
# Not compiled until an archive, or an image's id, is named.
_NAME = r"[A-Za-z0-9]+(?:[-._:@/+]+[A-Za-z0-9]+)*"  # what an entry of index.json may be called
_NUMBER = r"@[0-9]{1,9}"
_DRIVE = r"[A-Za-z]:[\\/]"
_IMAGE_ID = r"[0-9a-f]{64}"
_LONGEST = 8192  # no host, repository, tag or path needs as much
_EXAMPLE = "a reference looks like registry.example.com/team/app:1.2 or oci:folder:1.2"


@dataclass(frozen=True)
class RegistryReference:
    """An image in a registry; ``host`` is as the user spelled it, ``tag`` or ``digest`` is never both empty."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def registry(self) -> str:
        """The registry meant by the host: Docker Hub's aliases are one."""
        return registry_of(self.host)

    @property
    def name(self) -> str:
        """Where the image lives, without tag and digest."""
        return f"{self.host}/{self.repository}"

    @property
    def location(self) -> tuple[str, str]:
        """Equal for two references into the same repository, however they are spelled."""
        return self.registry, self.repository

    @property
    def wanted(self) -> str:
        """What to ask the registry for: the digest if there is one, else the tag."""
        return self.digest or self.tag

    def at(self, *, tag: str = "", digest: str = "") -> RegistryReference:
        """The same repository under another tag or digest."""
        return replace(self, tag=tag, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}{'@' if self.digest else ''}{self.digest}"


@dataclass(frozen=True)
class LayoutReference:
    """An image in an OCI image layout folder; without tag and digest it is the folder's only image."""

    folder: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """Where the image lives, without tag and digest."""
        return f"oci:{self.folder}"

    @property
    def location(self) -> tuple[str, str]:
        """Equal for two references into the same folder, as far as their spelling tells."""
        return "oci", os.path.abspath(self.folder)  # noqa: PTH100  (a Path would not take out "..")

    @property
    def wanted(self) -> str:
        """What to look for: the digest if there is one, else the tag, else "" for the only image."""
        return self.digest or self.tag

    def at(self, *, tag: str = "", digest: str = "") -> LayoutReference:
        """The same folder under another tag or digest."""
        return replace(self, tag=tag, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}{'@' if self.digest else ''}{self.digest}"


@dataclass(frozen=True)
class ArchiveReference:
    """An image in a tar file; without tag and digest it is the file's only image.

    ``form`` is one of FORMS. ``tag`` is a name in index.json, or for docker-archive an image's name with its tag, as
    the user spelled it, or "@" and its number.
    """

    form: str
    file: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """Where the image lives, without tag and digest."""
        return f"{self.form}:{self.file}"

    @property
    def location(self) -> tuple[str, str]:
        """Equal for two references into the same file, as far as their spelling tells."""
        return self.form, os.path.abspath(self.file)  # noqa: PTH100  (a Path would not take out "..")

    @property
    def wanted(self) -> str:
        """What to look for: the digest if there is one, else the tag, else "" for the only image."""
        return self.digest or self.tag

    def at(self, *, tag: str = "", digest: str = "") -> ArchiveReference:
        """The same file under another tag or digest."""
        return replace(self, tag=tag, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}{'@' if self.digest else ''}{self.digest}"


Reference = RegistryReference | LayoutReference | ArchiveReference


def parse_reference(text: str) -> Reference:
    """Read a reference, or raise UsageError that names the part which is wrong."""
    if len(text) > _LONGEST:
        raise _wrong(text, f"it is longer than {_LONGEST} characters")
    if text.startswith("oci:"):
        return _parse_layout(text)
    form, colon, rest = text.partition(":")
    if colon and form in FORMS:
        return _parse_archive(text, form, rest)
    return _parse_registry(text, text)


def _parse_layout(text: str) -> LayoutReference:
    rest, digest = _split_digest(text.removeprefix("oci:"), text)
    folder, colon, tag = rest.rpartition(":")
    if not colon or not _TAG.fullmatch(tag):
        folder, tag = rest, ""
    if not folder or not _is_path(folder):
        raise _wrong(text, "names no folder")
    return LayoutReference(folder, tag, digest)


def _parse_archive(text: str, form: str, rest: str) -> ArchiveReference:
    rest, at, digest = _last_at(rest)
    if at and not is_digest(digest):
        raise _wrong(text, f"{digest!r} is not a digest")
    drive = 2 if re.match(_DRIVE, rest) else 0
    file, colon, tag = rest[drive:].partition(":")
    if not file or not _is_path(file):
        raise _wrong(text, "names no file")
    if colon and form == OCI_ARCHIVE and not (re.fullmatch(_NAME, tag) or _TAG.fullmatch(tag)):
        raise _wrong(text, f"{tag!r} is not a tag")
    if colon and form == DOCKER_ARCHIVE and not re.fullmatch(_NUMBER, tag):
        _parse_registry(tag, text)
    return ArchiveReference(form, rest[:drive] + file, tag, digest)


def as_meant(reference: Reference) -> str:
    """The reference whole, under the registry's own name: two spellings of one image give the same."""
    if isinstance(reference, RegistryReference):
        return str(replace(reference, host=reference.registry))
    return str(reference)


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
    rest, digest = _split_digest(name.removeprefix("docker://"), text)
    host, path = _split_host(rest)
    path, colon, tag = path.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise _wrong(text, f"{tag!r} is not a tag")
    if not _HOST.fullmatch(host):
        raise _wrong(text, f"{host!r} is not a host")
    if registry_of(host) == DOCKER_HUB and path and "/" not in path:
        path = f"library/{path}"
    _check_path(text, path)
    if not digest and not tag:
        tag = "latest"
    return RegistryReference(host, path, tag, digest)


def _split_digest(rest: str, text: str) -> tuple[str, str]:
    name, at, digest = rest.partition("@") if not text.startswith("oci:") else _last_at(rest)
    if at and not is_digest(digest):
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


def _check_path(text: str, path: str) -> None:
    if re.fullmatch(_IMAGE_ID, text):
        raise _wrong(text, "is the id of a local image, not a name")
    if _PATH.fullmatch(path):
        if len(path) > 255:
            raise _wrong(text, "its repository is longer than 255 characters")
        return
    if path != path.lower() and _PATH.fullmatch(path.lower()):
        raise _wrong(text, f"repository {path!r} must be lower case")
    raise _wrong(text, f"{path!r} is not a repository" if path else "names no repository")


def _wrong(text: str, why: str) -> UsageError:
    shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return UsageError(f"reference {shown!r}: {why[: 2 * _LONGEST_SHOWN]}", hint=_EXAMPLE)


def is_tag(text: str) -> bool:
    """Whether this can be a tag."""
    return _TAG.fullmatch(text) is not None


def is_loopback(host: str) -> bool:
    """Whether ``host[:port]`` is this machine itself: such registries speak plain HTTP."""
    name = host_name(host).removesuffix(".")
    if is_address(name):
        return ipaddress.ip_address(name).is_loopback
    return name == "localhost" or name.endswith(".localhost")


def is_address(name: str) -> bool:
    """Whether this is an IP address, without port and brackets."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def host_name(host: str) -> str:
    """The name or address in ``host[:port]``, without brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
