"""Envelopes (DSSE) and bundles as they are written, and cosign's signatures in the form of a bundle.

Parsed by the models that come with sigstore, which are strict: an unknown field is an error.
"""

from __future__ import annotations

from typing import Any

from imagesync_cli.look.trust.extra import importing
from imagesync_cli.look.trust.statements import NotGood, decoded
from imagesync_cli.values.documents import read_document

with importing("sigstore"):
    from sigstore.dsse import Envelope
    from sigstore.errors import Error
    from sigstore_models.intoto import Envelope as EnvelopeModel


def signed_parts(content: bytes) -> dict[str, Any]:
    """The fields of a bundle's content, for a key: a key's bundle need have no log entry, which the model demands."""
    bundle = document(content)
    return {name: bundle[name] for name in ("dsseEnvelope", "messageSignature") if isinstance(bundle.get(name), dict)}


def envelope(fields: dict[str, Any]) -> tuple[Envelope, str, bytes]:
    """An envelope with its payload's type and the payload; NotGood for what is none, or has several signatures."""
    try:
        model = EnvelopeModel.from_dict(fields)
        return Envelope(model), model.payload_type, model.payload
    except (Error, ValueError, RecursionError) as error:
        raise NotGood("its envelope is not in the form of one") from error


def message_signature(fields: dict[str, Any]) -> bytes:
    """The signature of a message; its digest is not believed, since the image's is known."""
    return decoded(str(fields.get("signature", "")))


def document(content: bytes | str) -> dict[str, Any]:
    """A JSON object of a stranger's; NotGood for anything else."""
    try:
        value = read_document(content if isinstance(content, bytes) else content.encode())
    except ValueError as error:
        raise NotGood(f"it is not in the form of its type: {error}") from error
    if not isinstance(value, dict):
        raise NotGood("it is not in the form of its type")
    return value
