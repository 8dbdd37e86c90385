"""Who relies on which image: what one entry of a configuration removes is not what another one has."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from imagesync_cli.stores.files.runs.claimed import Claim, Claimant, call_in, claim_of, parse_claimant
from imagesync_cli.stores.files.runs.claims import Claims
from imagesync_cli.stores.places import repository_of
from imagesync_cli.values.errors import ContentError, ImagesyncError, UsageError
from imagesync_cli.values.reference import parse_reference
from tests.command import environment

DIGEST = f"sha256:{'1' * 64}"
OTHER_DIGEST = f"sha256:{'2' * 64}"
PLACE = "registry.example.com/team/app:1"
REPOSITORY = "registry.example.com/team/app"
MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (f"2026-11-0{day}T08:00:00Z" for day in (2, 3, 4, 5))


def the_claim(reference: str = PLACE, digest: str = DIGEST) -> Claim:
    return claim_of(parse_reference(reference), digest)


def relies(claims: Claims, call: str, run: str, *keys: str, complete: bool = True, **images: str) -> None:
    """Let a call rely on PLACE under these keys, or by key on what ``images`` say, as an apply does."""
    wanted: Mapping[str, Claim] = {key: the_claim() for key in keys} | {k: the_claim(v) for k, v in images.items()}
    claims.claim(call, run, wanted, complete=complete, is_applied=True)


def others(claims: Claims, claimant: str, claim: Claim | None = None, run: str = "") -> list[str]:
    """Who else relies on it, in text."""
    return [str(other) for other, _ in claims.read(run).others(claim or the_claim(), parse_claimant(claimant))]


@pytest.fixture
def claims(tmp_path: Path) -> Claims:
    return Claims(tmp_path / "run")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("index.docker.io/library/busybox:1", "registry.hub.docker.com/busybox:1"),
        ("docker://registry.example.com/app:1", "registry.example.com/app:1"),
        ("Registry.Example.COM/app", "registry.example.com/app:latest"),
        ("registry.example.com:443/app:1", "registry.example.com/app:1"),
        ("registry.lan:80/app:1", "registry.lan/app:1"),
        ("[::1]:443/app:1", "[::1]/app:1"),
        ("127.0.0.1:5000/app:1", "localhost:5000/app:1"),
        ("oci:/images/./app:1", "oci:/images/other/../app:1"),
    ],
)
def test_two_spellings_of_one_image_are_one_claim(one: str, other: str, claims: Claims) -> None:
    """An entry that is spelled in another way keeps the image, which the old spelling's removal would take."""
    relies(claims, "m", MONDAY, "new", new=other)
    assert others(claims, "m/old", the_claim(one)) == ["m/new"]


@pytest.mark.parametrize(
    "other", ["registry.example.com/team/app/x:1", "registry.example.com/app:1", "oci:/team/app:1"]
)
def test_another_repository_is_another_claim(other: str, claims: Claims) -> None:
    """A removal in one repository asks nothing of the images in another."""
    relies(claims, "m", MONDAY, new=other)
    assert others(claims, "m/old") == []


@pytest.mark.parametrize("host", ["registry.example.com:5000", "registry.example.org", "localhost:5000", "localhost"])
def test_a_claim_at_another_host_is_told_with_its_host(host: str, claims: Claims) -> None:
    """It may be the same registry by another name."""
    relies(claims, "m", MONDAY, new=f"{host}/team/app:1")
    (found,) = claims.read().others(the_claim(), Claimant("m", "old"))
    assert (str(found[0]), found[1].host) == ("m/new", host)


