"""References: what is understood, what is refused and why, and what an id shows of them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagesync_cli.values.digest import Digest, parse_digest
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.hosts import is_loopback
from imagesync_cli.values.names import ImageName, RepositoryName, Tag
from imagesync_cli.values.reference import (
    ArchiveReference,
    LayoutReference,
    RegistryReference,
    parse_reference,
)

DIGEST = parse_digest(f"sha256:{'a' * 64}")


def registry(host: str, repository: str, tag: str = "", digest: str = "") -> RegistryReference:
    return RegistryReference(host, RepositoryName(repository), Tag(tag), Digest(digest))


def layout(folder: str, tag: str = "", digest: str = "") -> LayoutReference:
    return LayoutReference(folder, Tag(tag), Digest(digest))


def archive(form: str, file: str, tag: str = "", digest: str = "") -> ArchiveReference:
    return ArchiveReference(form, file, ImageName(tag), Digest(digest))


ACCEPTED = {
    "busybox": registry("docker.io", "library/busybox", "latest"),
    "busybox:1.35": registry("docker.io", "library/busybox", "1.35"),
    "team/app": registry("docker.io", "team/app", "latest"),
    "docker.io/busybox": registry("docker.io", "library/busybox", "latest"),
    "Docker.IO/busybox": registry("Docker.IO", "library/busybox", "latest"),
    "index.docker.io/busybox:1": registry("index.docker.io", "library/busybox", "1"),
    "registry.hub.docker.com/library/busybox:1": registry("registry.hub.docker.com", "library/busybox", "1"),
    "docker://ghcr.io/o/app:1": registry("ghcr.io", "o/app", "1"),
    "localhost/app:1": registry("localhost", "app", "1"),
    "localhost:5000/a": registry("localhost:5000", "a", "latest"),
    "localhost:5000": registry("docker.io", "library/localhost", "5000"),
    "[::1]:5000/a/b:1": registry("[::1]:5000", "a/b", "1"),
    "Registry/app:1": registry("Registry", "app", "1"),
    "registry.example.com:8443/a/b_c/d__e/f-g/h.i:T_1.x-y": registry(
        "registry.example.com:8443", "a/b_c/d__e/f-g/h.i", "T_1.x-y"
    ),
    f"host.example/a@{DIGEST}": registry("host.example", "a", "", DIGEST),
    f"host.example/a:1@{DIGEST}": registry("host.example", "a", "1", DIGEST),
    f"host.example/a@sha512:{'0' * 128}": registry("host.example", "a", "", f"sha512:{'0' * 128}"),
    f"host.example/a:{'t' * 128}": registry("host.example", "a", "t" * 128),
    f"host.example/{'a' * 255}": registry("host.example", "a" * 255, "latest"),
    "oci:images": layout("images"),
    "oci:images:1.0": layout("images", "1.0"),
    "oci:/srv/a:b/images:1.0": layout("/srv/a:b/images", "1.0"),
    "oci:/srv/a:b/images": layout("/srv/a:b/images"),
    "oci:///srv/images:1.0": layout("///srv/images", "1.0"),
    "oci:a:/": layout("a:/"),
    "oci:a:b c/": layout("a:b c/"),
    "oci:user@host:1.0": layout("user@host", "1.0"),
    "oci:user@host/images": layout("user@host/images"),
    "oci:C:\\images:1.0": layout("C:\\images", "1.0"),
    "oci:C:\\images": layout("C:\\images"),
    f"oci:images@{DIGEST}": layout("images", "", DIGEST),
    f"oci:a@b:1.0@{DIGEST}": layout("a@b", "1.0", DIGEST),
}

REFUSED = {
    "": "names no repository",
    "host.example/": "names no repository",
    "host.example:5000/": "names no repository",
    ":1.0": "names no repository",
    "http://host.example/a": "is an address of the web",
    "https://host.example/a:1": "is an address of the web",
    "oci://host.example/a:1": "is an address of the web",
    "host.example/A/b": "must be lower case",
    "BusyBox": "must be lower case",
    "host.example/a//b": "not a repository",
    "host.example/a b": "not a repository",
    "host.example/../b": "not a repository",
    "host.example/a___b": "not a repository",
    "host.example/-a": "not a repository",
    "host.example/a:": "'' is not a tag",
    "host.example/a:-1": "'-1' is not a tag",
    f"host.example/a:{'t' * 129}": "is not a tag",
    "host.example/a@sha256:abc": "'sha256:abc' is not a digest",
    f"host.example/a@sha256:{'A' * 64}": "is not a digest",
    f"host.example/a@md5:{'a' * 32}": "is not a digest",
    "host.example/a@": "'' is not a digest",
    f"host.example/{'a' * 256}": "longer than 255",
    "-host.example/a": "is not a host",
    "[::1/a": "is not a host",
    "host.example:port/a": "is not a host",
    "a" * 64: "id of a local image",
    "host.example/a\n": "not a repository",
    "host.example/a:1\n": "is not a tag",
    "oci:": "names no folder",
    "oci:a\0b": "names no folder",
    f"oci:{'a/' * 2000}:1": "nested more than 256 deep",
    f"oci-archive:{'a/' * 2000}b.tar": "nested more than 256 deep",
    "oci:a@sha256:abc": "'sha256:abc' is not a digest",
}


@pytest.mark.parametrize(("text", "reference"), ACCEPTED.items())
def test_accepted(text: str, reference: RegistryReference | LayoutReference) -> None:
    """A reference is read as Docker reads it, and an OCI layout by its folder and tag."""
    assert parse_reference(text) == reference


@pytest.mark.parametrize(("text", "why"), REFUSED.items())
def test_refused(text: str, why: str) -> None:
    """A malformed reference is refused with the part that is wrong and an example of a right one."""
    with pytest.raises(UsageError) as refused:
        parse_reference(text)
    assert why in refused.value.message
    hint = "leave the scheme out: host.example/a" if "://" in text else "registry.example.com/team/app:1.2"
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    "text",
    [
        *("oci:mirror:", "oci:/srv/mirror:", "oci:mirror:1.0:", f"oci:mirror:@{DIGEST}"),
        *("oci:mirror:1.0+build", "oci:mirror:-x", "oci:mirror:a b", f"oci:mirror:{'t' * 129}"),
    ],
)
def test_layout_with_a_wrong_tag(text: str) -> None:
    """What follows a folder's last colon is a tag or an error: a shell's empty $TAG makes no folder ``mirror:``."""
    with pytest.raises(UsageError, match="is not a tag") as refused:
        parse_reference(text)
    assert "end it with /" in refused.value.hint


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "registry.hub.docker.com"])
def test_docker_hub_has_three_names(host: str) -> None:
    """Docker Hub's names are one registry, and an id still shows the one that was written."""
    reference = parse_reference(f"{host}/busybox:1")
    assert reference.location == ("docker.io", "library/busybox")
    assert str(reference.at(digest=DIGEST)) == f"{host}/library/busybox@{DIGEST}"


