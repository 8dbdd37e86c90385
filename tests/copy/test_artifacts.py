"""Anything that a registry holds is copied as the field's own tools copy it, byte for byte, on real registries."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import peers
from tests.command import imagesync
from tests.copy.artifacts import KINDS, build_cache, own_type, windows, with_history
from tests.embedded_registry import EmbeddedRegistry, Manner
from tests.embedded_registry.faults import Fault
from tests.embedded_registry.images import Image
from tests.embedded_registry.wire import Response
from tests.stores.copying import blob, manifest, sent
from tests.stores.files.tars import blobs, whole

TOOLS = {
    "crane": "crane copy {source} {target}",
    "regctl": "regctl --host reg={up},tls=disabled --host reg={down},tls=disabled image copy {source} {target}",
    "skopeo": "skopeo --insecure-policy copy --all --preserve-digests --src-tls-verify=false --dest-tls-verify=false"
    " docker://{source} docker://{target}",
}
# skopeo 1.9 knows images alone: it stops at a list whose entries are none.
UNABLE = {("skopeo", "build cache")}
# distribution 3 takes no index that lists anything but manifests, whoever brings it.
_REFUSED = {("registry", "build cache")}
_KINDS = [
    pytest.param(name, kind, id=f"{name}-{kind}")
    for name in ("docker-registry", "registry")
    for kind in KINDS
    if (name, kind) not in _REFUSED
]


@pytest.fixture(scope="module")
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A real registry, distribution 2.8 or 3, that allows foreign layers of any https URL; and its storage."""
    folder = tmp_path_factory.mktemp(request.param)
    run = peers.docker_registry if request.param == "docker-registry" else peers.distribution_v3
    with run(folder, more=peers.ALLOWS_FOREIGN_LAYERS) as host:
        yield host, folder / "storage" / "docker" / "registry" / "v2" / "repositories"


def held(repository: Path) -> dict[str, set[str]]:
    """What a repository of distribution's holds, as its storage shows it."""
    places = {"tags": "_manifests/tags", "manifests": "_manifests/revisions/sha256", "blobs": "_layers/sha256"}
    return {kind: {each.name for each in (repository / place).iterdir()} for kind, place in places.items()}


def run(command_line: str, folder: Path) -> None:
    """Run a tool that knows of no login of this machine."""
    command = command_line.split()
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "DOCKER_CONFIG": str(folder)}
    program = [peers.program(command[0]), *command[1:]]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("real", "kind"), _KINDS, indirect=["real"])
def test_as_the_fields_tools_copy_it(
    source: EmbeddedRegistry, real: tuple[str, Path], repository_name: str, tmp_path: Path, kind: str
) -> None:
    """Tags, manifests and blobs at the destination are those that crane, regctl and skopeo bring there."""
    made = KINDS[kind]
    made.seed(source.repository("app"), "1")
    host, storage = real
    finished = imagesync("sync", f"{source.host}/app:1", f"{host}/{repository_name}/ours:1")
    assert finished.code == 0, finished.err
    ours = held(storage / repository_name / "ours")
    assert ours == {
        "tags": {"1"},
        "manifests": {digest.removeprefix("sha256:") for digest in made.manifests},
        "blobs": {digest.removeprefix("sha256:") for digest in made.blobs},
    }
    for tool, command in TOOLS.items():
        if (tool, kind) not in UNABLE:
            target = f"{repository_name}/{tool}"
            places = {"source": f"{source.host}/app:1", "target": f"{host}/{target}:1"}
            run(command.format(up=source.host, down=host, **places), tmp_path)
            assert held(storage / target) == ours, tool


@pytest.mark.parametrize(("real", "kind"), _KINDS, indirect=["real"])
def test_through_an_archive(
    source: EmbeddedRegistry, real: tuple[str, Path], repository_name: str, tmp_path: Path, kind: str
) -> None:
    """What goes into an archive, is carried and comes out into another registry is the same to the last byte."""
    made = KINDS[kind]
    made.seed(source.repository("app"), "1")
    host, storage = real
    assert imagesync("sync", f"{source.host}/app:1", f"oci-archive:{tmp_path / 'out.tar'}:1").code == 0
    subprocess.run(["cp", tmp_path / "out.tar", tmp_path / "in.tar"], check=True)
    assert blobs(tmp_path / "in.tar") == whole(made)
    finished = imagesync("sync", f"oci-archive:{tmp_path / 'in.tar'}:1", f"{host}/{repository_name}:1")
    assert finished.out == f"{host}/{repository_name}@{made.digest}\n", finished.err
    assert held(storage / repository_name)["manifests"] == {digest[7:] for digest in made.manifests}


@pytest.mark.parametrize("tool", ["skopeo", "regctl"])
def test_archives_of_others(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, busybox: Image, tmp_path: Path, tool: str
) -> None:
    """Other tools read the archives that we write, and we read theirs, with the same digest at the end."""
    busybox.seed(source.repository("app"), "1")
    ours, theirs = tmp_path / "ours.tar", tmp_path / "theirs.tar"
    assert imagesync("sync", f"{source.host}/app:1", f"oci-archive:{ours}:1").code == 0
    if tool == "skopeo":
        skopeo = "--insecure-policy copy --all --preserve-digests --dest-tls-verify=false --src-tls-verify=false"
        commands = [
            f"skopeo {skopeo} oci-archive:{ours}:1 docker://{registry.host}/theirs:1",
            f"skopeo {skopeo} docker://{source.host}/app:1 oci-archive:{theirs}:1",
        ]
    else:
        hosts = f"--host reg={source.host},tls=disabled --host reg={registry.host},tls=disabled"
        commands = [
            f"regctl {hosts} image import {registry.host}/theirs:1 {ours}",
            f"regctl {hosts} image export {source.host}/app:1 {theirs}",
        ]
    for command in commands:
        run(command, tmp_path)
    there = registry.repository("theirs")
    assert (there.tags, there.manifests, there.blobs) == ({"1": busybox.digest}, busybox.manifests, busybox.blobs)
    back = imagesync("sync", f"oci-archive:{theirs}", f"{registry.host}/ours:1")
    assert back.code == 0, back.err
    assert registry.repository("ours").manifests == busybox.manifests


