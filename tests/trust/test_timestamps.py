"""A signed timestamp in place of the log's time; cosign's verdict is the same."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import timedelta
from pathlib import Path

import pytest

from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.trust.cases import APP, Ask
from tests.trust.cosign import cosign
from tests.trust.private_sigstore import PrivateSigstore, entry_v2
from tests.trust.signing import attach, text, write_trust
from tests.trust.timestamps import TimestampAuthority

SIGSTORE = PrivateSigstore()


@pytest.mark.parametrize(
    ("age", "stamped", "known", "said"),
    [
        (timedelta(0), "", True, ""),
        (timedelta(0), "something else", True, "not enough sources of verified time"),
        (timedelta(0), "", False, "not enough sources of verified time"),
        (timedelta(days=1), "", True, "not valid at validation time"),
    ],
    ids=["right", "of something else", "by another authority", "after the certificate's end"],
)
@pytest.mark.parametrize("version", [1, 2])
def test_timestamps(tmp_path: Path, version: int, age: timedelta, stamped: str, *, known: bool, said: str) -> None:
    """It must be of this signature, by a known authority, and from when the certificate was good."""
    authority, other = TimestampAuthority(tmp_path / "one"), TimestampAuthority(tmp_path / "other")
    certificate = SIGSTORE.certificate(age=age)
    bundle = json.loads(SIGSTORE.bundle(APP.digest, certificate, logged=timedelta(0)))
    material = bundle["verificationMaterial"]
    if version == 2:
        entry = SIGSTORE.logged(entry_v2(bundle["dsseEnvelope"], certificate), certificate.issued)
        material["tlogEntries"] = [entry.for_bundle]
    for name in ("inclusionPromise", "integratedTime"):
        del material["tlogEntries"][0][name]
    signature = b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"])
    stamp = (authority if known else other).stamp(stamped.encode() or signature)
    material["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": text(stamp)}]}
    root = SIGSTORE.write_root(tmp_path, timestamps=authority.chain)
    with EmbeddedRegistry() as registry:
        app = registry.repository("app")
        APP.seed(app, "1")
        attach(app, APP, json.dumps(bundle).encode())
        reference = f"{registry.host}/app@{APP.digest}"
        found = imagesync("verify", "--trust", write_trust(tmp_path, Ask().rule(), trusted_root=root), reference)
        done = cosign(tmp_path, *Ask().of_cosign(tmp_path, root), "--use-signed-timestamps", reference)
    assert found.code == (7 if said else 0), found.err
    assert said in found.err
    assert (done.returncode == 0) == (not said), done.stderr
    assert said or "just now" in found.out
