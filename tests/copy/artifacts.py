"""Images and artifacts of the kinds that registries hold: made up, and of the shape that their tools give them."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.embedded_registry.images import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    describe,
    image,
    index,
    index_of,
    random_bytes,
    tar,
    to_json,
)
from tests.embedded_registry.state import Manifest, digest_of

FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
EMPTY = b"{}"


def artifact(config: tuple[str, bytes], *layers: tuple[str, bytes], **more: Any) -> Image:
    """An OCI manifest with this config and these layers, by media type."""
    described = [describe(media_type, content) for media_type, content in layers]
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": describe(*config), "layers": described, **more}
    root = Manifest(OCI_MANIFEST, to_json(document))
    return Image(root, {root.digest: root}, {digest_of(blob): blob for _, blob in (config, *layers)})


def helm_chart() -> Image:
    """What ``helm push`` makes, with a provenance file."""
    return artifact(
        ("application/vnd.cncf.helm.config.v1+json", to_json({"name": "app", "version": "1.0.0", "apiVersion": "v2"})),
        ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", tar({"app/Chart.yaml": (0o644, b"name: app")})),
        ("application/vnd.cncf.helm.chart.provenance.v1.prov", b"-----BEGIN PGP SIGNED MESSAGE-----"),
        annotations={"org.opencontainers.image.title": "app"},
    )


def wasm() -> Image:
    """A WebAssembly component, as ``wkg oci push`` makes it."""
    return artifact(
        ("application/vnd.wasm.config.v0+json", to_json({"architecture": "wasm", "os": "wasip2"})),
        ("application/wasm", b"\0asm\x01\0\0\0" + random_bytes("wasm", 5000)),
    )


def policy_bundle() -> Image:
    """A bundle for Open Policy Agent, as conftest pushes it: a config of no content."""
    return artifact(
        ("application/vnd.cncf.openpolicyagent.config.v1+json", EMPTY),
        ("application/vnd.cncf.openpolicyagent.policy.layer.v1+rego", b"package main"),
    )


def own_type() -> Image:
    """An artifact of a type of one's own, as ``oras`` makes it: its descriptors embed what little content it has."""
    empty = {**describe(OCI_EMPTY, EMPTY), "data": base64.b64encode(EMPTY).decode()}
    root = Manifest(
        OCI_MANIFEST,
        to_json({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": "application/vnd.example.report+json;version=1",
            "config": empty,
            "layers": [empty],
            "annotations": {"org.example.text": "caf\N{LATIN SMALL LETTER E WITH ACUTE} \u2028"},
        }),
    )  # fmt: skip
    return Image(root, {root.digest: root}, {digest_of(EMPTY): EMPTY})


def no_content() -> Image:
    """A layer of zero bytes."""
    return artifact((OCI_EMPTY, EMPTY), ("text/plain", b""), artifactType="application/vnd.example.nothing")


def windows_of(made: Image, base: bytes) -> Image:
    """The image on top of a base layer that lives elsewhere."""
    layer = {**describe(FOREIGN, base), "urls": [f"https://example.com/{digest_of(base)}"]}
    document = {**made.root.document, "layers": [layer, *made.root.document["layers"]]}
    root = Manifest(DOCKER_MANIFEST, to_json(document))
    return Image(root, {root.digest: root}, made.blobs)


def windows() -> Image:
    """Two versions of Windows and Linux under one list; the base layers of Windows live elsewhere."""
    parts = {}
    for version in ("10.0.17763.6189", "10.0.20348.2582"):
        parts[version] = windows_of(image(version, docker=True), random_bytes(version, 100))
    plain = index_of(
        {"linux/amd64": image(docker=True), **{f"windows/amd64/{v}": made for v, made in parts.items()}}, docker=True
    )
    document = plain.root.document
    for entry in document["manifests"]:
        if version := entry["platform"].pop("variant", ""):
            entry["platform"]["os.version"] = version
    root = Manifest(plain.root.media_type, to_json(document))
    manifests = {digest: each for digest, each in plain.manifests.items() if digest != plain.digest}
    return Image(root, manifests | {root.digest: root}, plain.blobs)


def with_history() -> Image:
    """A Docker image whose config tells how it was made: no other can be converted to schema 1."""
    made = image("history", docker=True)
    (old,) = (blob for blob in made.blobs.values() if blob.startswith(b"{"))
    step = {"created": "2020-01-01T00:00:00Z", "created_by": "COPY"}
    config = to_json({**json.loads(old), "created": step["created"], "history": [step]})
    root = Manifest(DOCKER_MANIFEST, to_json({**made.root.document, "config": describe(DOCKER_CONFIG, config)}))
    layers = {digest: blob for digest, blob in made.blobs.items() if blob != old}
    return Image(root, {root.digest: root}, {**layers, digest_of(config): config})


def build_cache() -> Image:
    """What BuildKit exported as a cache for long: an index that lists a config and layers, and no manifest."""
    config = ("application/vnd.buildkit.cacheconfig.v0", to_json({"layers": [{"blob": "x"}], "records": []}))
    layers = [("application/vnd.oci.image.layer.v1.tar+gzip", random_bytes(number, 500)) for number in range(2)]
    entries = [describe(*each) for each in (*layers, config)]
    root = Manifest(OCI_INDEX, to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}))
    return Image(root, {root.digest: root}, {digest_of(blob): blob for _, blob in (*layers, config)})


KINDS = {
    "Windows entries": windows(),
    "Helm chart": helm_chart(),
    "WASM": wasm(),
    "policy bundle": policy_bundle(),
    "own artifact type": own_type(),
    "no content": no_content(),
    "Docker lists": index(docker=True, platforms=["linux/amd64", "linux/arm/v7"]),
    "attestations": index(attested=True, platforms=["linux/amd64", "linux/arm64"]),
    "build cache": build_cache(),
}
