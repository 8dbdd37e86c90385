"""flux-mirror's Config: artifacts between registries, and charts, of which those in registries are taken."""

from __future__ import annotations

from typing import Any

from imagesync_cli.batch.adopt.adopted import Adopted
from imagesync_cli.batch.adopt.go_regex import part_of_tag, python_regex
from imagesync_cli.batch.adopt.section import Section

_GROUPS = ("mirror.fluxcd.io/", "mirror.plugin.fluxcd.io/")
_ARTIFACT = {"source", "destination", "selector", "includeReferrers", "overwrite", "verify"}
_EVERY_VERSION = 1_000_000  # pre-releases too, which no range has
_VERIFY = {"provider", "minAge", "matchOIDCIdentity"}
_CHART = {"name", "source", "destination", "version", "limit", "overwrite"}


def is_config(top: Section) -> bool:
    """Whether this is a Config, which only looks like a resource of Kubernetes."""
    return top.text("apiVersion").startswith(_GROUPS)


def flux_mirror(top: Section, adopted: Adopted) -> None:
    """Every artifact, and every chart that is in a registry."""
    adopted.unknown(top, {"apiVersion", "kind", "artifacts", "charts"}, "the file")
    adopted.each(top, "artifacts", "source", lambda artifact: _artifact(artifact, adopted))
    adopted.each(top, "charts", "name", lambda chart: _chart(chart, adopted))


def _artifact(artifact: Section, adopted: Adopted) -> None:
    source, line = artifact.text("source"), artifact.line
    adopted.unknown(artifact, _ARTIFACT, source)
    rules = _rules(line, source, artifact.section("selector"), adopted)
    trust = _trust(artifact.section("verify")) if "verify" in artifact.nodes else {}
    if trust is None:
        adopted.note(line, f"{source} was left out: its verify is not understood")
    elif rules is not None:
        more = {"referrers": artifact.is_true("includeReferrers"), "overwrite": _overwrite(artifact)}
        more |= {"trust": trust, "minimum_age": artifact.section("verify").text("minAge")}
        adopted.add(line, source, artifact.text("destination"), tags=rules, **more)


def _trust(verify: Section) -> dict[str, Any] | None:
    """Rules for a cosign signature by one of these identities; None where they would say something else.

    An issuer is a URL, and a subject an expression that matches anywhere in it.
    """
    named = [(each.text("issuer"), each.text("subject")) for each in verify.sections("matchOIDCIdentity")]
    is_known = verify.nodes.keys() <= _VERIFY and verify.text("provider") == "cosign"
    if not is_known or not named or not all(issuer and subject for issuer, subject in named):
        return None
    signers = [{"identity_regexp": _whole(subject), "issuer": issuer} for issuer, subject in named]
    return {"rules": [{"sources": ["**"], "signers": signers}]}


def _whole(expression: str) -> str:
    """The same expression for a whole text."""
    python = python_regex(expression)
    is_whole = python.startswith("^") and python.endswith("$") and "|" not in python
    return python[1:-1] if is_whole and not python.endswith("\\$") else f".*(?:{python}).*"


def _rules(line: int, name: str, selector: Section, adopted: Adopted) -> dict[str, Any] | None:
    """The rules for tags; None where the order that is meant is not that of versions."""
    selector.only({"regex", "semver", "sortBy", "limit"}, "selector")
    regex = selector.section("regex")
    semver, order = selector.text("semver"), selector.text("sortBy") or "semver"
    latest = _limit(selector)
    if regex.text("extract") and (semver or latest):
        adopted.note(line, f"{name} was left out: here, a version is a whole tag, not a part of one (extract)")
        return None
    if order != "semver" and latest:
        adopted.note(line, f"{name} was left out: limit counts versions here, not tags in {order} order")
        return None
    rules: dict[str, Any] = {}
    if pattern := regex.text("pattern"):
        rules["include"] = [part_of_tag(pattern)]
    if semver:
        rules["semver"] = semver
    if latest or (order == "semver" and not semver):
        rules["latest"] = latest or _EVERY_VERSION
    return rules or {"include": ["*"]}


def _chart(chart: Section, adopted: Adopted) -> None:
    name, source, destination = map(chart.text, ("name", "source", "destination"))
    adopted.unknown(chart, _CHART, name)
    if not source.startswith("oci://"):
        adopted.note(chart.line, f"chart {name} of {source} was left out: it is in no registry")
        return
    here, there = (f"{each.removeprefix('oci://').rstrip('/')}/{name}" for each in (source, destination))
    latest = _limit(chart)
    rules = {"semver": chart.text("version") or "*", **({"latest": latest} if latest else {})}
    adopted.add(chart.line, here, there, tags=rules, overwrite=_overwrite(chart))


def _limit(given: Section) -> int:
    """How many tags, 1 unless it is said, 0 for all."""
    return given.number("limit", 1)


def _overwrite(given: Section) -> str:
    """flux-mirror replaces no tag unless it is told to."""
    return "always" if given.is_true("overwrite") else "never"
