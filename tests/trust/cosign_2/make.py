#!/usr/bin/env python3
"""Sign images with cosign 2 and keep what it wrote, for tests: building it as well as cosign 3 takes CI too long.

    GOBIN=/tmp/cosign2 go install github.com/sigstore/cosign/v2/cmd/cosign@v2.6.5
    .venv/bin/python tests/trust/cosign_2/make.py /tmp/cosign2/cosign

Writes signed.json beside this file, all of it text. The keys and the Sigstore are made for it and thrown away.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from cryptography.hazmat.primitives import serialization

from tests.embedded_registry import EmbeddedRegistry, Repository
from tests.embedded_registry.images import image
from tests.trust.cosign import cosign
from tests.trust.private_sigstore import PrivateSigstore
from tests.trust.sigstore_server import serving, token

TYPE = "https://example.com/built-by/v1"
APP = image("app")


def main() -> None:
    """Make the file with the cosign that the command line names."""
    (program,) = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name, EmbeddedRegistry() as registry:
        folder, sigstore = Path(name), PrivateSigstore()
        (folder / "predicate.json").write_text('{"builder": {"id": "a"}}')
        _run(folder, program, "generate-key-pair")
        with serving(sigstore) as url:
            key, identity = ("--key", "cosign.key", "--tlog-upload=false"), _keyless(folder, sigstore, url)
            attest = ("attest", "--type", TYPE, "--predicate", "predicate.json")
            for repository, call in {
                "key-tag": ("sign", *key),
                "key-attested": (*attest, *key),
                "key-bundle": ("sign", *key, "--new-bundle-format"),
                "identity-tag": ("sign", *identity),
                "identity-attested": (*attest, *identity),
                "identity-bundle": ("sign", *identity, "--new-bundle-format"),
            }.items():
                APP.seed(registry.repository(repository), "1")
                _run(folder, program, *call, f"{registry.host}/{repository}@{APP.digest}")
        document = {
            "made_by": _run(folder, program, "version", "--json").split('"gitVersion": "')[1].partition('"')[0],
            "type": TYPE,
            "key": (folder / "cosign.pub").read_text(),
            "trusted_root": sigstore.trusted_root(),
            "digest": APP.digest,
            "repositories": {each: _kept(registry.repository(each)) for each in registry.state.repositories},
        }
        Path(__file__).with_name("signed.json").write_text(json.dumps(document, indent=1) + "\n")


def _keyless(folder: Path, sigstore: PrivateSigstore, url: str) -> tuple[str, ...]:
    root = sigstore.root.public_bytes(serialization.Encoding.PEM)
    (folder / "root.pem").write_bytes(root)
    (folder / "ct.pub").write_text(sigstore.ct.pem)
    (folder / "rekor.pub").write_text(sigstore.log.pem)
    return ("--fulcio-url", url, "--rekor-url", url, "--identity-token", token())


def _run(folder: Path, program: str, *arguments: str) -> str:
    more = {
        "SIGSTORE_ROOT_FILE": "root.pem",
        "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": "ct.pub",
        "SIGSTORE_REKOR_PUBLIC_KEY": "rekor.pub",
    }
    done = cosign(folder, *arguments, program=program, **more)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def _kept(repository: Repository) -> dict[str, dict[str, str]]:
    """All of a repository but the image's own layers and configs, which no signature needs."""
    blobs = {digest: blob.decode() for digest, blob in repository.blobs.items() if digest not in APP.blobs}
    manifests = {digest: manifest.content.decode() for digest, manifest in repository.manifests.items()}
    return {"tags": dict(repository.tags), "manifests": manifests, "blobs": blobs}


if __name__ == "__main__":
    main()
