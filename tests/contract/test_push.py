"""Writing blobs and manifests (distribution-spec v1.1, "Push")."""

from __future__ import annotations

from tests.contract.subject import OCTETS, Subject, outcome
from tests.embedded_registry.images import OCI_MANIFEST, image, index
from tests.embedded_registry.state import Manifest, digest_of

CONTENT = b"hello, registry"
DIGEST = digest_of(CONTENT)


def test_post_then_put(subject: Subject) -> None:
    """The usual way: one request for a session, one with the whole blob."""
    started = subject.start_upload()
    assert (started.status_code, started.headers["Range"]) == (202, "0-0")
    finished = subject.finish(started, DIGEST, CONTENT)
    assert finished.status_code == 201
    assert finished.headers["Docker-Content-Digest"] == DIGEST
    assert ("Location" in finished.headers) == subject.expected.names_location
    assert subject.has_blob(DIGEST)


def test_single_post(subject: Subject) -> None:
    """A POST with digest and body stores the blob, or opens a session and forgets the body."""
    answer = subject.client.post(
        subject.path("blobs/uploads/"), params={"digest": DIGEST}, content=CONTENT, headers=OCTETS
    )
    assert answer.status_code == (201 if subject.expected.monolithic_post else 202)
    assert subject.has_blob(DIGEST) == subject.expected.monolithic_post


def test_streamed(subject: Subject) -> None:
    """A PATCH of unknown length, then a PUT without a body."""
    started = subject.start_upload()
    parts = iter([CONTENT[:5], CONTENT[5:]])
    streamed = subject.client.patch(subject.location(started), content=parts, headers=OCTETS)
    assert (streamed.status_code, streamed.headers["Range"]) == (202, f"0-{len(CONTENT) - 1}")
    assert subject.finish(streamed, DIGEST).status_code == 201
    assert subject.has_blob(DIGEST)


def test_chunked(subject: Subject) -> None:
    """Chunks with Content-Range, the last one with the closing PUT."""
    first = subject.patch(subject.start_upload(), CONTENT[:4], "0-3")
    assert (first.status_code, first.headers["Range"]) == (202, "0-3")
    second = subject.patch(first, CONTENT[4:9], "4-8")
    assert (second.status_code, second.headers["Range"]) == (202, "0-8")
    assert subject.finish(second, DIGEST, CONTENT[9:]).status_code == 201
    assert subject.has_blob(DIGEST)


def test_chunk_out_of_order(subject: Subject) -> None:
    """A gap between chunks is 416, but distribution 2.8 takes no notice of Content-Range."""
    first = subject.patch(subject.start_upload(), CONTENT[:4], "0-3")
    assert outcome(subject.patch(first, CONTENT[9:], "9-14")) == subject.expected.out_of_order


def test_chunk_to_an_old_location(subject: Subject) -> None:
    """Where Locations change, only the latest one takes the next chunk."""
    started = subject.start_upload()
    subject.patch(started, CONTENT[:4], "0-3")
    assert outcome(subject.patch(started, CONTENT[4:], "4-14")) == subject.expected.stale_location


def test_session_status(subject: Subject) -> None:
    """A broken upload can ask how far it came."""
    patched = subject.patch(subject.start_upload(), CONTENT[:4], "0-3")
    answer = subject.client.get(subject.location(patched))
    if subject.expected.sessions_can_be_asked:
        assert (answer.status_code, answer.headers["Range"]) == (204, "0-3")
    else:
        assert outcome(answer) == (400, "NAME_INVALID")


def test_cancelled_session_is_gone(subject: Subject) -> None:
    """A DELETE ends a session, and nothing can be sent to it afterwards."""
    started = subject.start_upload()
    answer = subject.client.delete(subject.location(started))
    if subject.expected.sessions_can_be_asked:
        assert answer.status_code == 204
        assert outcome(subject.finish(started, DIGEST, CONTENT)) == subject.expected.unknown_session
    else:
        assert outcome(answer) == (400, "NAME_INVALID")


def test_content_that_is_not_its_digest(subject: Subject) -> None:
    """A blob that does not match its digest is refused and not kept; Pulp believes it."""
    promised = digest_of(b"never pushed")
    answer = subject.finish(subject.start_upload(), promised, b"something else")
    checks = subject.expected.checks_blobs
    assert outcome(answer) == ((400, "DIGEST_INVALID") if checks else (201, ""))
    assert subject.has_blob(promised) != checks


