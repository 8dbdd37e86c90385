"""mirrors: others may have a source's bytes; what a tag is, only the source itself says."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from imagesync_cli.batch.reading.prefix import Prefix, parse_prefix
from imagesync_cli.values.errors import UsageError
from tests.batch.conftest import Bench
from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.faults import cut_in_half, flip_bit, refusal
from tests.embedded_registry.images import DOCKER_MANIFEST as LIE
from tests.embedded_registry.images import OCI_MANIFEST, Image, image, index, to_json


@pytest.fixture
def mirror() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as registry:
        yield registry


@pytest.fixture
def mirrored(bench: Bench, mirror: EmbeddedRegistry) -> tuple[Bench, EmbeddedRegistry, Image]:
    """An image that the source and, below hub/, a mirror have."""
    made = bench.seed("team/app", "1", index("app"))
    made.seed(mirror.repository("hub/team/app"), "1")
    bench.write(bench.entry("team/app", "1"), mirrors={bench.up.host: [f"{mirror.host}/hub"]})
    return bench, mirror, made


Mirrored = tuple[Bench, EmbeddedRegistry, Image]


def test_bytes_come_from_the_mirror(mirrored: Mirrored) -> None:
    """The source is asked one thing, what the tag is; all else comes from the mirror, and counts there."""
    bench, _, made = mirrored
    finished = bench.sync()
    assert finished.code == 0, finished.err
    assert [f"{request}" for request in bench.up.requests] == ["HEAD /v2/team/app/manifests/1"]
    assert bench.tags("team/app") == {"1": made.digest}
    assert bench.there("team/app").blobs == made.blobs


def test_a_lock_is_made_by_the_mirror(mirrored: Mirrored) -> None:
    """A lock asks the source for the digest, and measures the image at the mirror, where that is no pull there."""
    bench, mirror, _ = mirrored
    assert bench.lock().code == 0
    assert [request.method for request in bench.up.requests] == ["HEAD"]
    assert "GET" in {request.method for request in mirror.requests}


def test_a_tag_of_a_mirror_says_nothing(mirrored: Mirrored) -> None:
    """Where the mirror has another image under the tag, the source's arrives."""
    bench, mirror, made = mirrored
    image("another").seed(mirror.repository("hub/team/app"), "1")
    assert bench.sync().code == 0
    assert bench.tags("team/app") == {"1": made.digest}


def test_what_a_mirror_lacks_comes_from_the_next(mirrored: Mirrored) -> None:
    """Mirrors are asked in their order, and the source in the end; one that lacks something is no failure."""
    bench, mirror, made = mirrored
    layers = list(made.blobs)
    del mirror.repository("hub/team/app").blobs[layers[0]]
    with EmbeddedRegistry() as other:
        other.repository("team/app").blobs.update(made.blobs)
        bench.write(bench.entry("team/app", "1", mirrors=[mirror.host, f"{mirror.host}/hub", other.host]))
        finished = bench.sync()
        asked = [request.path for request in other.requests if request.method == "GET"]
    assert (finished.code, "read no more" in finished.err) == (0, False), finished.err
    assert f"/v2/team/app/blobs/{layers[0]}" in asked
    assert bench.there("team/app").blobs == made.blobs


@pytest.mark.parametrize(
    "fault",
    [flip_bit(100), cut_in_half(), refusal(401), refusal(403), refusal(500), Fault(drop_request_after=0)],
    ids=["a wrong bit", "half of it", "a login", "a ban", "down", "reset"],
)
@pytest.mark.parametrize("what", ["/blobs/", "/manifests/"])
@pytest.mark.usefixtures("pauses")
def test_a_mirror_that_fails_costs_nothing_but_time(mirrored: Mirrored, fault: Fault, what: str) -> None:
    """Whatever a mirror answers, the image arrives as the source has it, and a line says who was left out."""
    bench, mirror, made = mirrored
    mirror.fault = lambda request: fault if what in request.path else None
    finished = bench.sync()
    assert finished.code == 0, finished.err
    assert bench.tags("team/app") == {"1": made.digest}
    assert bench.there("team/app").blobs == made.blobs
    assert finished.err.count(f"{mirror.host}/hub/team/app is not read again in this run") == 1


@pytest.mark.parametrize("what", ["/blobs/", "/manifests/"])
def test_a_mirror_with_a_limit_is_not_waited_for(mirrored: Mirrored, pauses: list[float], what: str) -> None:
    """A mirror that asks for two minutes is left out at once; the source gives what it would not."""
    bench, mirror, made = mirrored
    limit = refusal(429, headers={"Retry-After": "110"})
    mirror.fault = lambda request: limit if what in request.path else None
    finished = bench.sync()
    assert finished.code == 0, finished.err
    assert bench.tags("team/app") == {"1": made.digest}
    assert pauses == []


