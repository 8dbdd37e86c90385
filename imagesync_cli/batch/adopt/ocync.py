"""ocync's file: registries by name, groups of targets, and mappings between repositories."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import Any

from imagesync_cli.batch.adopt.adopted import Adopted
from imagesync_cli.batch.adopt.section import Section, texts_of

_TOP = {"global", "registries", "target_groups", "defaults", "mappings"}
_MAPPING = {"from", "to", "source", "targets", "tags", "platforms", "artifacts"}
_TAGS = {"glob", "include", "semver", "exclude", "sort", "latest"}
# What picks no tag: only a check.
_NO_RULES = {"min_tags"}
# What ocync leaves out by itself, whatever case it is written in.
_LEFT_OUT = ("rc", "alpha", "beta", "pre", "snapshot", "nightly")
_LEFT_OUT_RULE = f"/(?i:-(?:{'|'.join(_LEFT_OUT)}))/"


def ocync(top: Section, adopted: Adopted) -> None:
    """Every mapping to every target of it; what the defaults say holds where a mapping does not say it."""
    adopted.unknown(top, _TOP - {"global"}, "the file")
    registries = {name: top.section("registries").section(name) for name in top.section("registries").nodes}
    for name, registry in registries.items():
        adopted.unknown(registry, {"url"}, f"registry {name}")
    urls = {name: registry.text("url") for name, registry in registries.items()}
    groups = {name: texts_of(node) for name, node in top.section("target_groups").nodes.items()}
    defaults = top.section("defaults")
    adopted.unknown(defaults, _MAPPING - {"from", "to"}, "defaults")
    adopted.each(top, "mappings", "from", lambda mapping: _mapping(mapping, urls, groups, adopted), defaults)


def _mapping(mapping: Section, urls: Mapping[str, str], groups: Mapping[str, list[str]], adopted: Adopted) -> None:
    start = mapping.text("from").strip("/")
    to = mapping.text("to").strip("/") or start
    adopted.unknown(mapping, _MAPPING, start)
    named = [name for each in mapping.texts("targets") for name in groups.get(each, [each])]
    hosts = [urls.get(name, "") for name in (mapping.text("source"), *named)]
    if not all(hosts) or not named:
        adopted.note(mapping.line, f"{start} was left out: registries lacks one of its registries")
        return
    rules = _rules(mapping.line, start, mapping.section("tags"), adopted)
    if rules is None:
        return
    more = {
        "tags": rules,
        "platforms": mapping.texts("platforms"),
        "referrers": _referrers(start, mapping.section("artifacts"), adopted),
    }
    source, *targets = (host.removeprefix("https://").strip("/") for host in hosts)
    for target in targets:
        adopted.add(mapping.line, f"{source}/{start}", f"{target}/{to}", **more)


def _rules(line: int, name: str, tags: Section, adopted: Adopted) -> dict[str, Any] | None:
    """The rules for tags; None where so few of them can be told here that much more would be copied."""
    tags.only({*_TAGS, *_NO_RULES}, "tags")
    adopted.unknown(tags, _TAGS, f"{name}: tags")
    latest = tags.number("latest", 0)
    if latest and tags.text("sort") == "alpha":
        adopted.note(line, f"{name} was left out: latest counts versions here, not tags in alphabetical order")
        return None
    always = tags.texts("include")
    plain = list(filter(_is_name, always))
    for each in always:
        if each not in plain:
            adopted.note(line, f"{name}: tags: include {each} was left out: only a whole tag overrides rules here")
        elif any(fnmatch.fnmatch(each.lower(), f"*-{word}*") for word in _LEFT_OUT):
            adopted.note(line, f"{name}: tags: include {each} is excluded here, like every pre-release")
    if tags.text("semver"):
        adopted.note(line, f"{name}: tags: a range includes no version with a suffix here, such as 1.27-alpine")
    # A name in full is picked here whatever a range says, so beside one it becomes an expression.
    narrowed = latest or tags.text("semver")
    globs = [f"/^{re.escape(each)}$/" if narrowed and _is_name(each) else each for each in tags.texts("glob") or ["*"]]
    rules = {
        "include": [*plain, *globs],
        "exclude": [*tags.texts("exclude"), _LEFT_OUT_RULE],
        "semver": tags.text("semver"),
        "latest": latest,
    }
    return {key: rule for key, rule in rules.items() if rule}


def _is_name(glob: str) -> bool:
    return not any(character in glob for character in "*?[")


def _referrers(name: str, artifacts: Section, adopted: Adopted) -> bool | list[str]:
    """ocync copies referrers unless it is told not to."""
    adopted.unknown(artifacts, {"enabled", "include"}, f"{name}: artifacts")
    if artifacts.text("enabled").lower() == "false":
        return False
    return artifacts.texts("include") or True
