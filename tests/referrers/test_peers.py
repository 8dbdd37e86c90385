"""The same source copied by imagesync and by regctl, on real registries: the same tags, manifests and blobs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import httpx
import pytest

from tests import peers
from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.referrers.artifacts import UPSTREAMS, Upstream, about
from tests.remote_repository import RemoteRepository

ACCEPT = {"Accept": ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))}
REGISTRIES = ["docker_registry", "distribution_v3", "crane_registry", "registry"]


class Place(RemoteRepository):
    """A repository as any client sees it."""

    def push_all(self, upstream: Upstream) -> None:
        """Push as clients do: the lists too, unless the registry has the Referrers API."""
        self.push(upstream.image, "1")
        for _, one in upstream.attached:
            self.push(one)
        has_api = self._request("GET", f"referrers/{upstream.image.digest}").status_code == 200
        for tag, one in [*upstream.tagged.items(), *([] if has_api else upstream.lists().items())]:
            self.push(one, tag)

    def manifest(self, target: str) -> httpx.Response:
        return self._request("GET", f"manifests/{target}", headers=ACCEPT)

    def tags(self) -> list[str]:
        return sorted(self._request("GET", "tags/list").json()["tags"] or [])

    def held(self, upstream: Upstream) -> tuple[set[str], set[str]]:
        """Which manifests and which blobs of the upstream are here."""
        parts = [upstream.image, *(one for _, one in upstream.attached), *upstream.tagged.values()]
        manifests = {digest for part in parts for digest in part.manifests if self.manifest(digest).is_success}
        blobs = {digest for part in parts for digest in part.blobs if self.has_blob(digest)}
        return manifests, blobs

    def listed(self, tag: str) -> object:
        """What a tag leads to: a list of referrers by what it names, anything else by its digest."""
        answer = self.manifest(tag)
        entries = answer.json().get("manifests")
        if tag.startswith("sha256-") and entries is not None:
            return sorted(json.dumps(entry, sort_keys=True) for entry in entries)
        return answer.headers["Docker-Content-Digest"]


@pytest.fixture(params=REGISTRIES)
def places(request: pytest.FixtureRequest, repository_name: str) -> tuple[Place, Place, Place]:
    """A source, a destination for us and one for regctl, on one registry."""
    running = request.getfixturevalue(request.param)
    host = running.host if isinstance(running, EmbeddedRegistry) else running
    # go-containerregistry's registry blocks on a blob that is read and written at once.
    source = request.getfixturevalue("docker_registry") if request.param == "crane_registry" else host
    ours, theirs = (Place(host, f"{repository_name}/{name}") for name in ("ours", "theirs"))
    return Place(source, f"{repository_name}/up"), ours, theirs


def regctl(*arguments: str, hosts: tuple[str, ...]) -> str:
    """Run regctl; gives its output."""
    plain = [argument for host in hosts for argument in ("--host", f"reg={host},tls=disabled")]
    done = subprocess.run(
        [peers.program("regctl"), *plain, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _tree(place: str, *hosts: str) -> str:
    """What is attached to what, as regctl shows it: its lines, sorted, without the name of the place."""
    shown = regctl("artifact", "tree", "--digest-tags", place, hosts=hosts)
    return "\n".join(sorted(line for line in shown.splitlines() if "sha256:" in line))


@pytest.mark.parametrize("made", UPSTREAMS)
def test_as_regctl(places: tuple[Place, Place, Place], made: str) -> None:
    """Tags, manifests and blobs are those that regctl copies, and regctl shows the same tree of artifacts."""
    up, ours, theirs = places
    upstream = UPSTREAMS[made]()
    up.push_all(upstream)
    done = imagesync("sync", "--referrers", f"{up}:1", f"{ours}:1")
    assert done.code == 0, done.err
    regctl(
        *("image", "copy", "--referrers", "--digest-tags", f"{up}:1", f"{theirs}:1"),
        hosts=(up.host, ours.host),
    )
    assert ours.tags() == theirs.tags() == up.tags()
    assert {tag: ours.listed(tag) for tag in ours.tags()} == {tag: theirs.listed(tag) for tag in ours.tags()}
    assert ours.held(upstream) == theirs.held(upstream) == up.held(upstream)
    assert {ours.manifest(tag).content for tag in up.tags()} == {up.manifest(tag).content for tag in up.tags()}
    tree = _tree(f"{ours}:1", ours.host)
    assert tree == _tree(f"{up}:1", up.host) == _tree(f"{theirs}:1", ours.host)
    assert all(digest in tree for digest in upstream.referrers)


@pytest.mark.parametrize("made", UPSTREAMS)
@pytest.mark.parametrize("destination", ["docker_registry", "distribution_v3"])
def test_from_an_api_to_lists(
    request: pytest.FixtureRequest, registry: EmbeddedRegistry, repository_name: str, destination: str, made: str
) -> None:
    """From a registry with the Referrers API to one without, the lists are byte for byte those that regctl writes."""
    upstream, host = UPSTREAMS[made](), request.getfixturevalue(destination)
    upstream.seed(registry.repository("up/app"))
    source = f"{registry.host}/up/app:1"
    ours, theirs = Place(host, f"{repository_name}/ours"), Place(host, f"{repository_name}/theirs")
    assert imagesync("sync", "--referrers", source, f"{ours}:1").code == 0
    regctl(*("image", "copy", "--referrers", "--digest-tags", source, f"{theirs}:1"), hosts=(registry.host, host))
    assert ours.tags() == theirs.tags()
    assert {tag: ours.listed(tag) for tag in ours.tags()} == {tag: theirs.listed(tag) for tag in ours.tags()}
    alone = [tag for tag, one in upstream.lists().items() if len(one.children) == 1]
    assert [ours.manifest(tag).content for tag in alone] == [theirs.manifest(tag).content for tag in alone]
    assert _tree(f"{ours}:1", host) == _tree(f"{theirs}:1", host)


def test_from_lists_to_an_api(docker_registry: str, registry: EmbeddedRegistry, repository_name: str) -> None:
    """A registry that has the Referrers API needs no list; the source's is left where it is."""
    upstream = UPSTREAMS["graph"]()
    up = Place(docker_registry, repository_name)
    up.push_all(upstream)
    assert imagesync("sync", "--referrers", f"{up}:1", f"{registry.host}/team/app:1").code == 0
    down = registry.repository("team/app")
    assert set(down.tags) == {"1"}
    assert down.manifests.keys() >= upstream.referrers
    assert _tree(f"{registry.host}/team/app:1", registry.host) == _tree(f"{up}:1", docker_registry)


