"""What cosign 2 has written (cosign_2/make.py): imagesync verifies it, and so does the cosign that is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import OCI_MANIFEST
from tests.embedded_registry.state import Manifest
from tests.trust.cosign import cosign
from tests.trust.private_sigstore import ISSUER, RELEASE
from tests.trust.signing import write_trust

SIGNED: dict[str, Any] = json.loads(Path(__file__).with_name("cosign_2").joinpath("signed.json").read_text())


@pytest.mark.parametrize("name", SIGNED["repositories"])
def test_what_cosign_2_wrote(tmp_path: Path, name: str) -> None:
    """Tags and bundles, with a key and for an identity; another key or identity is refused."""
    (tmp_path / "root.json").write_text(json.dumps(SIGNED["trusted_root"]))
    (tmp_path / "key.pub").write_text(SIGNED["key"])
    identity = {"identity": RELEASE, "issuer": ISSUER}
    signer = {"key": "key.pub"} if name.startswith("key") else identity
    attested = [{"type": SIGNED["type"], "field": "builder.id", "value": "a"}] if name.endswith("attested") else []
    rule = {"sources": ["**"], "signers": [signer], "attestations": attested}
    with EmbeddedRegistry() as registry:
        repository, kept = registry.repository(name), SIGNED["repositories"][name]
        repository.manifests |= {
            digest: Manifest(OCI_MANIFEST, text.encode()) for digest, text in kept["manifests"].items()
        }
        repository.blobs |= {digest: text.encode() for digest, text in kept["blobs"].items()}
        repository.tags |= kept["tags"]
        reference = f"{registry.host}/{name}@{SIGNED['digest']}"
        found = imagesync("verify", "--trust", write_trust(tmp_path, rule, trusted_root="root.json"), reference)
        assert (found.code, found.err) == (0, "")
        assert ("key key.pub" if name.startswith("key") else RELEASE) in found.out
        other = {**rule, "signers": [{**identity, "identity": "https://example.com/other"}]}
        refused = imagesync("verify", "--trust", write_trust(tmp_path, other, trusted_root="root.json"), reference)
        assert refused.code == 7

        verb = ["verify-attestation", "--type", SIGNED["type"]] if attested else ["verify"]
        how = ["--key", "key.pub", "--insecure-ignore-tlog"]
        if not name.startswith("key"):
            how = ["--certificate-identity", RELEASE, "--certificate-oidc-issuer", ISSUER]
            how += ["--trusted-root", "root.json"]
        done = cosign(tmp_path, *verb, *how, reference)
        assert done.returncode == 0, done.stderr
