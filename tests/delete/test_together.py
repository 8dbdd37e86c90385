"""Removals that meet in one run of Terraform: done together, answered one by one, and lost with nobody."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imagesync_cli.delete.delete import Policy
from imagesync_cli.delete.together import Order, Together
from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from imagesync_cli.stores.files.runs.claimed import CallClaims, Claimant, Claimed, claim_of
from imagesync_cli.stores.files.runs.claims import Claims
from imagesync_cli.values.progress import Progress
from imagesync_cli.values.reference import Reference, parse_reference
from tests.command import IMAGESYNC, RUN_WITHIN_S, Finished, environment, imagesync, imagesync_process
from tests.delete.test_real_registries import Running, running  # noqa: F401  (a fixture)
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Fault, Request
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import Image, image, index_of

REPOSITORY = "team/app"
RUN = "2026-11-02T08:00:00Z"
AT_ONCE = 10


class Removals:
    """Processes that each remove an image for an entry, as Terraform starts them."""

    def __init__(self, host: str, data_folder: Path, repository: str = REPOSITORY) -> None:
        self.host, self.name = host, f"{host}/{repository}"
        self.claims = Claims(data_folder / "imagesync")
        self.wishes = data_folder / "imagesync" / "wishes"
        self._environment = environment(TF_DATA_DIR=str(data_folder))

    def arguments(self, tag: str, digest: str, *more: str) -> list[str]:
        return ["delete", "--digest", digest, "--claimant", f"call/{tag}", *more, f"{self.name}:{tag}"]

    def start(self, tag: str, digest: str, *more: str, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*IMAGESYNC, *self.arguments(tag, digest, *more)],
            env={**self._environment, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, tag: str, digest: str, *more: str, **environ: str) -> Finished:
        return ended(self.start(tag, digest, *more, **environ))

    def run_all(self, digests: Mapping[str, str], *more: str, at_once: int = AT_ONCE) -> dict[str, Finished]:
        """Remove them, so many at once, each as soon as one before it has ended."""
        with ThreadPoolExecutor(at_once) as executor:
            return dict(zip(digests, executor.map(lambda each: self.run(*each, *more), digests.items()), strict=True))

    def wait_for_wishes(self, number: int) -> None:
        """Return when so many processes wait for the leader."""
        until(lambda: len(list(self.wishes.glob("*.wish"))) >= number)


def ended(process: subprocess.Popen[str]) -> Finished:
    """Wait for a process, which says then what it has printed."""
    with process:
        out, err = process.communicate(timeout=RUN_WITHIN_S)
    return Finished(process.returncode, out, err)


def until(holds: Callable[[], bool]) -> None:
    """Return when it holds."""
    holding = threading.Event()
    for _ in range(6000):
        if holds():
            return
        holding.wait(0.01)
    raise AssertionError("it did not come to that within a minute")


@pytest.fixture
def registry() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry(MANNERS["distribution-3"]) as registry:
        yield registry


@pytest.fixture
def removals(registry: EmbeddedRegistry, tmp_path: Path) -> Removals:
    return Removals(registry.host, tmp_path)


def seeded(registry: EmbeddedRegistry, *tags: str, **more: Image) -> dict[str, str]:
    """An image of its own under each tag; gives their digests."""
    repository = registry.repository(REPOSITORY)
    return {tag: (more.get(tag) or image(tag)).seed(repository, tag) for tag in (*tags, *more)}


class Held:
    """Lets a registry hold the requests of this method until it is told to go on."""

    def __init__(self, registry: EmbeddedRegistry, method: str, number: int = 1) -> None:
        self._release = threading.Event()
        self._numbers = itertools.count(1)
        self.is_held = threading.Event()
        self._method, self._number = method, number
        registry.fault = self._fault

    def _fault(self, request: Request) -> Fault | None:
        if request.method == self._method and not self._release.is_set() and next(self._numbers) >= self._number:
            self.is_held.set()
            return Fault(stall=self._release)
        return None

    def wait(self) -> None:
        assert self.is_held.wait(RUN_WITHIN_S)

    def go_on(self) -> None:
        self._release.set()


def test_many_removals_cost_one_reading(registry: EmbeddedRegistry, removals: Removals) -> None:
    """Terraform destroy of 40 images in a repository of 200 reads its tags once, and asks a little for each image."""
    digests = seeded(registry, *(f"tag-{number:03}" for number in range(200)))
    going = dict(itertools.islice(digests.items(), 40))
    held = Held(registry, "DELETE")
    with ThreadPoolExecutor(len(going)) as executor:
        finished = [executor.submit(removals.run, tag, digest) for tag, digest in going.items()]
        held.wait()
        removals.wait_for_wishes(len(going) - 1)
        held.go_on()
        assert {each.result().code for each in finished} == {0}
    assert set(registry.repository(REPOSITORY).tags) == digests.keys() - going.keys()
    assert set(registry.repository(REPOSITORY).manifests) == {digests[tag] for tag in digests.keys() - going.keys()}
    read = [request for request in registry.requests if request.method == "HEAD"]
    assert len(read) < 1.5 * len(digests)
    assert len(registry.requests) < 1.5 * len(digests) + 4 * len(going)


@pytest.mark.parametrize("more", [(), ("--json",), ("--quiet",)])
def test_whoever_waits_says_what_it_would_say_alone(
    more: tuple[str, ...], registry: EmbeddedRegistry, removals: Removals
) -> None:
    """The log of a destroy has each image's own report, whichever process did it."""
    digests = seeded(registry, "kept", "refused", "away", two=index_of({"linux/amd64": image("kept")}))
    del registry.repository(REPOSITORY).tags["away"]
    wanted = {"two": (), "refused": ("--on-destroy", "refuse"), "away": ()}

    def run(tag: str) -> Finished:
        return removals.run(tag, digests[tag], *wanted[tag], *more)

    before = registry.dump()
    alone = {tag: run(tag) for tag in wanted}
    assert {tag: finished.code for tag, finished in alone.items()} == {"two": 0, "refused": 7, "away": 0}
    index_of({"linux/amd64": image("kept")}).seed(registry.repository(REPOSITORY), "two")
    image("away").seed(registry.repository(REPOSITORY))
    assert registry.dump() == before
    held = Held(registry, "DELETE")
    leader = removals.start("leader", seeded(registry, "leader")["leader"])
    held.wait()
    with ThreadPoolExecutor() as executor:
        waiting = {tag: executor.submit(run, tag) for tag in wanted}
        removals.wait_for_wishes(len(wanted))
        held.go_on()
        assert {tag: result.result() for tag, result in waiting.items()} == alone
    assert ended(leader).code == 0


