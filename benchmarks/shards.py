"""How well shares are balanced: ``python -m benchmarks.shards`` simulates 100,000 images over 64 of them.

Sizes are made up as images have them: most are some dozen megabytes, a few have gigabytes (log-normal). No registry is
asked; it is the very function that ``sync --shard`` uses.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass

from imagesync_cli.batch.shards import shares

_MEDIAN_BYTES = 60_000_000
_SPREAD = 1.4


@dataclass(frozen=True)
class Balance:
    """How shares compare with the average one (1.0) in real bytes, and which part of the images another one moves."""

    heaviest: float
    lightest: float
    most_images: float
    moved: float
    seconds: float


def main(arguments: list[str] | None = None) -> None:
    """Print the balance with sizes and without."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shards", description=__doc__)
    parser.add_argument("--images", type=int, default=100_000, metavar="N")
    parser.add_argument("--shards", type=int, default=64, metavar="N")
    options = parser.parse_args(arguments)
    sys.stdout.write(f"{options.images} images over {options.shards} shards, each compared with the average\n\n")
    sys.stdout.write("| Sizes | Heaviest | Lightest | Most images | Moved by one more | |\n")
    sys.stdout.write("|---|---|---|---|---|---|\n")
    for known in (1.0, 0.5, 0.0):
        found = simulate(options.images, options.shards, known=known)
        sys.stdout.write(
            f"| {known:.0%} known | {found.heaviest:.3f} | {found.lightest:.3f} | {found.most_images:.3f} | "
            f"{found.moved:.2%} | {found.seconds:.1f} s |\n"
        )


def simulate(images: int, shards: int, *, known: float, seed: int = 1) -> Balance:
    """Share out made-up images, of which the lock knows a part of the sizes; loads are of all, in bytes."""
    source = random.Random(seed)  # noqa: S311  (sizes, not secrets)
    sizes = {
        f"registry.example.com/team-{number % 97}/app-{number}:1.{number % 13}": round(
            _MEDIAN_BYTES * source.lognormvariate(0, _SPREAD)
        )
        for number in range(images)
    }
    weights = {name: size if source.random() < known else 0 for name, size in sizes.items()}
    started = time.perf_counter()
    placed = shares(weights, shards)
    seconds = time.perf_counter() - started
    counts, loads = Counter(placed.values()), Counter[int]()
    for name, share in placed.items():
        loads[share] += sizes[name]
    average, each = sum(loads.values()) / shards, images / shards
    after = shares({**weights, "registry.example.com/one-more:1.0": _MEDIAN_BYTES if known else 0}, shards)
    moved = sum(after[name] != share for name, share in placed.items()) / images
    return Balance(
        max(loads[share] for share in range(1, shards + 1)) / average,
        min(loads[share] for share in range(1, shards + 1)) / average,
        max(counts.values()) / each,
        moved,
        seconds,
    )


if __name__ == "__main__":
    main()
