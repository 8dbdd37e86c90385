"""Bundles and annotations with one thing in them changed: each is good as before or told, and none ends otherwise."""

from __future__ import annotations

import json
import random
from base64 import b64decode
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.look.trust.keyless import Keyless
from imagesync_cli.look.trust.keys import Key
from imagesync_cli.look.trust.rules import IdentitySigner, KeySigner
from imagesync_cli.look.trust.signatures import BUNDLE, SIMPLE_SIGNING, Signature
from imagesync_cli.look.trust.statements import Claim, NotGood
from tests.trust.cases import APP, OURS
from tests.trust.private_sigstore import ISSUER, RELEASE, PrivateSigstore
from tests.trust.signing import signed_bundle, text

SIGSTORE = PrivateSigstore()
SEEDS = 300
ODD: list[Any] = [None, "", "0", 0, -1, 10**30, str(10**18), True, [], {}, [[]], "A" * 5000, "\x00", "AAAA", {"a": 1}]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


def mutated(document: Any, chance: random.Random) -> Any:
    """The document with something odd, or a flipped bit of what is base64, in one place; or without it."""
    made = json.loads(json.dumps(document))
    *above, last = chance.choice(list(places(made)))
    holder = made
    for key in above:
        holder = holder[key]
    kind = chance.randrange(3)
    if kind == 0 and isinstance(holder, dict):
        del holder[last]
    elif kind == 1 or not isinstance(holder[last], str):
        holder[last] = chance.choice(ODD)
    else:
        holder[last] = _flipped(holder[last], chance)
    return made


def _chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311


def _flipped(value: str, chance: random.Random) -> str:
    try:
        content = bytearray(b64decode(value, validate=True))
    except ValueError:
        return value[::-1]
    if not content:
        return "AA=="
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return text(bytes(content))


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Keyless:
    root: Path = tmp_path_factory.mktemp("root")
    return Keyless(SIGSTORE.write_root(root))


def test_bundles_of_identities(keyless: Keyless) -> None:
    """Whatever is changed, a claim is that of the right signer, or there is none."""
    signer, certificate = IdentitySigner(RELEASE, ISSUER), SIGSTORE.certificate()
    for made in (SIGSTORE.bundle(APP.digest, certificate), SIGSTORE.message_bundle(APP.digest, certificate)):
        for seed in range(SEEDS):
            changed = json.dumps(mutated(json.loads(made), _chance(seed))).encode()
            _is_told(partial(keyless.claim, Signature(BUNDLE, changed, {}), signer, APP.digest))


def test_annotations_of_identities(keyless: Keyless) -> None:
    """The same for what stands beside a payload."""
    signer = IdentitySigner(RELEASE, ISSUER)
    content, notes = SIGSTORE.layer(APP.digest)
    notes = {key.replace("dev.cosignproject.cosign/", "dev.sigstore.cosign/"): note for key, note in notes.items()}
    log = json.loads(notes["dev.sigstore.cosign/bundle"])
    pem = notes["dev.sigstore.cosign/certificate"]
    for seed in range(SEEDS):
        chance = _chance(seed)
        lines = pem.splitlines()
        at = chance.randrange(1, len(lines) - 1)
        lines[at] = _flipped(lines[at], chance)
        changed = (
            {"dev.sigstore.cosign/bundle": json.dumps(mutated(log, chance))}
            if seed % 2
            else {"dev.sigstore.cosign/certificate": "\n".join(lines)}
        )
        found = Signature(SIMPLE_SIGNING, content, {**notes, **changed})
        _is_told(partial(keyless.claim, found, signer, APP.digest))


def test_bundles_of_keys() -> None:
    """The same for a key."""
    key = Key(KeySigner(OURS.pem, "a.pub"))
    made = json.loads(signed_bundle(OURS, APP.digest))
    for seed in range(SEEDS):
        changed = json.dumps(mutated(made, _chance(seed))).encode()
        _is_told(partial(key.claim, Signature(BUNDLE, changed, {}), APP.digest))


def _is_told(claim: Any) -> None:
    try:
        told = claim()
    except NotGood:
        return
    assert isinstance(told, Claim)
    assert told.signer in (f"{RELEASE} (issuer {ISSUER})", "key a.pub")
