"""Many small images in one call, from one registry to another; and once more, when all of them are there.

Ours and regsync take the list as a file; crane is called for each image, which is what scripts do.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.images import Image, Layer
from benchmarks.laboratory import Laboratory
from benchmarks.measure import CommandError
from benchmarks.registries import Registry
from benchmarks.repository import Repository
from benchmarks.results import Row
from benchmarks.tools import IMAGESYNC, OURS

_CRUMB_BYTES = 16 * 1024
# As many as ours has connections to a host: regsync takes one image at a time unless it is told.
_PARALLEL = 32


@dataclass(frozen=True)
class Crumb(Layer):
    """A layer that is all round trips and next to no bytes."""

    size_mib: int = field(default=0)

    @property
    def size_bytes(self) -> int:
        return _CRUMB_BYTES

    def chunks(self) -> Iterator[bytes]:
        yield f"\x1f\x8b\x08 {self.number}".encode("latin-1").ljust(_CRUMB_BYTES, b"\0")


@dataclass(frozen=True)
class Tool:
    """How a tool is told to copy all pairs of references; the file is for its list."""

    name: str
    program: str
    copying: Callable[[list[tuple[str, str]], Path], list[str]]


def rows(laboratory: Laboratory) -> Iterator[Row]:
    """A cold run and a second one for each tool."""
    count, delay_ms = (10, 1) if laboratory.quick else (500, 20)
    if not laboratory.wanted(f"batch of {count} images", delay_ms):
        return
    tools = [tool for tool in _TOOLS if shutil.which(tool.program)]
    with laboratory.registry() as source, laboratory.registry() as destination:
        for number in range(count):
            Repository(source.address, f"app-{number}").push(crumb(number), "1.0")
        for tool in tools:
            destination.empty()
            yield from _runs(laboratory, tool, source, destination, count=count, delay_ms=delay_ms)


def _runs(
    laboratory: Laboratory, tool: Tool, source: Registry, destination: Registry, *, count: int, delay_ms: int
) -> Iterator[Row]:
    pairs = [
        (f"{source.proxied_host}/app-{number}:1.0", f"{destination.proxied_host}/mirror/app-{number}:1.0")
        for number in range(count)
    ]
    command = tool.copying(pairs, laboratory.folder / f"{tool.name}-images.yaml")
    for scenario in (f"batch of {count} images", f"batch of {count} images again"):
        for registry in (source, destination):
            registry.start_counting(delay_ms)
        try:
            cost = laboratory.measure(command)
        except CommandError as error:
            laboratory.failed(f"{scenario}: {error}")
            return
        requests = f"{source.counts().total}+{destination.counts().total}"
        laboratory.say(f"{scenario} {delay_ms} ms {tool.name}: {cost.wall_s * 1000:.0f} ms, {requests} requests")
        yield Row(scenario, tool.name, delay_ms, [cost], requests)
    for number in (0, count - 1):
        if not Repository(destination.address, f"mirror/app-{number}").digest("1.0"):
            laboratory.failed(f"{tool.name}: app-{number} has not arrived")


def crumb(number: int) -> Image:
    """A small image of its own for each number."""
    return Image(f"crumb-{number}", ((Crumb(10_000 + number),),))


def ours(pairs: list[tuple[str, str]], file: Path) -> list[str]:
    """The command that copies all pairs of references, which it finds in the file."""
    file.write_text(json.dumps({"images": [{"source": here, "destination": there} for here, there in pairs]}))
    return [IMAGESYNC, "sync", "--quiet", "--file", str(file)]


def _crane(pairs: list[tuple[str, str]], file: Path) -> list[str]:
    file.write_text("set -e\n" + "\n".join(shlex.join(["crane", "copy", *pair]) for pair in pairs))
    return ["sh", str(file)]


def _regsync(pairs: list[tuple[str, str]], file: Path) -> list[str]:
    hosts = dict.fromkeys(reference.partition("/")[0] for pair in pairs for reference in pair)
    document = {
        "version": 1,
        "creds": [{"registry": host, "tls": "disabled"} for host in hosts],
        "defaults": {"parallel": _PARALLEL},
        "sync": [{"source": here, "target": there, "type": "image"} for here, there in pairs],
    }
    file.write_text(json.dumps(document))
    return ["regsync", "once", "--config", str(file), "--verbosity", "error"]


_TOOLS = (
    Tool(OURS, IMAGESYNC, ours),
    Tool("crane, called in a loop", "crane", _crane),
    Tool("regsync", "regsync", _regsync),
)
