"""Entries as images.yaml, or as Terraform module blocks."""

from __future__ import annotations

import json
import re
from typing import Any

from imagesync_cli.batch.adopt.adopted import Adopted, Images
from imagesync_cli.values.reference import parse_reference

_SCHEMA = "# yaml-language-server: $schema=https://raw.githubusercontent.com/…/imagesync_cli/batch/images.schema.json"
_MODULE = '  source = "git::https://…/imagesync.git//modules/images"'


def as_images(found: Adopted) -> str:
    """The text of an images.yaml; values are quoted as JSON does, which is YAML too."""
    lines = [_SCHEMA, f"# from a {found.kind} file", "images:" if found.entries else "images: []"]
    for entry in found.entries:
        for number, (key, value) in enumerate(entry.items()):
            lines.append(f"  {'-' if number == 0 else ' '} {key}: {_yaml(value)}")
    return "\n".join(lines)


def _yaml(value: Any) -> str:
    """A plain word as it is, everything else in quotes; ${ is not meant as a variable."""
    if isinstance(value, str):
        value = value.replace("${", "$${")
        return value if re.fullmatch(r"[A-Za-z][\w./:@-]*[\w]", value) and ": " not in value else json.dumps(value)
    if isinstance(value, list):
        return f"[{', '.join(json.dumps(_escaped(item)) for item in value)}]"
    if isinstance(value, dict):
        inner = ", ".join(
            f"{key}: {_yaml(item) if isinstance(item, list) else json.dumps(_escaped(item))}"
            for key, item in value.items()
        )
        return f"{{{inner}}}"
    return json.dumps(value)


def _escaped(value: Any) -> Any:
    return value.replace("${", "$${") if isinstance(value, str) else value


def as_modules(found: Adopted) -> str:
    """One block of modules/images with every single image; what picks tags has no place in it and is noted."""
    lines = ['module "images" {', _MODULE, "", "  images = {"]
    for entry in found.entries:
        if "tags" in entry:
            found.notes.append(f"{entry['source']}: modules name each tag; mirror this one by imagesync sync --file")
        else:
            lines.append(f"    {_hcl(_key(entry))} = {{ {_image(entry)} }}")
        if "referrers" in entry:
            found.notes.append(f"{entry['source']}: referrers left out")
    return "\n".join([*lines, "  }", "}"])


def _key(entry: Images) -> str:
    """The destination with its tag, which a module does not take over from the source."""
    source, destination = (parse_reference(entry[side]) for side in ("source", "destination"))
    tagged = destination.tag and entry["destination"].endswith(f":{destination.tag}")
    return str(destination if tagged else destination.at(tag=source.tag or "latest"))


def _image(entry: Images) -> str:
    platforms = f", platforms = [{', '.join(map(_hcl, entry['platforms']))}]" if entry.get("platforms") else ""
    return f"source = {_hcl(entry['source'])}{platforms}"


def _hcl(text: str) -> str:
    """A string of HCL; nothing in it is a template."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