def test_a_refused_removal_says_how_to_get_out(registry: EmbeddedRegistry, removals: Removals) -> None:
    """The words are for an entry that is gone from the configuration already."""
    digest = seeded(registry, "1")["1"]
    refused = removals.run("1", digest, "--on-destroy", "refuse")
    assert refused.code == 7
    assert f"{removals.name}:1 still points at {digest}, and on_destroy is refuse" in refused.err
    assert "put the entry back with another on_destroy, apply, then remove it" in refused.err


def test_a_removal_that_fails_fails_alone(registry: EmbeddedRegistry, removals: Removals) -> None:
    """Of removals that go together, each has its own exit code and its own error."""
    digests = seeded(registry, "1", "2", "3")

    def refuse_one(request: Request) -> Fault | None:
        return refusal(403, "DENIED") if request.method == "DELETE" and request.path.endswith("/2") else None

    registry.fault = refuse_one
    finished = removals.run_all(digests)
    assert {tag: result.code for tag, result in finished.items()} == {"1": 0, "2": 4, "3": 0}
    assert set(registry.repository(REPOSITORY).tags) == {"2"}
    assert "DENIED" in finished["2"].err
    registry.fault = None
    assert removals.run("2", digests["2"]).code == 0


def test_repositories_do_not_wait_for_each_other(
    registry: EmbeddedRegistry, removals: Removals, tmp_path: Path
) -> None:
    """An image is removed while another repository's answer is awaited."""
    digests = seeded(registry, "1")
    other = Removals(registry.host, tmp_path, "team/other")
    away = image("other").seed(registry.repository("team/other"), "1")
    held = Held(registry, "DELETE")
    leader = removals.start("1", digests["1"])
    held.wait()
    registry.fault = None
    assert other.run("1", away).code == 0
    assert registry.repository("team/other").tags == {}
    held.go_on()
    assert ended(leader).code == 0
    assert registry.repository(REPOSITORY).tags == {}


