"""Reading manifests and blobs (distribution-spec v1.1, "Pull")."""

from __future__ import annotations

import httpx
import pytest

from tests.contract.subject import ACCEPT, Subject, outcome
from tests.embedded_registry.images import Image, image, index
from tests.embedded_registry.state import digest_of

IMAGES = {
    "oci image": image(1),
    "docker image": image(2, docker=True),
    "oci index": index(3, platforms=("linux/amd64", "linux/arm64"), attested=True),
    "docker list": index(4, platforms=("linux/amd64", "linux/arm/v7"), docker=True),
}


@pytest.mark.parametrize("pushed", IMAGES.values(), ids=IMAGES.keys())
def test_manifest_comes_back_as_pushed(subject: Subject, pushed: Image) -> None:
    """By tag and by digest, a manifest has the bytes and the media type that it was pushed with."""
    subject.push(pushed, "1.0")
    for reference in ("1.0", pushed.digest):
        answer = subject.get(reference)
        assert (answer.status_code, answer.content) == (200, pushed.root.content)
        assert answer.headers["Content-Type"] == pushed.root.media_type


@pytest.mark.parametrize("pushed", IMAGES.values(), ids=IMAGES.keys())
def test_head_tells_digest_size_and_type(subject: Subject, pushed: Image) -> None:
    """A HEAD says all that a check needs, without a pull."""
    subject.push(pushed, "1.0")
    for reference in ("1.0", pushed.digest):
        answer = subject.head(reference)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["Docker-Content-Digest"] == pushed.digest
        assert answer.headers["Content-Length"] == str(len(pushed.root.content))
        assert answer.headers["Content-Type"] == pushed.root.media_type


def test_oci_types_may_have_to_be_asked_for(subject: Subject) -> None:
    """Without an Accept that names the type, distribution says that there is no such manifest."""
    subject.push(image(), "1.0")
    answer = subject.client.get(subject.path("manifests/1.0"))
    assert outcome(answer) == ((404, "MANIFEST_UNKNOWN") if subject.expected.needs_accept else (200, ""))


def test_unknown_manifest(subject: Subject) -> None:
    """A tag or digest that is not there is 404 MANIFEST_UNKNOWN, to HEAD without a body."""
    subject.push(image(), "1.0")
    for reference in ("nothing", digest_of(b"nothing")):
        assert outcome(subject.get(reference)) == (404, "MANIFEST_UNKNOWN")
        assert outcome(subject.head(reference)) == (404, "")


def test_unknown_repository(subject: Subject) -> None:
    """What is said of a repository that nobody pushed to depends on the registry."""
    assert outcome(subject.get("1.0")) == subject.expected.unknown_repository
    assert outcome(subject.client.get(subject.path("tags/list"))) == (404, "NAME_UNKNOWN")
    blob = subject.client.get(subject.path(f"blobs/{digest_of(b'nobody has this')}"))
    assert blob.status_code == 404


def test_blob_comes_back_as_pushed(subject: Subject) -> None:
    """GET gives a blob's bytes, HEAD its size, both its digest."""
    digest = subject.push_blob(b"the content")
    answer = subject.client.get(subject.path(f"blobs/{digest}"))
    head = subject.client.head(subject.path(f"blobs/{digest}"))
    assert (answer.status_code, answer.content) == (200, b"the content")
    assert (head.status_code, head.headers["Content-Length"]) == (200, "11")
    assert answer.headers["Docker-Content-Digest"] == head.headers["Docker-Content-Digest"] == digest


def test_unknown_blob(subject: Subject) -> None:
    """A blob that is not there is 404 BLOB_UNKNOWN."""
    subject.push_blob(b"another")
    path = subject.path(f"blobs/{digest_of(b'nothing')}")
    assert outcome(subject.client.get(path)) == (404, "BLOB_UNKNOWN")
    assert outcome(subject.client.head(path)) == (404, "")


@pytest.mark.parametrize(("asked", "part"), [("2-4", b"e c"), ("4-10", b"content"), ("0-0", b"t")])
def test_part_of_a_blob(subject: Subject, asked: str, part: bytes) -> None:
    """A download can go on where it broke off."""
    digest = subject.push_blob(b"the content")
    answer = subject.client.get(subject.path(f"blobs/{digest}"), headers={"Range": f"bytes={asked}"})
    assert (answer.status_code, answer.content) == (206, part)
    assert answer.headers["Content-Range"] == f"bytes {asked}/11"


@pytest.mark.parametrize(("asked", "part"), [("4-", b"content"), ("-3", b"ent")])
def test_open_ranges(subject: Subject, asked: str, part: bytes) -> None:
    """A range that leaves an end open is not understood by go-containerregistry."""
    digest = subject.push_blob(b"the content")
    answer = subject.client.get(subject.path(f"blobs/{digest}"), headers={"Range": f"bytes={asked}"})
    if subject.expected.open_ranges:
        assert (answer.status_code, answer.content) == (206, part)
    else:
        assert answer.status_code == 416


def test_range_behind_the_end(subject: Subject) -> None:
    """A range that a blob does not have is 416, which distribution 2.8 does not send to its end."""
    digest = subject.push_blob(b"the content")
    url = subject.path(f"blobs/{digest}")
    with subject.client.stream("GET", url, headers={"Range": "bytes=100-200"}) as answer:
        assert answer.status_code == 416
        if subject.expected.says_416:
            answer.read()
        else:
            with pytest.raises(httpx.RemoteProtocolError):
                answer.read()


def test_ping(subject: Subject) -> None:
    """/v2/ answers 200 to who may come in, and at Pulp only to who takes JSON."""
    assert subject.client.get("/v2/").status_code == 200
    assert outcome(subject.client.get("/v2/", headers=ACCEPT)) == subject.expected.ping
