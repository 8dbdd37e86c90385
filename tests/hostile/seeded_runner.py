"""A process that runs one command line after the other and says how each ended: code, last words, seconds, size.

One JSON list of arguments a line on stdin (with the text for the command's own stdin first), one JSON object a line on
stdout. Waits between attempts are left out; all else is what a user runs.
"""

from __future__ import annotations

import io
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from imagesync_cli.cli import main
from imagesync_cli.stores.transport import retry


async def _no_pause(seconds: float) -> None:
    """Waiting shows nothing here."""
    del seconds


def _largest_mib() -> float:
    """What getrusage says counts what the parent had when it made this process; the kernel's own mark does not."""
    kib = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(kib[1]) / 1024 if kib else 0.0


def run(stdin: str, arguments: list[str]) -> dict[str, Any]:
    """One command: its exit code, what it said last, its seconds, and its largest size in MiB."""
    Path("/proc/self/clear_refs").write_text("5")  # from here on the largest size is this command's
    out, err = io.StringIO(), io.StringIO()
    sys.argv, sys.stdin = ["imagesync", *arguments], io.TextIOWrapper(io.BytesIO(stdin.encode()))
    real, sys.stdout, sys.stderr = sys.stdout, out, err
    begun = time.monotonic()
    try:
        main()
        code: object = 0
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.stdout, sys.stderr = real, sys.__stderr__
    said = {"out": out.getvalue()[-2000:], "err": err.getvalue()[-2000:]}
    return {"code": code, "seconds": time.monotonic() - begun, "size_mib": _largest_mib(), **said}


if __name__ == "__main__":
    retry.pause = _no_pause
    for line in sys.stdin.buffer:
        given, *rest = json.loads(line)
        sys.__stdout__.write(json.dumps(run(given, rest)) + "\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]
