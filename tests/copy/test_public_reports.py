"""What users of other tools have reported in public, tried here; docs/public-reports.md lists them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.command import imagesync
from tests.embedded_registry import MANNERS, Authentication, EmbeddedRegistry, Fault, Manner, Request, Response
from tests.embedded_registry.faults import login_page, refusal
from tests.embedded_registry.images import (
    OCI_LAYER,
    OCI_MANIFEST,
    Image,
    describe,
    image,
    index,
    referrer,
    to_json,
)
from tests.embedded_registry.state import Manifest, digest_of
from tests.embedded_registry.wire import json_response
from tests.logins import auth, variables, write_auths

APP = index("app", platforms=("linux/amd64", "linux/arm64"))
SIGNED_IN = Authentication("bearer", {"ann": "secret"})


@pytest.fixture
def source() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as running:
        APP.seed(running.repository("a/b/c"), "1")
        yield running


def test_no_mount_from_another_registry(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """No registry is asked for the repository of another one (crane: "invalid repository name")."""
    assert imagesync("sync", f"{source.host}/a/b/c:1", f"{registry.host}/app:1").code == 0
    uploads = [request for request in registry.requests if request.method == "POST"]
    assert uploads
    assert {request.query.get("from", "app") for request in uploads} == {"app"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (json_response(400, {"details": "invalid repository name"}), "invalid repository name"),
        (json_response(400, {"message": "quota is used up"}), "quota is used up"),
        (json_response(400, {"error": {"code": 400, "message": "not in this region"}}), "not in this region"),
        (Response(400, {"Content-Type": "text/plain"}, b"the name is too deep\n"), "the name is too deep"),
        (Response(400, {"Content-Type": "text/html"}, b"<h1>Bad Request</h1>"), "answers 400"),
    ],
)
def test_errors_in_another_form(registry: EmbeddedRegistry, tmp_path: Path, answer: Response, said: str) -> None:
    """What a registry says in a form of its own is passed on, unless it is a web page."""
    layout = APP.write_layout(tmp_path / "layout", "1")
    registry.fault = lambda request: Fault(answer=answer) if request.method == "POST" else None
    done = imagesync("sync", f"oci:{layout}:1", f"{registry.host}/app:1")
    assert done.code == 7
    assert said in done.err
    assert "<h1>" not in done.err


def _with_nothing_in_it() -> Image:
    """An artifact whose config and one of whose layers have no bytes, as `oras push` made them from /dev/null."""
    parts = [b"", b"", b"content"]
    config, *layers = (describe(OCI_LAYER, part) for part in parts)
    config["mediaType"] = "application/vnd.unknown.config.v1+json"
    root = Manifest(OCI_MANIFEST, to_json({"schemaVersion": 2, "config": config, "layers": layers}))
    return Image(root, {root.digest: root}, {digest_of(part): part for part in parts})


@pytest.mark.parametrize("kind", ["docker_registry", "distribution_v3", "crane_registry", "oci", "oci-archive"])
def test_blobs_of_no_bytes(
    kind: str, registry: EmbeddedRegistry, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A config and a layer without a byte are copied everywhere and back (oras: "bytes=0--1" is no range)."""
    empty = _with_nothing_in_it()
    empty.seed(registry.repository("empty"), "1")
    there = f"{kind}:{tmp_path}/there:1" if kind.startswith("oci") else f"{request.getfixturevalue(kind)}/empty:1"
    assert imagesync("sync", f"{registry.host}/empty:1", there).code == 0
    back = imagesync("sync", there, f"{registry.host}/back:1")
    assert back.code == 0, back.err
    assert registry.repository("back").blobs == empty.blobs
    assert imagesync("check", "--read", f"{registry.host}/back:1").code == 0


