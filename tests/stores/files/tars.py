"""Tar files to read: written by hand, member by member, and what is in one."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

from tests.embedded_registry.images import Image, describe, to_json

REF_NAME = "org.opencontainers.image.ref.name"
LAYOUT = b'{"imageLayoutVersion": "1.0.0"}'
Member = tuple[str, bytes]


def write_tar(path: Path, members: Iterable[Member | tarfile.TarInfo]) -> Path:
    """Write files, and whatever else is given ready-made, in this order."""
    with tarfile.open(path, "w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                entry = tarfile.TarInfo(member[0])
                entry.size = len(member[1])
                archive.addfile(entry, io.BytesIO(member[1]))
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def layout_members(images: dict[str, Image], prefix: str = "", key: str = REF_NAME) -> list[Member]:
    """An OCI image layout of these images by name; ``key`` is the annotation that holds the name."""
    entries = [
        {**describe(made.root.media_type, made.root.content), "annotations": {key: name}}
        for name, made in images.items()
    ]
    contents = {digest: manifest.content for made in images.values() for digest, manifest in made.manifests.items()}
    contents |= {digest: blob for made in images.values() for digest, blob in made.blobs.items()}
    blobs = [(f"blobs/{digest.replace(':', '/')}", content) for digest, content in contents.items()]
    index = to_json({"schemaVersion": 2, "manifests": entries})
    return [(prefix + name, content) for name, content in [*blobs, ("oci-layout", LAYOUT), ("index.json", index)]]


def files(path: Path) -> dict[str, bytes]:
    """Every regular file in a tar, once."""
    with tarfile.open(path) as archive:
        names = archive.getnames()
        assert len(names) == len(set(names))
        found = ((name, archive.extractfile(name)) for name in names if archive.getmember(name).isfile())
        return {name: file.read() for name, file in found if file is not None}


def tags(path: Path) -> dict[str, str]:
    entries = json.loads(files(path)["index.json"])["manifests"]
    return {entry["annotations"][REF_NAME]: entry["digest"] for entry in entries}


def blobs(path: Path) -> set[str]:
    return {name[6:].replace("/", ":") for name in files(path) if name.startswith("blobs/")}


def whole(*images: Image) -> set[str]:
    """The digests of everything that these images consist of."""
    return {digest for made in images for digest in (*made.manifests, *made.blobs)}
