"""Kubernetes manifests of any kind, kustomizations, and compose files: they name sources alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagesync_cli.batch.adopt.adopted import Adopted, words_of
from imagesync_cli.batch.adopt.section import Section, items_of, text_of
from imagesync_cli.batch.document import Items, Node, Value

# Where a manifest names an image: image, baseImage, sidecarImage, thanosImage …
_IMAGE = re.compile(r"image|\w+Image")
# What only looks like one: with a host, and a tag or a digest. A text may hold several, as a ConfigMap's files do.
_LIKE_AN_IMAGE = re.compile(
    r"(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::[0-9]+)?|[a-z0-9-]+:[0-9]+)/[a-z0-9._/-]*[a-z0-9]"
    r"(?::\w[\w.-]{0,127}(?:@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})"
)
_IN_ARGUMENT = re.compile(r"(?i)[\w-]*image[\w-]*=(\S+)")


def kubernetes(top: Section, adopted: Adopted) -> None:
    """Every image, wherever in a manifest and of whatever kind it stands; what only looks like one is noted."""
    values = list[Value]()
    _walk(top, adopted, values)
    for value in values:
        for word in dict.fromkeys(words_of(value.text)):
            if word not in adopted.told and _LIKE_AN_IMAGE.fullmatch(word):
                adopted.note(value.line, f"{word} looks like an image and was left out")


def _walk(top: Section, adopted: Adopted, values: list[Value]) -> None:
    for key, value in top.nodes.items():
        if _IMAGE.fullmatch(key):
            _image(top, value, adopted)
        elif "image" in key.lower():
            _perhaps(key, value, adopted)
        for argument in items_of(value) if key in ("args", "command") else ():
            if said := _IN_ARGUMENT.search(text_of(argument)):
                adopted.note(argument.line, f"{said[1]}, in {said[0]}, looks like an image and was left out")
        _inside(value, adopted, values)
    parameter = top.text("name")
    if "image" in parameter.lower():
        for key in ("value", "default"):
            _perhaps(parameter, top.nodes.get(key), adopted)


def _perhaps(name: str, node: Node | None, adopted: Adopted) -> None:
    """Note what has the name of an image and looks like one."""
    for each in (node, *items_of(node)):
        text = text_of(each)
        if each is not None and re.search(r"[/:]", text) and not re.search(r"\s|://", text):
            adopted.note(each.line, f"{text}, the value of {name}, looks like an image and was left out")


def _inside(node: Node, adopted: Adopted, values: list[Value]) -> None:
    if isinstance(node, Value):
        values.append(node)
    _walk(Section(node), adopted, values)
    for item in items_of(node):
        _inside(item, adopted, values)


def _image(owner: Section, node: Node, adopted: Adopted) -> None:
    """One that is named: as a text, by parts as Helm's values have them, or as a volume that is an image."""
    parts = Section(node)
    if "reference" in parts.nodes:
        _named(parts.line, parts.text("reference"), adopted)
    elif "repository" in parts.nodes:
        registry, repository, tag, digest = map(parts.text, ("registry", "repository", "tag", "digest"))
        if tag or digest:
            _named(parts.line, _joined("/".join(filter(None, (registry, repository))), tag, digest), adopted)
        else:
            adopted.note(parts.line, f"{repository}: its tag is the chart's, and was left out")
    elif isinstance(node, Value) and node.kind in ("str", "int", "float"):
        # As the Prometheus operator had it.
        is_base = owner.nodes.get("baseImage") is node
        version = owner.text("tag") or owner.text("version") if is_base else ""
        _named(node.line, f"{node.text}:{version}" if version else node.text, adopted)
    elif isinstance(node, Items):
        adopted.note(node.line, "an image that is a list was left out")


def _joined(name: str, tag: str, digest: str) -> str:
    return f"{name}{f':{tag}' if tag else ''}{f'@{digest}' if digest else ''}"


def is_kustomization(top: Section) -> bool:
    """Whether it says so, or puts new names or tags in place of others."""
    images = [image.nodes.keys() for image in top.sections("images")]
    return top.text("kind") == "Kustomization" or any({"newName", "newTag"} & each for each in images)


def kustomization(top: Section, adopted: Adopted) -> None:
    """What ``images`` puts in place of other images: newName, newTag or digest."""
    for image in top.sections("images"):
        name = image.text("newName") or image.text("name")
        tag, digest = image.text("newTag"), image.text("digest")
        if not name or not (tag or digest):
            adopted.note(image.line, f"{name or 'an image'}: its tag is in the resources, and was left out")
        else:
            _named(image.line, _joined(name, tag, digest), adopted)
    for key in ("resources", "bases", "components", "helmCharts"):
        if key in top.nodes:
            adopted.note(top.lines[key], f"{key} are not read here: adopt the output of kustomize build")


def compose(top: Section, adopted: Adopted) -> None:
    """The image of each service; one that is built here has none to mirror."""
    if "include" in top.nodes:
        adopted.note(
            top.lines["include"], "include: other files are not read here: adopt the output of docker compose config"
        )
    for name, node in top.section("services").nodes.items():
        service = Section(node)
        if "build" in service.nodes:
            adopted.note(service.line, f"service {name} is built, not pulled")
        elif image := service.text("image"):
            platforms = [service.text("platform")] if "platform" in service.nodes else []
            _named(service.nodes["image"].line, image, adopted, platforms)
        else:
            adopted.note(service.line, f"service {name} names no image")


def _named(line: int, text: str, adopted: Adopted, platforms: Sequence[str] = ()) -> None:
    """An image that is known by its source alone."""
    source = text.strip().removeprefix("docker://")
    if not source:
        return
    if "$" in source or "{{" in source:
        adopted.note(line, f"{source}: variables are not filled in; ${{NAME}} may stand in images.yaml")
    elif "@" in source and ":" not in source.partition("@")[0].rpartition("/")[2]:
        adopted.note(line, f"{source} has no tag, and a destination needs one")
    else:
        adopted.add_below(line, source, platforms=platforms)
