"""``python -m imagesync_cli`` and the command ``imagesync``: what a process does around the command line."""

from __future__ import annotations

import gc
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from imagesync_cli.stores.files.runs.wishes import Run


def main() -> None:
    """Run the command line, then leave at once.

    A run is short and makes few cycles: collecting garbage while modules load, and taking the interpreter apart at the
    end, would be a quarter of what a plan waits for.
    """
    gc.set_threshold(50_000)
    _leave_on_signals()
    if sys.stdin is None:  # it was closed: whoever reads it finds nothing, and no other file becomes it
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115
    code = 1
    try:
        if os.environ.get("IMAGESYNC_LOG"):
            _log(os.environ["IMAGESYNC_LOG"])
        if sys.argv[1:] == ["external"]:
            from imagesync_cli.terraform import main as run
        elif sys.argv[1:2] == ["delete"] and "--claimant" in sys.argv:
            shared = _join_others()
            from imagesync_cli.cli import main

            run = partial(main, shared)
        else:
            from imagesync_cli.cli import main as run
        run()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
        if not _flush(sys.stdout):
            code = code or 1
        _flush(sys.stderr)  # what nobody can read there does not undo what was done
    except KeyboardInterrupt:
        code = 130
    os._exit(code)


def _log(level: str) -> None:
    """Write the log that the environment asks for: under Terraform nobody gives options, or sees stderr.

    Who writes TF_LOG=DEBUG writes this in capitals, too; and a wrong word is told where the log would be read.
    """
    from imagesync_cli.output.console import log_writer, show_log

    level, form = level.lower(), (os.environ.get("IMAGESYNC_LOG_FORMAT") or "text").lower()
    file = os.environ.get("IMAGESYNC_LOG_FILE", "")
    if level in ("info", "debug") and form in ("text", "json"):
        show_log(level, form, file)
    else:
        log_writer(file)("nothing is logged: IMAGESYNC_LOG is info or debug, IMAGESYNC_LOG_FORMAT text or json")


def _join_others() -> Run:
    """Have a removal done by another process of the run, and end; or come back as one that does it.

    Terraform starts one for each image: those that wait load nothing else, not even the settings.
    """
    from imagesync_cli.stores.files.runs.wishes import Run

    shared = Run(f"{os.environ.get('TF_DATA_DIR') or '.terraform'}/imagesync")
    answer = shared.join(sys.argv[2:])
    if answer is None:
        return shared
    for stream, text in ((sys.stdout, answer.out), (sys.stderr, answer.err)):
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
            stream.write(text)
    raise SystemExit(answer.code)


def _leave_on_signals() -> None:
    """Let signals end the process at once, with their exit codes, until a run begins something to be cleaned up."""
    if sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda received, _: os._exit(128 + received))


def _flush(stream: TextIO | None) -> bool:
    """Whether everything that was printed has gone out."""
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        return False
    return True


if __name__ == "__main__":
    main()