@pytest.mark.usefixtures("pauses")
def test_a_source_that_is_away_needs_a_digest(mirrored: Mirrored) -> None:
    """No mirror may say what a tag is; with a digest in the source, or a lock, the mirror's bytes are enough."""
    bench, _, made = mirrored
    assert bench.lock().code == 0

    def away(request: Request) -> Fault:
        return refusal(503)

    bench.up.fault = away
    refused = bench.sync()
    assert refused.code != 0
    assert "mirrors are asked by digest alone" in refused.err
    assert not bench.tags("team/app")
    assert bench.sync("--locked").code == 0
    assert bench.tags("team/app") == {"1": made.digest}
    bench.down.state.repositories.clear()
    entry = bench.entry("team/app", "1")
    pinned = {"source": f"{bench.up.host}/team/app@{made.digest}", "destination": entry["destination"]}
    bench.write(pinned, mirrors={f"{bench.up.host}/team": [f"{bench.up.host}/none", f"{'127.0.0.1:1'}"]})
    assert bench.sync().code != 0
    mirrors = {f"{bench.up.host}/team": [f"{mirrored[1].host}/hub/team"], bench.up.host: ["127.0.0.1:1"]}
    bench.write(pinned, mirrors=mirrors)
    assert bench.sync().code == 0
    assert bench.tags("team/app") == {"1": made.digest}


@pytest.mark.usefixtures("pauses")
def test_shared_layers_need_no_source(mirrored: Mirrored) -> None:
    """While the source is away, a layer that another repository has got is sent again: nobody proves whose it is."""
    bench, mirror, made = mirrored
    made.seed(mirror.repository("hub/team/other"), "1")
    sources = [f"{bench.up.host}/team/{name}@{made.digest}" for name in ("app", "other")]
    entries = [{"source": each, "destination": f"{bench.down.host}/{n}:1"} for n, each in enumerate(sources)]
    bench.write(*entries, mirrors={bench.up.host: [f"{mirror.host}/hub"]})
    bench.up.fault = lambda _: refusal(503)
    finished = bench.sync("--jobs", "1")
    assert finished.code == 0, finished.err
    assert bench.there("0").blobs == bench.there("1").blobs == made.blobs


def test_whose_the_old_image_is_only_the_source_says(mirrored: Mirrored) -> None:
    """overwrite: ours replaces what the source has had; that a mirror has it is no proof."""
    bench, mirror, made = mirrored
    old = image("old")
    old.seed(bench.there("team/app"), "1")
    old.seed(mirror.repository("hub/team/app"), "0")
    bench.write(bench.entry("team/app", "1", overwrite="ours"), mirrors={bench.up.host: [f"{mirror.host}/hub"]})
    assert bench.sync().code == 7
    old.seed(bench.up.repository("team/app"), "0")
    assert bench.sync().code == 0
    assert bench.tags("team/app") == {"1": made.digest}


def test_a_mirror_gets_no_login_of_the_source(mirrored: Mirrored) -> None:
    """A login for the source is never shown to a mirror."""
    bench, mirror, _ = mirrored
    assert bench.sync().code == 0
    assert not [request for request in mirror.requests if "authorization" in request.headers]


@pytest.mark.parametrize(
    ("prefix", "repository", "rest"),
    [
        ("docker.io", "library/nginx", "library/nginx"),
        ("docker.io/library", "library/nginx", "nginx"),
        ("index.docker.io/library", "library/a/b", "a/b"),
        ("docker.io/lib", "library/nginx", None),
        ("docker.io/library/nginx", "library/nginx", ""),
        ("docker.io/library/nginx", "library/nginx2", None),
        ("r.io", "library/nginx", None),
    ],
)
def test_a_prefix_ends_where_a_part_ends(prefix: str, repository: str, rest: str | None) -> None:
    """docker.io/lib says nothing of docker.io/library."""
    assert parse_prefix(prefix).rest(("docker.io", repository)) == rest


def test_a_mirror_may_be_of_one_repository(mirrored: Mirrored) -> None:
    """A prefix that is a whole repository names the mirror of that one, whatever it is called there."""
    bench, mirror, made = mirrored
    made.seed(mirror.repository("copies/of-app"), "1")
    bench.seed("team/app2", "1", image("app2"))
    mirrors = {f"{bench.up.host}/team/app": [f"{mirror.host}/copies/of-app"]}
    bench.write(bench.entry("team/app", "1"), bench.entry("team/app2", "1"), mirrors=mirrors)
    assert bench.sync().code == 0
    asked = {request.path.rpartition("/blobs/")[0] for request in mirror.requests if "/blobs/" in request.path}
    assert asked == {"/v2/copies/of-app"}
    bench.write(bench.entry("team/app", "1"), mirrors={f"{bench.up.host}/team/app": [mirror.host]})
    assert bench.sync().code == 2


@pytest.mark.parametrize("rest", ["a:1", "a@sha256:" + "0" * 64, "../a", "A", "a//b", "x" * 256, "a/"])
def test_a_name_below_a_prefix_is_one(rest: str) -> None:
    """Nothing but a repository's name comes below a prefix."""
    with pytest.raises(UsageError):
        Prefix("r.io", "team").repository(rest)


def test_a_mirror_does_not_say_what_type_a_manifest_has(mirrored: Mirrored) -> None:
    """A manifest that does not say its type itself arrives with the type that the source tells of it."""
    bench, mirror, _ = mirrored
    made = image("untyped")
    content = to_json({key: value for key, value in json.loads(made.root.content).items() if key != "mediaType"})
    for repository, said in ((bench.up.repository("team/app"), OCI_MANIFEST), (mirror.repository("hub/team/app"), LIE)):
        repository.blobs.update(made.blobs)
        digest = repository.add_manifest(said, content, "1")
    assert bench.sync().code == 0
    assert not [request for request in bench.up.requests if request.method == "GET"]
    assert bench.there("team/app").manifests[digest].media_type == OCI_MANIFEST
