"""The pages of files and of JSON, from the schemas that say what may stand in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pages import code, page, table

Schema = dict[str, Any]
_HOLDING = {"array": "list of", "object": "object of"}
# Those of docs/output.schema.json that are files; all others with a title are what commands print.
_FILES = ("lock_file", "report")
_ELSEWHERE = {"kind": "[kind](exit-codes.md#kinds)"}


def files_page(root: Path) -> str:
    """The files that imagesync reads and writes."""
    images, output = (
        _read(root / "imagesync_cli/batch/images.schema.json"),
        _read(root / "docs/output.schema.json"),
    )
    return page(
        "Files",
        "For programs: [images.schema.json](../../imagesync_cli/batch/images.schema.json) and, for what "
        "imagesync writes, [output.schema.json](../output.schema.json).",
        "## images.yaml",
        "What it means: [many-images.md](../many-images.md). At the top:",
        _properties(images, images),
        "Each of `images`:",
        _keys_of_images(images),
        "`tags` as rules, at least one of them:",
        _properties(images["$defs"]["tags"]["anyOf"][1], images),
        *_sections(images, ("trust",)),
        *_sections(output, _FILES),
    )


def json_page(root: Path) -> str:
    """What commands print with --json, and what external answers."""
    output = _read(root / "docs/output.schema.json")
    printed = [name for name, each in output["$defs"].items() if "title" in each and name not in _FILES]
    return page(
        "JSON",
        "With `--json` a command prints one JSON document, or one a line where that is said. Within a major version "
        "keys may be added; none is removed or changes its meaning. For programs: "
        "[output.schema.json](../output.schema.json).",
        *_sections(output, printed),
    )


def _read(path: Path) -> Schema:
    document: Schema = json.loads(path.read_text("utf-8"))
    return document


def _sections(document: Schema, names: list[str] | tuple[str, ...]) -> Iterator[str]:
    """Each with all that is in it, but what stands there already is only linked to."""
    told: set[str] = set()
    for name in names:
        for each in _with_parts(name, document):
            if each in _ELSEWHERE:
                continue
            schema = document["$defs"][each]
            if each not in told:
                yield f"##{'' if each == name else '#'} {schema.get('title', _heading(each))}"
                yield schema["description"]
                if "properties" in schema:
                    yield _properties(schema, document)
            told.add(each)


def _with_parts(name: str, document: Schema) -> list[str]:
    found = [name]
    for each in found:  # grows as it goes
        found += [part for part in _named(document["$defs"][each]) if part not in found]
    return found


def _named(schema: Any) -> Iterator[str]:
    """The names of what a schema refers to."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield _target(schema)
        for value in schema.values():
            yield from _named(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _named(value)


def _target(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _heading(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _properties(schema: Schema, document: Schema) -> str:
    """A row a key."""
    required = schema.get("required", list(schema["properties"]))
    rows = []
    for key, each in schema["properties"].items():
        optional = "" if key in required else "Optional. "
        rows.append([code(key), _type(each, document), optional + _told(each, document)])
    return table(["Key", "Type", ""], rows)


def _keys_of_images(document: Schema) -> str:
    """The same with defaults, and whether the file's own may have the key."""
    schema, in_defaults = document["$defs"]["image"], document["properties"]["defaults"]["properties"]
    rows = []
    for key, each in schema["properties"].items():
        default = code(json.dumps(each["default"])) if "default" in each else ""
        rows.append(
            [
                code(key),
                _type(each, document),
                "required" if key in schema["required"] else default,
                "yes" if key in in_defaults else "",
                _told(each, document),
            ]
        )
    return table(["Key", "Type", "Default", "In `defaults` too", ""], rows)


def _told(schema: Schema, document: Schema) -> str:
    """Its own description before that of what it refers to."""
    own = schema.get("description")
    return str(own or document["$defs"][_target(schema)].get("description", "")).replace("<", "&lt;")


def _type(schema: Schema, document: Schema) -> str:
    """In words, with a link to what has a table of its own."""
    if "$ref" in schema:
        return _linked(_target(schema), document)
    if "enum" in schema or "const" in schema:
        return ", ".join(code(json.dumps(each)) for each in schema.get("enum", [schema.get("const")]))
    if "type" not in schema:
        return ", or ".join(dict.fromkeys(_type(each, document) for each in schema["anyOf"]))
    kind = " or ".join([schema["type"]] if isinstance(schema["type"], str) else schema["type"])
    inner = schema.get("items", schema.get("additionalProperties"))
    return f"{_HOLDING[kind]} {_type(inner, document)}" if kind in _HOLDING and isinstance(inner, dict) else kind


def _linked(name: str, document: Schema) -> str:
    """A part by the heading that it has, if it has one: objects that are described."""
    schema = document["$defs"][name]
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    if schema.get("type") == "object" and "description" in schema:
        return f"[object](#{_heading(name).lower().replace(' ', '-')})"
    return _type(schema, document)
