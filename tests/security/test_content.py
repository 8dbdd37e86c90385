"""What a hostile registry, or a hostile image, sends: checked, bounded and never obeyed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import Fault
from tests.embedded_registry.images import OCI_INDEX, OCI_MANIFEST, describe, image, index, to_json
from tests.embedded_registry.state import Manifest, digest_of
from tests.embedded_registry.wire import Request, Response, json_response

MIB = 1024 * 1024


@pytest.fixture
def source(registry: EmbeddedRegistry) -> str:
    image().seed(registry.repository("app"), "1")
    return f"{registry.host}/app"


def put(registry: EmbeddedRegistry, media_type: str, document: object) -> Manifest:
    """Store a document under the tag "bad", as a registry does that checks nothing."""
    manifest = Manifest(media_type, document if isinstance(document, bytes) else to_json(document))
    repository = registry.repository("app")
    repository.manifests[manifest.digest] = manifest
    repository.tags["bad"] = manifest.digest
    return manifest


def answering(part: str, response: Response) -> Callable[[Request], Fault | None]:
    return lambda request: Fault(answer=response) if part in request.path else None


def test_a_digest_is_checked_against_the_bytes(registry: EmbeddedRegistry, source: str, tmp_path: Path) -> None:
    """What is asked for by digest and comes with other bytes is refused, whatever the header claims."""
    wanted, other = image(), image("other")
    headers = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": wanted.digest}
    registry.fault = answering("manifests", Response(200, headers, other.root.content))
    done = imagesync("sync", f"{source}@{wanted.digest}", f"oci:{tmp_path}/copy:1")
    assert done.code == 6
    assert not (tmp_path / "copy" / "index.json").exists()


def test_a_header_that_lies(registry: EmbeddedRegistry, source: str, tmp_path: Path) -> None:
    """A tag's manifest that does not match the digest in its header is refused."""

    def lie(request: Request) -> Fault | None:
        if "manifests" not in request.path:
            return None
        headers = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": digest_of(b"something else")}
        return Fault(change=lambda response: replace(response, headers=headers))

    registry.fault = lie
    assert imagesync("sync", f"{source}:1", f"oci:{tmp_path}/copy:1").code == 6


@pytest.mark.parametrize(
    ("header", "change"),
    [
        (OCI_MANIFEST, {"manifests": []}),
        (OCI_INDEX, {}),
        (OCI_MANIFEST, {"mediaType": OCI_INDEX}),
        (OCI_INDEX, {"mediaType": OCI_INDEX, "manifests": []}),
    ],
)
def test_two_readings(
    registry: EmbeddedRegistry, source: str, tmp_path: Path, header: str, change: dict[str, object]
) -> None:
    """A manifest that one tool takes for an image and another for an index is refused."""
    put(registry, header, {**image().root.document, **change})
    assert imagesync("sync", f"{source}:bad", f"oci:{tmp_path}/copy:1").code == 6


@pytest.mark.parametrize(
    "digest", ["sha256:../../../../etc/passwd", "../x", "sha256:" + "A" * 64, "sha256:ab", "md5:00"]
)
def test_digests_that_are_paths(registry: EmbeddedRegistry, source: str, tmp_path: Path, digest: str) -> None:
    """A digest in a manifest that is none becomes no part of a path or a URL."""
    document = image().root.document
    layer = {**document["layers"][0], "digest": digest}
    put(registry, OCI_MANIFEST, {**document, "layers": [layer]})
    done = imagesync("sync", f"{source}:bad", f"oci:{tmp_path}/copy:1")
    assert done.code == 6
    assert [request for request in registry.requests if ".." in request.target or digest in request.target] == []


