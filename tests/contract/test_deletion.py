"""Deleting tags, manifests and blobs (distribution-spec v1.1, "Content Management")."""

from __future__ import annotations

from tests.contract.subject import Subject, outcome
from tests.embedded_registry.images import image, index
from tests.embedded_registry.state import digest_of

UNKNOWN = (404, "MANIFEST_UNKNOWN")


def test_tag(subject: Subject) -> None:
    """Deleting a tag leaves its manifest and the other tags, where tags can be deleted at all."""
    digest = subject.push(image(), "1.0", "latest")
    assert outcome(subject.delete("1.0")) == subject.expected.delete_tag
    gone = subject.expected.delete_tag[0] == 202
    assert subject.tags() == (["latest"] if gone else ["1.0", "latest"])
    assert subject.head("1.0").status_code == (404 if gone else 200)
    assert subject.head(digest).status_code == 200


def test_tag_that_is_not_there(subject: Subject) -> None:
    """A second delete of a tag is 404, where tags can be deleted at all."""
    subject.push(image(), "1.0")
    refused = subject.expected.delete_tag
    assert outcome(subject.delete("nothing")) == (UNKNOWN if refused[0] == 202 else refused)


def test_digest(subject: Subject) -> None:
    """Deleting a digest takes every tag on it; with go-containerregistry the tags go on answering."""
    digest = subject.push(image(1), "1.0", "latest")
    subject.push(image(2), "other")
    assert outcome(subject.delete(digest)) == (202, "")
    assert outcome(subject.get(digest)) == UNKNOWN
    gone = subject.expected.tags_go_with_digest
    assert subject.tags() == (["other"] if gone else ["1.0", "latest", "other"])
    assert subject.head("1.0").status_code == (404 if gone else 200)


def test_digest_twice(subject: Subject) -> None:
    """What is gone already is 404."""
    digest = subject.push(image())
    assert outcome(subject.delete(digest)) == (202, "")
    assert outcome(subject.delete(digest)) == UNKNOWN


def test_child_of_an_index(subject: Subject) -> None:
    """Only Pulp guards the child of a live index, without a word; elsewhere the index stays, broken."""
    pushed = index(platforms=("linux/amd64", "linux/arm64"))
    subject.push(pushed, "1.0")
    assert outcome(subject.delete(pushed.children[0])) == (202, "")
    assert subject.get("1.0").content == pushed.root.content
    assert outcome(subject.get(pushed.children[0])) == ((200, "") if subject.expected.guards_children else UNKNOWN)


def test_index_leaves_its_children(subject: Subject) -> None:
    """Deleting an index does not delete what it lists, but at Pulp."""
    pushed = index(platforms=("linux/amd64", "linux/arm64"))
    subject.push(pushed, "1.0")
    assert outcome(subject.delete(pushed.digest)) == (202, "")
    status = 404 if subject.expected.deletes_later else 200
    assert [subject.head(child).status_code for child in pushed.children] == [status, status]


def test_deleted_manifest_comes_back(subject: Subject) -> None:
    """A PUT of the same bytes puts back what was deleted, where the blobs are still there."""
    pushed = image()
    subject.push(pushed, "1.0")
    assert outcome(subject.delete(pushed.digest)) == (202, "")
    status = subject.expected.comes_back
    assert subject.put(pushed.root, "1.0").status_code == status
    assert subject.head(pushed.digest).status_code == (200 if status == 201 else 404)


def test_unknown_repository(subject: Subject) -> None:
    """There is nothing to delete in a repository that nobody pushed to."""
    expected = subject.expected
    unknown, by_tag = expected.delete_in_unknown_repository, expected.delete_tag
    assert outcome(subject.delete(digest_of(b"nothing"))) == unknown
    assert outcome(subject.delete("nothing")) == (unknown if by_tag[0] == 202 else by_tag)


def test_blob(subject: Subject) -> None:
    """A blob can be deleted, and pushed again."""
    digest = subject.push_blob(b"short-lived")
    assert outcome(subject.client.delete(subject.path(f"blobs/{digest}"))) == (202, "")
    assert not subject.has_blob(digest)
    assert subject.push_blob(b"short-lived") == digest
    assert subject.has_blob(digest)
