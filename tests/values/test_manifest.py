"""Manifests: what is read out of them, and which ones nobody should believe."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagesync_cli.values.digest import sha256
from imagesync_cli.values.errors import ContentError, ImagesyncError, Refused
from imagesync_cli.values.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    MAX_DESCRIPTORS,
    OCI_INDEX,
    OCI_MANIFEST,
    parse_manifest,
)
from tests.embedded_registry.images import attestation, image, index, referrer

DIGEST = f"sha256:{'a' * 64}"
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": DIGEST, "size": 3}


def manifest(**more: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "config": LAYER, "layers": [LAYER], **more}).encode()


@pytest.mark.parametrize("docker", [False, True])
def test_image(docker: bool) -> None:
    """An image names its config and its layers, in Docker's form and in OCI's."""
    made = image(layers=2, docker=docker)
    read = parse_manifest(made.root.content, made.root.media_type, digest=made.digest)
    assert [blob.digest for blob in read.blobs] == made.root.blobs
    assert (read.manifests, read.media_type, read.digest) == ((), made.root.media_type, made.digest)
    assert read.content == made.root.content


@pytest.mark.parametrize("docker", [False, True])
def test_index(docker: bool) -> None:
    """An index names the manifests of all platforms, and no blobs of its own."""
    made = index(docker=docker, attested=not docker)
    read = parse_manifest(made.root.content, made.root.media_type)
    assert [child.digest for child in read.manifests] == made.children
    assert read.blobs == ()


def test_subject() -> None:
    """A signature says what it is about."""
    signed = image()
    read = parse_manifest(referrer(signed).root.content, OCI_MANIFEST)
    assert read.subject is not None
    assert read.subject.digest == signed.digest


@pytest.mark.parametrize(
    ("content", "header", "media_type"),
    [
        (manifest(), "", OCI_MANIFEST),
        (manifest(), "application/json", OCI_MANIFEST),
        (manifest(), f"{DOCKER_MANIFEST}; charset=utf-8", DOCKER_MANIFEST),
        (manifest(mediaType=DOCKER_MANIFEST), "text/plain", DOCKER_MANIFEST),
        (b'{"schemaVersion": 2, "manifests": []}', "", OCI_INDEX),
        (b'{"schemaVersion": 2, "manifests": []}', DOCKER_LIST, DOCKER_LIST),
        (b'{"schemaVersion": 2, "manifests": null}', OCI_INDEX, OCI_INDEX),
    ],
)
def test_media_type(content: bytes, header: str, media_type: str) -> None:
    """The type is what manifest and registry agree on, or what the shape tells where both say nothing."""
    assert parse_manifest(content, header).media_type == media_type


NOT_BELIEVED = {
    "two readings": (manifest(manifests=[]), OCI_MANIFEST, "an index and an image at once"),
    "two readings of an index": (manifest(manifests=[]), OCI_INDEX, "an index and an image at once"),
    "another type than told": (manifest(mediaType=OCI_MANIFEST), DOCKER_MANIFEST, "the registry calls it"),
    "an index in the header": (manifest(), OCI_INDEX, "does not have the shape"),
    "an image in the header": (b'{"schemaVersion": 2, "manifests": []}', OCI_MANIFEST, "does not have the shape"),
    "no type of manifest": (manifest(mediaType="text/html"), "", "which is not a manifest"),
    "a type that is a number": (manifest(mediaType=7), "", "calls itself 7"),
    "any JSON": (b'{"detail": "hello"}', "application/json", "JSON, but not a manifest"),
    "not JSON": (b"\n<html>", OCI_MANIFEST, "is not JSON, but a web page"),
    "not UTF-8": (b"\xff\xfe{", OCI_MANIFEST, "is not JSON: it is not UTF-8"),
    "a list": (b"[]", OCI_MANIFEST, "is not a JSON object"),
    "nothing": (b"", OCI_MANIFEST, "is not JSON: it is empty"),
    "deep": (b'{"a":' * 100_000, OCI_MANIFEST, "is not JSON"),
    "a huge number": (b'{"schemaVersion": ' + b"9" * 5000 + b"}", "", "JSON"),
    "layers that are no list": (manifest(layers="x"), OCI_MANIFEST, "layers is not a list"),
    "too many layers": (manifest(layers=[LAYER] * (MAX_DESCRIPTORS + 1)), OCI_MANIFEST, "at most 10000"),
    "a layer that is text": (manifest(layers=["x"]), OCI_MANIFEST, "not an object"),
    "a config that is text": (manifest(config="x"), OCI_MANIFEST, "not an object"),
    "a subject that is text": (manifest(subject="x"), OCI_MANIFEST, "not an object"),
    "no digest": (manifest(layers=[{**LAYER, "digest": None}]), OCI_MANIFEST, "without media type or digest"),
    "a path": (manifest(layers=[{**LAYER, "digest": "../../etc"}]), OCI_MANIFEST, "without media type or digest"),
    "no type": (manifest(layers=[{**LAYER, "mediaType": None}]), OCI_MANIFEST, "without media type or digest"),
    "negative": (manifest(layers=[{**LAYER, "size": -1}]), OCI_MANIFEST, "not a number of bytes"),
    "half a byte": (manifest(layers=[{**LAYER, "size": 1.5}]), OCI_MANIFEST, "not a number of bytes"),
    "true bytes": (manifest(layers=[{**LAYER, "size": True}]), OCI_MANIFEST, "not a number of bytes"),
    "no size": (manifest(layers=[{**LAYER, "size": None}]), OCI_MANIFEST, "not a number of bytes"),
}


@pytest.mark.parametrize(("content", "header", "why"), NOT_BELIEVED.values(), ids=NOT_BELIEVED)
def test_not_believed(content: bytes, header: str, why: str) -> None:
    """A manifest that is broken, hostile or two things at once is refused with the reason."""
    with pytest.raises(ContentError, match=why):
        parse_manifest(content, header)


def test_other_bytes_than_asked_for() -> None:
    """What was asked for by digest is checked against that digest."""
    with pytest.raises(ContentError, match=f"{DIGEST} arrived as {sha256(manifest())}"):
        parse_manifest(manifest(), OCI_MANIFEST, digest=DIGEST)


def test_schema_1() -> None:
    """An image from before 2016 is refused with what to do about it."""
    with pytest.raises(Refused, match="schema 1") as refused:
        parse_manifest(b'{"schemaVersion": 1, "fsLayers": []}', "application/vnd.docker.distribution.manifest.v1+json")
    assert "push the image again" in refused.value.hint


@pytest.mark.parametrize(
    ("media_type", "foreign"),
    [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", True),
        ("application/vnd.oci.image.layer.v1.tar+gzip", False),
    ],
)
def test_foreign_layers(media_type: str, foreign: bool) -> None:
    """Layers that registries must not hold are told from the others."""
    read = parse_manifest(manifest(layers=[{**LAYER, "mediaType": media_type}]), OCI_MANIFEST)
    assert [blob.is_foreign for blob in read.blobs] == [False, foreign]


_KEYS = st.sampled_from(
    ["schemaVersion", "mediaType", "manifests", "layers", "blobs", "config", "subject", "digest", "size", "x"]
)
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([DIGEST, OCI_INDEX, 2])
_DOCUMENTS = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner))


@given(_DOCUMENTS.map(lambda document: json.dumps(document).encode()) | st.binary(), st.sampled_from(["", OCI_INDEX]))
def test_every_body_is_a_manifest_or_our_error(content: bytes, header: str) -> None:
    """Whatever a registry answers, there is a manifest or a clear error, never a crash."""
    with contextlib.suppress(ImagesyncError):
        assert parse_manifest(content, header).digest == sha256(content)


def test_attestations_are_images() -> None:
    """What BuildKit adds beside each platform is read like an image."""
    assert len(parse_manifest(attestation(DIGEST).root.content).blobs) == 2


@pytest.mark.parametrize(
    "content",
    [
        b'{"schemaVersion": 2, "layers": [], "layers": []}',
        b'{"schemaVersion": 2, "annotations": {"a": "1", "a": "2"}}',
        b'{"schemaVersion": 2, "Layers": []}',
        b'{"schemaVersion": 2, "layer\xc5\xbf": []}',  # a long s, which Go takes for an s
        b'{"schemaVersion": 2, "layers": [{"Digest": "sha256:"}]}',
        b'{"schemaVersion": 2, "annotations": {"a": NaN}}',
        b'\xef\xbb\xbf{"schemaVersion": 2}',
        '{"schemaVersion": 2}'.encode("utf-16"),
        b'{"schemaVersion": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
    ],
)
def test_one_reading(content: bytes) -> None:
    """What two JSON parsers would read as two things, or not both read at all, is no manifest."""
    with pytest.raises(ContentError, match=r"is not JSON|in the wrong case"):
        parse_manifest(content, OCI_MANIFEST)


@pytest.mark.parametrize("name", ["Size", "Digest", "MEDIATYPE", "Layers", "manifests", "urls", "schemaversion"])
def test_a_name_of_its_own_choice(name: str) -> None:
    """An annotation, or a field that this reads nothing of, may be called as its author likes."""
    layer = {**LAYER, "annotations": {name: "1"}, "x": {name: [1]}}
    read = parse_manifest(manifest(annotations={name: "1"}, layers=[layer]))
    assert [blob.digest for blob in read.layers] == [DIGEST]
    entry = {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": 3, "annotations": {name: "1"}}
    assert len(parse_manifest(json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()).manifests) == 1


@pytest.mark.parametrize("field", ["Platform", "SIZE", "Digest", "mediatype", "Urls"])
def test_a_field_in_the_wrong_case(field: str) -> None:
    """What one parser takes for a descriptor's field, and another does not, is refused in every descriptor."""
    for more in ({"layers": [{**LAYER, field: 1}]}, {"config": {**LAYER, field: 1}}, {"subject": {**LAYER, field: 1}}):
        with pytest.raises(ContentError, match="in the wrong case"):
            parse_manifest(manifest(**more))


@pytest.mark.parametrize("part", [b"[]", b"{}", b'"",', b"0", b'{"a":0}'])
def test_dense_documents(part: bytes) -> None:
    """A document of a few MiB that would become a hundred in memory is refused before it does."""
    many = b",".join([part.rstrip(b",")] * 200_000)
    with pytest.raises(ContentError, match="more than 100000 values"):
        parse_manifest(b'{"schemaVersion": 2, "layers": [], "x": [' + many + b"]}")


@pytest.mark.parametrize("size", [-1, 2**63, 10**400, True, 1.0, "1", None])
def test_size_of_a_descriptor(size: object) -> None:
    """A size is a whole number of bytes that a registry can mean."""
    with pytest.raises(ContentError, match="not a number of bytes"):
        parse_manifest(manifest(layers=[{**LAYER, "size": size}]), OCI_MANIFEST)