@pytest.mark.parametrize("number", [1, 2, 3], ids=["at a tag", "at another tag", "at a manifest"])
def test_a_leader_that_is_killed_takes_nobody_with_it(
    number: int, registry: EmbeddedRegistry, removals: Removals
) -> None:
    """SIGKILL of the process that works for others: one of those takes over, and all images go."""
    digests = seeded(registry, "leader", "1", "2", "3")
    image("sibling").seed(registry.repository(REPOSITORY), "sibling")
    first = Held(registry, "DELETE")
    leader = removals.start("leader", digests["leader"])
    first.wait()
    others = [removals.start(tag, digests[tag]) for tag in ("1", "2", "3")]
    removals.wait_for_wishes(3)
    second = Held(registry, "DELETE", number)
    first.go_on()
    second.wait()
    os.kill(leader.pid, signal.SIGKILL)
    assert ended(leader).code == -signal.SIGKILL
    second.go_on()
    assert {ended(other).code for other in others} == {0}
    assert removals.run("leader", digests["leader"]).code == 0
    assert set(registry.repository(REPOSITORY).tags) == {"sibling"}
    assert set(registry.repository(REPOSITORY).manifests) == {image("sibling").digest}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_whoever_stops_waiting_hinders_nobody(
    number: signal.Signals, registry: EmbeddedRegistry, removals: Removals
) -> None:
    """A process that is gone before its turn has nothing removed for it, and the others are done."""
    digests = seeded(registry, "leader", "gone", "1")
    held = Held(registry, "DELETE")
    leader = removals.start("leader", digests["leader"])
    held.wait()
    gone = removals.start("gone", digests["gone"])
    removals.wait_for_wishes(1)
    os.kill(gone.pid, number)
    assert ended(gone).code == (-number if number is signal.SIGKILL else 128 + number)
    other = removals.start("1", digests["1"])
    until(lambda: any(removals.wishes.glob(f"*-{other.pid}-*.wish")))
    held.go_on()
    assert (ended(leader).code, ended(other).code) == (0, 0)
    assert "1" not in registry.repository(REPOSITORY).tags
    assert removals.run("gone", digests["gone"]).code == 0
    assert list(removals.wishes.iterdir()) == []


def test_another_way_to_reach_the_registry_is_anothers_own(registry: EmbeddedRegistry, removals: Removals) -> None:
    """A process with other options than the leader's does its work itself, with those."""
    digests = seeded(registry, "leader", "1")
    held = Held(registry, "DELETE")
    leader = removals.start("leader", digests["leader"])
    held.wait()
    registry.fault = None
    assert removals.run("1", digests["1"], "--plain-http", "registry.lan").code == 0
    assert leader.poll() is None
    assert set(registry.repository(REPOSITORY).tags) == {"leader"}
    held.go_on()
    assert ended(leader).code == 0


@pytest.mark.parametrize(
    "wrong", [("--claimant", "nothing"), ("--no-such-option",), ("--on-destroy", "perhaps"), ("busybox",)]
)
def test_a_call_that_is_wrong_says_so_itself(
    wrong: tuple[str, ...], registry: EmbeddedRegistry, removals: Removals
) -> None:
    """What is wrong with one call is told by that call, whoever leads."""
    digests = seeded(registry, "leader", "1")
    alone = removals.run("1", digests["1"], *wrong)
    assert alone.code == 2
    held = Held(registry, "DELETE")
    leader = removals.start("leader", digests["leader"])
    held.wait()
    assert removals.run("1", digests["1"], *wrong) == alone
    held.go_on()
    assert ended(leader).code == 0
    assert set(registry.repository(REPOSITORY).tags) == {"1"}