def test_put_without_digest(subject: Subject) -> None:
    """A session cannot be closed without saying what it holds."""
    started = subject.start_upload()
    answer = subject.client.put(subject.location(started), content=CONTENT, headers=OCTETS)
    assert outcome(answer) == subject.expected.no_digest


def test_mount(subject: Subject) -> None:
    """A blob of another repository is taken over without its bytes; if not, a session is open for them."""
    pushed = image("mounted")
    subject.push(pushed, "1.0")
    digest, content = next(iter(pushed.blobs.items()))
    other = f"{subject.repository}-mounted"
    assert subject.has_blob(digest, other) == subject.expected.shares_blobs
    answer = subject.start_upload(other, mount=digest, **{"from": subject.repository})
    if subject.expected.mounts:
        assert (answer.status_code, answer.headers["Docker-Content-Digest"]) == (201, digest)
        assert subject.has_blob(digest, other)
    else:
        assert answer.status_code == 202
        assert subject.finish(answer, digest, content).status_code == 201


def test_self_mount(subject: Subject) -> None:
    """A mount from the repository itself says whether the blob is there."""
    pushed = image("mounted")
    subject.push(pushed, "1.0")
    there = subject.start_upload(mount=next(iter(pushed.blobs)), **{"from": subject.repository})
    assert there.status_code == (201 if subject.expected.mounts else 202)


def test_mount_of_nothing(subject: Subject) -> None:
    """A mount of what is not there, from what is not there or without ``from`` starts an upload, but at Pulp."""
    subject.push(image())
    queries: list[dict[str, str]] = [{"from": subject.repository}, {"from": "not/there"}, {}]
    answers = [subject.start_upload(mount=DIGEST, **query) for query in queries]
    assert tuple(map(outcome, answers)) == subject.expected.cannot_mount
    for answer in answers:
        if answer.status_code == 202:
            assert subject.finish(answer, DIGEST, CONTENT).status_code == 201


def test_manifest_by_tag_and_digest(subject: Subject) -> None:
    """A PUT answers 201 with the digest that the bytes have."""
    pushed = image()
    subject.push(pushed)
    for reference in ("1.0", pushed.digest):
        answer = subject.put(pushed.root, reference)
        assert (answer.status_code, answer.headers["Docker-Content-Digest"]) == (201, pushed.digest)
        assert ("Location" in answer.headers) == subject.expected.names_location


def test_manifest_without_its_blobs(subject: Subject) -> None:
    """A manifest whose blobs are not there is refused, naming each; go-containerregistry takes it."""
    pushed = image("without blobs", layers=2)
    subject.push_blob(b"the repository is there")
    answer = subject.put(pushed.root, "1.0")
    assert outcome(answer) == subject.expected.missing_blob
    if answer.status_code != 201 and subject.expected.names_missing:
        assert {error["detail"] for error in answer.json()["errors"]} == set(pushed.blobs)


def test_index_without_its_children(subject: Subject) -> None:
    """An index is refused as long as a child is not there."""
    pushed = index(platforms=("linux/amd64", "linux/arm64"))
    subject.push_blob(b"the repository is there")
    assert outcome(subject.put(pushed.root, "1.0")) == subject.expected.missing_child


def test_nonsense_is_no_manifest(subject: Subject) -> None:
    """Bytes that are no JSON, another type than announced, another digest than asked: refused."""
    pushed = image()
    subject.push(pushed)
    answers = [
        subject.put(Manifest(OCI_MANIFEST, b"{no")),
        subject.put(Manifest("application/vnd.docker.distribution.manifest.v2+json", pushed.root.content)),
        subject.put(pushed.root, digest_of(b"another")),
    ]
    assert tuple(map(outcome, answers)) == subject.expected.not_a_manifest


def test_tag_moves(subject: Subject) -> None:
    """A second PUT moves the tag; the first manifest stays under its digest."""
    old, new = image(1), image(2)
    subject.push(old, "1.0")
    subject.push(new, "1.0")
    assert subject.head("1.0").headers["Docker-Content-Digest"] == new.digest
    assert subject.head(old.digest).status_code == 200
