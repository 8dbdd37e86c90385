"""Digests: their grammar, and bytes that are not what a digest says."""

from __future__ import annotations

import hashlib

import pytest

from imagesync_cli.values.digest import (
    Verifier,
    check_bytes,
    digest_in_tag,
    digest_tag,
    is_digest,
    parse_digest,
    subject_of_tag,
)
from imagesync_cli.values.errors import ContentError, UsageError

CONTENT = b"layer"


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_bytes_of_a_digest(algorithm: str) -> None:
    """Content is known by any of the algorithms that registries use."""
    digest = f"{algorithm}:{hashlib.new(algorithm, CONTENT).hexdigest()}"
    check_bytes(CONTENT, parse_digest(digest))
    with pytest.raises(ContentError, match="arrived as"):
        check_bytes(CONTENT + b"!", digest)


NOT_DIGESTS = [
    "",
    "sha256",
    "sha256:",
    "sha256:" + "a" * 63,
    "sha256:" + "a" * 65,
    "sha256:" + "A" * 64,
    "sha256:" + "a" * 64 + "\n",
    "sha256:../" + "a" * 61,
    "sha256:" + "\N{ARABIC-INDIC DIGIT THREE}" * 64,
    "sha512:" + "a" * 64,
    "md5:" + "a" * 32,
]


@pytest.mark.parametrize("text", NOT_DIGESTS)
def test_not_a_digest(text: str) -> None:
    """What is not exactly a digest never becomes part of a path or URL."""
    assert not is_digest(text)
    with pytest.raises(UsageError, match="is not a digest"):
        parse_digest(text)


SHA256, SHA384, SHA512 = (f"sha{bits}:{'0a' * (bits // 8)}" for bits in (256, 384, 512))
# A tag, the digest that it names in full, and the digest of which it may be the list of referrers or a signature.
DIGEST_TAGS = [
    *((f"sha256-{'0a' * 32}{suffix}", SHA256, SHA256) for suffix in ("", ".sig", ".att", ".sbom", ".a.b")),
    *((f"sha384-{'0a' * 48}{suffix}", SHA384, SHA384) for suffix in ("", ".sig", ".att", ".sbom")),
    *((f"sha512-{'0a' * 64}{suffix}", SHA512, SHA512) for suffix in ("", ".sig")),
    (f"sha384-{'0a' * 32}", "", SHA384),
    (f"sha512-{'0a' * 32}", "", SHA512),
    (f"sha512-{'0a' * 32}.sig", "", ""),
    (f"sha512-{'0a' * 48}", "", ""),
    (f"sha384-{'0a' * 64}", "", ""),
    (f"sha256-{'0a' * 31}", "", ""),
    (f"sha256-{'0a' * 33}", "", ""),
    (f"sha256-{'0A' * 32}", "", ""),
    (f"sha256-{'0a' * 32}.", "", ""),
    (f"sha256-{'0a' * 32}-sig", "", ""),
    (f"sha256-{'0a' * 32}.sig\n", "", ""),
    (f"sha1-{'0a' * 20}", "", ""),
    (f"md5-{'0a' * 32}", "", ""),
    (f"v1-sha256-{'0a' * 32}", "", ""),
    ("latest", "", ""),
    ("", "", ""),
]


@pytest.mark.parametrize(("tag", "named", "about"), DIGEST_TAGS)
def test_a_digest_in_a_tag(tag: str, named: str, about: str) -> None:
    """A tag is about an image where it names its digest, each algorithm with as many digits as it has."""
    assert digest_in_tag(tag) == named
    assert subject_of_tag(tag) == (digest_tag(about) if about else "")


def test_too_many_bytes() -> None:
    """A blob that goes on after its size is given up at once, not read to its end."""
    verifier = Verifier(f"sha256:{hashlib.sha256(CONTENT).hexdigest()}", len(CONTENT))
    verifier.update(CONTENT)
    with pytest.raises(ContentError, match="longer than the 5 bytes"):
        verifier.update(b"!")


def test_too_few_bytes() -> None:
    """A blob that ends early is not taken for whole."""
    verifier = Verifier(f"sha256:{hashlib.sha256(CONTENT).hexdigest()}", len(CONTENT))
    verifier.update(CONTENT[:2])
    with pytest.raises(ContentError, match="ended after 2 of 5 bytes"):
        verifier.check()
