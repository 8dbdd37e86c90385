"""Entries as images.yaml, or as Terraform module blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from imagesync_cli.batch.adopt.adopted import Adopted, Images
from imagesync_cli.batch.reading.image import FOLDER
from imagesync_cli.output.escape import quoted
from imagesync_cli.values.reference import parse_reference

_SCHEMA = (
    "# yaml-language-server: $schema=https://git.example.com/imagesync/raw/main/imagesync_cli/batch/images.schema.json"
)
# prune is what a module does.
_IN_MODULES = frozenset({"source", "destination", "platforms", "referrers", "tags", "prune"})
_MODULE = '  source = "git::https://git.example.com/imagesync.git//modules/images?ref=v0.1.0"'


def as_images(adopted: Adopted) -> str:
    lines = [_SCHEMA, f"# from {adopted.origin}", "images:" if adopted.entries else "images: []"]
    for entry in _joined(adopted.entries):
        for number, (key, value) in enumerate(entry.items()):
            text = _yaml(value if adopted.has_variables else _literal(value))
            lines.append(f"  {'-' if number == 0 else ' '} {key}: {text}")
    return "\n".join(lines)


def _joined(entries: Iterable[Images]) -> Iterator[Images]:
    """Entries that follow each other and differ in their destination alone as one, which reads its source once."""
    for _, alike in groupby(entries, lambda entry: {**entry, "destination": ""}):
        first, *more = alike
        destinations = [entry["destination"] for entry in (first, *more)]
        yield {**first, "destination": destinations} if more else first


def _literal(value: Any) -> Any:
    """The same value, in which ${ is not meant as a variable."""
    if isinstance(value, dict):
        return {key: _literal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_literal(item) for item in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


def _yaml(value: Any, *, inside: bool = False) -> str:
    """A word as it is, every other text in quotes."""
    if isinstance(value, str):
        is_word = not inside and re.fullmatch(r"(?=.*[/:])[A-Za-z][\w./:@-]*\w", value, re.ASCII)
        return value if is_word else quoted(value).replace("\\u0024{", "${")
    if isinstance(value, list):
        return f"[{', '.join(_yaml(item, inside=True) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_yaml(item, inside=True)}' for key, item in value.items())}}}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_modules(adopted: Adopted) -> str:
    """One block of modules/images with every entry, aligned as terraform fmt does it.

    Rules for a repository that has some already are noted.
    """
    images = dict[str, str]()
    for entry in adopted.entries:
        if entry["source"].endswith(FOLDER):
            adopted.notes.append(f"{entry['source']} left out: modules name each repository")
            continue
        if adopted.has_variables and "${" in repr(entry):
            adopted.notes.append(f"{entry['source']} left out: {entry['destination']} has variables, modules have none")
            continue
        if verified := sorted(entry.keys() & {"trust", "minimum_age"}):
            adopted.notes.append(f"{entry['source']} left out: {' and '.join(verified)}: for a whole module")
            continue
        key = _hcl(entry["destination"] if "tags" in entry else _key(entry))
        if key in images:
            adopted.notes.append(
                f"{entry['source']} left out: {entry['destination']} has rules already; write one entry for both"
            )
            continue
        if "as" in entry:
            adopted.notes.append(f"{entry['source']} left out: as: the keys of a module are the names")
            continue
        if others := sorted(entry.keys() - _IN_MODULES):
            adopted.notes.append(f"{entry['source']}: {' and '.join(others)} left out: not for one image of a module")
        if isinstance(entry.get("referrers"), list):
            adopted.notes.append(f"{entry['source']}: referrers of every type are copied: modules cannot select types")
        images[key] = _image(entry)
    width = max(map(len, images), default=0)
    lines = [f"    {key:{width}} = {{ {image} }}" for key, image in images.items()]
    return "\n".join(['module "images" {', _MODULE, "", "  images = {", *lines, "  }", "}"])


def _key(entry: Images) -> str:
    """The destination with its tag, which a module does not take over from the source."""
    source, destination = (parse_reference(entry[side]) for side in ("source", "destination"))
    tagged = destination.tag and entry["destination"].endswith(f":{destination.tag}")
    return str(destination if tagged else destination.at(tag=source.meant_tag))


def _image(entry: Images) -> str:
    tags = entry.get("tags")
    given = {
        "source": entry["source"],
        "platforms": entry.get("platforms"),
        "referrers": bool(entry.get("referrers")),
        "tags": {"include": tags} if isinstance(tags, list) else tags,
    }
    return ", ".join(f"{name} = {_hcl(value)}" for name, value in given.items() if value)


def _hcl(value: Any) -> str:
    """A value of HCL, in which no text is a template."""
    if isinstance(value, str):
        return quoted(value).replace("${", "$${").replace("%{", "%%{")
    if isinstance(value, list):
        return f"[{', '.join(map(_hcl, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_hcl(item)}' for name, item in value.items())} }}"
    return str(value).lower()
