"""Run the embedded registry by itself: prints HOST:PORT on the first line, then serves until it is ended."""

from __future__ import annotations

import argparse
import contextlib
import sys
from dataclasses import replace

from tests.embedded_registry import MANNERS, EmbeddedRegistry


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.embedded_registry", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--manner", choices=sorted(MANNERS), default="oci-1.1")
    parser.add_argument("--delay-ms", type=float, default=0, help="wait so long before each answer")
    options = parser.parse_args()
    manner = replace(MANNERS[options.manner], delay_ms=options.delay_ms)
    with EmbeddedRegistry(manner, options.port) as registry:
        sys.stdout.write(f"{registry.host}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            registry.wait()


if __name__ == "__main__":
    main()
