"""`imagesync forget` ends a call of a module: what a removal of the same run has kept for its entries alone goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imagesync_cli.stores.files.runs.claimed import Claim, claim_of
from imagesync_cli.stores.files.runs.claims import Claims
from imagesync_cli.values.reference import parse_reference
from tests.command import Finished, imagesync, imagesync_process
from tests.delete.test_together import until
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image

RUN, LATER = "20261102080000", "20261103080000"
IMAGE, NEW = image("it"), image("new")


@pytest.fixture
def registry() -> Iterator[EmbeddedRegistry]:
    """A registry with an image, app:1."""
    with EmbeddedRegistry() as registry:
        IMAGE.seed(registry.repository("app"), "1")
        yield registry


@pytest.fixture
def claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Claims:
    """Of a root module that is the working folder."""
    monkeypatch.chdir(tmp_path)
    return Claims(tmp_path / ".terraform" / "imagesync")


def claim(registry: EmbeddedRegistry, digest: str = IMAGE.digest) -> Claim:
    return claim_of(parse_reference(f"{registry.host}/app:1"), digest)


def remove(registry: EmbeddedRegistry, run: str = f"{RUN} default") -> Finished:
    """As the object of x/a does that goes, in a process of its own."""
    entry = ["--claimant", "x/a", "--digest", IMAGE.digest]
    return imagesync_process("delete", *entry, f"{registry.host}/app:1", IMAGESYNC_RUN=run)


def forget(call: str, run: str = f"{RUN} default") -> Finished:
    return imagesync("forget", call, environ={"IMAGESYNC_RUN": run})


def test_what_its_entries_alone_have_kept_goes(registry: EmbeddedRegistry, claims: Claims) -> None:
    """One of its entries names the image; it has never been applied."""
    claims.claim("z", RUN, {"a": claim(registry)}, complete=True, workspace="default")
    assert "kept: tag 1 (another image of this configuration has taken it over" in remove(registry).out
    assert "removed: tag 1" in forget("z").out
    assert not registry.repository("app").tags


def test_what_its_own_entry_relies_on_again_stays(registry: EmbeddedRegistry, claims: Claims) -> None:
    """Another run began in the same second, and has put the image in place again."""
    claims.claim("z", RUN, {"a": claim(registry)}, complete=True, workspace="default")
    remove(registry)
    claims.claim("x", RUN, {"a": claim(registry)}, complete=True, workspace="default", is_applied=True)
    assert (forget("z").out, registry.repository("app").tags) == ("", {"1": IMAGE.digest})


@pytest.mark.parametrize("run", ["", f"{LATER} default"])
def test_what_was_kept_without_a_run_stays(registry: EmbeddedRegistry, claims: Claims, run: str) -> None:
    """A person has called the command of a log again, and later the other one."""
    claims.claim("z", RUN, {"a": claim(registry)}, complete=True)
    assert "kept: tag 1" in remove(registry, run="").out
    assert (forget("z", run).out, registry.repository("app").tags) == ("", {"1": IMAGE.digest})


def test_a_removal_that_has_failed_is_tried_by_its_own_object(registry: EmbeddedRegistry, claims: Claims) -> None:
    """It is in the state still; the end of another call does not fail because of it."""
    claims.claim("x", RUN, {"a": claim(registry, NEW.digest)}, complete=True, workspace="default", is_applied=True)
    failed = remove(registry)
    assert (failed.code != 0, "its new image was not copied" in failed.err) == (True, True)
    ended = forget("z")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_what_it_cannot_remove(registry: EmbeddedRegistry, claims: Claims) -> None:
    """The object has left the state: nobody tries it again, so the error tells what to do."""
    claims.claim("z", RUN, {"a": claim(registry)}, complete=True, workspace="default")
    remove(registry)
    registry.fault = lambda request: refusal(403) if request.method == "DELETE" else None
    failed = forget("z")
    assert failed.code == 4
    assert "no later run tries it again: remove it with imagesync delete" in failed.err


def test_a_removal_that_goes_on_meanwhile(registry: EmbeddedRegistry, claims: Claims) -> None:
    """It has read that the call relies on the image, and leaves it once the call has ended."""
    claims.claim("z", RUN, {"a": claim(registry)}, complete=True, workspace="default")
    removal = ("--claimant", "x/a", "--digest", IMAGE.digest, f"{registry.host}/app:1")

    async def main(executor: ThreadPoolExecutor) -> Finished:
        async with claims.removing(claim(registry).repository):
            ending = executor.submit(imagesync_process, "forget", "z", IMAGESYNC_RUN=f"{RUN} default")
            until(lambda: ending.done() or not claims.read().tags_in("app", ()))
            claims.doubtful(RUN, "default").leave([removal])
        return ending.result()

    with ThreadPoolExecutor(1) as executor:
        assert "removed: tag 1" in asyncio.run(main(executor)).out
    assert not registry.repository("app").tags
