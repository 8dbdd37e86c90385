"""Who of a Terraform configuration relies on which image: a removal for one entry spares what another has taken over.

Two entries, two module calls or two spellings can mean one image. Each call of a module writes down in the run folder
which images it relies on, under the keys of its entries; the command that removes an image for an entry reads that.

1. A call claims all its images whenever Terraform reads, so before it looks at their tags. What a call does not claim
   any more, it does not rely on.
2. A call that claims an image anew takes it over from calls that were not read in the same run: those are gone from the
   configuration. One that is not gone, but was left out by -target, claims it again in the next run. Calls of another
   workspace are in no run of this one, and are not gone.
3. Removing and copying see each other, by files that their processes have locked. Who claims waits until removals from
   the same repository that have begun are over, and looks at the tags then. A removal reads the claims once it can be
   seen, and waits for copies into the same repository.

A process that is killed leaves claims that stay true, or that the next reading corrects, and no lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

from imagesync_cli.stores.files.folder import Place
from imagesync_cli.stores.files.lock import at_work, being_at_work, briefly_locked, is_at_work
from imagesync_cli.stores.files.new_file import replace_file
from imagesync_cli.values.documents import MISREAD, why_misread
from imagesync_cli.values.errors import ContentError, ImagesyncError, UsageError
from imagesync_cli.values.hosts import one_spelling
from imagesync_cli.values.reference import Reference, RegistryReference

_AGAIN_AFTER_S = 0.01
_MOST_BYTES = 64 * 1024 * 1024
_CALL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class Claimant:
    """One entry (``key``) of one call of a module; ``call`` tells calls apart, and stays the same from run to run."""

    call: str
    key: str

    def __str__(self) -> str:
        return f"{self.call}/{self.key}"


@dataclass(frozen=True)
class Claim:
    """An image that an entry relies on: where it is, all spellings of that alike, and its digest."""

    repository: str
    tag: str
    digest: str

    @property
    def host(self) -> str:
        """The registry, or what kind of file it is."""
        return self.repository.partition("/")[0]

    @property
    def path(self) -> str:
        """The repository's name at its registry; for a file all that tells it from others."""
        return self.repository if self.host.endswith(":") else self.repository.partition("/")[2]


def parse_claimant(text: str) -> Claimant:
    """CALL/KEY."""
    call, slash, key = text.partition("/")
    if not slash or not key or not _CALL.fullmatch(call):
        raise UsageError(f"claimant {text!r}", hint="it is like CALL/KEY, where CALL is letters, digits, . _ and -")
    return Claimant(call, key)


def claim_of(reference: Reference, digest: str) -> Claim:
    """The claim on this digest at this reference."""
    tag = reference.tag or ("latest" if isinstance(reference, RegistryReference) else "")
    return Claim(repository_of(reference), tag, digest)


def repository_of(reference: Reference) -> str:
    """The repository, folder or file: one text for everything that may mean the same.

    In doubt, names of hosts mean one registry, and an image stays.
    """
    where, path = reference.location
    if isinstance(reference, RegistryReference):
        return f"{one_spelling(where)}/{path}"
    return f"{where}:{os.path.realpath(path)}"