def test_links_in_a_layout(tmp_path: Path) -> None:
    """A blob of a layout that is a link to a file outside is not read."""
    layout = image().write_layout(tmp_path / "layout", "1")
    secret = tmp_path / "secret"
    layer = image().root.document["layers"][0]["digest"].removeprefix("sha256:")
    blob = layout / "blobs" / "sha256" / layer
    secret.write_bytes(blob.read_bytes())
    blob.unlink()
    blob.symlink_to(secret)
    done = imagesync("sync", f"oci:{layout}:1", f"oci:{tmp_path}/copy:1")
    assert done.code == 6
    assert "not a regular file" in done.err


def test_large_manifests(registry: EmbeddedRegistry, source: str, tmp_path: Path) -> None:
    """A manifest of more than 4 MiB is not read to its end."""
    put(registry, OCI_MANIFEST, {**image().root.document, "annotations": {"x": "y" * (4 * MIB)}})
    assert imagesync("sync", f"{source}:bad", f"oci:{tmp_path}/copy:1").code == 6


def test_large_tokens(registry: EmbeddedRegistry, source: str) -> None:
    """A token of more than 64 KiB is an error, not a header."""

    def answer(request: Request) -> Fault:
        if request.path == "/token":
            return Fault(answer=json_response(200, {"token": "t" * 65 * 1024}))
        realm = {"WWW-Authenticate": f'Bearer realm="http://{registry.host}/token"'}
        return Fault(answer=json_response(401, {}, realm))

    registry.fault = answer
    assert imagesync("resolve", f"{source}:1").code == 6


@pytest.mark.parametrize("token", ["a\r\nX-Injected: 1", "a b", "ü", ""])
def test_tokens_that_are_headers(registry: EmbeddedRegistry, source: str, token: str) -> None:
    """A token that would add a header, or is none, is refused."""

    def answer(request: Request) -> Fault:
        if request.path == "/token":
            return Fault(answer=json_response(200, {"token": token}))
        realm = {"WWW-Authenticate": f'Bearer realm="http://{registry.host}/token"'}
        return Fault(answer=json_response(401, {}, realm))

    registry.fault = answer
    assert imagesync("resolve", f"{source}:1").code == 6
    assert [request for request in registry.requests if "x-injected" in request.headers] == []


def test_large_errors(registry: EmbeddedRegistry, source: str) -> None:
    """An error page of any length costs no memory and tells by its status alone."""
    registry.fault = answering("manifests", Response(403, {}, b"<html>" * MIB))
    done = imagesync("resolve", f"{source}:1")
    assert done.code == 4
    assert len(done.err) < 500


def test_deep_indexes(registry: EmbeddedRegistry, source: str, tmp_path: Path) -> None:
    """Indexes within indexes are followed sixteen deep, no further."""
    manifest = image().root
    for _ in range(20):
        entry = describe(manifest.media_type, manifest.content)
        manifest = put(registry, OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]})
    done = imagesync("sync", f"{source}:bad", f"oci:{tmp_path}/copy:1")
    assert done.code == 6
    assert "16" in done.err


def test_deep_indexes_of_another_tag(registry: EmbeddedRegistry, source: str) -> None:
    """Where another tag goes deeper than anybody looks, a delete cannot know who uses what, and keeps the manifest."""
    manifest = image("other").root
    for _ in range(20):
        entry = describe(manifest.media_type, manifest.content)
        manifest = put(registry, OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]})
    imagesync("delete", f"{source}:1")
    assert registry.repository("app").tags.keys() == {"bad"}
    assert image().digest in registry.repository("app").manifests


def test_wide_indexes(registry: EmbeddedRegistry, source: str, tmp_path: Path) -> None:
    """An index of more than ten thousand entries is refused before any of them is fetched."""
    entries = [{"mediaType": OCI_MANIFEST, "digest": digest_of(str(n).encode()), "size": 1} for n in range(10_001)]
    put(registry, OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    assert imagesync("sync", f"{source}:bad", f"oci:{tmp_path}/copy:1").code == 6
    assert len([request for request in registry.requests if "manifests/sha256" in request.path]) <= 1


def test_each_digest_once(registry: EmbeddedRegistry, source: str, tmp_path: Path) -> None:
    """An index that names one image a thousand times costs one image."""
    one = describe(image().root.media_type, image().root.content)
    put(registry, OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [one] * 1000})
    assert imagesync("sync", f"{source}:bad", f"oci:{tmp_path}/copy:1").code == 0
    assert len([request for request in registry.requests if image().digest in request.path]) == 1


