"""Write a call down in a file, then become it: python recorded.py FILE PROGRAM ARGUMENT…

A program for the tests' Terraform configurations; it changes neither the call nor its answer.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    file, *call = sys.argv[1:]
    with open(file, "a") as log:  # noqa: PTH123 - pathlib would double the time that a recorded call takes
        log.write(json.dumps(call) + "\n")
    os.execvp(call[0], call)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main()
