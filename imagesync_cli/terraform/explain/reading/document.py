"""The bytes that ``terraform show -json`` prints, as the document of a plan; what is none is told apart by its kind."""

from __future__ import annotations

import codecs
from typing import Any

from imagesync_cli.values.documents import read_document
from imagesync_cli.values.errors import UsageError

# A plan of 10,000 images has 120 MB and four million values.
MOST_BYTES = 256 * 1024 * 1024
_MOST_VALUES = 10_000_000
_RUN = "run: terraform show -json plan.out | imagesync explain"
# What PowerShell writes where a program's output goes into a file or a pipe.
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def read_plan_document(content: bytes) -> dict[str, Any]:
    """The plan; UsageError for anything else, which says what it is and what to run."""
    if len(content) > MOST_BYTES:
        raise UsageError(f"the plan is longer than {MOST_BYTES} bytes", hint="plan a part of it with -target")
    text = _as_utf8(content).strip()
    if wrong := _kind_by_beginning(text):
        raise UsageError(wrong, hint=_RUN)
    try:
        document = read_document(text, _MOST_VALUES)
    except ValueError as error:
        raise _no_json(text, error) from error
    if wrong := _kind_by_content(document):
        raise UsageError(wrong, hint=_RUN)
    plan: dict[str, Any] = document
    return plan


def _as_utf8(content: bytes) -> bytes:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace").encode("utf-8", "replace")
    return content


def _kind_by_beginning(text: bytes) -> str:
    if not text:
        return "there is no plan on stdin"
    if text.startswith(b"PK\x03\x04"):
        return "stdin is the plan file itself"
    if text.startswith(b"[command]"):
        return "stdin begins with a line of the wrapper of setup-terraform: set its terraform_wrapper to false"
    return ""


def _no_json(text: bytes, error: ValueError) -> UsageError:
    if b'"@level"' in text[:1000]:
        return UsageError("stdin is the log of a run with -json, not a plan", hint=_RUN)
    if not text.startswith(b"{"):
        return UsageError("stdin is not a plan in JSON", hint=_RUN)
    return UsageError(f"stdin is not a plan in JSON: {error}", hint=f"one whole plan at a time; {_RUN}")


def _kind_by_content(document: Any) -> str:
    if not isinstance(document, dict):
        return "stdin is JSON, but not a plan"
    if "@level" in document:
        return "stdin is the log of a run with -json, not a plan"
    if "lineage" in document or "values" in document:
        return "stdin is a state, not a plan"
    version = document.get("format_version")
    if not isinstance(version, str) or not {"planned_values", "resource_changes", "configuration"} & document.keys():
        return "stdin is JSON, but not a plan"
    if version.partition(".")[0] not in ("0", "1"):
        return f"the plan has the format {version[:20]!r}, which this version of imagesync does not know"
    return ""