def test_endless_tag_pages(registry: EmbeddedRegistry) -> None:
    """A list of tags that repeats itself for ever comes to an end."""
    index("x", platforms=("linux/amd64",)).seed(registry.repository("app"), "1")

    def again(request: Request) -> Fault | None:
        if "tags/list" not in request.path:
            return None
        link = {"Link": '</v2/app/tags/list?n=1&last=1>; rel="next"'}
        return Fault(answer=json_response(200, {"name": "app", "tags": ["1"]}, link))

    registry.fault = again
    imagesync("delete", f"{registry.host}/app:1")
    assert len([request for request in registry.requests if "tags/list" in request.path]) < 10


@pytest.mark.parametrize("command", ["resolve", "external"])
def test_control_characters(registry: EmbeddedRegistry, source: str, command: str) -> None:
    """What a registry says cannot move the cursor, change the title or hide a line of the terminal."""
    evil = "\x1b]0;title\x07\x1b[2Jgone\r\x9b31m\u202etxt"
    registry.fault = lambda _: Fault(answer=json_response(403, {"errors": [{"code": evil, "message": evil}]}))
    if command == "resolve":
        done = imagesync("resolve", f"{source}:1")
    else:
        done = imagesync("external", stdin=json.dumps({"images": json.dumps({"a": f"{source}:1"})}))
        said = json.loads(json.loads(done.out)["a"])["error"]
        assert said.isprintable()
    assert "gone" in done.err + done.out
    assert all(c == "\n" or c.isprintable() for c in done.err)


def test_headers_that_move_a_terminal(registry: EmbeddedRegistry, source: str) -> None:
    """What a registry says in a header reaches neither a terminal nor Terraform with what they would obey."""
    evil = "\u202egone\u009b31m"

    def change(response: Response) -> Response:
        return replace(response, headers={**response.headers, "Content-Type": f"a/{evil}".encode().decode("latin-1")})

    registry.fault = lambda _: Fault(change=change)
    done = imagesync("external", stdin=json.dumps({"images": json.dumps({"a": f"{source}:1"})}))
    said = json.loads(json.loads(done.out)["a"])
    assert said["kind"]
    assert (said["error"] + said["media_type"]).isprintable()


def test_more_bytes_than_its_descriptor_says(registry: EmbeddedRegistry, source: str, tmp_path: Path) -> None:
    """A child manifest that is not as long as the index says is refused, although its digest is right."""
    child = image().root
    entry = {**describe(child.media_type, child.content), "size": 7}
    put(registry, OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]})
    assert imagesync("sync", f"{source}:bad", f"oci:{tmp_path}/copy:1").code == 6


def test_a_destination_that_never_has_anything(registry: EmbeddedRegistry, source: str) -> None:
    """Indexes that name each other many times over are sent again once each, not once for every way to them."""
    manifest = image().root
    for level in range(12):
        entry = describe(manifest.media_type, manifest.content)
        named = {"manifests": [entry] * 9, "annotations": {"n": str(level)}}
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, **named}
        manifest = put(registry, OCI_INDEX, document)
    with EmbeddedRegistry() as forgetful:

        def forget(request: Request) -> Fault | None:
            if "/manifests/" in request.path and (request.method == "HEAD" or request.path.endswith("/1")):
                errors = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": ""}]}
                return Fault(answer=json_response(404, errors))
            return None

        forgetful.fault = forget
        assert imagesync("sync", f"{source}:bad", f"{forgetful.host}/copy:1").code != 0
        assert len(forgetful.requests) < 200
