"""Everything that is printed: results on stdout, progress and errors on stderr.

What a report says is in the module of its command; console.py alone prints.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagesync_cli.output.console import (
    begin,
    has_answered,
    print_bytes,
    print_event,
    print_json,
    print_line,
    print_text,
    say,
    show_log,
)
from imagesync_cli.values.errors import ImagesyncError, exhausted
from imagesync_cli.values.progress import hear_notes

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from imagesync_cli.values.progress import Progress

__all__ = ["Output", "Result", "exit_code", "print_bytes", "print_error", "print_text", "show_log"]


@dataclass(frozen=True)
class Result:
    """What a command has to say: a ``document`` or ``lines``, ``notes`` that sum it up, and what failed.

    The document may be long, and is made only where it is printed. A ``summary`` stands beside it, too.
    """

    document: Callable[[], Any]
    lines: Iterable[str] = ()
    notes: Iterable[str] = ()
    errors: Iterable[ImagesyncError] = ()
    summary: Iterable[str] = ()


class Output:
    """How one run speaks: text or JSON, with or without progress."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self._as_json = as_json
        self._quiet = quiet

    def result(self, result: Result) -> int:
        """The document or the lines on stdout; on stderr what failed, and what sums it up. The first failure's code."""
        if self._as_json:
            print_json(result.document())
        for line in () if self._as_json else result.lines:
            print_line(line)
        errors = list(result.errors)
        for error in errors:
            self.error(error)
        if not self._quiet:
            self.notes([*(() if self._as_json else result.notes), *result.summary])
        return errors[0].exit_code if errors else 0

    def notes(self, notes: Iterable[str]) -> None:
        for note in notes:
            say(note)

    def error(self, error: ImagesyncError) -> None:
        """What went wrong, and what to do about it."""
        for line in error.lines:
            say(line)
        if error.hint:
            say(f"  {error.hint}")

    def showing(self, progress: Progress) -> AbstractAsyncContextManager[None]:
        """Show the progress while the block runs: live on a terminal, a line every few seconds elsewhere."""
        if self._quiet:
            return contextlib.nullcontext()
        from imagesync_cli.output.live import showing
        from imagesync_cli.output.progress import LiveProgress, progress_line

        return showing(LiveProgress(progress), lambda: progress_line(progress), say)


def exit_code(call: Callable[[], int | None], *, as_json: bool = False) -> int:
    """Make the call; gives its code (None is 0), or the code of the error that it raised, which is printed.

    ``as_json`` prints it on stdout too, where nothing else is the answer.
    """
    hear_notes(say)
    begin()
    try:
        return call() or 0
    except ImagesyncError as error:
        return _ended(error, as_json=as_json)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has left. Nothing is to be said to them, at exit neither.
        sys.stdout = None
        return 1
    except Exception as error:  # noqa: BLE001
        ours = exhausted(error) or ImagesyncError(
            f"unexpected {type(error).__name__}: {error}", hint="this is a bug in imagesync"
        )
        return _ended(ours, as_json=as_json)


def _ended(error: ImagesyncError, *, as_json: bool) -> int:
    Output().error(error)
    if as_json:
        print_error(error)
    return error.exit_code


def print_error(error: ImagesyncError) -> None:
    """A line of JSON on stdout, where nothing else is the answer."""
    from imagesync_cli.output.results import error_json

    if not has_answered():
        with contextlib.suppress(ImagesyncError):  # that it has nowhere to go is not worse than the error
            print_event(error_json(error))
