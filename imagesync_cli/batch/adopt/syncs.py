"""The files of regsync, skopeo sync and dregsy."""

from __future__ import annotations

import re
from typing import Any

from imagesync_cli.batch.adopt.adopted import Adopted, fields, items, text, texts, with_tag
from imagesync_cli.batch.adopt.go_regex import part_of_tag, whole_tag
from imagesync_cli.batch.document import Fields, Node
from imagesync_cli.batch.reading.image import FOLDER

_TEMPLATE = re.compile(r"\{\{")
_REGSYNC_DEFAULTS = {"parallel", "mediaTypes", "platform", "platforms", "referrers", "digestTags", "tags"}


def regsync(top: Fields, found: Adopted) -> None:
    """regsync: sync[].{source, target, type, tags, platform(s), referrers, digestTags}, by image, repository, host."""
    found.unknown(top, {"version", "defaults", "sync", "creds"}, "the file")
    if "creds" in top.fields:
        found.note(top.lines["creds"], "creds: logins come from docker login or the environment (docs/credentials.md)")
    shared = top.fields.get("defaults")
    if isinstance(shared, Fields):
        found.unknown(shared, _REGSYNC_DEFAULTS, "defaults")
    for step in items(top.fields.get("sync")):
        if isinstance(step, Fields):
            _regsync_step(step, fields(shared), found)
        else:
            found.note(step.line, "an entry that is not a mapping was left out")


def _regsync_step(step: Fields, shared: dict[str, Node], found: Adopted) -> None:
    given = {**shared, **step.fields}
    kind, source, target = (text(given.get(key)) for key in ("type", "source", "target"))
    found.unknown(
        step, {"source", "target", "type", "tags", "platform", "platforms", "referrers", "digestTags", "repos"}, source
    )
    if _TEMPLATE.search(source + target):
        found.note(step.line, f"{source}: templates are not evaluated here; ${{NAME}} takes from the environment")
        return
    if kind not in ("image", "repository", "registry") or (kind == "registry" and "repos" in given):
        what = "a registry by rules for repositories" if kind == "registry" else f"type {kind or '(none)'}"
        found.note(step.line, f"{source}: {what} was left out: list its repositories")
        return
    more: dict[str, Any] = {
        "platforms": texts(given.get("platform")) or texts(given.get("platforms")),
        "referrers": "true" in (text(given.get("referrers")), text(given.get("digestTags"))),
    }
    if kind == "image":
        target = with_tag(target)
    else:
        more["tags"] = _regsync_tags(given.get("tags"), source, found) or ["*"]
    found.add(step.line, source + FOLDER if kind == "registry" else source, target, **more)


def _regsync_tags(node: Node | None, source: str, found: Adopted) -> dict[str, Any]:
    """allow and deny are regular expressions of the whole tag there; semverRange is a list of ranges."""
    if not isinstance(node, Fields):
        return {}
    found.unknown(node, {"allow", "deny", "semverRange"}, f"{source}: tags")
    ranges = texts(node.fields.get("semverRange"))
    rules = {
        "include": [whole_tag(pattern) for pattern in texts(node.fields.get("allow"))],
        "exclude": [whole_tag(pattern) for pattern in texts(node.fields.get("deny"))],
        "semver": " || ".join(ranges),
    }
    if ranges and rules["include"]:
        found.note(node.line, f"{source}: a tag must match allow and semverRange here, not one of them")
    return {name: rule for name, rule in rules.items() if rule}


def skopeo(top: Fields, found: Adopted, target: str) -> None:
    """skopeo sync: HOST → {images: {REPOSITORY: [TAG…]}, images-by-tag-regex, images-by-semver}."""
    for host, node in top.fields.items():
        if not isinstance(node, Fields):
            continue
        line = top.lines[host]
        known = {"images", "images-by-tag-regex", "images-by-semver"}
        for key in sorted(node.fields.keys() - known):
            found.note(node.lines[key], f"{host}: {key} was left out (docs/credentials.md)")
        for repository, tags in fields(node.fields.get("images")).items():
            named = texts(tags)
            for digest in (tag for tag in named if ":" in tag):
                found.note(tags.line, f"{host}/{repository}@{digest} has no tag, and a destination needs one")
            wanted = [tag for tag in named if ":" not in tag] or ([] if named else ["*"])
            if wanted:
                found.add_below(line, target, f"{host}/{repository}", tags=wanted)
        for repository, pattern in fields(node.fields.get("images-by-tag-regex")).items():
            found.add_below(line, target, f"{host}/{repository}", tags=[part_of_tag(text(pattern))])
        for repository, range_ in fields(node.fields.get("images-by-semver")).items():
            found.add_below(line, target, f"{host}/{repository}", tags={"semver": text(range_)})


def dregsy(top: Fields, found: Adopted) -> None:
    """dregsy: tasks[].{source.registry, target.registry, mappings[].{from, to, tags, platform}}."""
    found.unknown(top, {"tasks"}, "the file")
    for task in items(top.fields.get("tasks")):
        if not isinstance(task, Fields):
            continue
        name = text(task.fields.get("name")) or "a task"
        found.unknown(task, {"name", "source", "target", "mappings", "verbose"}, name)
        source, target = (text(fields(task.fields.get(side)).get("registry")) for side in ("source", "target"))
        for side in ("source", "target"):
            end = task.fields.get(side)
            if isinstance(end, Fields):
                found.unknown(end, {"registry"}, f"{name}: {side}")
        for mapping in items(task.fields.get("mappings")):
            if isinstance(mapping, Fields):
                _dregsy_mapping(mapping, source, target, found)


def _dregsy_mapping(mapping: Fields, source: str, target: str, found: Adopted) -> None:
    start, to = text(mapping.fields.get("from")), text(mapping.fields.get("to"))
    found.unknown(mapping, {"from", "to", "tags", "platform"}, start)
    if start.startswith("regex:") or "," in to:
        found.note(mapping.line, f"{start}: repositories by pattern were left out: list them")
        return
    platform = text(mapping.fields.get("platform"))
    here = f"{source}/{start.strip('/')}"
    found.add(
        mapping.line,
        here,
        f"{target}/{(to or start).strip('/')}",
        tags=_dregsy_tags(mapping, here, found),
        platforms=[] if platform in ("", "all") else [platform],
    )


def _dregsy_tags(mapping: Fields, source: str, found: Adopted) -> Any:
    """Plain tags, and one each of semver: RANGE, regex: PATTERN, latest: N."""
    include: list[str] = []
    semver: list[str] = []
    for tag in texts(mapping.fields.get("tags")):
        kind, colon, rule = tag.partition(":")
        if not colon:
            include.append(tag)
        elif kind.strip() == "semver":
            semver.append(rule.strip())
        elif kind.strip() == "regex" and not rule.strip().startswith("!"):
            include.append(part_of_tag(rule.strip()))
        else:
            found.note(mapping.line, f"{source}: tags: {tag} was left out")
    if semver and include:
        found.note(mapping.line, f"{source}: a tag must match both its patterns and semver here, not one of them")
    if semver:
        return {"include": include, "semver": " || ".join(semver)} if include else {"semver": " || ".join(semver)}
    return include or ["*"]
