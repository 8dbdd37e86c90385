"""flux-mirror's Config: artifacts between registries, and charts, of which those in registries are taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagesync_cli.batch.adopt.adopted import Adopted, fields, items, text, whole_number
from imagesync_cli.batch.adopt.go_regex import part_of_tag
from imagesync_cli.batch.document import Fields, Node

_GROUPS = ("mirror.fluxcd.io/", "mirror.plugin.fluxcd.io/")
_ARTIFACT = {"source", "destination", "selector", "includeReferrers", "overwrite"}
_CHART = {"name", "source", "destination", "version", "limit", "overwrite"}


def is_config(top: Fields) -> bool:
    """Whether this is a Config, which only looks like a resource of Kubernetes."""
    return text(top.fields.get("apiVersion")).startswith(_GROUPS)


def flux_mirror(top: Fields, found: Adopted) -> None:
    """Every artifact, and every chart that is in a registry."""
    found.unknown(top, {"apiVersion", "kind", "artifacts", "charts"}, "the file")
    for artifact in items(top.fields.get("artifacts")):
        if isinstance(artifact, Fields):
            _artifact(artifact, found)
    for chart in items(top.fields.get("charts")):
        if isinstance(chart, Fields):
            _chart(chart, found)


def _artifact(node: Fields, found: Adopted) -> None:
    source, destination = text(node.fields.get("source")), text(node.fields.get("destination"))
    found.unknown(node, _ARTIFACT, source)
    rules = _rules(node.line, source, node.fields.get("selector"), found)
    if rules is not None:
        referrers = text(node.fields.get("includeReferrers")).lower() == "true"
        found.add(node.line, source, destination, tags=rules, referrers=referrers, overwrite=_overwrite(node.fields))


def _rules(line: int, name: str, node: Node | None, found: Adopted) -> dict[str, Any] | None:
    """The rules for tags; None where the order that is meant is not that of versions."""
    given = fields(node)
    if isinstance(node, Fields):
        found.unknown(node, {"regex", "semver", "sortBy", "limit"}, f"{name}: selector")
    regex = fields(given.get("regex"))
    semver, order = text(given.get("semver")), text(given.get("sortBy")) or "semver"
    latest = _limit(given)
    if text(regex.get("extract")) and (semver or latest):
        found.note(line, f"{name} was left out: a part of a tag is no version here")
        return None
    if order != "semver" and latest:
        found.note(line, f"{name} was left out: limit counts versions here, and not in {order} order")
        return None
    rules: dict[str, Any] = {}
    if pattern := text(regex.get("pattern")):
        rules["include"] = [part_of_tag(pattern)]
    if semver or (order == "semver" and not latest):
        rules["semver"] = semver or "*"
    if latest:
        rules["latest"] = latest
    return rules or {"include": ["*"]}


def _chart(node: Fields, found: Adopted) -> None:
    given = {key: text(value) for key, value in node.fields.items()}
    name, source, destination = (given.get(key, "") for key in ("name", "source", "destination"))
    found.unknown(node, _CHART, name)
    if not source.startswith("oci://"):
        found.note(node.line, f"chart {name} of {source} was left out: it is in no registry")
        return
    here, there = (f"{each.removeprefix('oci://').rstrip('/')}/{name}" for each in (source, destination))
    latest = _limit(node.fields)
    rules = {"semver": given.get("version") or "*", **({"latest": latest} if latest else {})}
    found.add(node.line, here, there, tags=rules, overwrite=_overwrite(node.fields))


def _limit(given: Mapping[str, Node]) -> int:
    """How many tags, 1 unless it is said, 0 for all."""
    return whole_number(given.get("limit"), 1)


def _overwrite(given: Mapping[str, Node]) -> str:
    """flux-mirror replaces no tag unless it is told to."""
    return "always" if text(given.get("overwrite")).lower() == "true" else "never"
