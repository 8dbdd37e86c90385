"""The pages of exit codes and of environment variables, which errors.py and settings.py draw at their top."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

from pages import code, inline, page, table

from imagesync_cli import settings
from imagesync_cli.values.errors import ImagesyncError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_VARIABLE = re.compile(r"^([A-Z_]+(?:<HOST>)?) +(\S.*(?:\n {2,}\S.*)*)$", re.MULTILINE)


def exit_codes_page() -> str:
    """What each exit code means, and what the same error is called in JSON."""
    return page(
        "Exit codes",
        "A script can act on them: 5 is worth another try, all others need a change first. Where several references "
        "are given, the code is that of the first failure.",
        exit_codes_table(),
        "## Names",
        "With `--json` an error has a `name`. What to do about each stands under that name.",
        table(["`name`", "Exit code", "Meaning"], _names()),
        "## Kinds",
        "Where JSON tells an error, `kind` says in a word what it is.",
        table(["`kind`", "Exit code", ""], [[code(kind), *row] for kind, row in _kinds().items()]),
    )


def exit_codes_table() -> str:
    """A row a code."""
    rows = {0: "success, or nothing to do", ImagesyncError.exit_code: ImagesyncError.meaning}
    rows |= {error.exit_code: error.meaning for error in ImagesyncError.__subclasses__()}
    interrupted = ", ".join(str(128 + number) for number in _SIGNALS)
    return table(
        ["Exit code", "Meaning"],
        [
            *([str(number), meaning] for number, meaning in sorted(rows.items())),
            [interrupted, f"interrupted by {', '.join(number.name for number in _SIGNALS)}"],
        ],
    )


def _names() -> Iterator[list[str]]:
    """A row an error that has a name of its own."""
    told: set[str] = set()
    for error in _tree(ImagesyncError):
        if error.name not in told:
            told.add(error.name)
            yield [f"[`{error.name}`](../troubleshooting.md#{error.name})", str(error.exit_code), error.meaning]


def _kinds() -> dict[str, list[str]]:
    """Each kind with the codes and the meanings of its errors."""
    kinds: dict[str, list[type[ImagesyncError]]] = {}
    for error in _tree(ImagesyncError):
        kinds.setdefault(error.kind, []).append(error)
    return {
        kind: [
            ", ".join(dict.fromkeys(str(each.exit_code) for each in errors)),
            "; or ".join(e.meaning for e in errors),
        ]
        for kind, errors in kinds.items()
    }


def _tree(error: type[ImagesyncError]) -> Iterator[type[ImagesyncError]]:
    yield error
    for child in error.__subclasses__():
        yield from _tree(child)


def environment_page() -> str:
    """The variables that change what a run does."""
    return page(
        "Environment",
        "An option wins where both say something. Which login is taken when several are there: "
        "[credentials.md](../credentials.md). Files of images take further variables, those that they name: "
        "[many-images.md](../many-images.md#the-file). The clouds' own libraries read their own: those of boto3, "
        "google-auth and azure-identity.",
        table(
            ["Variable", ""], [[code(name), inline(told)] for name, told in _VARIABLE.findall(settings.__doc__ or "")]
        ),
    )
