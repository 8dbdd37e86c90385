"""Tell what kind of file it is, and take over what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from imagesync_cli.batch.adopt.adopted import Adopted, fields, items, moved, text
from imagesync_cli.batch.adopt.syncs import dregsy, regsync, skopeo
from imagesync_cli.batch.document import Fields, Items, Node, read_document
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.reference import parse_reference

_ID = re.compile(r"(.+)@(sha256:[0-9a-f]{64})")
_KINDS = "a regsync, skopeo sync or dregsy file, a Kubernetes manifest, a compose file, a Terraform state"


def adopt(path: Path, target: str = "") -> Adopted:
    """What the file says. ``target`` is a registry, or a path in one, for files that name only sources.

    UsageError for a file of none of the kinds, or that needs a target and has none.
    """
    documents = [node for node in read_document(path) if isinstance(node, Fields)]
    if not documents:
        raise UsageError(f"{path} is none of the files that can be adopted", hint=_KINDS)
    top = documents[0]
    found = Adopted(_kind(top))
    if not found.kind:
        raise UsageError(f"{path} is none of the files that can be adopted", hint=_KINDS)
    if found.kind in ("skopeo sync", "Kubernetes", "compose") and not target:
        raise UsageError(f"{path} does not say where its images go", hint="say --to registry.example.com/mirror")
    if found.kind == "regsync":
        regsync(top, found)
    elif found.kind == "dregsy":
        dregsy(top, found)
    elif found.kind == "skopeo sync":
        skopeo(top, found, target)
    elif found.kind == "Terraform state":
        _state(top, found)
    elif found.kind == "compose":
        _compose(top, found, target)
    else:
        for document in documents:
            _kubernetes(document, found, target)
    return found


def _kind(top: Fields) -> str:
    keys = top.fields.keys()
    if "apiVersion" in keys and "kind" in keys:
        return "Kubernetes"
    if "terraform_version" in keys or {"resources", "lineage"} <= keys:
        return "Terraform state"
    for key, kind in (("sync", "regsync"), ("tasks", "dregsy"), ("services", "compose")):
        if key in keys:
            return kind
    known = {"images", "images-by-tag-regex", "images-by-semver"}
    by_host = [node for node in top.fields.values() if isinstance(node, Fields) and known & node.fields.keys()]
    return "skopeo sync" if by_host and len(by_host) == len(keys) else ""


def _kubernetes(node: Node, found: Adopted, target: str) -> None:
    """Every ``image`` of a container, wherever in the manifest it stands."""
    for name, value in fields(node).items():
        if name in ("containers", "initContainers", "ephemeralContainers"):
            for container in items(value):
                _named(fields(container).get("image"), found, target)
        elif name in ("image", "volumes") and isinstance(value, Fields) and "reference" in value.fields:
            _named(value.fields["reference"], found, target)
        _kubernetes(value, found, target)
    for item in items(node):
        _kubernetes(item, found, target)


def _compose(top: Fields, found: Adopted, target: str) -> None:
    """The image of each service; one that is built here has none to mirror."""
    services = fields(top.fields.get("services"))
    for name, service in services.items():
        given = fields(service)
        if "build" in given:
            found.note(service.line, f"service {name} is built, not pulled")
        elif "image" in given:
            _named(given["image"], found, target, [text(given.get("platform"))] if "platform" in given else [])
        else:
            found.note(service.line, f"service {name} names no image")


def _named(node: Node | None, found: Adopted, target: str, platforms: list[str] | None = None) -> None:
    """An image that is known by its source alone."""
    source = text(node)
    if node is None or not source:
        return
    if "$" in source or "{{" in source:
        found.note(node.line, f"{source}: variables are not filled in; ${{NAME}} may stand in images.yaml")
        return
    try:
        reference = parse_reference(source)
    except UsageError as error:
        found.note(node.line, error.message)
        return
    if reference.digest and not reference.tag:
        found.note(node.line, f"{source} has no tag, and a destination needs one")
        return
    found.add(node.line, source, moved(source, target), platforms=platforms)


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
