"""What was signed: a claim about an image's digest. It is read only after its signature was found to be good."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagesync_cli.values.documents import read_document

IN_TOTO = "application/vnd.in-toto+json"
_STATEMENTS = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
# What cosign states in a bundle that is a signature of the image, and not of something about it.
SIGNS = "https://sigstore.dev/cosign/sign/v1"


class NotGood(Exception):
    """Why a signature does not count: it is broken, not about this digest, or somebody else's (``identity``)."""

    def __init__(self, reason: str, identity: str = "") -> None:
        super().__init__(reason)
        self.identity = identity


@dataclass(frozen=True)
class Claim:
    """What a good signature says: ``type`` is the predicate's, SIGNS for one that says no more than the digest.

    ``signer`` is who has signed, ``time`` when (RFC 3339), "" where no log or timestamp tells.
    """

    signer: str
    time: str
    type: str = SIGNS
    predicate: Mapping[str, Any] = field(default_factory=dict)

    def has(self, path: str, value: str) -> bool:
        """Whether this field of the predicate, its name dotted, is this text, number or truth value."""
        value_there: Any = self.predicate
        for name in path.split("."):
            value_there = value_there.get(name) if isinstance(value_there, dict) else None
        if isinstance(value_there, bool):
            value_there = str(value_there).lower()
        return isinstance(value_there, (str, int, float)) and str(value_there) == value


@dataclass(frozen=True)
class SignedBy:
    """Who has signed an image; ``time`` is when, in UTC (RFC 3339), "" where nothing trustworthy tells that."""

    signer: str
    time: str = ""


def decoded(text: str) -> bytes:
    """Base64, as everything that is signed comes."""
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotGood("it is not base64") from error


def read_object(content: bytes | str) -> dict[str, Any]:
    """A JSON object of a stranger's; NotGood for anything else."""
    try:
        document = read_document(content if isinstance(content, bytes) else content.encode())
    except ValueError as error:
        raise NotGood(f"it is not in the form of its type: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise NotGood("it is not in the form of its type")
    return document


def check_payload(content: bytes, digest: str) -> None:
    """NotGood unless cosign's simple signing names this digest. What it says of a name decides nothing."""
    critical = _object(_object(read_object(content), "critical"), "image")
    if critical.get("docker-manifest-digest") != digest:
        raise NotGood(f"it is about another image, {str(critical.get('docker-manifest-digest'))[:100]}")


def read_statement(payload_type: str, content: bytes, digest: str) -> tuple[str, Mapping[str, Any]]:
    """The predicate's type and the predicate of an in-toto statement; NotGood unless this digest is a subject of it."""
    document = read_object(content)
    if payload_type != IN_TOTO or document.get("_type") not in _STATEMENTS:
        raise NotGood("it is not an in-toto statement")
    subjects, (algorithm, _, encoded) = document.get("subject"), digest.partition(":")
    named = (
        [_object(each, "digest") for each in subjects if isinstance(each, dict)] if isinstance(subjects, list) else []
    )
    if not any(each.get(algorithm) == encoded for each in named):
        raise NotGood("it is about another image")
    return str(document.get("predicateType")), _object(document, "predicate")


def _object(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}
