"""Which faults a copy survives: one at a time, the same for every tool, between two real registries.

    python -m benchmarks.survival --json FILE --markdown FILE

Each tool copies an image over another one's tag while a proxy does one thing wrong. What counts is what the destination
has afterwards, read back from it past the proxy: the tag, every manifest, every blob. Beside the table, imagesync alone
is timed on a server that says nothing, and its bytes are counted on a large layer that breaks off ten times.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from benchmarks.fault_proxy import Fault, FaultProxy, TokenService
from benchmarks.images import MIB, SMALL, Image, Layer, digest
from benchmarks.laboratory import Laboratory, laboratory
from benchmarks.repository import Repository
from benchmarks.tools import OURS, Tool

LIMIT_S = 120
SURVIVED, CLEAN, BAD, LATE, MISSED = "survived", "failed", "BAD", "no end", "not met"
_TAG = "1"
_SOURCE = "upstream/app"
_LAYER = Layer(600, 12)
_IMAGE = Image("survival", ((_LAYER, Layer(601, 1)),))
_LARGE = Image("large", ((Layer(610, 1024),),))
_OF_LAYER = f"/blobs/{digest(_LAYER)}$"
_MANIFEST = "/manifests/"
_UPLOADS = "/blobs/uploads/"
_WORDS = {_OF_LAYER: "the layer", _MANIFEST: "a manifest", _UPLOADS: "an upload"}


@dataclass(frozen=True)
class Case:
    """One fault, at the source or at the destination; ``what`` is injected, in a line."""

    name: str
    what: str
    fault: Fault = field(default_factory=Fault)
    at_source: bool = True
    tokens: Callable[[], TokenService] | None = None


def _blob(name: str, what: str, **fault: object) -> Case:
    return Case(name, what, replace(Fault("GET", _OF_LAYER), **fault))  # type: ignore[arg-type]


def _refused(name: str, method: str, path: str, status: int, *, at_source: bool, **more: object) -> Case:
    what = f"{method} of {_WORDS[path]} answers {status}, three times"
    return Case(name, what, replace(Fault(method, path, 3, status), **more), at_source)  # type: ignore[arg-type]


CASES = (
    _blob("cut at 0", "the layer's connection is reset after the answer's head", cut_at=0),
    _blob("cut after 1 byte", "the layer's connection is reset after its first byte", cut_at=1),
    _blob("cut at half", "the layer's connection is reset in its middle", cut_at=6 * MIB),
    _blob("cut before the last byte", "the layer's connection is closed before its last byte", cut_at=-1, reset=False),
    _blob("cut every 2 MiB", "every answer with the layer is reset after 2 MiB", times=0, cut_at=2 * MIB),
    _blob("silent before the head", "the request for the layer gets no answer, once", stall_at=-1),
    _blob("silent in the body", "the layer stops in its middle and the connection stays open, once", stall_at=6 * MIB),
    _blob("flipped bit", "one bit of the layer is another one, once", flip=True),
    _blob("length too large", "the layer's Content-Length is 1000 bytes more than come, once", too_long=True),
    _blob("length missing", "the layer comes without Content-Length, once", no_length=True),
    _blob("compressed", "a proxy compresses the layer although nobody asked, once", compress=True),
    _refused("429 manifest", "GET", _MANIFEST, 429, at_source=True, headers=("Retry-After: 1",)),
    _refused("500 manifest", "GET", _MANIFEST, 500, at_source=True),
    _refused("502 layer", "GET", _OF_LAYER, 502, at_source=True),
    _refused("503 opening an upload", "POST", _UPLOADS, 503, at_source=False, code="UNAVAILABLE"),
    _refused("504 upload", "PUT", _UPLOADS, 504, at_source=False),
    _refused("503 manifest put", "PUT", _MANIFEST, 503, at_source=False, code="UNAVAILABLE"),
    Case("503 token", "the token server answers 503 twice", at_source=False, tokens=lambda: TokenService(refusals=2)),
    Case(
        "upload cut", "an upload's connection is reset in the middle of its body",
        Fault("PATCH|PUT", _UPLOADS, upload_cut_at=512 * 1024), at_source=False,
    ),
    Case(
        "answer lost", "an upload is committed, and its connection reset before the answer",
        Fault("PUT", _UPLOADS, lose_answer=True), at_source=False,
    ),
    Case(
        "session lost", "the registry has forgotten an upload: 404 BLOB_UPLOAD_UNKNOWN, once",
        Fault("PATCH|PUT", _UPLOADS, status=404, code="BLOB_UPLOAD_UNKNOWN"), at_source=False,
    ),
    Case(
        "token dies", "a token ends after four requests, long before its time",
        at_source=False, tokens=lambda: TokenService(uses=4),
    ),
    Case(
        "HEAD refused", "the destination answers 405 to every HEAD",
        Fault("HEAD", "/", 0, 405, code="UNSUPPORTED"), at_source=False,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """How one tool fared with one fault, and how long that took."""

    fault: str
    what: str
    tool: str
    outcome: str
    wall_s: float
    said: str = ""


def cells(made: Laboratory, cases: tuple[Case, ...], limit_s: float) -> Iterator[Cell]:
    """Every case with every tool."""
    with made.registry() as source, made.registry() as destination:
        wanted = Repository(source.host, _SOURCE).push(_IMAGE, _TAG)
        for number, case in enumerate(cases):
            for tool in made.tools:
                name = f"mirror/{tool.name}-{number}"
                mirror = Repository(destination.host, name)
                old = mirror.push(SMALL, _TAG)
                with _proxies(case, source.host, destination.host) as (front, back):
                    command = tool.copying(f"{front.host}/{_SOURCE}:{_TAG}", f"{back.host}/{name}:{_TAG}")
                    code, wall_s, said = _run(made, command, limit_s)
                    met = front.happened + back.happened > 0 or case.tokens is not None
                outcome = outcome_of(mirror, code, wanted, old) if met else MISSED
                made.say(f"{case.name}: {tool.name}: {outcome} ({wall_s:.1f} s)")
                yield Cell(case.name, case.what, tool.name, outcome, round(wall_s, 1), said)


@contextlib.contextmanager
def _proxies(case: Case, source: str, destination: str) -> Iterator[tuple[FaultProxy, FaultProxy]]:
    none = Fault()
    tokens = case.tokens() if case.tokens else None
    front = FaultProxy(source, case.fault if case.at_source else none)
    back = FaultProxy(destination, none if case.at_source else case.fault, tokens)
    with front, back:
        yield front, back


def outcome_of(mirror: Repository, code: int | None, wanted: str, old: str) -> str:
    """What a run came to, by what the destination has now; no exit code is one that had to be ended."""
    found = mirror.digest(_TAG)
    whole = mirror.is_whole(_IMAGE if found == wanted else SMALL) if found in (wanted, old) else False
    if not whole or (code == 0 and found != wanted):
        return BAD
    if code is None:
        return LATE
    return SURVIVED if code == 0 else CLEAN


def _run(made: Laboratory, command: list[str], limit_s: float) -> tuple[int | None, float, str]:
    """The exit code (None for a run that was ended after ``limit_s``), how long it took and the last that it said."""
    started = time.monotonic()
    with subprocess.Popen(
        command,
        env=dict(made.environment()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            _, said = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            _, said = process.communicate()
            return None, time.monotonic() - started, ""
    return process.returncode, time.monotonic() - started, said.decode(errors="replace").strip()[-300:]


def silence_s(made: Laboratory, ours: Tool) -> float:
    """After how long imagesync gives up a server that takes every connection and never says a word."""
    silent = Fault("GET|HEAD", "/", 0, stall_at=-1)
    with made.registry() as source, FaultProxy(source.host, silent) as front:
        _, wall_s, _ = _run(made, ours.resolving(f"{front.host}/{_SOURCE}:{_TAG}"), 600)
    return wall_s


def refetched(made: Laboratory, ours: Tool) -> float:
    """Which part of a layer of 1 GiB comes again when its connection is reset ten times."""
    size = _LARGE.size_bytes
    with made.registry() as source, made.registry() as destination:
        wanted = Repository(source.host, _SOURCE).push(_LARGE, _TAG)
        fault = Fault("GET", f"/blobs/{digest(_LARGE.layers[0])}$", 10, cut_at=90 * MIB)
        with FaultProxy(source.host, fault) as front:
            command = ours.copying(f"{front.host}/{_SOURCE}:{_TAG}", f"{destination.host}/mirror/large:{_TAG}")
            code, _, said = _run(made, command, 600)
            sent = front.sent_bytes
        if code != 0 or Repository(destination.host, "mirror/large").digest(_TAG) != wanted:
            raise SystemExit(f"the large layer did not arrive: {said}")
    return (sent - size) / size


def markdown(found: list[Cell]) -> str:
    """A row for each fault, a column for each tool, and how many each survived."""
    tools = list(dict.fromkeys(cell.tool for cell in found))
    by_fault: dict[str, dict[str, Cell]] = {}
    for cell in found:
        by_fault.setdefault(cell.fault, {})[cell.tool] = cell
    rows = [["Fault", "What is injected", *tools], ["---"] * (len(tools) + 2)]
    for name, row in by_fault.items():
        what = next(iter(row.values())).what
        rows.append([name, what, *(f"{row[tool].outcome}, {row[tool].wall_s:.0f} s" for tool in tools)])
    counts = [sum(cell.outcome == SURVIVED for cell in found if cell.tool == tool) for tool in tools]
    rows.append(["**survived**", "", *(f"**{count} of {len(by_fault)}**" for count in counts)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main(arguments: list[str] | None = None) -> None:
    """Parse the options, run, report; an exit code other than 0 where imagesync has not survived."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.survival", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAMES", help="only these faults, with commas between")
    parser.add_argument("--tools", default="imagesync,crane,regctl,skopeo", metavar="NAMES")
    parser.add_argument("--limit", type=float, default=LIMIT_S, metavar="S", help="for one copy, in seconds (120)")
    parser.add_argument("--registry", default="registry", metavar="PROGRAM")
    parser.add_argument("--long", action="store_true", help="time the silent server, count the bytes of a large layer")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    names = options.only.split(",") if options.only else [case.name for case in CASES]
    cases = tuple(case for case in CASES if case.name in names)
    measured: dict[str, float] = {}
    with laboratory(registry_program=options.registry, runs=1, tools=options.tools.split(",")) as made:
        found = list(cells(made, cases, options.limit))
        ours = next((tool for tool in made.tools if tool.name == OURS), None)
        if options.long and ours:
            measured = {"silence_s": round(silence_s(made, ours), 1), "refetched": round(refetched(made, ours), 4)}
    if options.json:
        versions = {tool.name: _version(tool) for tool in made.tools}
        report = {"versions": versions, "measured": measured, "cells": [asdict(cell) for cell in found]}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(markdown(found))
    sys.stdout.write(markdown(found) + "".join(f"{name}: {value}\n" for name, value in measured.items()))
    if lost := [cell.fault for cell in found if cell.tool == OURS and cell.outcome != SURVIVED]:
        sys.exit(f"not survived: {', '.join(lost)}")


def _version(tool: Tool) -> str:
    program = shutil.which(tool.version[0]) or tool.version[0]
    said = subprocess.run([program, *tool.version[1:]], capture_output=True, text=True, check=False, timeout=20).stdout
    return " ".join(said.split())[:80]


if __name__ == "__main__":
    main()
