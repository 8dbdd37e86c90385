"""A promoter manifest of kpromo: from the registry that is the source to all others, tags by digest."""

from __future__ import annotations

from imagesync_cli.batch.adopt.adopted import Adopted
from imagesync_cli.batch.adopt.section import Section, items_of, texts_of
from imagesync_cli.batch.document import Items, Node


def is_manifest(top: Section) -> bool:
    """Whether it has registries, and images with a map of digests."""
    has_digests = all("dmap" in image.nodes for image in top.sections("images"))
    return isinstance(top.nodes.get("registries"), Items) and has_digests


def is_thin(node: Node) -> bool:
    """Whether this is only the images of a manifest whose registries are in another file."""
    return bool(items_of(node)) and all("dmap" in Section(image).nodes for image in items_of(node))


def kpromo(top: Section, adopted: Adopted) -> None:
    """An entry for each tag at each destination."""
    adopted.unknown(top, {"registries", "images"}, "the file")
    sources, destinations = list[str](), list[str]()
    for registry in top.sections("registries"):
        name = registry.text("name")
        (sources if registry.is_true("src") else destinations).append(name.rstrip("/"))
        adopted.unknown(registry, {"name", "src"}, name)
    if len(sources) != 1 or not destinations:
        adopted.note(top.line, "one registry is the source (src: true), and at least one is not")
        return
    for image in top.sections("images"):
        name = image.text("name")
        for digest, tags in image.section("dmap").nodes.items():
            if not texts_of(tags):
                adopted.note(image.line, f"{name}@{digest} has no tag, and a destination needs one")
            for tag in texts_of(tags):
                for destination in destinations:
                    adopted.add(image.line, f"{sources[0]}/{name}@{digest}", f"{destination}/{name}:{tag}")
