"""A promoter manifest of kpromo: from the registry that is the source to all others, tags by digest."""

from __future__ import annotations

from imagesync_cli.batch.adopt.adopted import Adopted, fields, items, text, texts
from imagesync_cli.batch.document import Fields, Items, Node


def is_manifest(top: Fields) -> bool:
    """Whether it has registries, and images with a map of digests."""
    images = items(top.fields.get("images"))
    return isinstance(top.fields.get("registries"), Items) and all("dmap" in fields(image) for image in images)


def is_thin(node: Node) -> bool:
    """Whether this is only the images of a manifest whose registries are in another file."""
    return bool(items(node)) and all("dmap" in fields(image) for image in items(node))


def kpromo(top: Fields, found: Adopted) -> None:
    """An entry for each tag at each destination."""
    found.unknown(top, {"registries", "images"}, "the file")
    sources, destinations = list[str](), list[str]()
    for registry in items(top.fields.get("registries")):
        given = fields(registry)
        is_source = text(given.get("src")).lower() == "true"
        (sources if is_source else destinations).append(text(given.get("name")).rstrip("/"))
        if isinstance(registry, Fields):
            found.unknown(registry, {"name", "src"}, text(given.get("name")))
    if len(sources) != 1 or not destinations:
        found.note(top.line, "one registry is the source (src: true), and at least one is not")
        return
    for image in items(top.fields.get("images")):
        given = fields(image)
        name = text(given.get("name"))
        for digest, tags in fields(given.get("dmap")).items():
            if not texts(tags):
                found.note(image.line, f"{name}@{digest} has no tag, and a destination needs one")
            for tag in texts(tags):
                for destination in destinations:
                    found.add(image.line, f"{sources[0]}/{name}@{digest}", f"{destination}/{name}:{tag}")