def test_a_link_to_a_folder_is_that_folder(tmp_path: Path) -> None:
    """A layout folder that is reached by two names is one."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    one, other = (parse_reference(f"oci:{tmp_path}/{name}:1") for name in ("real", "link"))
    assert repository_of(one) == repository_of(other)


def test_an_entry_may_remove_what_only_it_relies_on(claims: Claims) -> None:
    """Terraform destroy removes the image although the entry is still in the configuration that was read."""
    relies(claims, "m", MONDAY, "app")
    assert others(claims, "m/app") == []


@pytest.mark.parametrize("is_applied", [False, True])
def test_an_entry_of_the_same_call_relies_on_an_image(claims: Claims, is_applied: bool) -> None:
    """Not only in a run that copies: where an apply was cut short, the next one may have nothing left but removals."""
    claims.claim("m", MONDAY, {"old": the_claim()}, complete=True, is_applied=True)
    claims.claim("m", TUESDAY, {"new": the_claim()}, complete=True, is_applied=is_applied)
    assert others(claims, "m/old") == ["m/new"]
    claims.release([(Claimant("m", "old"), the_claim())])
    assert others(claims, "m/old") == ["m/new"]


def test_without_claims_nobody_relies_on_anything(claims: Claims) -> None:
    """A new machine, and a state from before there were claims, remove as ever."""
    assert others(claims, "m/app") == []
    claims.release([(Claimant("m", "app"), the_claim())])


def test_another_digest_under_the_tag_is_not_claimed(claims: Claims) -> None:
    """When an entry's source moves, the old image may go."""
    claims.claim("m", MONDAY, {"app@2": the_claim(digest=OTHER_DIGEST)}, complete=True)
    assert others(claims, "m/app@1") == []


def test_who_wants_another_image_under_the_tag(claims: Claims) -> None:
    """Only a call that was read wholly in the same run: of another one, the entry may be gone."""
    ours = {"app": the_claim()}
    claims.claim("m", TUESDAY, ours, complete=True)
    for run, complete, rivals in ((MONDAY, True, []), (TUESDAY, False, []), (TUESDAY, True, ["other"])):
        claims.claim("n", run, {"other": the_claim(digest=OTHER_DIGEST)}, complete=complete)
        assert claims.read().rivals("m", TUESDAY, ours) == {"app": rivals}
    relies(claims, "n", TUESDAY, "other")
    assert claims.read().rivals("m", TUESDAY, ours) == {"app": []}


def test_another_tag_on_the_digest_is_another_claim(claims: Claims) -> None:
    """The tag may go then; the manifest stays, since the repository's tags are read."""
    relies(claims, "m", MONDAY, latest=f"{REPOSITORY}:latest")
    assert others(claims, "m/one") == []


def test_what_a_call_does_not_name_any_more_it_does_not_rely_on(claims: Claims) -> None:
    """An image that was taken over and is then removed from the configuration is removed from the registry."""
    relies(claims, "m", MONDAY, "old", "new")
    relies(claims, "m", TUESDAY, "old")
    assert others(claims, "m/old") == []


def test_two_calls_that_share_an_image_keep_it_for_each_other(claims: Claims) -> None:
    """The image goes with the last of them, however they are removed."""
    relies(claims, "one", MONDAY, "app")
    relies(claims, "two", MONDAY, "app")
    assert others(claims, "one/app") == ["two/app"]
    claims.release([(Claimant("one", "app"), the_claim())])
    assert others(claims, "two/app") == []


def test_a_call_that_is_gone_from_the_configuration_blocks_no_removal(claims: Claims) -> None:
    """A module block that was renamed leaves no claim behind that would keep the image for ever."""
    relies(claims, "old", MONDAY, "app")
    relies(claims, "new", TUESDAY, "app")
    assert others(claims, "new/app") == []