@pytest.mark.parametrize("real", ["registry"], indirect=True)
def test_a_registry_that_wants_manifests_alone(
    source: EmbeddedRegistry, real: tuple[str, Path], repository_name: str, tmp_path: Path
) -> None:
    """distribution 3 takes no index that lists blobs, from crane neither; the error says what it is about."""
    build_cache().seed(source.repository("app"), "1")
    target = f"{real[0]}/{repository_name}:1"
    finished = imagesync("sync", f"{source.host}/app:1", target)
    assert (finished.code, "anything but manifests" in finished.err) == (7, True), finished.err
    with pytest.raises(AssertionError, match="MANIFEST_BLOB_UNKNOWN"):
        run(TOOLS["crane"].format(source=f"{source.host}/app:1", target=target), tmp_path)


def test_what_an_index_lists_and_is_no_manifest(source: EmbeddedRegistry) -> None:
    """It is read and written as a blob, without asking for it as a manifest first."""
    made = build_cache()
    made.seed(source.repository("app"), "1")
    with EmbeddedRegistry(Manner(missing_child=None)) as registry:
        assert imagesync("sync", f"{source.host}/app:1", f"{registry.host}/app:1").code == 0
        assert registry.repository("app").blobs == made.blobs
    assert len(sent(source, manifest("GET"))) == 1
    assert len(sent(source, blob("GET"))) == 3


def test_embedded_data_stays(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """Content that a descriptor embeds stays in the manifest, and the blob is copied all the same."""
    own_type().seed(source.repository("app"), "1")
    assert imagesync("sync", f"{source.host}/app:1", f"{registry.host}/app:1").code == 0
    there = registry.repository("app")
    assert json.loads(there.manifests[own_type().digest].content)["layers"][0]["data"] == "e30="
    assert there.blobs == own_type().blobs


SCHEMA_1 = b'{"schemaVersion": 1, "name": "app", "tag": "1", "fsLayers": [], "history": [], "signatures": [{}]}'


@pytest.mark.parametrize("form", ["prettyjws", "json"])
def test_docker_schema_1(registry: EmbeddedRegistry, source: EmbeddedRegistry, form: str) -> None:
    """An image in Docker's first format is refused by its name, with the way out; nothing is written.

    Registries name a signed one by the digest of what is signed, which is not that of its bytes.
    """
    headers = {
        "Content-Type": f"application/vnd.docker.distribution.manifest.v1+{form}",
        "Docker-Content-Digest": f"sha256:{'1' * 64}",
    }
    old = Fault(answer=Response(200, headers, SCHEMA_1))
    source.fault = lambda request: old if manifest("GET")(request) or manifest("HEAD")(request) else None
    finished = imagesync("sync", f"{source.host}/app:1", f"{registry.host}/app:1")
    assert finished.code == 7
    assert f"{source.host}/app:1" in finished.err
    assert "Docker schema 1" in finished.err
    assert "push the image again" in finished.err
    assert not registry.repository("app").tags


def test_docker_schema_1_of_a_real_registry(tmp_path: Path) -> None:
    """What skopeo converted and distribution 2.8 keeps in that format is refused, and can be written over."""
    made = with_history()
    with peers.docker_registry(tmp_path, more=peers.TAKES_SCHEMA_1) as host, EmbeddedRegistry() as source:
        made.seed(source.repository("app"), "1")
        assert imagesync("sync", f"{source.host}/app:1", f"{host}/app:1").code == 0
        skopeo = "skopeo --insecure-policy copy --format v2s1 --src-tls-verify=false --dest-tls-verify=false"
        run(f"{skopeo} docker://{host}/app:1 docker://{host}/app:old", tmp_path)
        finished = imagesync("sync", f"{host}/app:old", f"oci:{tmp_path / 'new'}:1")
        assert (finished.code, f"{host}/app:old" in finished.err, "Docker schema 1" in finished.err) == (7, True, True)
        assert imagesync("sync", f"{host}/app:1", f"{host}/app:old").out == f"{host}/app@{made.digest}\n"


def test_a_registry_that_allows_no_foreign_layers(
    source: EmbeddedRegistry, docker_registry: str, repository_name: str, pauses: list[float]
) -> None:
    """Where a registry does not allow foreign layers, the error says what would; distribution 2.8 calls it its own."""
    windows().seed(source.repository("app"), "1")
    for options in ((), ("--foreign-layers",)):
        finished = imagesync("sync", f"{source.host}/app:1", f"{docker_registry}/{repository_name}:1", *options)
        assert finished.code != 0
        assert ("validation.manifests.urls" in finished.err) == (not options)
    assert imagesync("resolve", f"{docker_registry}/{repository_name}:1").code == 3
