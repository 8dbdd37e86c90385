"""Kubernetes manifests of any kind, kustomizations, and compose files: they name sources alone."""

from __future__ import annotations

import re

from imagesync_cli.batch.adopt.adopted import Adopted, fields, items, text
from imagesync_cli.batch.document import Fields, Items, Node, Value

# Where a manifest names an image: image, baseImage, sidecarImage, thanosImage …
_IMAGE = re.compile(r"image|\w+Image")
_IN_ARGUMENT = re.compile(r"(?i)[\w-]*image[\w-]*=(\S+)")


def kubernetes(node: Node, found: Adopted, target: str) -> None:
    """Every image, wherever in a manifest and of whatever kind it stands; what only looks like one is noted."""
    given = fields(node)
    for key, value in given.items():
        if _IMAGE.fullmatch(key):
            _image(given, value, found, target)
        if key in ("args", "command"):
            _arguments(value, found)
        kubernetes(value, found, target)
    parameter = text(given.get("name"))
    for content in (text(given.get("value")), text(given.get("default"))):
        if "image" in parameter.lower() and re.search(r"[/:]", content):
            found.note(node.line, f"{content}, the value of {parameter}, looks like an image and was left out")
    for item in items(node):
        kubernetes(item, found, target)


def _image(owner: dict[str, Node], node: Node, found: Adopted, target: str) -> None:
    """One that is named: as a text, by parts as Helm's values have them, or as a volume that is an image."""
    parts = fields(node)
    if "reference" in parts:
        named(parts["reference"], found, target)
    elif "repository" in parts:
        _from_parts(node.line, parts, found, target)
    elif isinstance(node, Value) and node.kind in ("str", "int", "float"):
        old = ("baseImage", "tag", "version")  # as the Prometheus operator had it
        version = text(owner.get("tag")) or text(owner.get("version")) if owner.get(old[0]) is node else ""
        named(node._replace(text=f"{node.text}:{version}") if version else node, found, target)
    elif isinstance(node, Items):
        found.note(node.line, "an image that is a list was left out")


def _from_parts(line: int, parts: dict[str, Node], found: Adopted, target: str) -> None:
    registry, repository, tag, digest = (text(parts.get(key)) for key in ("registry", "repository", "tag", "digest"))
    if not tag and not digest:
        found.note(line, f"{repository}: its tag is the chart's, and was left out")
        return
    name = "/".join(filter(None, (registry, repository)))
    whole = f"{name}{f':{tag}' if tag else ''}{f'@{digest}' if digest else ''}"
    named(Value(line, "str", whole), found, target)


def _arguments(node: Node, found: Adopted) -> None:
    for argument in items(node):
        value = _IN_ARGUMENT.search(text(argument))
        if value is not None:
            found.note(argument.line, f"{value[1]}, in {value[0]}, looks like an image and was left out")


def kustomization(top: Fields, found: Adopted, target: str) -> None:
    """What ``images`` puts in place of other images: newName, newTag or digest."""
    for image in items(top.fields.get("images")):
        given = fields(image)
        name = text(given.get("newName")) or text(given.get("name"))
        tag, digest = text(given.get("newTag")), text(given.get("digest"))
        if not name or not (tag or digest):
            found.note(image.line, f"{name or 'an image'}: its tag is in the resources, and was left out")
            continue
        whole = f"{name}{f':{tag}' if tag else ''}{f'@{digest}' if digest else ''}"
        named(Value(image.line, "str", whole), found, target)
    if "resources" in top.fields:
        found.note(top.lines["resources"], "resources are not read here: kustomize build prints all that they come to")


def compose(top: Fields, found: Adopted, target: str) -> None:
    """The image of each service; one that is built here has none to mirror."""
    for name, service in fields(top.fields.get("services")).items():
        given = fields(service)
        if "build" in given:
            found.note(service.line, f"service {name} is built, not pulled")
        elif text(given.get("image")):
            named(given["image"], found, target, [text(given.get("platform"))] if "platform" in given else [])
        else:
            found.note(service.line, f"service {name} names no image")


def named(node: Node, found: Adopted, target: str, platforms: list[str] | None = None) -> None:
    """An image that is known by its source alone."""
    source = text(node).strip().removeprefix("docker://")
    if not source:
        return
    if "$" in source or "{{" in source:
        found.note(node.line, f"{source}: variables are not filled in; ${{NAME}} may stand in images.yaml")
    elif "@" in source and ":" not in source.partition("@")[0].rpartition("/")[2]:
        found.note(node.line, f"{source} has no tag, and a destination needs one")
    else:
        found.add_below(node.line, target, source, platforms=platforms)
