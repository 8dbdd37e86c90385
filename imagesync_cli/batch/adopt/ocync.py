"""ocync's file: registries by name, groups of targets, and mappings between repositories."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from imagesync_cli.batch.adopt.adopted import Adopted, fields, items, text, texts, whole_number
from imagesync_cli.batch.document import Fields, Node

_TOP = {"global", "registries", "target_groups", "defaults", "mappings"}
_MAPPING = {"from", "to", "source", "targets", "tags", "platforms", "artifacts"}
_TAGS = {"glob", "include", "semver", "exclude", "sort", "latest"}
# What ocync leaves out by itself, whatever case it is written in.
_LEFT_OUT = ("rc", "alpha", "beta", "pre", "snapshot", "nightly")
_LEFT_OUT_RULE = f"/(?i:-(?:{'|'.join(_LEFT_OUT)}))/"


def ocync(top: Fields, found: Adopted) -> None:
    """Every mapping to every target of it; what the defaults say holds where a mapping does not say it."""
    found.unknown(top, _TOP - {"global"}, "the file")
    registries = {name: text(fields(node).get("url")) for name, node in fields(top.fields.get("registries")).items()}
    for name, node in fields(top.fields.get("registries")).items():
        if isinstance(node, Fields):
            found.unknown(node, {"url"}, f"registry {name}")
    groups = {name: texts(node) for name, node in fields(top.fields.get("target_groups")).items()}
    defaults = top.fields.get("defaults")
    if isinstance(defaults, Fields):
        found.unknown(defaults, _MAPPING - {"from", "to"}, "defaults")
    for mapping in items(top.fields.get("mappings")):
        if isinstance(mapping, Fields):
            _mapping(mapping, {**fields(defaults), **mapping.fields}, registries, groups, found)
        else:
            found.note(mapping.line, "an entry that is not a mapping was left out")


def _mapping(
    mapping: Fields,
    given: Mapping[str, Node],
    registries: Mapping[str, str],
    groups: Mapping[str, list[str]],
    found: Adopted,
) -> None:
    start = text(given.get("from")).strip("/")
    to = text(given.get("to")).strip("/") or start
    found.unknown(mapping, _MAPPING, start)
    named = [name for each in texts(given.get("targets")) for name in groups.get(each, [each])]
    hosts = [registries.get(name, "") for name in (text(given.get("source")), *named)]
    if not all(hosts) or not named:
        found.note(mapping.line, f"{start} was left out: registries does not name all of its registries")
        return
    rules = _rules(mapping.line, start, fields(given.get("tags")), found)
    if rules is None:
        return
    more = {
        "tags": rules,
        "platforms": texts(given.get("platforms")),
        "referrers": _referrers(mapping.line, start, fields(given.get("artifacts")), found),
    }
    source, *targets = (host.removeprefix("https://").strip("/") for host in hosts)
    for target in targets:
        found.add(mapping.line, f"{source}/{start}", f"{target}/{to}", **more)


def _rules(line: int, name: str, given: Mapping[str, Node], found: Adopted) -> dict[str, Any] | None:
    """The rules for tags; None where so few of them can be told here that much more would be copied."""
    for key in sorted(given.keys() - _TAGS):
        found.note(line, f"{name}: tags: {key} was left out")
    latest = whole_number(given.get("latest"), 0)
    if latest and text(given.get("sort")) == "alpha":
        found.note(line, f"{name} was left out: latest counts versions here, not names by the alphabet")
        return None
    always = texts(given.get("include"))
    plain = [each for each in always if not any(c in each for c in "*?[")]
    for each in always:
        if each not in plain:
            found.note(line, f"{name}: tags: include {each} was left out: only whole tags go before other rules here")
        elif any(fnmatch.fnmatch(each.lower(), f"*-{word}*") for word in _LEFT_OUT):
            found.note(line, f"{name}: tags: include {each} is excluded here, like every pre-release")
    rules = {
        "include": [*plain, *(texts(given.get("glob")) or ["*"])],
        "exclude": [*texts(given.get("exclude")), _LEFT_OUT_RULE],
        "semver": text(given.get("semver")),
        "latest": latest,
    }
    return {key: rule for key, rule in rules.items() if rule}


def _referrers(line: int, name: str, given: Mapping[str, Node], found: Adopted) -> bool | list[str]:
    """ocync copies referrers unless it is told not to."""
    for key in sorted(given.keys() - {"enabled", "include"}):
        found.note(line, f"{name}: artifacts: {key} was left out")
    if text(given.get("enabled")).lower() == "false":
        return False
    return texts(given.get("include")) or True