class Claims:
    """The claims in one run folder, which need not exist yet."""

    def __init__(self, run_folder: Path) -> None:
        self._calls = run_folder / "claims"
        self._doing = run_folder / "doing"
        self._copied = self._doing / "copied"

    def claim(
        self,
        call: str,
        run: str,
        images: Mapping[str, Claim],
        named: Iterable[tuple[str, str]] = (),
        *,
        complete: bool,
        workspace: str = "",
    ) -> None:
        """Write down what a call relies on, by its entries' keys; ``complete`` if that is all.

        ``named`` is what its sources and destinations are called (names_of). ``run`` is the time of the run in a form
        that sorts, the same for all calls of the run. ``workspace`` is Terraform's, "" for the one told before.
        """
        if not _CALL.fullmatch(call):
            raise UsageError(f"the call {call[:200]!r}", hint="it is made of letters, digits, . _ and -")
        with _in_words():
            self._calls.mkdir(parents=True, exist_ok=True)
            with briefly_locked(Place(str(self._calls / ".lock"))):
                before = self._read(call)
                images = dict(images) if complete else {**before.images, **images}
                names = {*named} if complete else {*before.named, *named}
                whole = run if complete else before.whole
                workspace = workspace or before.workspace
                self._write(call, _Call(max(run, before.run), images, frozenset(names), whole, workspace))
                self._take_over(call, run, workspace, {*images.values()} - {*before.images.values()})

    def others(self, claim: Claim, claimant: Claimant) -> list[tuple[Claimant, Claim]]:
        """Who else relies on this digest under this tag, in a repository of this name at any registry."""
        under = _under(self._all(), claim, claimant)
        return [(who, other) for _, who, other in under if other.digest == claim.digest]

    def successors(self, claim: Claim, claimant: Claimant) -> list[tuple[Claimant, Claim]]:
        """Who else puts another digest under this tag, in a repository of this name at any registry.

        Calls that were not read in the newest run do not count: they are gone, or -target left them out.
        """
        calls = self._all()
        newest = max((noted.run for noted in calls.values()), default="")
        under = _under(calls, claim, claimant)
        return [(who, other) for run, who, other in under if run == newest and other.digest != claim.digest]

    def rivals(self, call: str, run: str, images: Mapping[str, Claim]) -> dict[str, list[str]]:
        """The keys of other calls' entries that have another image for the same tag, by the keys of these.

        Only calls that were read wholly in this run count: others may have left an entry.
        """
        theirs: dict[tuple[str, str], list[tuple[str, Claim]]] = {}
        for other, noted in self._all().items():
            for key, claim in noted.images.items() if other != call and noted.whole == run else ():
                theirs.setdefault((claim.repository, claim.tag), []).append((key, claim))
        return {
            key: [
                other for other, their in theirs.get((claim.repository, claim.tag), ()) if their.digest != claim.digest
            ]
            for key, claim in images.items()
        }

    def other_workspace(self, one: Claimant, other: Claimant) -> str:
        """Terraform's workspace of the other entry; "" if it is in that of the first one, or nobody has told."""
        ours, theirs = self._read(one.call).workspace, self._read(other.call).workspace
        return theirs if ours and theirs != ours else ""

    def of(self, claimant: Claimant) -> Claim | None:
        """What this entry relies on now."""
        return self._read(claimant.call).images.get(claimant.key)

    def named(self) -> set[tuple[str, str]]:
        """What the sources and destinations of all calls are called (names_of)."""
        return {name for noted in self._all().values() for name in noted.named}

    def release(self, claimant: Claimant, claim: Claim) -> None:
        """Forget that this entry relied on this; what it relies on now, it goes on with."""
        if not (self._calls / f"{claimant.call}.json").exists():
            return
        with _in_words(), briefly_locked(Place(str(self._calls / ".lock"))):
            noted = self._read(claimant.call)
            if noted.images.get(claimant.key) == claim:
                del noted.images[claimant.key]
                self._write(claimant.call, noted)

    async def wait_for_removals(self, repositories: Iterable[str]) -> None:
        """Wait until the removals from these repositories that have begun are over."""
        begun = [path for repository in set(repositories) for path in at_work(self._doing, _name("remove", repository))]
        for path in begun:
            while is_at_work(path):  # noqa: ASYNC110  (other processes set no events)
                await asyncio.sleep(_AGAIN_AFTER_S)

    @contextlib.asynccontextmanager
    async def copying(self, repositories: Iterable[str]) -> AsyncIterator[None]:
        """Copy into these repositories, after removals that have begun and before those that come."""
        wanted = sorted(set(repositories))
        with contextlib.ExitStack() as stack:
            with _in_words():
                self._doing.mkdir(parents=True, exist_ok=True)
                for repository in wanted:
                    stack.enter_context(being_at_work(self._doing, _name("copy", repository)))
            await self.wait_for_removals(wanted)
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
        while True:
            with being_at_work(self._doing, _name("remove", repository)):
                if not at_work(self._doing, _name("copy", repository)):
                    yield
                    return
            await asyncio.sleep(_AGAIN_AFTER_S)

    def copied_at(self) -> int:
        """A number that is another one after every copy; 0 for none."""
        try:
            return self._copied.stat().st_mtime_ns
        except OSError:
            return 0

    def _all(self) -> dict[str, _Call]:
        return {path.stem: self._read(path.stem) for path in sorted(self._calls.glob("*.json"))}

    def _take_over(self, call: str, run: str, workspace: str, claims: set[Claim]) -> None:
        """Drop these claims of calls that were last read in an earlier run of this workspace."""
        for other, noted in self._all().items():
            rest = {key: claim for key, claim in noted.images.items() if claim not in claims}
            is_gone = noted.run < run and noted.workspace in ("", workspace)
            if other != call and is_gone and len(rest) < len(noted.images):
                self._write(other, replace(noted, images=rest))

    def _read(self, call: str) -> _Call:
        path = self._calls / f"{call}.json"
        try:
            with os.fdopen(Place(str(path)).open(), "rb") as file:
                document = json.loads(file.read(_MOST_BYTES))
            images = {key: Claim(*claim) for key, claim in document["images"].items()}
            named = frozenset((path, name) for path, name in document.get("named", []))
            return _Call(document["run"], images, named, document.get("whole", ""), document.get("workspace", ""))
        except (FileNotFoundError, NotADirectoryError):
            return _Call()
        except OSError as error:
            raise ContentError(f"{path} cannot be read: {error.strerror}") from error
        except MISREAD as error:
            raise ContentError(f"{path} is damaged: {why_misread(error)}", hint="remove it, and plan again") from error

    def _write(self, call: str, noted: _Call) -> None:
        images = {key: astuple(claim) for key, claim in noted.images.items()}
        document = {"run": noted.run, "images": images, "named": sorted(noted.named), "whole": noted.whole}
        document |= {"workspace": noted.workspace}
        replace_file(self._calls / f"{call}.json", json.dumps(document))


@dataclass(frozen=True)
class _Call:
    """What a call relies on, when it was read, how its references are called, when it was read wholly, and where."""

    run: str = ""
    images: dict[str, Claim] = field(default_factory=dict)
    named: frozenset[tuple[str, str]] = frozenset()
    whole: str = ""
    workspace: str = ""


def _under(calls: Mapping[str, _Call], claim: Claim, claimant: Claimant) -> Iterator[tuple[str, Claimant, Claim]]:
    """What others claim under this tag, with the run in which their call was read."""
    for call, noted in calls.items():
        for key, other in noted.images.items():
            if (other.tag, other.path) == (claim.tag, claim.path) and Claimant(call, key) != claimant:
                yield noted.run, Claimant(call, key), other


def _name(doing: str, repository: str) -> str:
    return f"{doing}-{hashlib.sha256(repository.encode()).hexdigest()[:32]}"


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImagesyncError(
            f"{error.filename} cannot be written: {error.strerror}",
            hint="what this configuration relies on is noted there; TF_DATA_DIR names another folder",
        ) from error
