"""Lines on stdout and stderr. The only module that prints; nothing it prints drives a terminal or a CI runner."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

from imagesync_cli.output.escape import json_text, printable
from imagesync_cli.output.terminal import hide
from imagesync_cli.values.errors import ImagesyncError
from imagesync_cli.values.secret import redacted

if TYPE_CHECKING:
    from collections.abc import Callable

AGAIN = "Run the same command again: it goes on from there"

# Where this run has begun an answer; what it prints for another process is none of its own.
_answered: list[object] = []


def begin() -> None:
    """A run begins that has answered nothing yet."""
    _answered.clear()


def has_answered() -> bool:
    """Whether anything was printed on stdout, or was tried to be."""
    return sys.stdout in _answered


def print_line(text: str) -> None:
    """A line on stdout, in which any text may be foreign; an error if nobody can have read it."""
    print_text(printable(text))


def print_text(text: str) -> None:
    """Lines on stdout as they are: whoever made them has escaped what is foreign in them."""
    _answered[:] = [sys.stdout]
    if sys.stdout is None:
        raise ImagesyncError("the result has nowhere to go: stdout is closed")
    hide()
    try:
        print(text, flush=True)
    except UnicodeEncodeError:  # stdout is ASCII, a folder's name is not
        print(text.encode("ascii", "backslashreplace").decode("ascii"), flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ImagesyncError(f"cannot write the result to stdout: {error.strerror}") from error


def print_bytes(content: bytes) -> None:
    """Bytes on stdout, exactly; on a terminal as lines of text, with what it would obey escaped."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None or sys.stdout.isatty():
        print_text("\n".join(map(printable, content.decode("utf-8", "backslashreplace").split("\n"))))
        return
    _answered[:] = [sys.stdout]
    try:
        buffer.write(content)
        buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ImagesyncError(f"cannot write the result to stdout: {error.strerror}") from error


def say(text: str) -> None:
    """A line on stderr, if there is one: not having it must not fail what was done."""
    _say_as_it_is(f"imagesync: {printable(text)}")


def _say_as_it_is(line: str) -> None:
    if sys.stderr is not None:
        hide()
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)


def print_json(document: Any) -> None:
    print_text(json_text(document, indent=2))


def print_event(document: Any) -> None:
    print_text(json_text(document))


def counted(number: int, what: str) -> str:
    """Such as "1 blob" and "2 blobs"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def size_text(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def show_log(level: str = "info", form: str = "text", file: str = "") -> Callable[[], None]:
    """Show what the package logs, on stderr or at the end of a file; gives the function that ends it.

    "info" tells which login is used for which host, "debug" every request as well; ``form`` is "text" or "json", an
    object a line. Never what httpx logs: it names signed URLs.
    """
    import logging

    write = log_writer(file) if file or form == "text" else _say_as_it_is

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            write(redacted(_log_json(record) if form == "json" else _log_text(record, timed=bool(file))))

    log = logging.getLogger("imagesync_cli")
    lines = Lines()
    log.addHandler(lines)
    log.setLevel(logging.DEBUG if level == "debug" else logging.INFO)
    return lambda: log.removeHandler(lines)


def log_writer(file: str) -> Callable[[str], None]:
    """What writes lines to the end of a file, where several processes may do so; or to stderr if none is named."""
    if not file:
        return say
    try:
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        say(f"the log {file} cannot be written: {error.strerror}")
        return say

    def write(text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(handle, f"{text}\n".encode(errors="backslashreplace"))

    return write


def _log_text(record: Any, *, timed: bool) -> str:
    told = getattr(record, "exchange", None)
    text = record.getMessage() if told is None else _exchange_text(told)
    return printable(f"{_log_time(record)} {text}" if timed else text)


def _exchange_text(told: Any) -> str:
    more = [
        f"{told['ms']} ms",
        *([f"{told['bytes']} bytes"] if told["bytes"] is not None else []),
        *([f"attempt {told['attempt']}"] if told["attempt"] > 1 else []),
        *([f"request id {told['request_id']}"] if told["request_id"] else []),
    ]
    return f"{told['method']} {told['url']}: {told['error'] or told['status']}, {', '.join(more)}"


def _log_json(record: Any) -> str:
    told = getattr(record, "exchange", None) or {"message": record.getMessage()}
    return json_text({"time": _log_time(record), "level": record.levelname.lower(), **told})


def _log_time(record: Any) -> str:
    import time

    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03}Z"