def test_nothing_is_removed_where_nothing_can_be_noted(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """Nor could the plan note who relies on the image: in doubt it stays, and the error names the folder."""
    digest = seeded(registry, "1")["1"]
    (tmp_path / "file").touch()
    refused = Removals(registry.host, tmp_path / "file").run("1", digest)
    assert refused.code == 1
    assert f"{tmp_path}/file/imagesync/claims cannot be written: Not a directory" in refused.err
    assert "TF_DATA_DIR names another folder" in refused.err
    assert registry.repository(REPOSITORY).tags == {"1": digest}


def test_a_removal_by_hand_asks_nobody(registry: EmbeddedRegistry, removals: Removals, tmp_path: Path) -> None:
    """Without a claimant, delete does what it is told, wherever it is run."""
    digest = seeded(registry, "1")["1"]
    claim(removals, "1", digest, "call")
    finished = imagesync_process("delete", f"{removals.name}:1", TF_DATA_DIR=str(tmp_path))
    assert finished.code == 0
    assert registry.repository(REPOSITORY).tags == {}


# What somebody else relies on.


def claim(removals: Removals, tag: str, digest: str, *calls: str, key: str = "other", run: str = RUN) -> None:
    """Let an entry of these calls rely on the tag, as an apply says."""
    wanted = {key: claim_of(parse_reference(f"{removals.name}:{tag}"), digest)}
    for call in calls:
        removals.claims.claim(call, run, wanted, complete=True, is_applied=True)


@pytest.mark.parametrize("policy", ["delete", "refuse"])
def test_what_another_entry_has_taken_over_stays(policy: str, registry: EmbeddedRegistry, removals: Removals) -> None:
    """An entry that is only spelled in another way, or moved to another call, keeps its image, and the log says so."""
    digest = seeded(registry, "1")["1"]
    claim(removals, "1", digest, "other-call", key="app:1")
    before = registry.dump()
    kept = removals.run("1", digest, "--on-destroy", policy)
    assert kept.code == 0
    assert "kept: tag 1 (another image of this configuration has taken it over: app:1)" in kept.out
    assert registry.dump() == before


@pytest.mark.parametrize("policy", ["delete", "refuse"])
def test_a_tag_that_gets_another_image_stays_until_then(
    policy: str, registry: EmbeddedRegistry, removals: Removals
) -> None:
    """An entry moves to another call and to another image: its old image stays until the new one is there."""
    digest = seeded(registry, "1")["1"]
    claim(removals, "1", f"sha256:{'2' * 64}", "other-call", key="app:1")
    removals.claims.claim("elsewhere", "2026-11-03T08:00:00Z", {}, complete=True, workspace="other")
    before = registry.dump()
    kept = removals.run("1", digest, "--on-destroy", policy)
    assert kept.code == 0
    assert "kept: tag 1 (another image of this configuration is to come here: app:1)" in kept.out
    assert registry.dump() == before


@pytest.mark.parametrize("run", [RUN, "2026-11-01T08:00:00Z"])
@pytest.mark.parametrize("has_come", [False, True])
def test_an_image_that_is_yet_to_be_copied_stays(
    run: str, has_come: bool, registry: EmbeddedRegistry, removals: Removals
) -> None:
    """An entry of another call copies it to another repository; one that was not read in this run does not count."""
    digest = seeded(registry, "1")["1"]
    place = f"{removals.host}/elsewhere"
    if has_come:
        image("1").seed(registry.repository("elsewhere"), "2")
    removals.claims.claim("call", RUN, {}, complete=True)
    wanted, copied = (claim_of(parse_reference(each), digest) for each in (f"{place}:2", f"{removals.name}:1"))
    removals.claims.claim("other-call", run, {"app:2": wanted}, sources={"app:2": copied}, complete=True)
    stays = run == RUN and not has_come
    removed = removals.run("1", digest)
    assert removed.code == 0
    assert ("kept: tag 1 (app:2 is yet to be copied from it)" in removed.out) == stays
    assert registry.repository(REPOSITORY).tags == ({"1": digest} if stays else {})
    assert (digest in registry.repository(REPOSITORY).manifests) == stays


@pytest.mark.parametrize(
    ("is_applied", "has_come", "left"),
    [(True, False, "old"), (True, True, "new"), (False, False, None), (False, True, "new")],
)
def test_an_entry_that_gets_another_image(
    is_applied: bool, has_come: bool, left: str | None, registry: EmbeddedRegistry, removals: Removals
) -> None:
    """Its old image keeps tag and object until the new one is there. A destroy, another run, brings none."""
    images = {name: image(name) for name in ("old", "new")}
    old = seeded(registry, "1", **{"1": images["old"]})["1"]
    if has_come:
        images["new"].seed(registry.repository(REPOSITORY), "1")
    wanted = {"1": claim_of(parse_reference(f"{removals.name}:1"), images["new"].digest)}
    removals.claims.claim("call", RUN, wanted, complete=True)
    removals.claims.claim("call", RUN, wanted, complete=True, is_applied=True)
    removals.claims.claim("elsewhere", "2026-11-03T08:00:00Z", {}, complete=True, workspace="other")
    removed = removals.run("1", old, IMAGESYNC_RUN=RUN if is_applied else "2026-11-02T08:00:01Z")
    assert removed.code == (7 if left == "old" else 0)
    assert ("its new image was not copied: 1" in removed.err) == (left == "old")
    assert registry.repository(REPOSITORY).tags == ({"1": images[left].digest} if left else {})
    assert set(registry.repository(REPOSITORY).manifests) == ({images[left].digest} if left else set())


@pytest.mark.parametrize("ending", [".sig", ""])
def test_a_signature_that_another_entry_names_stays(
    ending: str, registry: EmbeddedRegistry, removals: Removals
) -> None:
    """It has an entry of its own, and is not just what is attached to an image that goes: that stays without a tag."""
    digest = seeded(registry, "1")["1"]
    signature = f"{digest.replace(':', '-')}{ending}"
    own = seeded(registry, **{signature: image("signature")})[signature]
    claim(removals, signature, own, "other-call", key=signature)
    for _ in range(2):
        assert removals.run("1", digest, "--referrers").code == 0
        assert registry.repository(REPOSITORY).tags == {signature: own}
        assert registry.repository(REPOSITORY).manifests.keys() == {own, digest}
    removed = removals.run(signature, own, "--claimant", f"other-call/{signature}")
    assert removed.code == 0
    assert registry.repository(REPOSITORY).tags == {}


def claimed_signature(registry: EmbeddedRegistry, folder: Path) -> tuple[Claims, Reference, str, str]:
    """An image and its signature, which an entry claims: the claims, the entry's reference, and the digests of both."""
    digest = seeded(registry, "1")["1"]
    signature = f"{digest.replace(':', '-')}.sig"
    own = seeded(registry, **{signature: image("signature")})[signature]
    claims = Claims(folder)
    reference = parse_reference(f"{registry.host}/{REPOSITORY}:{signature}")
    claims.claim("call", RUN, {"signature": claim_of(reference, own)}, complete=True)
    return claims, reference, own, digest


def test_a_signature_that_its_entry_has_anew_stays(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """Its old one and the image that it is about go together: the new one is still what the entry names."""
    claims, reference, new, digest = claimed_signature(registry, tmp_path)
    repository = registry.repository(REPOSITORY)
    old = image("old signature").seed(repository)
    together_removed(
        claims,
        Order(reference, Claimant("call", "signature"), Policy(expect=old, referrers=True)),
        Order(reference.at(tag="1"), Claimant("call", "app"), Policy(expect=digest, referrers=True)),
    )
    assert repository.tags == {reference.tag: new}
    assert repository.manifests.keys() == {new, digest}


@pytest.mark.parametrize(("policy", "is_kept"), [("keep", False), ("refuse", True)])
def test_a_signature_that_its_own_policy_protects_stays(
    policy: str, is_kept: bool, registry: EmbeddedRegistry, tmp_path: Path
) -> None:
    """Also where its image goes in the same moment with all that is attached. Later it stays only as its entry does."""
    claims, reference, own, digest = claimed_signature(registry, tmp_path)
    app = Order(reference.at(tag="1"), Claimant("other", "app"), Policy(expect=digest, referrers=True))
    signature = Order(reference, Claimant("call", "signature"), Policy(expect=own, on_destroy=policy))
    together_removed(claims, app, signature)
    assert registry.repository(REPOSITORY).tags == {reference.tag: own}
    assert registry.repository(REPOSITORY).manifests.keys() == {own, digest}
    together_removed(claims, app)
    assert registry.repository(REPOSITORY).tags == ({reference.tag: own} if is_kept else {})


def test_an_image_that_comes_under_another_tag_is_somebody_elses_here(
    registry: EmbeddedRegistry, tmp_path: Path
) -> None:
    """Where somebody has moved a tag to what an entry brings under another one, on_destroy protects the old image."""
    repository = registry.repository(REPOSITORY)
    one, two = image("one").seed(repository), image("two").seed(repository)
    new = seeded(registry, "1", "2", **{"1": image("new"), "2": image("new")})["2"]
    claims = Claims(tmp_path)
    reference = parse_reference(f"{registry.host}/{REPOSITORY}:1")
    wanted = {"1": claim_of(reference, one), "2": claim_of(reference.at(tag="2"), new)}
    claims.claim("call", RUN, wanted, complete=True, is_applied=True)
    together_removed(
        claims,
        *(
            Order(reference.at(tag=tag), Claimant("call", tag), Policy(expect=digest, on_destroy="keep"))
            for tag, digest in (("1", one), ("2", two))
        ),
    )
    assert repository.manifests.keys() == {one, new}


def test_a_tag_that_has_got_another_image_lets_the_old_one_go(registry: EmbeddedRegistry, removals: Removals) -> None:
    """Where the other call has been quicker, the old image goes by the policy for replaced ones."""
    old, new = image("old").seed(registry.repository(REPOSITORY)), seeded(registry, "1")["1"]
    claim(removals, "1", new, "other-call", key="app:1")
    done = removals.run("1", old)
    assert done.code == 0
    assert f"removed: manifest {old}" in done.out
    assert registry.repository(REPOSITORY).tags == {"1": new}


@pytest.mark.parametrize("policy", ["keep", "refuse"])
def test_an_entry_that_goes_leaves_its_image_wherever_its_tag_is(
    policy: str, registry: EmbeddedRegistry, removals: Removals
) -> None:
    """Somebody has pushed over the tag, and then the entry goes: what on_destroy protects can run somewhere."""
    old = image("old").seed(registry.repository(REPOSITORY))
    seeded(registry, "1")
    before = registry.dump()
    at = parse_reference(f"{removals.name}:1")
    moved = claim_of(at, f"sha256:{'2' * 64}")  # as a destroy reads it that comes after the source has moved
    for entry in ({}, {"1": claim_of(at, old)}, {"1": moved}):  # it is gone, or all is destroyed
        removals.claims.claim("call", RUN, entry, complete=True)
        kept = removals.run("1", old, "--on-destroy", policy)
        assert kept.code == 0
        assert f"kept: manifest {old} (on_destroy is not delete)" in kept.out
        assert registry.dump() == before


@pytest.mark.parametrize("key", ["1", "app:1"])
def test_a_replaced_image_goes_although_a_removed_one_would_stay(
    key: str, registry: EmbeddedRegistry, removals: Removals
) -> None:
    """on_destroy keeps no image whose entry, under whichever key, has got another one: on_replace rules."""
    old, new = image("old").seed(registry.repository(REPOSITORY)), seeded(registry, "1")["1"]
    claim(removals, "1", new, "call", key=key)
    assert f"removed: manifest {old}" in removals.run("1", old, "--on-destroy", "keep").out
    assert registry.repository(REPOSITORY).tags == {"1": new}
    assert old not in registry.repository(REPOSITORY).manifests


def test_who_may_be_gone_is_told_with_the_way_out(registry: EmbeddedRegistry, removals: Removals) -> None:
    """Somebody who keeps an image for sure is named alone; of others all are, each with the file that notes it."""
    digest = seeded(registry, "1")["1"]
    folder = removals.wishes.with_name("claims")
    for call in ("one", "two"):
        claim(removals, "1", digest, call, key=call, run="2026-11-01T08:00:00Z")
    claim(removals, "9", digest, "call", key="9")
    kept = removals.run("1", digest).out
    assert (
        f"1 (another image of this configuration has taken it over: one; if that is gone, remove {folder}/one" in kept
    )
    assert f"has taken it over: two; if that is gone, remove {folder}/two.json and delete this image)" in kept
    claim(removals, "1", digest, "zoo", key="zoo")
    assert "1 (another image of this configuration has taken it over: zoo)" in removals.run("1", digest).out


def test_a_call_that_is_not_in_this_run_brings_nothing(registry: EmbeddedRegistry, removals: Removals) -> None:
    """What a call that is gone has wanted keeps nothing."""
    digest = seeded(registry, "1")["1"]
    claim(removals, "1", f"sha256:{'2' * 64}", "gone", key="app:1", run="2026-11-01T08:00:00Z")
    claim(removals, "9", digest, "call", key="app:9")
    assert "removed: tag 1" in removals.run("1", digest).out
    assert registry.repository(REPOSITORY).tags == {}


def test_what_another_registry_has_is_not_this_one(registry: EmbeddedRegistry, removals: Removals) -> None:
    """An entry that moves to another registry leaves nothing behind, though repository and tag have the same names."""
    digest = seeded(registry, "1")["1"]
    with EmbeddedRegistry() as other:
        wanted = {"1": claim_of(parse_reference(f"{other.host}/{REPOSITORY}:1"), digest)}
        removals.claims.claim("other-call", RUN, wanted, complete=True)
        assert removals.run("1", digest).code == 0
    assert registry.repository(REPOSITORY).tags == {}


# A label of a name in the DNS has 63 characters at most: nobody needs to be asked to know that this one has no address.
@pytest.mark.parametrize(("name", "said"), [("localhost", ")"), (f"{'a' * 64}.example", "; aaa")])
def test_a_registry_with_two_names_keeps_what_either_name_has(
    registry: EmbeddedRegistry, removals: Removals, name: str, said: str
) -> None:
    """A registry that was renamed loses nothing when the entries with its old name go; in doubt the image stays."""
    digest = seeded(registry, "1")["1"]
    new_name = registry.host.replace("127.0.0.1", name)
    wanted = {"1": claim_of(parse_reference(f"{new_name}/{REPOSITORY}:1"), digest)}
    removals.claims.claim("other-call", RUN, wanted, complete=True)
    before = registry.dump()
    kept = removals.run("1", digest)
    assert kept.code == 0
    assert f"kept: tag 1 (another image of this configuration has taken it over: 1{said}" in kept.out
    assert registry.dump() == before


def test_a_digest_that_another_tag_has_stays_without_its_tag(registry: EmbeddedRegistry, removals: Removals) -> None:
    """Of two entries on one digest, one can go; the other's image is whole."""
    digest = seeded(registry, "1")["1"]
    registry.repository(REPOSITORY).tags["2"] = digest
    claim(removals, "2", digest, "call")
    assert removals.run("1", digest).code == 0
    assert registry.repository(REPOSITORY).tags == {"2": digest}
    assert digest in registry.repository(REPOSITORY).manifests


def test_the_last_of_those_who_share_an_image_removes_it(registry: EmbeddedRegistry, removals: Removals) -> None:
    """Destroying two calls that have the same image leaves nothing of it."""
    digest = seeded(registry, "1")["1"]
    claim(removals, "1", digest, "call", key="1")
    claim(removals, "1", digest, "other-call", key="1")
    assert "kept: tag 1" in removals.run("1", digest).out
    last = ["delete", "--digest", digest, "--claimant", "other-call/1", f"{removals.name}:1"]
    finished = imagesync_process(*last, TF_DATA_DIR=str(removals.wishes.parents[1]))
    assert "removed: tag 1" in finished.out
    assert registry.repository(REPOSITORY).tags == {}


def test_of_those_who_share_an_image_and_come_together_one_removes_it(
    registry: EmbeddedRegistry, removals: Removals
) -> None:
    """A destroy removes what two calls have, at any parallelism."""
    digests = seeded(registry, "leader", "1")
    for call in ("call", "other-call"):
        claim(removals, "1", digests["1"], call, key="1")
    held = Held(registry, "DELETE")
    leader = removals.start("leader", digests["leader"])
    held.wait()
    both = [removals.start("1", digests["1"]), removals.start("1", digests["1"], "--claimant", "other-call/1")]
    removals.wait_for_wishes(2)
    held.go_on()
    outs = [ended(process).out for process in both]
    assert ["kept: tag 1" in out for out in outs].count(True) == 1
    assert ended(leader).code == 0
    assert registry.repository(REPOSITORY).tags == {}


def test_what_an_entry_has_now_is_not_forgotten_with_what_it_had(
    registry: EmbeddedRegistry, removals: Removals
) -> None:
    """The removal of an entry's old image leaves its new one in place, where another entry had that too."""
    digest = seeded(registry, "1")["1"]
    claim(removals, "1", digest, "call", key="1")
    assert removals.run("1", image("old").digest).code == 0
    kept = removals.run("1", digest, "--claimant", "other-call/1")
    assert "kept: tag 1 (another image of this configuration has taken it over: 1)" in kept.out
    assert registry.repository(REPOSITORY).tags == {"1": digest}


def test_a_dry_run_forgets_no_claim(registry: EmbeddedRegistry, removals: Removals) -> None:
    """What would be kept for another is kept for it afterwards."""
    digest = seeded(registry, "1")["1"]
    claim(removals, "1", digest, "call", key="1")
    claim(removals, "1", digest, "other-call", key="1")
    assert "kept: tag 1" in removals.run("1", digest, "--dry-run").out
    last = ["delete", "--digest", digest, "--claimant", "other-call/1", f"{removals.name}:1"]
    finished = imagesync_process(*last, TF_DATA_DIR=str(removals.wishes.parents[1]))
    assert "kept: tag 1" in finished.out


def together_removed(claims: Claims, own: Order, *others: Order) -> list[object]:
    """Let one process remove them together; gives what the others were answered."""
    outcomes = list[object]()
    came = iter([[(order, outcomes.append) for order in others]])

    async def main() -> None:
        stores = Stores(Settings())
        try:
            await Together(stores, claims, Progress(), lambda: next(came, []), 0).carry_out(own)
        finally:
            await stores.aclose()

    asyncio.run(main())
    return outcomes


class CountedClaims(Claims):
    """Claims that count how often they are read, and how often a file of them is written."""

    def __init__(self, run_folder: Path) -> None:
        super().__init__(run_folder)
        self.readings, self.writings = 0, 0

    def read(self, run: str = "", workspace: str = "") -> Claimed:
        self.readings += 1
        return super().read(run, workspace)

    def _write(self, call: str, noted: CallClaims) -> None:
        self.writings += 1
        super()._write(call, noted)


def test_a_removal_reads_and_writes_claims_once(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """However many entries go together: reading and writing for each costs a large call the square of its entries."""
    digests = seeded(registry, *map(str, range(12)))
    claims = CountedClaims(tmp_path)
    references = {tag: parse_reference(f"{registry.host}/{REPOSITORY}:{tag}") for tag in digests}
    wanted = {tag: claim_of(references[tag], digest) for tag, digest in digests.items()}
    for call, keys in (("call", [*wanted]), ("other", ["0", "1"])):
        claims.claim(call, RUN, {key: wanted[key] for key in keys}, complete=True)
    claims.writings = 0
    own, *others = (
        Order(references[key], Claimant(call, key), Policy(digests[key], on_destroy=policy))
        for call, policy, keys in (("call", "delete", [*wanted][:-1]), ("call", "refuse", ["11"]), ("other", "", ["0"]))
        for key in keys
    )
    outcomes = together_removed(claims, own, *others)
    assert len(outcomes) == len(others)
    assert (claims.readings, claims.writings) == (1, 2)  # two calls, each with a file
    assert registry.repository(REPOSITORY).tags == {tag: digests[tag] for tag in ("1", "11")}
    assert {str(who) for tag in digests for who, _ in claims.read().others(wanted[tag], Claimant("x", "x"))} == {
        "call/11",
        "other/1",
    }


COPYING = """
import asyncio, sys
from pathlib import Path
from imagesync_cli.stores.places import repository_of
from imagesync_cli.stores.files.runs.claims import Claims
from imagesync_cli.values.reference import Reference, parse_reference
async def main():
    async with Claims(Path(sys.argv[1])).copying([repository_of(parse_reference(sys.argv[2]))]):
        print("inside", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
asyncio.run(main())
"""


def test_a_reading_counts_until_somebody_copies(registry: EmbeddedRegistry, removals: Removals) -> None:
    """A tag that this run moves onto a digest while others are removed keeps that digest."""
    digests = seeded(registry, "leader", "moved", *(f"other-{number:02}" for number in range(20)))
    image("old").seed(registry.repository(REPOSITORY), "old")
    held = Held(registry, "DELETE")
    leader = removals.start("leader", digests["leader"])
    held.wait()
    one = removals.start("other-00", digests["other-00"])
    removals.wait_for_wishes(1)
    held.go_on()
    assert ended(one).code == 0
    with subprocess.Popen(
        [sys.executable, "-c", COPYING, removals.wishes.parent, removals.name],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as copying:
        assert copying.stdout
        copying.stdout.readline()
        registry.repository(REPOSITORY).tags["moved"] = image("old").digest
    assert "kept: manifest" in removals.run("old", image("old").digest).out
    assert ended(leader).code == 0
    assert image("old").digest in registry.repository(REPOSITORY).manifests


def test_real_registries_keep_all_siblings(running: Running, tmp_path: Path) -> None:  # noqa: F811
    """Twenty processes at once on a real registry remove what they are for, and nothing else."""

    def sharing(name: str) -> Image:
        return index_of({"linux/amd64": image(name), "linux/arm64": image("shared")})

    going = {f"going-{number}": sharing(f"going {number}") for number in range(20)}
    staying = {f"staying-{number}": sharing(f"staying {number}") for number in range(3)}
    for tag, each in {**going, **staying}.items():
        running.push(each, tag)
    removals = Removals(running.host, tmp_path, running.repository)
    finished = removals.run_all({tag: each.digest for tag, each in going.items()}, at_once=20)
    assert {result.code for result in finished.values()} == {0}, finished
    assert set(running.http.get("tags/list").json()["tags"]) == staying.keys()
    whole = {digest for each in staying.values() for digest in each.manifests}
    gone = {digest for each in going.values() for digest in each.manifests} - whole
    statuses = {digest: running.http.head(f"manifests/{digest}").status_code for digest in whole | gone}
    assert statuses == dict.fromkeys(whole, 200) | dict.fromkeys(gone, 404)


def test_answers_are_json_that_any_output_can_hold(registry: EmbeddedRegistry, removals: Removals) -> None:
    """What a process prints for --json is one JSON document, and its only one."""
    digests = seeded(registry, *"12345")
    for tag, finished in removals.run_all(digests, "--json").items():
        (report,) = json.loads(finished.out)
        assert report["reference"] == f"{removals.name}:{tag}"
        assert [item["outcome"] for item in report["items"]] == ["removed", "removed"]


def test_old_versions_go_when_the_tag_has_moved(registry: EmbeddedRegistry, removals: Removals) -> None:
    """Of the images that tags of their own keep, the last ones stay, and what any call of the modules names."""
    repository = registry.repository(REPOSITORY)
    images = [image(number) for number in range(4)]
    kept = [f"1-2026110{number}T000000Z-{each.digest[7:19]}" for number, each in enumerate(images[:3])]
    for tag, each in zip([*kept, "1"], images, strict=True):
        each.seed(repository, tag)
    removals.claims.claim("other", RUN, {}, {(REPOSITORY, kept[0])}, complete=True)
    options = ["--on-replace", "keep", "--keep-as", "{tag}-{date}-{digest}", "--keep-last", "1"]
    still = removals.run("1", images[3].digest, *options, "--on-destroy", "keep")
    assert (still.code, {*repository.tags}) == (0, {*kept, "1"})
    done = removals.run("1", images[2].digest, *options)
    assert (done.code, done.err) == (0, "")
    assert {*repository.tags} == {kept[0], kept[2], "1"}
    assert images[1].digest not in repository.manifests


def test_old_versions_that_cannot_go_are_tried_again(registry: EmbeddedRegistry, removals: Removals) -> None:
    """The removal fails, so that Terraform keeps its object for the next apply."""
    repository = registry.repository(REPOSITORY)
    old, new = image("old"), image("new")
    old.seed(repository, f"1-20261101T000000Z-{old.digest[7:19]}")
    new.seed(repository, "1")
    registry.fault = lambda request: refusal(403) if request.method == "DELETE" else None
    options = ["--on-replace", "keep", "--keep-as", "{tag}-{date}-{digest}", "--keep-last", "0"]
    failed = removals.run("1", old.digest, *options)
    assert failed.code == 4
    assert "only an old image could not be removed" in failed.err
    registry.fault = None
    assert removals.run("1", old.digest, *options).code == 0
    assert repository.tags == {"1": new.digest}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--keep-last", "1"], "--keep-last goes with --keep-as"),
        (["--keep-as", "{tag}"], "keep_as '{tag}'"),
    ],
)
def test_wrong_words_for_old_versions(removals: Removals, options: list[str], why: str) -> None:
    """What is wrong with the options is said, and nothing is removed."""
    failed = removals.run("1", image("old").digest, *options)
    assert failed.code == 2
    assert why in failed.err


def test_old_versions_go_for_an_entry_only() -> None:
    """Without a claimant nobody tells what is still in use."""
    failed = imagesync("delete", "--keep-as", "{tag}-{date}-{digest}", "localhost:1/app:1")
    assert failed.code == 2
    assert "--keep-as and --keep-last go with --claimant" in failed.err
