"""Tell what kind of file it is, and take over what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from imagesync_cli.batch.adopt.adopted import Adopted, fields, items, text
from imagesync_cli.batch.adopt.flux_mirror import flux_mirror, is_config
from imagesync_cli.batch.adopt.image_syncer import image_syncer, is_rules
from imagesync_cli.batch.adopt.kpromo import is_manifest, is_thin, kpromo
from imagesync_cli.batch.adopt.manifests import compose, kubernetes, kustomization
from imagesync_cli.batch.adopt.ocync import ocync
from imagesync_cli.batch.adopt.syncs import dregsy, regsync, skopeo
from imagesync_cli.batch.document import Fields, Items, Node, read_nodes
from imagesync_cli.values.errors import UsageError

_ID = re.compile(r"(.+)@(sha256:[0-9a-f]{64})")
_KINDS = (
    "a regsync, skopeo sync, dregsy, image-syncer, ocync, flux-mirror or kpromo file, a Kubernetes manifest or "
    "kustomization, a compose file, a Terraform state"
)
_SOURCES_ONLY: dict[str, Callable[[Fields, Adopted, str], None]] = {
    "Kubernetes": kubernetes,
    "kustomization": kustomization,
    "compose": compose,
    "skopeo sync": skopeo,
}


def adopt(path: Path, target: str = "") -> Adopted:
    """What the file says. ``target`` is a registry, or a path in one, for files that name only sources.

    UsageError for a file of none of the kinds, or that needs a target and has none.
    """
    nodes = read_nodes(path)
    if any(map(is_thin, nodes)):
        hint = "put it below images: in the promoter-manifest.yaml that goes with it"
        raise UsageError(f"{path} has the images of a kpromo manifest, and no registries", hint=hint)
    documents = [node for node in nodes if isinstance(node, Fields)]
    found = Adopted(_kind(documents[0]) if documents else "")
    if not found.kind:
        raise UsageError(f"{path} is none of the files that can be adopted", hint=_KINDS)
    if found.kind in _SOURCES_ONLY and not target:
        raise UsageError(f"{path} does not say where its images go", hint="say --to registry.example.com/mirror")
    _read(documents, found, target)
    return found


def _read(documents: list[Fields], found: Adopted, target: str) -> None:
    if found.kind == "Kubernetes":
        for document in documents:
            kubernetes(document, found, target)
        return
    top = documents[0]
    if found.kind in _SOURCES_ONLY:
        _SOURCES_ONLY[found.kind](top, found, target)
    elif found.kind == "image-syncer":
        image_syncer(top, found, target)
    else:
        _WITH_TARGETS[found.kind](top, found)
    for document in documents[1:]:
        found.note(document.line, "another document was left out")


def _kind(top: Fields) -> str:
    return next((kind for kind, has_shape in _SHAPES if has_shape(top)), "")


def _has(*keys: str) -> Callable[[Fields], bool]:
    return lambda top: set(keys) <= top.fields.keys()


def _is_kustomization(top: Fields) -> bool:
    images = [node.fields.keys() for node in items(top.fields.get("images")) if isinstance(node, Fields)]
    return text(top.fields.get("kind")) == "Kustomization" or any({"newName", "newTag"} & each for each in images)


def _is_skopeo(top: Fields) -> bool:
    known = {"images", "images-by-tag-regex", "images-by-semver"}
    by_host = [node for node in top.fields.values() if isinstance(node, Fields) and known & node.fields.keys()]
    return bool(by_host) and len(by_host) == len(top.fields)


# The first that fits: those that are least alike others come first.
_SHAPES: tuple[tuple[str, Callable[[Fields], bool]], ...] = (
    ("kustomization", _is_kustomization),
    ("flux-mirror", is_config),
    ("Kubernetes", _has("apiVersion", "kind")),
    ("kpromo", is_manifest),
    ("Terraform state", lambda top: _has("terraform_version")(top) or _has("resources", "lineage")(top)),
    ("regsync", _has("sync")),
    ("dregsy", _has("tasks")),
    ("ocync", _has("mappings")),
    ("compose", _has("services")),
    ("skopeo sync", _is_skopeo),
    ("image-syncer", is_rules),
)


def _state(top: Fields, found: Adopted) -> None:
    """Resources with source, destination and an id NAME@DIGEST, as a provider that mirrors images has them."""
    for resource in items(top.fields.get("resources")):
        given = fields(resource)
        kind, name = text(given.get("type")), text(given.get("name"))
        if text(given.get("mode")) == "data":
            continue
        mirrored = [image for image in _instances(given) if _is_mirrored(fields(image))]
        if not mirrored:
            found.note(resource.line, f"{kind}.{name} mirrors no image")
        for image in mirrored:
            attributes = fields(image)
            found.add(image.line, text(attributes["source"]), text(attributes["destination"]))
            extra = sorted(key for key, value in attributes.items() if key not in _TAKEN and _says_something(value))
            if extra:
                found.note(image.line, f"{kind}.{name}: {', '.join(extra)} left out")


_WITH_TARGETS: dict[str, Callable[[Fields, Adopted], None]] = {
    "regsync": regsync,
    "dregsy": dregsy,
    "ocync": ocync,
    "flux-mirror": flux_mirror,
    "kpromo": kpromo,
    "Terraform state": _state,
}
_TAKEN = {"id", "source", "destination", "source_digest", "digest"}


def _instances(resource: dict[str, Node]) -> Iterator[Node]:
    for instance in items(resource.get("instances")):
        attributes = fields(instance).get("attributes")
        if attributes is not None:
            yield attributes


def _is_mirrored(attributes: dict[str, Node]) -> bool:
    named = all(text(attributes.get(key)) for key in ("source", "destination"))
    return named and _ID.fullmatch(text(attributes.get("id"))) is not None


def _says_something(node: Node) -> bool:
    return bool(text(node) or fields(node) or (isinstance(node, Items) and node.items))