def test_what_an_apply_has_put_in_place_stays_until_it_is_removed(claims: Claims) -> None:
    """No plan that is dropped takes it from a call, and no other call that claims it anew in a run without this one."""
    relies(claims, "one", MONDAY, "app")
    claims.place("one", {"app": the_claim()}, ())
    claims.claim("one", TUESDAY, {}, complete=True)
    relies(claims, "two", WEDNESDAY, "app")
    read = claims.read(WEDNESDAY)
    assert others(claims, "two/app", run=WEDNESDAY) == others(claims, "two/app") == ["one/app"]
    assert read.may_be_gone(Claimant("two", "app"), Claimant("one", "app"), the_claim())
    assert read.tags_in(the_claim().path, {(Claimant("two", "app"), the_claim())}) == {"1"}
    assert (read.of(Claimant("one", "app")), read.successors(the_claim(digest=OTHER_DIGEST), Claimant("m", "x"))) == (
        None,
        [(Claimant("two", "app"), the_claim())],
    )
    assert others(claims, "two/app", run=TUESDAY) == []  # the apply of that plan
    claims.release([(Claimant("one", "app"), the_claim())])
    assert others(claims, "two/app") == []


def test_a_copied_state_is_of_its_own_workspace(claims: Claims) -> None:
    """Its objects still have the ID of the first one, whose image they do not take."""
    for workspace, call in (("default", "one"), ("own", "two"), ("", "untold")):
        claims.claim(call, MONDAY, {"app": the_claim()}, complete=True, workspace=workspace)
    one, two, untold = (Claimant(call, "app") for call in ("one", "two", "untold"))
    here = Claimant(call_in("one", "own"), "app")
    assert [claims.read(TUESDAY, "own").as_here(each) for each in (one, two, untold)] == [here, two, untold]
    assert [claims.read().as_here(each) for each in (one, two, untold)] == [one, two, untold]
    claims.claim("one", TUESDAY, {"app": the_claim()}, complete=True, workspace="own", is_applied=True)
    claims.place("one", {"app": the_claim()}, (), "own")
    assert {*others(claims, "two/app")} == {"one/app", str(here)}
    claims.release([(one, the_claim())])
    claims.file_of("one").unlink()  # the copy does not become the first one
    claims.claim("one", TUESDAY, {}, complete=True, workspace="own")
    assert [claims.read(TUESDAY, "own").as_here(one), claims.file_of("one").exists()] == [here, False]


def test_a_call_whose_images_are_gone_relies_on_nothing(claims: Claims) -> None:
    """Nor on what an edit has added that nobody applied; in other runs on what it has left in place."""
    claims.forget("x", MONDAY, "default")  # there is nothing yet
    claims.claim("x", MONDAY, {"a": the_claim()}, complete=True, workspace="default", is_applied=True)
    claims.claim("x", MONDAY, {"a": the_claim()}, complete=True, workspace="other", is_applied=True)
    claims.place("x", {"b": the_claim()}, (), "default")
    claims.forget("x", TUESDAY, "default")
    elsewhere = f"{call_in('x', 'other')}/a"
    assert others(claims, "y/a", run=TUESDAY) == [elsewhere]
    assert others(claims, "y/a", run=WEDNESDAY) == [elsewhere, "x/b"]


def test_an_apply_whose_copies_fail_leaves_what_was_there(claims: Claims) -> None:
    """The entry goes on with its old image, while others that are not wanted any more are forgotten."""
    newer = the_claim(digest=OTHER_DIGEST)
    relies(claims, "m", MONDAY)
    claims.place("m", {"app": the_claim(), "gone": the_claim()}, ())
    claims.place("m", {"app": newer, "new": newer}, {"app"})
    assert others(claims, "x/app", run=TUESDAY) == ["m/app"]
    assert others(claims, "x/app", newer, run=TUESDAY) == ["m/new"]


def test_a_call_that_is_read_later_in_the_same_run_is_not_gone(claims: Claims) -> None:
    """A second call that takes an image in as well does not cost the first one its claim."""
    relies(claims, "first", MONDAY, "app")
    relies(claims, "second", TUESDAY, "app")
    relies(claims, "first", TUESDAY, "app")
    assert others(claims, "first/app") == ["second/app"]
    assert others(claims, "second/app") == ["first/app"]


def test_a_call_that_target_leaves_out_keeps_its_claim(claims: Claims) -> None:
    """Targeting one of two calls that share an image, and removing it there, leaves the other's."""
    relies(claims, "first", MONDAY, "app")
    relies(claims, "second", MONDAY, "app")
    relies(claims, "second", TUESDAY, "app")
    relies(claims, "second", WEDNESDAY)
    assert others(claims, "second/app") == ["first/app"]