@pytest.mark.parametrize("made", UPSTREAMS)
def test_layouts(registry: EmbeddedRegistry, tmp_path: Path, made: str) -> None:
    """A layout that we wrote shows regctl and oras the same as the registry; one that regctl wrote is read whole."""
    upstream = UPSTREAMS[made]()
    upstream.seed(registry.repository("up/app"))
    source, ours, theirs = f"{registry.host}/up/app:1", tmp_path / "ours", tmp_path / "theirs"
    assert imagesync("sync", "--referrers", source, f"oci:{ours}:1").code == 0
    assert _tree(f"ocidir://{ours}:1") == _tree(source, registry.host)
    if made == "graph":
        found = subprocess.run(
            [peers.program("oras"), "discover", "--oci-layout", "--format", "json", f"{ours}:1"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert all(digest in found.stdout for digest in upstream.referrers)
    regctl(*("image", "copy", "--referrers", "--digest-tags", source, f"ocidir://{theirs}:1"), hosts=(registry.host,))
    for folder, name in ((ours, "from-ours"), (theirs, "from-theirs")):
        done = imagesync("sync", "--referrers", f"oci:{folder}", f"{registry.host}/{name}:1")
        assert done.code == 0, done.err
        assert registry.dump()[name] == registry.dump()["up/app"]


def test_an_oras_layout(tmp_path: Path, registry: EmbeddedRegistry) -> None:
    """What oras attached to an image in a layout, where it keeps no list, comes along."""
    upstream = UPSTREAMS["graph"]()
    folder = upstream.image.write_layout(tmp_path / "layout", "1")
    file = "sbom.json"
    (tmp_path / file).write_text("{}")
    subprocess.run(
        [peers.program("oras"), "attach", "--oci-layout", "--artifact-type=application/spdx+json", f"{folder}:1", file],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    done = imagesync("sync", "--referrers", f"oci:{folder}", f"{registry.host}/team/app:1")
    assert "with 1 SBOM" in done.err
    (found,) = registry.repository("team/app").referrers_of(upstream.image.digest)
    assert found.document["artifactType"] == "application/spdx+json"
    assert about(upstream.image) not in registry.repository("team/app").tags
