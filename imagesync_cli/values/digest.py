"""Digests: their grammar and the hashing that goes with them (OCI image-spec, descriptor.md#digests)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NewType, TypeGuard

from imagesync_cli.values.errors import ContentError, UsageError

if TYPE_CHECKING:
    from hashlib import _Hash

Digest = NewType("Digest", str)  # made by is_digest and parse_digest alone
NO_DIGEST = Digest("")
# algorithm → (constructor, length in hexadecimal digits)
ALGORITHMS: dict[str, tuple[Callable[[], _Hash], int]] = {
    "sha256": (hashlib.sha256, 64),
    "sha384": (hashlib.sha384, 96),
    "sha512": (hashlib.sha512, 128),
}
_HEX = re.compile(r"[0-9a-f]+")
# A tag has at most 128 characters: the list of a manifest's referrers is named by so many digits of its digest
# (distribution-spec v1.1, "Referrers Tag Schema"). cosign names the whole digest, with .sig, .att or .sbom behind it.
_HEX_IN_LIST_TAG = 64
_DIGEST_TAG = re.compile(
    "|".join(
        f"(?:{name}-[0-9a-f]{{{_HEX_IN_LIST_TAG}}}(?:[0-9a-f]{{{length - _HEX_IN_LIST_TAG}}}(?:\\.[A-Za-z0-9._-]+)?)?)"
        for name, (_, length) in ALGORITHMS.items()
    )
)


def is_digest(text: str) -> TypeGuard[Digest]:
    """Whether this is ``algorithm:hex`` with a known algorithm and the right number of lowercase digits."""
    algorithm, _, encoded = text.partition(":")
    known = ALGORITHMS.get(algorithm)
    return known is not None and len(encoded) == known[1] and _HEX.fullmatch(encoded) is not None


def parse_digest(text: str) -> Digest:
    """Give the digest back unchanged, or raise UsageError."""
    if not is_digest(text):
        raise UsageError(f"{text!r} is not a digest", hint="a digest looks like sha256: and 64 hexadecimal digits")
    return text


def pack_digest(digest: str) -> bytes:
    """The digest in less memory; its length tells the algorithm."""
    return bytes.fromhex(digest.partition(":")[2])


def unpack_digest(packed: bytes) -> str:
    """The digest that was packed so."""
    name = next(name for name, (_, length) in ALGORITHMS.items() if length == 2 * len(packed))
    return f"{name}:{packed.hex()}"


def digest_tag(digest: str) -> str:
    """The tag under which clients list a manifest's referrers; cosign's tags are the whole digest with a suffix."""
    algorithm, _, encoded = digest.partition(":")
    return f"{algorithm}-{encoded[:_HEX_IN_LIST_TAG]}"


def subject_of_tag(tag: str) -> str:
    """What ``digest_tag`` gives for the manifest that this tag may be about, "" for a tag like any other."""
    return digest_tag(tag.replace("-", ":", 1).partition(".")[0]) if _DIGEST_TAG.fullmatch(tag) else ""


def digest_in_tag(tag: str) -> str:
    """The digest that this tag names in full, "" where it names none.

    Such a tag is that of an image's signatures or list of referrers, and comes and goes with the image.
    """
    digest = tag.replace("-", ":", 1).partition(".")[0]
    return digest if is_digest(digest) and _DIGEST_TAG.fullmatch(tag) else ""


def new_hash(digest: str) -> _Hash:
    """An empty hash of the digest's algorithm."""
    return ALGORITHMS[digest.partition(":")[0]][0]()


def sha256(content: bytes) -> Digest:
    """The sha256 digest of these bytes."""
    return Digest(f"sha256:{hashlib.sha256(content).hexdigest()}")


class Verifier:
    """Counts and hashes bytes on their way; says at the end whether they were the right ones."""

    def __init__(self, digest: str, size_bytes: int) -> None:
        self.digest = digest
        self.size_bytes = size_bytes
        self.seen_bytes = 0
        self._hash = new_hash(digest)
        self._last = b""

    def update(self, chunk: bytes) -> bytes:
        """Take the next chunk; give it back, or nothing yet of the last one, which ``check`` gives.

        More bytes than the descriptor promises are a ContentError at once.
        """
        self.seen_bytes += len(chunk)
        if self.seen_bytes > self.size_bytes:
            raise ContentError(f"{self.digest} is longer than the {self.size_bytes} bytes its descriptor names")
        self._hash.update(chunk)
        if self.seen_bytes < self.size_bytes:
            return chunk
        self._last += chunk
        return b""

    def check(self) -> bytes:
        """The last chunk; ContentError unless the bytes seen are exactly those of the digest."""
        if self.seen_bytes < self.size_bytes:
            raise ContentError(f"{self.digest} ended after {self.seen_bytes} of {self.size_bytes} bytes")
        actual = f"{self.digest.partition(':')[0]}:{self._hash.hexdigest()}"
        if actual != self.digest:
            raise ContentError(f"{self.digest} arrived as {actual}")
        return self._last


def verified(chunks: Iterable[bytes], digest: str, size_bytes: int) -> Iterator[bytes]:
    """Yield the chunks, the last one only when all of them are the right bytes; else ContentError."""
    verifier = Verifier(digest, size_bytes)
    for chunk in chunks:
        if right := verifier.update(chunk):
            yield right
    if last := verifier.check():
        yield last


def check_bytes(content: bytes, digest: str) -> None:
    """Raise ContentError unless the bytes have this digest."""
    verifier = Verifier(digest, len(content))
    verifier.update(content)
    verifier.check()