def test_a_call_of_another_workspace_is_not_gone(claims: Claims) -> None:
    """Two workspaces of one folder share an image: what one removes, the other still relies on, whoever came last."""
    for run, call in ((MONDAY, "one"), (TUESDAY, "two"), (WEDNESDAY, "one")):
        claims.claim(call, run, {"app": the_claim()}, complete=True, workspace=call)
        claims.claim(call, run, {"app": the_claim()}, complete=True)  # the copy, which tells no workspace
    assert (others(claims, "one/app"), others(claims, "two/app")) == (["two/app"], ["one/app"])
    one, two, untold = (parse_claimant(f"{call}/app") for call in ("one", "two", "untold"))
    assert [claims.read().other_workspace(*pair) for pair in ((one, two), (one, one), (untold, two))] == ["two", "", ""]
    claims.claim("new", THURSDAY, {"app": the_claim()}, complete=True, workspace="two")
    assert others(claims, "new/app") == ["one/app"]  # in its own workspace it is a call that has been renamed


def test_a_clock_that_was_wrong_keeps_nothing(claims: Claims) -> None:
    """What was read in a time to come is old, not newest for ever; an hour ahead is another machine's clock."""
    relies(claims, "gone", "20990101000000", "app")
    claims.claim("gone-too", "20990101000000", {"app": the_claim(digest=OTHER_DIGEST)}, complete=True)
    assert claims.read().successors(the_claim(), Claimant("new", "app")) != []  # nothing newer is known
    ahead = time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 3600))
    relies(claims, "new", ahead, "app")
    relies(claims, "beside", ahead, "app")
    assert others(claims, "new/app") == ["beside/app"]
    assert claims.read().successors(the_claim(), Claimant("new", "app")) == []
    relies(claims, "gone", ahead, "app")  # it was left out by -target
    assert others(claims, "new/app") == ["beside/app", "gone/app"]


