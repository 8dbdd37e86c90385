"""No spelling of a source gets past what a configuration allows."""

from __future__ import annotations

import pytest

from imagesync_cli.terraform.rules import Rules, destination_refusals
from imagesync_cli.values.reference import parse_reference

DIGEST = "sha256:" + "1" * 64


@pytest.mark.parametrize(
    ("pattern", "source"),
    [
        ("oci:build/**", "oci:build/../other/app:1"),
        ("oci:build/**", "oci:build/app/../../../other:1"),
        ("oci:build/*", "oci:build/.."),
        ("oci:/srv/images/**", "oci:/srv/images/../secret:1"),
        ("oci-archive:/srv/images/*", "oci-archive:/srv/images/../secret.tar"),
        ("oci-archive:/srv/images/**", "oci-archive:/srv/images/../secret.tar:1"),
        ("docker-archive:/srv/images/**", "docker-archive:/srv/images/../secret.tar:app:1"),
        ("quay.io/**", "oci:quay.io/org/app:1"),
        ("quay.io/**", "quay.io:443/org/app:1"),
        ("quay.io/**", "docker://docker.io/quay.io/app:1"),
        ("quay.io/**", "quay.io.example.com/org/app:1"),
        ("docker.io/library/*", "index.docker.io/org/app"),
    ],
)
def test_no_spelling_leads_to_what_is_not_allowed(pattern: str, source: str) -> None:
    """A source that leads elsewhere than the pattern says is refused, however it is written."""
    (refused,) = Rules((pattern,)).refusals(parse_reference(source), DIGEST)
    assert f"is not one of allowed_sources, which are {pattern}." in refused


@pytest.mark.parametrize(
    ("pattern", "source"),
    [
        ("oci:build/*", "oci:./build//app:1"),
        ("oci:./build/*", "oci:./build/app:1"),
        ("oci:../build/*", "oci:../build/app:1"),
        ("oci:build/*", "oci:other/../build/app:1"),
        ("oci-archive:build/*.tar", "oci-archive:build/./app.tar:1"),
        ("docker-archive:**", "docker-archive:/srv/app.tar:app:1"),
        ("**", "oci:two\nlines:1"),
        ("docker.io/library/*", "docker://index.docker.io/busybox"),
    ],
)
def test_every_spelling_of_what_is_allowed_is_allowed(pattern: str, source: str) -> None:
    """A user may write a path or a host as he likes."""
    assert Rules((pattern,)).refusals(parse_reference(source), DIGEST) == []


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ("r.example.com/a:1", "r.example.com:443/a:1"),
        ("r.example.com:0443/a:1", "R.example.com/a:1"),
        ("localhost:5000/a:1", "127.0.0.1:5000/a:1"),
        ("busybox:1", "index.docker.io/library/busybox:1"),
        ("oci:a/../b:1", "oci:b:1"),
    ],
)
def test_no_spelling_makes_a_destination_of_the_source(source: str, destination: str) -> None:
    """An entry whose destination is its source is refused: with the entry the source would go."""
    (refused,) = destination_refusals(parse_reference(destination), parse_reference(source), [], [])
    assert "is its source" in refused
    assert destination_refusals(parse_reference(destination), parse_reference(f"{source}0"), [], []) == []


@pytest.mark.parametrize(
    "source", ["oci:/x@y:1", "oci-archive:/x@y.tar:1", "docker-archive:/x.tar:@0", "quay.io/app:1"]
)
def test_only_a_digest_is_a_digest(source: str) -> None:
    """An @ in a folder's or a file's name, or before an image's number, pins nothing."""
    (refused,) = Rules(require_digest=True).refusals(parse_reference(source), DIGEST)
    assert refused.startswith("require_digest wants")


@pytest.mark.parametrize("source", ["oci:/x@y:1", "oci-archive:/x.tar:1", "docker-archive:/x.tar:@0", "quay.io/app:1"])
def test_a_digest_is_enough(source: str) -> None:
    """With its digest a source is accepted, whatever its name has in it."""
    assert Rules(require_digest=True).refusals(parse_reference(f"{source}@{DIGEST}"), DIGEST) == []
