"""Who of a Terraform configuration relies on which image: a removal for one entry spares what another has taken over.

Two entries, two module calls or two spellings can mean one image. Each call of a module writes down in the run folder
which images it relies on, under the keys of its entries; the command that removes an image for an entry reads that.

1. A call claims all its images whenever Terraform reads, so before it looks at their tags. What an apply has put in
   place counts as well, until it is removed, or another apply or the run of a removal tells that it is not wanted: a
   plan that nobody applies, and a run with -target, which leaves the call out, take no image from it.
   A destroy reads as an apply does, so an entry that was edited and not applied keeps its image from that, too.
2. A call that claims an image anew takes it over from calls that were not read in the same run: those are gone from the
   configuration. One that is not gone, but was left out by -target, claims it again in the next run. Calls of another
   workspace are in no run of this one, and are not gone. What was read on a later day than today, by a clock that was
   wrong, was read before all else.
3. Removing and copying see each other, by files that their processes have locked. Who claims waits until removals from
   the same repository that have begun are over, and looks at the tags then. A removal reads the claims once it can be
   seen, and waits for copies into the same repository.

4. A call notes what its entries copy from as well. A removal from there, for another call, may come before the copy.

A process that is killed leaves claims that stay true, or that the next reading corrects, and no lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from imagesync_cli.stores.files.folder import Place
from imagesync_cli.stores.files.lock import COPY, REMOVE, at_work, begin, briefly_locked, is_at_work
from imagesync_cli.stores.files.new_file import replace_file
from imagesync_cli.stores.files.runs.claimed import CallClaims, Claim, Claimant, Claimed, call_in, check_call
from imagesync_cli.stores.files.runs.doubtful import Doubtful
from imagesync_cli.stores.files.runs.seen import Seen
from imagesync_cli.values.documents import MISREAD, why_misread
from imagesync_cli.values.errors import ContentError, ImagesyncError

_AGAIN_AFTER_S = 0.01
_MOST_BYTES = 64 * 1024 * 1024
_TIME = re.compile("[0-9]{14}")  # as the modules tell it
_DAY_S = 24 * 3600


class Claims:
    """The claims in one run folder, which need not exist yet."""

    def __init__(self, run_folder: Path) -> None:
        self._run_folder = run_folder
        self._calls = run_folder / "claims"
        self._doing = run_folder / "doing"
        self._copied = self._doing / "copied"

    def claim(
        self,
        call: str,
        run: str,
        images: Mapping[str, Claim],
        named: Iterable[tuple[str, str]] = (),
        sources: Mapping[str, Claim] | None = None,
        *,
        complete: bool,
        workspace: str = "",
        is_applied: bool = False,
    ) -> None:
        """Write down what a call relies on, by its entries' keys; ``complete`` if that is all.

        ``named`` is what its sources and destinations are called (names_of), ``sources`` is what each entry copies.
        ``run`` is the time of the run in a form that sorts, the same for all calls of the run. ``workspace`` is
        Terraform's, "" for the one told before.
        ``is_applied`` says that all of this is copied next; ``place`` tells how that went.
        """
        check_call(call)
        with _in_words():
            self._calls.mkdir(parents=True, exist_ok=True)
        with self._alone():
            call = self._here(call, workspace)
            before = self._read(call)
            images = dict(images) if complete else {**before.images, **images}
            names = {*named} if complete else {*before.named, *named}
            whole = run if complete else before.whole
            workspace = workspace or before.workspace
            applied = run if is_applied else before.applied
            copied = {**({} if complete else before.sources), **(sources or {})}
            newest = max(run, before.run)
            noted = CallClaims(newest, images, frozenset(names), whole, workspace, applied, copied, before.placed)
            self._write(call, noted)
            self._take_over(call, run, workspace, {*images.values()} - {*before.images.values()})

    def place(self, call: str, images: Mapping[str, Claim], failed: Collection[str], workspace: str = "") -> None:
        """Write down that an apply has put these in place, but for entries that failed, which have what they had."""
        with self._alone():
            call = self._here(call, workspace)
            before = self._read(call)
            had = {key: claim for key, claim in before.placed.items() if key in failed}
            placed = had | {key: claim for key, claim in images.items() if key not in failed}
            self._write(call, replace(before, placed=placed))

    def forget(self, call: str, run: str, workspace: str = "") -> None:
        """Write down that this run takes all images of a call: it wants none, and has none in place in this run.

        What is left in place counts in others: objects that somebody has taken out of this run have it.
        """
        check_call(call)
        if not self._calls.exists():
            return
        with self._alone():
            call = self._here(call, workspace)
            if self.file_of(call).exists():
                self._write(call, replace(self._read(call), images={}, sources={}, named=frozenset(), whole=run))

    def file_of(self, call: str) -> Path:
        """Where all that a call relies on is noted; what is gone, its user may remove there."""
        return self._calls / f"{call}.json"

    def read(self, run: str = "", workspace: str = "") -> Claimed:
        """What all calls rely on now, as this run in this workspace sees it."""
        return Claimed(self._all(), run, workspace)

    def release(self, given_up: Iterable[tuple[Claimant, Claim]], *, only_sources: bool = False) -> None:
        """Forget that these entries relied on these, or that they copy them; what they rely on now, they go on with."""
        by_call: dict[str, set[tuple[str, Claim]]] = {}
        for claimant, claim in given_up:
            by_call.setdefault(claimant.call, set()).add((claimant.key, claim))
        for call, given in by_call.items():
            if not self.file_of(call).exists():
                continue
            with self._alone():
                noted = self._read(call)
                images, placed = (
                    {key: each for key, each in those.items() if (key, each) not in given}
                    for those in (noted.images, noted.placed)
                )
                less = replace(noted, sources={key: each for key, each in noted.sources.items() if key in images})
                if not only_sources:
                    less = replace(less, images=images, placed=placed)
                if less != noted:
                    self._write(call, less)

    async def wait_for_removals(self, repositories: Iterable[str]) -> None:
        """Wait until the removals from these repositories that have begun are over; "" is any repository."""
        begun = [path for repository in set(repositories) for path in at_work(self._doing, REMOVE, repository)]
        for path in begun:
            while is_at_work(path):  # noqa: ASYNC110  (other processes set no events)
                await asyncio.sleep(_AGAIN_AFTER_S)

    @contextlib.asynccontextmanager
    async def copying(self, repositories: Iterable[str]) -> AsyncIterator[None]:
        """Copy into these repositories, after removals that have begun and before those that come."""
        with contextlib.ExitStack() as work:
            with _in_words():
                self._doing.mkdir(parents=True, exist_ok=True)
                for repository in sorted(set(repositories)):
                    await begin(work, self._doing, COPY, repository)
            self._copied.touch()  # not at the end, which a killed process does not reach; nobody removes meanwhile
            yield

    @contextlib.asynccontextmanager
    async def removing(self, repository: str) -> AsyncIterator[None]:
        """Remove from this repository: what is claimed now was claimed before, and nobody copies there.

        Fails where nothing can be written: a claim may be missing then, and in doubt an image stays.
        """
        with _in_words():
            self._calls.mkdir(parents=True, exist_ok=True)
            self._doing.mkdir(exist_ok=True)
            replace_file(self._calls / "removal", "claims can be written\n")
        with contextlib.ExitStack() as work:
            await begin(work, self._doing, REMOVE, repository)
            yield

    def copied_at(self) -> int:
        """A number that is another one after every copy; 0 for none."""
        try:
            return self._copied.stat().st_mtime_ns
        except OSError:
            return 0

    def doubtful(self, run: str, workspace: str) -> Doubtful:
        """What this run has left undone until more is known."""
        return Doubtful(self._run_folder, f"{run} {workspace}" if run else "")

    def seen(self) -> Seen:
        """What plans have seen in the registries, and what is seen from now on."""
        return Seen(self._run_folder, self.copied_at)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else writes down what a call relies on."""
        with _in_words(), briefly_locked(Place(str(self._calls / ".lock"))):
            yield

    def _here(self, call: str, workspace: str) -> str:
        names = [name for name in (call, call_in(call, workspace)) if self.file_of(name).exists()]
        return Claimed({name: self._read(name) for name in names}, workspace=workspace).as_here(Claimant(call, "")).call

    def _all(self) -> dict[str, CallClaims]:
        return {path.stem: self._read(path.stem) for path in sorted(self._calls.glob("*.json"))}

    def _take_over(self, call: str, run: str, workspace: str, claims: set[Claim]) -> None:
        """Drop these wishes of calls that were last read in an earlier run of this workspace; what is placed stays."""
        for other, noted in self._all().items():
            rest = {key: claim for key, claim in noted.images.items() if claim not in claims}
            is_gone = noted.run < run and noted.workspace in ("", workspace)
            if other != call and is_gone and len(rest) < len(noted.images):
                self._write(other, replace(noted, images=rest))

    def _read(self, call: str) -> CallClaims:
        path = self.file_of(call)
        try:
            with os.fdopen(Place(str(path)).open(), "rb") as file:
                document = json.loads(file.read(_MOST_BYTES))
            images, sources, placed = (
                {key: Claim(*claim) for key, claim in those.items()}
                for those in (document["images"], document.get("sources", {}), document.get("placed", {}))
            )
            named = frozenset((path, name) for path, name in document.get("named", []))
            run = "" if _is_to_come(document["run"]) else document["run"]
            whole, workspace, applied = (document.get(name, "") for name in ("whole", "workspace", "applied"))
            return CallClaims(run, images, named, whole, workspace, applied, sources, placed)
        except (FileNotFoundError, NotADirectoryError):
            return CallClaims()
        except OSError as error:
            raise ContentError(f"{path} cannot be read: {error.strerror}") from error
        except MISREAD as error:
            raise ContentError(f"{path} is damaged: {why_misread(error)}", hint="remove it, and plan again") from error

    def _write(self, call: str, noted: CallClaims) -> None:
        replace_file(self.file_of(call), json.dumps(vars(noted), default=sorted))  # what is named is a set


def _is_to_come(run: str) -> bool:
    """Whether no clock of today has told this; those of two machines may differ a little."""
    tomorrow = time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + _DAY_S))
    return bool(_TIME.fullmatch(run)) and run > tomorrow


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImagesyncError(
            f"{error.filename} cannot be written: {error.strerror}",
            hint="what this configuration relies on is noted there; TF_DATA_DIR names another folder",
        ) from error
