"""An explanation as lines, as Markdown for a pull request, and as JSON. What comes from a plan is escaped."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from imagesync_cli.output.console import counted, size_text
from imagesync_cli.output.escape import cell
from imagesync_cli.terraform.explain.changes import KINDS, Change
from imagesync_cli.terraform.explain.explanation import Explanation
from imagesync_cli.terraform.explain.look import Copy
from imagesync_cli.terraform.explain.reading.plan import ROOT
from imagesync_cli.terraform.explain.reasons import short
from imagesync_cli.terraform.explain.sentence import Sentence, say, written

_MOST_CONSUMERS = 5
_LONGEST = 400
# GitHub takes 65,536 characters for a comment; what somebody puts around this has room.
_MOST_CHARACTERS = 60_000
_HEAD = 2  # lines of a table before its rows
_COLUMNS = ("Change", "Image", "Digest", "Why", "To copy", "Old image", "Changes with it")


def explanation_json(explained: Explanation) -> dict[str, Any]:
    """Everything, with whole digests and all consumers."""
    return {
        **vars(explained),
        "counts": explained.counts,
        "consumers": explained.consumers,
        "changes": [_change_json(change) for change in explained.changes],
        "notes": [note.written() for note in explained.notes],
    }


def _change_json(change: Change) -> dict[str, Any]:
    old = [{**vars(each), "outcome": each.outcome.outcome, "why": each.outcome.why.written()} for each in change.old]
    document = {**vars(change), **vars(change.copy), "why": written(change.why), "old": old}
    del document["copy"]
    return document


def explanation_lines(explained: Explanation) -> Iterator[str]:
    """The summary, then a line an image; the module comes before its images where there are several."""
    yield explained.summary
    modules = {change.module for change in explained.changes}
    for module, changes in groupby(explained.changes, key=lambda change: change.module):
        if len(modules) > 1:
            yield ""
            yield f"{module or ROOT}:"
        for change in changes:
            parts = [*_digests(change), *change.why, *_to_copy(change.copy), *_signed(change), *_old(change)]
            parts += _consumers(change, "with it change {}")
            yield f"  {change.kind:<12} {_limited(change.name)}: {written(parts, _limited)}"
    for note in explained.notes:
        yield ""
        yield note.written(_limited)


def explanation_markdown(explained: Explanation) -> str:
    """The summary as it stands, for it is a commit's status as well, then a table with a row an image."""
    # What is left out at the end matters least.
    rows = [_row(change) for change in sorted(explained.changes, key=lambda change: KINDS.index(change.kind))]
    used = [index for index in range(len(_COLUMNS)) if index < 2 or any(row[index] for row in rows)]
    table = [f"| {' | '.join(row[index] for index in used)} |" for row in (_COLUMNS, *rows)]
    table.insert(1, "|---" * len(used) + "|")
    notes = [line for note in explained.notes for line in ("", note.written(_code))]
    room = _MOST_CHARACTERS - len(explained.summary) - sum(map(len, notes))
    shown, left = _fitting(table, room) if rows else ([], 0)
    more = ["", f"And {left} more: see the text or the JSON of imagesync explain."] if left else []
    return "\n".join([explained.summary, *(["", *shown] if shown else []), *more, *notes])


def _fitting(table: list[str], room: int) -> tuple[list[str], int]:
    """As many rows as there is room for, and how many are left."""
    for count, line in enumerate(table):
        room -= len(line) + 1
        if room < 0:
            return (table[:count] if count > _HEAD else []), len(table) - max(count, _HEAD)
    return table, 0


def _row(change: Change) -> tuple[str, ...]:
    image = _code(change.name) if not change.module else f"{_code(change.name)} in {_code(change.module)}"
    return (
        change.kind,
        image,
        written(_digests(change), _code),
        written([*change.why, *_signed(change)], _code),
        written(_to_copy(change.copy), _code),
        written(_old(change), _code),
        written(_consumers(change, "{}"), _code),
    )


def _code(text: str) -> str:
    return cell(_limited(text))


def _digests(change: Change) -> list[Sentence]:
    digests = [short(digest) for digest in dict.fromkeys((change.before, change.after)) if digest]
    return [say(" -> ".join(["{}"] * len(digests)), *digests)] if digests else []


def _to_copy(copy: Copy) -> list[Sentence]:
    if copy.error:
        return [say("how much to copy is not known: {}", copy.error)]
    if copy.bytes_to_copy is None or copy.layers is None:
        return []
    parts = [size_text(copy.bytes_to_copy)] if copy.bytes_to_copy else []
    parts += [counted(copy.referrers_to_copy, "referrer")] if copy.referrers_to_copy else []
    some = "" if copy.layers_to_copy == copy.layers else f"{copy.layers_to_copy} of "
    layers = f"{some}{counted(copy.layers, 'layer')}"
    if not copy.bytes_to_copy and copy.layers_to_copy:
        return [say(" and ".join([f"{layers} to mount", *(f"{part} to copy" for part in parts)]))]
    if not parts:
        return [say("nothing to copy")]
    return [say(f"{' and '.join(parts)} to copy{f', {layers}' if copy.bytes_to_copy else ''}")]


def _signed(change: Change) -> list[Sentence]:
    return [say("{}", change.signed)] if change.signed else []


def _old(change: Change) -> Iterator[Sentence]:
    for old in change.old:
        words, quoted = old.outcome.why.words, old.outcome.why.quoted
        if not change.after:
            yield Sentence(f"the image {words}", quoted)
        elif old.destination == change.destination:
            yield Sentence(f"the old image {words}", quoted)
        else:
            yield Sentence(f"the image at {{}} {words}", (old.destination, *quoted))


def _consumers(change: Change, words: str) -> list[Sentence]:
    shown, more = change.consumers[:_MOST_CONSUMERS], len(change.consumers) - _MOST_CONSUMERS
    listed = ", ".join(["{}"] * len(shown)) + (f" and {more} more" if more > 0 else "")
    return [say(words.format(listed), *shown)] if shown else []


def _limited(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
