"""Lists of tags and referrers (distribution-spec v1.1, "Content Discovery")."""

from __future__ import annotations

from typing import Any

from tests.contract.subject import Subject
from tests.embedded_registry.images import OCI_INDEX, image, referrer

TAGS = ["1.0", "1.1", "2.0", "latest", "old"]


def _page(subject: Subject, query: str) -> tuple[list[str], str]:
    answer = subject.client.get(query if "/tags/list" in query else subject.path(f"tags/list{query}"))
    assert answer.status_code == 200
    return answer.json()["tags"] or [], answer.links.get("next", {}).get("url", "")


def test_all_tags(subject: Subject) -> None:
    """Without a limit, the list of a small repository is whole."""
    subject.push(image(), *TAGS)
    answer = subject.client.get(subject.path("tags/list"))
    assert answer.json()["name"] == subject.repository
    assert subject.tags() == TAGS
    assert "Link" not in answer.headers


def test_pages(subject: Subject) -> None:
    """With ``n`` the list comes in pages, each with a Link to the next, in lexical order."""
    subject.push(image(), *TAGS)
    page, following = _page(subject, "?n=2")
    assert sorted(page) == (TAGS[:2] if subject.expected.pages_tags else TAGS)
    assert bool(following) == subject.expected.links_pages
    seen = list(page)
    while following:
        page, following = _page(subject, following)
        seen += page
    assert seen == TAGS or not subject.expected.links_pages


def test_tags_behind_one(subject: Subject) -> None:
    """``last`` leaves out what comes before it, where the registry pages at all."""
    subject.push(image(), *TAGS)
    page, _ = _page(subject, "?last=2.0")
    assert sorted(page) == (TAGS[3:] if subject.expected.pages_tags else TAGS)


def test_repository_that_lost_its_last_tag(subject: Subject) -> None:
    """A repository without tags is still known; its list is empty, or null."""
    if not subject.expected.tags_go_with_digest:
        assert subject.push(image(), "1.0")
        assert subject.delete("1.0").status_code == 202
    else:
        assert subject.delete(subject.push(image(), "1.0")).status_code == 202
        answer = subject.client.get(subject.path("tags/list"))
        assert (answer.status_code, answer.json()["tags"]) == (200, subject.expected.no_tags)
    assert subject.tags() == []


def _referrers(subject: Subject, digest: str, query: str = "") -> dict[str, Any]:
    answer = subject.client.get(subject.path(f"referrers/{digest}{query}"))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, OCI_INDEX)
    return {entry["digest"]: entry for entry in answer.json()["manifests"]}


def test_referrers(subject: Subject) -> None:
    """Signatures and the like are found by the image that they are about, where that is offered."""
    pushed = image()
    signature, sbom = referrer(pushed, "application/x.signature"), referrer(pushed, "application/x.sbom")
    for artifact in (pushed, signature, sbom):
        subject.push(artifact)
    answer = subject.client.get(subject.path(f"referrers/{pushed.digest}"))
    if not subject.expected.referrers:
        assert answer.status_code == 404
        return
    found = _referrers(subject, pushed.digest)
    assert set(found) == {signature.digest, sbom.digest}
    assert found[sbom.digest]["artifactType"] == "application/x.sbom"
    assert set(_referrers(subject, pushed.digest, "?artifactType=application/x.sbom")) == {sbom.digest}
    assert _referrers(subject, signature.digest) == {}
