"""Memory stays flat over many images at once, each of which is as large as it may be or larger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from imagesync_cli.concurrency import Crowd
from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from imagesync_cli.values.reference import parse_reference
from tests.command import imagesync_process
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import OCI_INDEX, OCI_MANIFEST, image, to_json
from tests.embedded_registry.state import Manifest, digest_of
from tests.hostile.test_memory import MIB, MOST_MIB, run

_IMAGES = 30


@pytest.mark.parametrize("command", ["sync", "lock"])
def test_too_long(registry: EmbeddedRegistry, tmp_path: Path, command: str) -> None:
    """A file of images whose manifests are all too long costs no more memory than one such image."""
    repository, entries = registry.repository("app"), []
    image().seed(repository, "0")
    for number in range(_IMAGES):
        long = Manifest(OCI_INDEX, b"%d" % number * (5 * MIB))
        repository.manifests[long.digest] = long
        repository.tags[f"t{number}"] = long.digest
        entries.append({"source": f"{registry.host}/app:t{number}", "destination": f"{registry.host}/to{number}:1"})
    file = tmp_path / "images.yaml"
    file.write_text(json.dumps({"images": entries}))
    code, size_mib, said = run(command, "--file", str(file))
    assert code == 6, said
    assert size_mib < MOST_MIB


def _heavy(number: int) -> Manifest:
    """An image whose manifest has nearly 4 MiB."""
    root = image().root
    return Manifest(root.media_type, to_json({**root.document, "annotations": {f"{number}": "y" * (4 * MIB - 2000)}}))


def _dense(number: int, entries_in_it: int = 8900) -> Manifest:
    """An index of nothing but entries with all that is kept of them."""
    entry = {"mediaType": OCI_MANIFEST, "size": 10, "annotations": {"a": "x" * 30}}
    platform = {"os": "linux", "architecture": "amd64", "os.version": "1"}
    entries = [
        {**entry, "digest": digest_of(f"{number} {child}".encode()), "platform": {**platform, "variant": f"v{child}"}}
        for child in range(entries_in_it)
    ]
    return Manifest(OCI_INDEX, to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}))


@pytest.mark.parametrize(("made", "images"), [(_heavy, 12), (_dense, 6)])
@pytest.mark.parametrize("command", ["sync", "external", "delete"])
def test_as_costly_as_allowed(
    registry: EmbeddedRegistry, tmp_path: Path, command: str, made: Callable[[int], Manifest], images: int
) -> None:
    """Images of which each costs as much as one may are looked at, copied or removed by a few or one by one."""
    repository, host = registry.repository("app"), registry.host
    image().seed(repository, "0")
    for number in range(images):
        manifest = made(number)
        repository.manifests[manifest.digest] = manifest
        repository.tags[f"t{number}"] = manifest.digest
    tags = {tag: digest for tag, digest in repository.tags.items() if tag != "0"}
    asked = {
        tag: {
            "reference": f"{host}/copy:{tag}",
            "copy": {"source": f"{host}/app:{tag}", "digest": digest, "estimated": True, "sized": True},
        }
        for tag, digest in tags.items()
    }
    file = tmp_path / "images.yaml"
    wanted = [{"source": f"{host}/app:{tag}", "destination": f"{host}/copy:{tag}"} for tag in tags]
    file.write_text(json.dumps({"images": wanted}))
    arguments, stdin = {
        "sync": (["sync", "--file", str(file)], ""),
        "external": (["external"], json.dumps({"images": json.dumps(asked)})),
        "delete": (["delete", *(f"{host}/app:{tag}" for tag in tags)], ""),
    }[command]
    code, size_mib, said = run(*arguments, stdin=stdin)
    assert code in (0, 3), said
    assert "unexpected" not in said
    assert size_mib < MOST_MIB
    assert command != "delete" or repository.tags.keys() == {"0"}


@pytest.mark.parametrize(("images", "entries"), [(60, 100), (2, 8900)])
def test_platforms_of_many(registry: EmbeddedRegistry, images: int, entries: int) -> None:
    """Platforms are chosen of more indexes than there is room for at once, and of two questions' one root."""
    repository = registry.repository("app")
    for number in range(images):
        manifest = _dense(number, entries)
        repository.manifests[manifest.digest] = manifest
        repository.tags[f"t{number}"] = manifest.digest
    asked = {
        f"{tag} {variant}": {"reference": f"{registry.host}/app:{tag}", "platforms": [f"linux/amd64/v{variant}"]}
        for tag in repository.tags
        for variant in (1, 2)
    }
    finished = imagesync_process("external", stdin=json.dumps({"images": json.dumps(asked)}))
    assert finished.code == 0, finished.err
    answers = json.loads(finished.out)
    assert [json.loads(answers[key])["error"] for key in asked] == [""] * len(asked)


@pytest.mark.parametrize("form", ["registry", "oci", "oci-archive"])
def test_what_every_store_reads_is_counted(registry: EmbeddedRegistry, tmp_path: Path, form: str) -> None:
    """A work that reads more than there is room for begins again among a few, and then alone."""
    image().seed(registry.repository("app"), "1")
    source = f"{registry.host}/app:1" if form == "registry" else f"{form}:{tmp_path}/copy:1"
    if form != "registry":
        assert run("sync", f"{registry.host}/app:1", source)[0] == 0
    begun = 0

    async def read() -> None:
        stores = Stores(Settings())

        async def work() -> str:
            nonlocal begun
            begun += 1
            return (await stores.open(parse_reference(source)).manifest("1")).digest

        try:
            assert await Crowd(most_bytes=1000).run(work) == registry.repository("app").tags["1"]
        finally:
            await stores.aclose()

    asyncio.run(read())
    assert begun == 3
