"""Digests: their grammar, and bytes that are not what a digest says."""

from __future__ import annotations

import hashlib

import pytest

from imagesync_cli.values.digest import Verifier, check_bytes, is_digest, parse_digest
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
