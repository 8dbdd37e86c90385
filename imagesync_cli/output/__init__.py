"""Everything that is printed: results on stdout, progress and errors on stderr.

What a report says is in the module of its command; console.py alone prints.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from imagesync_cli.output.console import (
    begin,
    counted,
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

    from imagesync_cli.batch.locking import LockReport
    from imagesync_cli.copy.sync import SyncReport
    from imagesync_cli.delete.delete_report import DeleteReport
    from imagesync_cli.look.check import CheckReport
    from imagesync_cli.look.describe import Description
    from imagesync_cli.look.doctor import Diagnosis
    from imagesync_cli.look.resolve import Resolved
    from imagesync_cli.look.trust.judge import Verification
    from imagesync_cli.values.progress import Progress
    from imagesync_cli.values.tags.rules import Judgement

__all__ = ["Output", "exit_code", "print_error", "show_log"]


class Output:
    """How one run speaks: text or JSON, with or without progress."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self._as_json = as_json
        self._quiet = quiet

    def _result(self, document: Callable[[], Any], lines: Iterable[str]) -> None:
        """The result on stdout: a JSON document, or lines."""
        if self._as_json:
            print_json(document())
            return
        for line in lines:
            print_line(line)

    def resolved(self, results: list[Resolved | ImagesyncError]) -> None:
        """One line for each reference, or one JSON list; errors go to stderr as well."""
        if self._as_json:
            from imagesync_cli.output.results import resolved_json

            print_json([resolved_json(result) for result in results])
        for result in results:
            if isinstance(result, ImagesyncError):
                self.error(result)
            elif not self._as_json:
                print_line(result.id)

    def synced(self, report: SyncReport) -> None:
        """The id on stdout; on stderr, what was done."""
        from imagesync_cli.output.sync import effort_lines, left_lines, sync_json, sync_line

        self._result(lambda: sync_json(report), [report.id])
        if not self._quiet and not self._as_json:
            self.notes([sync_line(report), *effort_lines(report), *left_lines(report)])

    def tags(self, repository: str, judged: list[Judgement], *, explain: bool = False) -> None:
        """One tag a line, or one JSON object; on stderr, how many there are. Explained, every tag with its reason."""
        from imagesync_cli.output.results import tags_json

        picked, count = [each.tag for each in judged if each.picked], len(judged)
        explained = (f"{'pick' if each.picked else 'leave':<5}  {each.tag}  {each.why}" for each in judged)
        self._result(lambda: tags_json(repository, judged, explain=explain), explained if explain else picked)
        if not self._quiet and not self._as_json:
            all_of = f"all {count} tags" if len(picked) == count > 1 else f"{len(picked)} of {counted(count, 'tag')}"
            say(f"{all_of} of {repository}" if count else f"{repository} has no tags")

    def locked(self, report: LockReport) -> None:
        """One line a change, or one JSON object; errors go to stderr as well."""
        from imagesync_cli.output.results import change_line, lock_json

        self._result(lambda: lock_json(report), map(change_line, report.changes))
        for error in report.failed.values():
            self.error(error)
        if not self._quiet:
            say(f"{counted(len(report.lock.images), 'image')} in the lock, {counted(len(report.changes), 'change')}")

    def described(self, description: Description) -> None:
        """What an image is, in lines or as one JSON object."""
        from imagesync_cli.output.results import description_json, description_lines

        self._result(lambda: description_json(description), description_lines(description))
        if description.left_out and not self._quiet and not self._as_json:
            say("some layers, configs or annotations are too many or too long, and were left out")

    def raw(self, content: bytes) -> None:
        """Bytes as they are; on a terminal as text that it does not obey."""
        print_bytes(content)

    def checked(self, report: CheckReport) -> None:
        """Whether all is well and what is not, a line each; or one JSON object."""
        from imagesync_cli.output.check import check_json, check_lines

        self._result(lambda: check_json(report), check_lines(report))

    def verified(self, verifications: list[Verification]) -> None:
        """Who has signed each image, a line each, or one JSON list; errors go to stderr as well."""
        from imagesync_cli.output.check import verification_json, verification_line

        if self._as_json:
            print_json([verification_json(each) for each in verifications])
        for each in verifications:
            if each.error is not None:
                self.error(each.error)
            elif not self._as_json:
                print_line(verification_line(each))

    def deleted(self, reports: list[DeleteReport]) -> None:
        """One line an item, or one JSON list; errors go to stderr as well."""
        from imagesync_cli.output.results import delete_json, delete_lines

        if self._as_json:
            print_json([delete_json(report) for report in reports])
        for report in reports:
            for line in () if self._as_json else delete_lines(report):
                print_line(line)
            if report.error is not None:
                self.error(report.error)

    def logged_in(self, registry: str, where: str, *, checked: bool) -> None:
        """Where the login is kept."""
        if self._as_json:
            print_json({"registry": registry, "kept_in": where, "checked": checked})
        elif checked:
            print_line(f"logged in to {registry}; kept in {where}")
        else:
            print_line(f"{registry} did not ask for the login, so it was not checked; kept in {where}")

    def logged_out(self, registry: str, forgotten: list[str], left: list[str]) -> None:
        """Where the login was forgotten, and where there still is one."""
        if self._as_json:
            print_json({"registry": registry, "forgotten_in": forgotten, "left_in": left})
            return
        where = f"forgotten in {', '.join(forgotten)}" if forgotten else "no login was kept"
        print_line(f"{registry}: {where}")
        for file in left:
            say(f"{file} still has a login for {registry}")

    def diagnosed(self, diagnoses: list[Diagnosis]) -> None:
        """A table for each reference, to be pasted into a report."""
        from imagesync_cli.output.results import diagnoses_json, diagnosis_lines

        self._result(lambda: diagnoses_json(diagnoses), (line for each in diagnoses for line in diagnosis_lines(each)))

    def answer(self, text: str) -> None:
        """An answer that is already text, with what is foreign in it escaped, as it is."""
        print_text(text)

    def notes(self, notes: list[str]) -> None:
        """Lines on stderr."""
        for note in notes:
            say(note)

    def error(self, error: ImagesyncError) -> None:
        """What went wrong, and what to do about it."""
        say(error.message)
        if error.hint:
            say(f"  {error.hint}")

    def showing(self, progress: Progress) -> AbstractAsyncContextManager[None]:
        """Show the progress while the block runs: live on a terminal, a line every few seconds elsewhere."""
        from imagesync_cli.output.live import showing
        from imagesync_cli.output.progress import LiveProgress, progress_line

        return (
            contextlib.nullcontext()
            if self._quiet
            else showing(LiveProgress(progress), lambda: progress_line(progress), say)
        )


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
