"""``python -m imagesync_cli`` and the command ``imagesync``: what a process does around the command line."""

from __future__ import annotations

import gc
import os
import sys
from typing import TextIO

from imagesync_cli.process import leave_on_signals


def main() -> None:
    """Run the command line, then leave at once.

    A run is short and makes few cycles: collecting garbage while modules load, and taking the interpreter apart at the
    end, would be a quarter of what a plan waits for.
    """
    gc.set_threshold(50_000)
    leave_on_signals()
    code = 1
    try:
        if sys.argv[1:] == ["external"]:
            from imagesync_cli.external import main as run
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