def test_host_is_spelled_as_written() -> None:
    """Upper case in a host stays in the id, and makes no other registry of it."""
    shouted, quiet = parse_reference("Registry.Example.COM/app:1"), parse_reference("registry.example.com/app:1")
    assert shouted.name == "Registry.Example.COM/app"
    assert shouted.location == quiet.location


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:5000", "127.0.0.1:80", "127.9.9.9", "[::1]:5000", "a.localhost"]
)
def test_this_machine(host: str) -> None:
    """Every name of this machine itself is one that speaks plain HTTP."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["localhost.example.com", "10.0.0.1", "registry:5000", "[fe80::1]:5000", "127.example"]
)
def test_other_machines(host: str) -> None:
    """What only looks like this machine is another one, and speaks https."""
    assert not is_loopback(host)


_LIKELY = st.text(alphabet="aZ0_.-:/@[]\\ sha256oci" + "é\n\0", max_size=80)
_VALID = st.from_regex(r"(docker://)?([a-zA-Z0-9.-]{1,9}(:\d{1,6})?/)?[a-z0-9._/-]{1,20}(:\w{1,9})?", fullmatch=True)
_LAYOUTS = st.builds("oci:{}".format, _LIKELY | st.text())


@given(st.text() | _LIKELY | _VALID | _LAYOUTS)
@example(f"oci:a@{DIGEST}@{DIGEST}")
@example(f"docker://oci@{DIGEST}")
def test_every_text_is_a_reference_or_a_usage_error(text: str) -> None:
    """Any text at all is either understood, and then says again what it means, or refused as bad usage."""
    with contextlib.suppress(UsageError):
        reference = parse_reference(text)
        assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("oci-archive:a.tar", archive("oci-archive", "a.tar")),
        ("oci-archive:/x/a.tar:1.0", archive("oci-archive", "/x/a.tar", "1.0")),
        ("oci-archive:a.tar:_1", archive("oci-archive", "a.tar", "_1")),
        ("oci-archive:a@b.tar:localhost/x:1", archive("oci-archive", "a@b.tar", "localhost/x:1")),
        (f"oci-archive:a.tar@{DIGEST}", archive("oci-archive", "a.tar", "", DIGEST)),
        (r"oci-archive:C:\x\a.tar:1", archive("oci-archive", r"C:\x\a.tar", "1")),
        ("docker-archive:a.tar", archive("docker-archive", "a.tar")),
        ("docker-archive:a.tar:busybox:1.36", archive("docker-archive", "a.tar", "busybox:1.36")),
        ("docker-archive:a.tar:h.io:5000/x", archive("docker-archive", "a.tar", "h.io:5000/x")),
        ("docker-archive:a.tar:@12", archive("docker-archive", "a.tar", "@12")),
        (f"docker-archive:a.tar:x@{DIGEST}", archive("docker-archive", "a.tar", "x", DIGEST)),
    ],
)
def test_archives(text: str, expected: ArchiveReference) -> None:
    """An archive's file ends at the first colon; what follows names an image, and is spelled again as it was."""
    assert parse_reference(text) == expected
    assert str(parse_reference(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("oci-archive:", "names no file"),
        ("docker-archive::x", "names no file"),
        ("oci-archive:a.tar:", "is not a tag"),
        ("oci-archive:a.tar:a//", "is not a tag"),
        ("oci-archive:a.tar@sha256:12", "is not a digest"),
        ("oci-archive:a\0.tar", "names no file"),
        ("docker-archive:a.tar:Busybox", "must be lower case"),
        ("docker-archive:a.tar:@x", "is not"),
        ("docker-archive:a.tar:", "names no repository"),
    ],
)
def test_archives_that_are_none(text: str, message: str) -> None:
    """What is wrong with an archive's reference is said of the text as it was typed."""
    with pytest.raises(UsageError, match=message) as error:
        parse_reference(text)
    assert repr(text) in error.value.message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("oci-archive:a.tar:1", "oci-archive:./a.tar:2"),
        ("oci-archive:/x/y/../a.tar", "oci-archive:/x//a.tar"),
        ("oci:a", "oci:./a/:1"),
        ("oci:a/../b", "oci:b"),
    ],
)
def test_one_place_in_two_spellings(one: str, other: str) -> None:
    """A file or folder is the same place however its path is written, but not as another kind of place."""
    assert parse_reference(one).location == parse_reference(other).location
    assert parse_reference("oci:a").location != parse_reference("oci-archive:a").location


def test_a_login_in_a_reference() -> None:
    """Who writes a login before a host has written a password, which no error repeats."""
    with pytest.raises(UsageError, match=r"…@registry\.lan/app:1") as error:
        parse_reference("user:hunter2@registry.lan/app:1")
    assert "hunter2" not in error.value.message + error.value.hint