def test_one_image_that_is_broken(source: EmbeddedRegistry, registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """One broken image keeps no other one from being copied, and the end is an error (skopeo sync stops there)."""
    repository = source.repository("many")
    made = {tag: image(tag) for tag in ("1", "2", "3")}
    for tag, each in made.items():
        each.seed(repository, tag)
    del repository.blobs[made["2"].root.blobs[1]]
    file = tmp_path / "images.yaml"
    file.write_text(
        f"images:\n  - source: {source.host}/many\n    destination: {registry.host}/many\n    tags: ['*']\n"
    )
    done = imagesync("sync", "--file", str(file))
    assert done.code == 3
    assert registry.repository("many").tags == {tag: made[tag].digest for tag in ("1", "3")}


def test_two_accounts_at_one_registry(tmp_path: Path) -> None:
    """Each side of a copy within one registry has its own account (oras cp takes one for both)."""
    accounts = Authentication("basic", {"reader": "r", "writer": "w"})
    with EmbeddedRegistry(Manner(authentication=accounts)) as registry:
        APP.seed(registry.repository("theirs"), "1")
        files = [
            str(write_auths(tmp_path / f"{name}.json", {registry.host: auth(name, name[0])}))
            for name in ("reader", "writer")
        ]
        options = ("--src-auth-file", files[0], "--dst-auth-file", files[1])
        done = imagesync("sync", *options, f"{registry.host}/theirs:1", f"{registry.host}/ours:1")
        assert done.code == 0, done.err
        assert registry.repository("ours").tags == {"1": APP.digest}
        expected = {"theirs": auth("reader", "r")["auth"], "ours": auth("writer", "w")["auth"]}
        for request in registry.requests:
            given = request.headers.get("authorization", "")
            assert given in ("", f"Basic {expected[request.path.split('/')[2] or 'ours']}")


def test_a_token_for_one_repository(tmp_path: Path) -> None:
    """To read an image, a token is asked for its repository and no other (containerd asks for the mirrored one too)."""
    with EmbeddedRegistry(Manner(authentication=replace(SIGNED_IN, one_scope_only=True))) as registry:
        APP.seed(registry.repository("mirror/app"), "1")
        login = variables(registry.host, "ann", "secret")
        done = imagesync("sync", f"{registry.host}/mirror/app:1", f"oci:{tmp_path}/there:1", environ=login)
        assert done.code == 0, done.err
        asked = [request.query["scope"] for request in registry.requests if request.path == "/token"]
        assert set(asked) == {"repository:mirror/app:pull"}


def test_a_challenge_without_a_scope(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """A challenge that names no scope is answered with the one that is needed (containerd: "no scope specified")."""

    def forget_the_scope(answer: Response) -> Response:
        told = answer.headers.get("WWW-Authenticate", "").partition(",scope=")[0]
        return replace(answer, headers={**answer.headers, "WWW-Authenticate": told}) if told else answer

    with EmbeddedRegistry(Manner(authentication=SIGNED_IN)) as there:
        there.fault = lambda _: Fault(change=forget_the_scope)
        layout = APP.write_layout(tmp_path / "layout", "1")
        login = variables(there.host, "ann", "secret")
        done = imagesync("sync", f"oci:{layout}:1", f"{there.host}/app:1", environ=login)
        assert done.code == 0, done.err
        assert there.repository("app").tags == {"1": APP.digest}


def test_a_token_server_that_answers_a_web_page() -> None:
    """A web page in place of a token is told as such, with its address (containerd: "invalid character '<'")."""
    with EmbeddedRegistry(Manner(authentication=SIGNED_IN)) as registry:
        registry.fault = lambda request: login_page() if request.path == "/token" else None
        login = variables(registry.host, "ann", "secret")
        done = imagesync("resolve", f"{registry.host}/app:1", environ=login)
    assert done.code in (4, 6)
    assert f"http://{registry.host}/token" in done.err
    assert "invalid" not in done.err
    assert "<html>" not in done.err


def test_manifests_behind_a_redirect(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """A registry that redirects manifests as well is read (Docker took the redirect's web page for the manifest)."""

    def redirect(request: Request) -> Fault | None:
        if not request.path.startswith("/v2/front/"):
            return None
        location = {"Location": request.path.replace("/front/", "/a/b/c/", 1), "Content-Type": "text/html"}
        return Fault(answer=Response(302, location, b"<a href='#'>Found</a>"))

    source.fault = redirect
    done = imagesync("sync", f"{source.host}/front:1", f"{registry.host}/app:1")
    assert done.code == 0, done.err
    assert registry.repository("app").tags == {"1": APP.digest}


def test_a_tag_that_must_keep_its_type(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """A registry that lets no tag go from an index to an image says so, and the tag stays as it was (zot did)."""
    repository = registry.repository("app")
    APP.seed(repository, "1")
    plain = image("plain")

    def keep_the_type(request: Request) -> Fault | None:
        moved = request.method == "PUT" and request.path.endswith("/manifests/1")
        return refusal(400, "MANIFEST_INVALID") if moved else None

    registry.fault = keep_the_type
    done = imagesync("sync", f"oci:{plain.write_layout(tmp_path / 'plain', '1')}:1", f"{registry.host}/app:1")
    assert done.code == 7
    assert "MANIFEST_INVALID: a fault on purpose" in done.err
    assert repository.tags == {"1": APP.digest}
    assert set(APP.manifests) <= repository.manifests.keys()


def test_tag_and_digest_together(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """NAME:TAG@DIGEST means the digest, also where the tag has moved on or is gone (zot's cache found nothing)."""
    for tag in ("1", "gone"):
        reference = f"{source.host}/a/b/c:{tag}@{APP.digest}"
        image("newer").seed(source.repository("a/b/c"), "1")
        done = imagesync("sync", reference, f"{registry.host}/app:{tag}")
        assert done.code == 0, done.err
        assert registry.repository("app").tags[tag] == APP.digest


def test_the_entry_of_a_fallback_tag(source: EmbeddedRegistry) -> None:
    """Where there is no Referrers API, the list names artifact type and annotations of each (cosign left them out)."""
    signature = referrer(APP, "application/vnd.example.signature")
    signature.seed(source.repository("a/b/c"))
    with EmbeddedRegistry(MANNERS["distribution-3"]) as there:
        done = imagesync("sync", "--referrers", f"{source.host}/a/b/c:1", f"{there.host}/app:1")
        assert done.code == 0, done.err
        repository = there.repository("app")
        found = repository.find(APP.digest.replace(":", "-"))
        assert found is not None
        (entry,) = found.document["manifests"]
    assert entry["digest"] == signature.digest
    assert entry["artifactType"] == "application/vnd.example.signature"
    assert entry["annotations"] == json.loads(signature.root.content)["annotations"]
