"""The files of regsync, skopeo sync, dregsy and kpromo."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from imagesync_cli.batch.adopt.adopted import Adopted, with_tag
from imagesync_cli.batch.adopt.go_regex import part_of_tag, whole_tag
from imagesync_cli.batch.adopt.section import Section, items_of, text_of, texts_of
from imagesync_cli.batch.document import Fields, Items, Node
from imagesync_cli.batch.reading.image import FOLDER

_REGSYNC_SHARED = {"tags", "platform", "platforms", "referrers", "referrerFilters", "digestTags"}
_REGSYNC_DEFAULTS = {*_REGSYNC_SHARED, "parallel", "mediaTypes"}
_REGSYNC_STEP = {*_REGSYNC_SHARED, "source", "target", "type", "tagSets", "targetTag", "repos"}
# The only template that images.yaml has too.
_ENV = re.compile(r"""\{\{-? *env +["`](\w+)["`] *-?\}\}""")
_SKOPEO_HOST = {"images", "images-by-tag-regex", "images-by-semver"}


def regsync(top: Section, adopted: Adopted) -> None:
    """regsync: sync[].{source, target, type, tags, tagSets, platform(s), referrers, …}, by image, repository, host."""
    own = {key for key in top.lines if key.startswith("x-")}
    adopted.unknown(top, {"version", "defaults", "sync", "creds", *own}, "the file")
    if "creds" in top.nodes:
        adopted.note(
            top.lines["creds"], "creds: logins come from docker login or the environment (docs/credentials.md)"
        )
    shared = top.section("defaults")
    adopted.unknown(shared, _REGSYNC_DEFAULTS, "defaults")
    adopted.each(top, "sync", "source", lambda step: _regsync_step(step, adopted), shared)


def _regsync_step(step: Section, adopted: Adopted) -> None:
    kind = step.text("type")
    source, target = (_ENV.sub(r"${\1}", step.text(side)) for side in ("source", "target"))
    adopted.unknown(step, _REGSYNC_STEP, source)
    if "{{" in source + target:
        adopted.note(step.line, f"{source}: templates are not evaluated here; ${{NAME}} is an environment variable")
        return
    if kind not in ("image", "repository", "registry") or (kind == "registry" and "repos" in step.nodes):
        what = "a registry by rules for repositories" if kind == "registry" else f"type {kind or '(none)'}"
        adopted.note(step.line, f"{source}: {what} was left out: list its repositories")
        return
    if "targetTag" in step.nodes:
        adopted.note(step.line, f"{source} was left out: targetTag renames its tags; write `as` for that")
        return
    more: dict[str, Any] = {
        "platforms": step.texts("platform") or step.texts("platforms"),
        "referrers": _regsync_referrers(step, source, adopted),
    }
    if kind == "image":
        adopted.add(step.line, source, with_tag(target), **more)
        return
    sets = [step.section("tags")] if "tags" in step.nodes else []
    sets += step.sections("tagSets")  # a tag that any of them picks is copied; without any, every tag is
    for tags in sets or [Section(None)]:
        rules = _regsync_tags(tags) or ["*"]
        adopted.add(step.line, source + FOLDER if kind == "registry" else source, target, **more, tags=rules)


def _regsync_referrers(step: Section, source: str, adopted: Adopted) -> bool | list[str]:
    """Filters count where each names a type and nothing else; digestTags are copied whatever they say."""
    filters = step.sections("referrerFilters")
    types = [each.text("artifactType") for each in filters if each.nodes.keys() == {"artifactType"}]
    if filters and (len(types) < len(filters) or step.is_true("digestTags")):
        adopted.note(step.line, f"{source}: referrerFilters was left out: all referrers are copied")
        types = []
    return (types or True) if step.is_true("referrers") else step.is_true("digestTags")


def _regsync_tags(tags: Section) -> dict[str, Any]:
    """allow and deny are expressions of the whole tag there; semverRange is a list of ranges. A tag must meet each.

    A plain name is taken here whatever the range says, so beside one it becomes an expression.
    """
    tags.only({"allow", "deny", "semverRange"}, "tags")
    ranges, allowed = tags.texts("semverRange"), tags.texts("allow")
    rules = {
        "include": [whole_tag(each, plain=not ranges) for each in allowed],
        "exclude": list(map(whole_tag, tags.texts("deny"))),
        "semver": " || ".join(ranges),
    }
    return {name: rule for name, rule in rules.items() if rule}


def is_skopeo(top: Section) -> bool:
    """Whether every key is a host with images of it."""
    by_host = map(Section, top.nodes.values())
    return bool(top.nodes) and all(_SKOPEO_HOST & host.nodes.keys() for host in by_host)


def skopeo(top: Section, adopted: Adopted) -> None:
    """skopeo sync: HOST → {images: {REPOSITORY: [TAG…]}, images-by-tag-regex, images-by-semver}."""
    for host, node in top.nodes.items():
        given, line = Section(node), top.lines[host]
        for key in sorted(given.nodes.keys() - _SKOPEO_HOST):
            adopted.note(given.lines[key], f"{host}: {key} was left out (docs/credentials.md)")
        for repository, tags in given.section("images").nodes.items():
            if isinstance(tags, Fields):
                adopted.note(tags.line, f"{host}/{repository} was left out: its tags are not understood")
                continue
            named = texts_of(tags)
            for digest in (tag for tag in named if ":" in tag):
                adopted.note(tags.line, f"{host}/{repository}@{digest} has no tag, and a destination needs one")
            wanted = [tag for tag in named if ":" not in tag] or ([] if named else ["*"])
            if wanted:
                adopted.add_below(line, f"{host}/{repository}", tags=wanted)
        for repository, pattern in given.section("images-by-tag-regex").nodes.items():
            if expression := text_of(pattern):
                adopted.add_below(line, f"{host}/{repository}", tags=[part_of_tag(expression)])
            else:
                adopted.note(pattern.line, f"{host}/{repository} was left out: its tags are not understood")
        for repository, range_ in given.section("images-by-semver").nodes.items():
            adopted.add_below(line, f"{host}/{repository}", tags={"semver": text_of(range_)})


def dregsy(top: Section, adopted: Adopted) -> None:
    """dregsy: tasks[].{source.registry, target.registry, mappings[].{from, to, tags, platform}}."""
    adopted.unknown(top, {"tasks"}, "the file")
    for task in adopted.mappings(top, "tasks"):
        name = task.text("name") or "a task"
        adopted.unknown(task, {"name", "source", "target", "mappings", "verbose"}, name)
        for side in ("source", "target"):
            adopted.unknown(task.section(side), {"registry"}, f"{name}: {side}")
        source, target = (task.section(side).text("registry") for side in ("source", "target"))
        read = partial(_dregsy_mapping, source=source, target=target, adopted=adopted)
        adopted.each(task, "mappings", "from", read)


def _dregsy_mapping(mapping: Section, source: str, target: str, adopted: Adopted) -> None:
    start, to, platform = map(mapping.text, ("from", "to", "platform"))
    adopted.unknown(mapping, {"from", "to", "tags", "platform"}, start)
    if start.startswith("regex:") or "," in to:
        adopted.note(mapping.line, f"{start}: repositories by pattern were left out: list them")
        return
    here, there = f"{source}/{start.strip('/')}", f"{target}/{(to or start).strip('/')}"
    platforms = [] if platform in ("", "all") else [platform]
    for tags in _dregsy_tag_sets(mapping, here, adopted):
        adopted.add(mapping.line, here, there, tags=tags, platforms=platforms)


def _dregsy_tag_sets(mapping: Section, source: str, adopted: Adopted) -> list[Any]:
    """Rules beside each other: a tag that any item picks is copied. None where an item is not understood.

    An item is a tag, or semver: RANGE, regex: PATTERN or regex: !PATTERN.
    """
    include, semver, sets = list[str](), list[str](), list[Any]()
    for tag in mapping.texts("tags"):
        kind, colon, rule = (part.strip() for part in tag.partition(":"))
        if not colon:
            include.append(tag)
        elif kind == "semver":
            semver.append(rule)
        elif kind == "regex" and rule.startswith("!"):
            sets.append({"exclude": [part_of_tag(rule[1:].strip())]})
        elif kind == "regex":
            include.append(part_of_tag(rule))
        else:
            adopted.note(mapping.line, f"{source} was left out: its tags have {tag}")
            return []
    sets += [include] if include else []
    sets += [{"semver": " || ".join(semver)}] if semver else []
    return sets or [["*"]]


def is_kpromo(top: Section) -> bool:
    """Whether it has registries, and images with a map of digests."""
    has_digests = all("dmap" in image.nodes for image in top.sections("images"))
    return isinstance(top.nodes.get("registries"), Items) and has_digests


def is_thin_kpromo(node: Node) -> bool:
    """Whether this is only the images of a manifest whose registries are in another file."""
    return bool(items_of(node)) and all("dmap" in Section(image).nodes for image in items_of(node))


def kpromo(top: Section, adopted: Adopted) -> None:
    """A promoter manifest of kpromo: from the registry that is the source to all others, tags by digest."""
    adopted.unknown(top, {"registries", "images"}, "the file")
    sources, destinations = list[str](), list[str]()
    for registry in top.sections("registries"):
        name = registry.text("name")
        (sources if registry.is_true("src") else destinations).append(name.rstrip("/"))
        adopted.unknown(registry, {"name", "src"}, name)
    if len(sources) != 1 or not destinations:
        adopted.note(top.line, "one registry is the source (src: true), and at least one is not")
        return
    adopted.each(top, "images", "name", lambda image: _kpromo_image(image, sources[0], destinations, adopted))


def _kpromo_image(image: Section, source: str, destinations: list[str], adopted: Adopted) -> None:
    name, digests = image.text("name"), image.section("dmap")
    for digest in digests.nodes:
        tags = digests.texts(digest)
        if not tags:
            adopted.note(image.line, f"{name}@{digest} has no tag, and a destination needs one")
        for tag in tags:
            for destination in destinations:
                adopted.add(image.line, f"{source}/{name}@{digest}", f"{destination}/{name}:{tag}")
