"""Trust as it is written, in YAML, JSON or HCL:

default: refuse or accept             for images that no rule names
trusted_root: FILE                    of a private Sigstore, for all rules; without it the public one
refresh: BOOL                         whether the public one's keys are brought up to date over the network
verify: changes or always             always: also images that are in sync
rules:
  - sources: [PATTERN…]
    signers: [{key: PEM or FILE} or {identity: … or identity_regexp: …, issuer: …}…]
    all: BOOL                         all signers, not any
    attestations: [{type: …, field: …, value: …}…]
    trusted_root: FILE                for this rule
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from imagesync_cli.look.trust.rules import Attested, IdentitySigner, KeySigner, Signer, Trust, TrustRule
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.regex import compile_regex

_T = TypeVar("_T")
_HINT = "the form of trust: docs/how-to/trust.md"
_TRUST = frozenset({"default", "trusted_root", "refresh", "verify", "rules"})
_RULE = frozenset({"sources", "signers", "all", "attestations", "trusted_root"})
_SIGNER = frozenset({"key", "identity", "identity_regexp", "issuer"})
_ATTESTED = frozenset({"type", "field", "value"})
_MOST_KEY_BYTES = 64 * 1024
# cosign's names for predicate types (cosign 3.1, pkg/cosign/attestation).
_TYPES = {
    "custom": "https://cosign.sigstore.dev/attestation/v1",
    "slsaprovenance": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance02": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance1": "https://slsa.dev/provenance/v1",
    "spdx": "https://spdx.dev/Document",
    "spdxjson": "https://spdx.dev/Document",
    "cyclonedx": "https://cyclonedx.org/bom",
    "link": "https://in-toto.io/Link/v1",
    "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1",
    "openvex": "https://openvex.dev/ns",
}


def read_trust(document: object, folder: Path, name: str = "trust") -> Trust:
    """The rules of a document; files are named from ``folder``. UsageError says what is wrong with it, and where."""
    return _Reading(folder).trust(document, name)


class _Reading:
    """What HCL leaves out it sends as null, so that is the same as not to say it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def trust(self, document: object, where: str) -> Trust:
        told = _object(document, where, _TRUST)
        root = self._file(told, where)
        rules = _each(told, "rules", where, self._rule)
        return Trust(
            rules=tuple(replace(rule, trusted_root=rule.trusted_root or root) for rule in rules),
            accepts=_one_of(told, "default", where, ("refuse", "accept")) == "accept",
            refreshed=_flag(told, "refresh", where),
            always=_one_of(told, "verify", where, ("changes", "always")) == "always",
        )

    def _rule(self, document: object, where: str) -> TrustRule:
        told = _object(document, where, _RULE)
        sources = tuple(_each(told, "sources", where, _pattern))
        signers = tuple(_each(told, "signers", where, self._signer))
        if not sources or not signers:
            _wrong(where, "has sources and signers, at least one of each")
        attested = tuple(_each(told, "attestations", where, _attested))
        return TrustRule(sources, signers, _flag(told, "all", where), attested, self._file(told, where))

    def _file(self, told: Mapping[str, Any], where: str) -> str:
        """The path of the trusted_root, "" for none."""
        name = _text(told, "trusted_root", where)
        return str(self._folder / name) if name else ""

    def _signer(self, document: object, where: str) -> Signer:
        told = _object(document, where, _SIGNER)
        key, exact, expression, issuer = (
            _text(told, each, where) for each in ("key", "identity", "identity_regexp", "issuer")
        )
        if [bool(key), bool(exact), bool(expression)].count(True) != 1 or bool(key) == bool(issuer):
            _wrong(where, "is a key, or an identity or identity_regexp with its issuer")
        if key:
            return self._key(key, where)
        if exact:
            return IdentitySigner(exact, issuer)
        try:
            matches = compile_regex(rf"^(?:{expression})$")
        except UsageError as error:
            _wrong(where, f"has an identity_regexp that is none: {error.message}")
        return IdentitySigner(expression, issuer, is_expression=True, matches=matches)

    def _key(self, key: str, where: str) -> KeySigner:
        if key.lstrip().startswith("-----BEGIN"):
            return KeySigner(key, "")
        try:
            with (self._folder / key).open("rb") as file:
                content = file.read(_MOST_KEY_BYTES)
        except OSError as error:
            _wrong(where, f"names the key {key}, which cannot be read: {error.strerror}")
        return KeySigner(content.decode("utf-8", errors="replace"), key)


def _attested(document: object, where: str) -> Attested:
    told = _object(document, where, _ATTESTED)
    given = {**told, "value": str(told["value"]).lower()} if isinstance(told.get("value"), bool) else told
    kind, field, value = (_text(given, each, where) for each in ("type", "field", "value"))
    if not kind or bool(field) != bool(value):
        _wrong(where, "has a type, and a field with its value or neither")
    return Attested(_TYPES.get(kind, kind), field, value)


def _pattern(document: object, where: str) -> str:
    if not isinstance(document, str) or not document or any(map(str.isspace, document)):
        _wrong(where, "is a pattern without spaces, like quay.io/org/**")
    return document


def _object(document: object, where: str, known: frozenset[str]) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        _wrong(where, f"is an object with {', '.join(sorted(known))}")
    if unknown := sorted(document.keys() - known):
        _wrong(where, f"has no {unknown[0]!r}: it takes {', '.join(sorted(known))}")
    return document


def _each(told: Mapping[str, Any], key: str, where: str, read: Callable[[object, str], _T]) -> list[_T]:
    items = told.get(key)
    if items is None:
        return []
    if not isinstance(items, (list, tuple)):
        _wrong(f"{where}.{key}", "is a list")
    return [read(item, f"{where}.{key}[{number}]") for number, item in enumerate(items)]


def _text(told: Mapping[str, Any], key: str, where: str) -> str:
    value = told.get(key)
    if value is not None and not isinstance(value, str):
        _wrong(f"{where}.{key}", "is a text")
    return value or ""


def _flag(told: Mapping[str, Any], key: str, where: str) -> bool:
    value = told.get(key)
    if value is not None and not isinstance(value, bool):
        _wrong(f"{where}.{key}", "is true or false")
    return bool(value)


def _one_of(told: Mapping[str, Any], key: str, where: str, values: tuple[str, ...]) -> str:
    """The value, the first of them where there is none."""
    value = _text(told, key, where) or values[0]
    if value not in values:
        _wrong(f"{where}.{key}", f"is {' or '.join(values)}, not {value!r}")
    return value


def _wrong(where: str, what: str) -> NoReturn:
    raise UsageError(f"{where} {what}", hint=_HINT)
