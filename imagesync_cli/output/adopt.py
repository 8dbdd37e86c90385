"""Entries as images.yaml, or as Terraform module blocks."""

from __future__ import annotations

import re
from typing import Any

from imagesync_cli.batch.adopt import Adopted, Images
from imagesync_cli.output.escape import quoted
from imagesync_cli.values.reference import parse_reference

_SCHEMA = (
    "# yaml-language-server: $schema=https://git.example.com/imagesync/raw/main/imagesync_cli/batch/images.schema.json"
)
_MODULE = '  source = "git::https://git.example.com/imagesync.git//modules/images?ref=v0.1.0"'


def as_images(found: Adopted) -> str:
    """The text of an images.yaml."""
    lines = [_SCHEMA, f"# from a {found.kind} file", "images:" if found.entries else "images: []"]
    for entry in found.entries:
        for number, (key, value) in enumerate(entry.items()):
            lines.append(f"  {'-' if number == 0 else ' '} {key}: {_yaml(value)}")
    return "\n".join(lines)


def _yaml(value: Any, *, inside: bool = False) -> str:
    """A word as it is, every other text in quotes; ${ is not meant as a variable."""
    if isinstance(value, str):
        is_word = not inside and re.fullmatch(r"(?=.*[/:])[A-Za-z][\w./:@-]*\w", value, re.ASCII)
        return value if is_word else quoted(value.replace("${", "$${"))
    if isinstance(value, list):
        return f"[{', '.join(_yaml(item, inside=True) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_yaml(item, inside=True)}' for key, item in value.items())}}}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_modules(found: Adopted) -> str:
    """One block of modules/images with every single image; what picks tags has no place in it and is noted."""
    lines = ['module "images" {', _MODULE, "", "  images = {"]
    for entry in found.entries:
        if "tags" in entry:
            found.notes.append(f"{entry['source']}: modules name each tag; mirror this one by imagesync sync --file")
        else:
            lines.append(f"    {quoted(_key(entry))} = {{ {_image(entry)} }}")
        if "referrers" in entry:
            found.notes.append(f"{entry['source']}: referrers left out")
    return "\n".join([*lines, "  }", "}"])


def _key(entry: Images) -> str:
    """The destination with its tag, which a module does not take over from the source."""
    source, destination = (parse_reference(entry[side]) for side in ("source", "destination"))
    tagged = destination.tag and entry["destination"].endswith(f":{destination.tag}")
    return str(destination if tagged else destination.at(tag=source.tag or "latest"))


def _image(entry: Images) -> str:
    platforms = f", platforms = [{', '.join(map(quoted, entry['platforms']))}]" if entry.get("platforms") else ""
    return f"source = {quoted(entry['source'])}{platforms}"