def test_a_part_of_a_call_adds_to_what_it_relies_on(claims: Claims) -> None:
    """A command that copies some images of a call does not drop the claims on the rest."""
    relies(claims, "m", TUESDAY, "app")
    relies(claims, "m", MONDAY, complete=False, other="registry.example.com/other:1")
    assert others(claims, "x/app") == ["m/app"]
    assert others(claims, "x/other", the_claim("registry.example.com/other:1")) == ["m/other"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """Nothing is removed while it cannot be told who relies on it."""
    claims = Claims(tmp_path)
    relies(claims, "m", MONDAY, "app")
    (tmp_path / "claims/m.json").write_text('{"run": 1')
    with pytest.raises(ContentError, match=r"claims/m\.json is damaged"):
        others(claims, "x/app")


def test_a_claim_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """An apply that cannot note what it relies on fails before it copies."""
    (tmp_path / "file").touch()
    with pytest.raises(ImagesyncError, match="cannot be written") as raised:
        relies(Claims(tmp_path / "file"), "m", MONDAY, "app")
    assert "TF_DATA_DIR" in raised.value.hint


@pytest.mark.parametrize("text", ["", "m", "m/", "/app", "../m/app", "a b/app"])
def test_a_claimant_that_names_no_call_is_refused(text: str) -> None:
    """What would lead out of the folder is no name of a call."""
    with pytest.raises(UsageError):
        parse_claimant(text)


# Removing and copying at once.


async def is_held_up(*tasks: asyncio.Task[None]) -> bool:
    """Whether none of them ends while others would have long ended."""
    done, _ = await asyncio.wait(tasks, timeout=0.05)
    return not done


def begun(entering: AbstractAsyncContextManager[None]) -> asyncio.Task[None]:
    """Enter in the background; the task ends when it is inside."""

    async def enter() -> None:
        await entering.__aenter__()

    return asyncio.create_task(enter())


def test_copying_waits_for_a_removal_that_has_begun(claims: Claims) -> None:
    """Whoever looks at a tag to decide about a copy finds it as the removal leaves it."""

    async def main() -> None:
        async with claims.removing(REPOSITORY):
            copying = claims.copying([REPOSITORY, "registry.example.com/other"])
            entering = begun(copying)
            waiting = asyncio.create_task(claims.wait_for_removals([REPOSITORY]))
            assert await is_held_up(entering, waiting)
            await asyncio.wait_for(claims.wait_for_removals(["registry.example.com/other"]), 30)
        await asyncio.wait_for(waiting, 30)
        await asyncio.wait_for(entering, 30)
        await copying.__aexit__(None, None, None)

    asyncio.run(main())


def test_a_removal_waits_for_copies_to_its_repository(claims: Claims) -> None:
    """A manifest that a copy has found in place is not removed before the copy's tag leads to it."""

    async def main() -> None:
        async with claims.copying([REPOSITORY]):
            async with claims.removing("registry.example.com/other"):
                pass
            removing = claims.removing(REPOSITORY)
            entering = begun(removing)
            assert await is_held_up(entering)
        await asyncio.wait_for(entering, 30)
        await removing.__aexit__(None, None, None)

    asyncio.run(main())


def test_many_copies_and_removals_pass_each_other(claims: Claims) -> None:
    """None waits for ever, and a copy and a removal are never inside together."""
    inside = {"copy": 0, "remove": 0}

    async def one(kind: str, entering: AbstractAsyncContextManager[None]) -> None:
        async with entering:
            inside[kind] += 1
            assert not (inside["copy"] and inside["remove"])
            await asyncio.sleep(0)
            inside[kind] -= 1

    async def main() -> None:
        tasks = [one("copy", claims.copying([REPOSITORY])) for _ in range(10)]
        tasks += [one("remove", claims.removing(REPOSITORY)) for _ in range(10)]
        await asyncio.wait_for(asyncio.gather(*tasks), 30)

    asyncio.run(main())


HOLDING = """
import asyncio, sys
from pathlib import Path
from imagesync_cli.stores.files.runs.claims import Claims
async def main():
    async with Claims(Path(sys.argv[1])).removing(sys.argv[2]):
        print("inside", flush=True)
        await asyncio.sleep(3600)
asyncio.run(main())
"""


def test_a_removal_that_is_killed_holds_up_nobody(tmp_path: Path) -> None:
    """SIGKILL in the middle of a removal leaves nothing that the next copy would wait for."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, tmp_path, REPOSITORY], env=environment(), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()

        async def main() -> None:
            copying = Claims(tmp_path).copying([REPOSITORY])
            entering = begun(copying)
            assert await is_held_up(entering)
            process.kill()
            await asyncio.wait_for(entering, 30)
            await copying.__aexit__(None, None, None)

        asyncio.run(main())
    assert [path.name for path in (tmp_path / "doing").iterdir()] == ["copied"]


@pytest.mark.parametrize("taken", ["run", "run/claims/removal/folder"])
def test_nothing_is_removed_where_no_claim_can_be_written(tmp_path: Path, taken: str) -> None:
    """Others may rely on the image and could not say so, as on a disk that is full."""
    (tmp_path / taken).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / taken).touch()

    async def main() -> None:
        async with Claims(tmp_path / "run").removing(REPOSITORY):
            pytest.fail("it goes on")

    with pytest.raises(ImagesyncError, match="cannot be written"):
        asyncio.run(main())


def test_no_link_is_followed_in_the_run_folder(claims: Claims, tmp_path: Path) -> None:
    """Where somebody has put a link in place of the lock, it is named, and no file is made where it leads."""
    (tmp_path / "run" / "claims").mkdir(parents=True)
    (tmp_path / "run" / "claims" / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ContentError, match=r"\.lock is not a regular file"):
        relies(claims, "a", MONDAY, "key")
    assert not (tmp_path / "elsewhere").exists()
