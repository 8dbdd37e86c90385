"""prune: tags that no rule picks go, and nothing else ever does."""

from __future__ import annotations

import json
import socket
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagesync_cli.batch import prune
from imagesync_cli.delete.delete import delete
from imagesync_cli.delete.delete_report import DeleteReport
from imagesync_cli.values.tags.replacing import KeepAs, KeptTag, parse_keep_as
from imagesync_cli.values.tags.rules import TagRules
from tests.batch.conftest import Bench
from tests.delete.short_lists import BROKEN, NAMED, ShortList, tags_answer
from tests.embedded_registry import EmbeddedRegistry, Request
from tests.embedded_registry.faults import Fault, refusal
from tests.embedded_registry.images import image, index, referrer
from tests.embedded_registry.wire import Response
from tests.stores.copying import blob, manifest

TAGS = ("1.0", "1.1", "1.2-rc1", "2.0", "edge")
RULES = ({"include": ["1.*"]}, {"semver": ">=1 <2"}, {"latest": 2}, {"exclude": ["*-rc*"]}, {"include": ["edge"]})


def listing(request: Request) -> bool:
    return request.path.endswith("/tags/list")


@pytest.fixture
def pruned(bench: Bench) -> Bench:
    """A source with 1.0 and 1.1, and a destination that has 0.9 as well; 1.* is wanted."""
    for tag in ("1.0", "1.1"):
        bench.seed("app", tag)
    image("old").seed(bench.there("app"), "0.9")
    bench.write(bench.entry("app", tags=["1.*"], prune=True))
    return bench


def test_what_no_rule_picks_goes(pruned: Bench) -> None:
    """A tag that the source never had is removed with its manifest; those that are wanted arrive."""
    finished = pruned.sync()
    assert finished.code == 0, finished.err
    assert set(pruned.tags("app")) == {"1.0", "1.1"}
    assert image("old").digest not in pruned.there("app").manifests
    assert f"remove {pruned.down.host}/app:0.9" in finished.out


def test_nothing_goes_without_prune(pruned: Bench) -> None:
    """Without prune the destination's other tags are nobody's business."""
    pruned.write(pruned.entry("app", tags=["1.*"]))
    assert pruned.sync().code == 0
    assert set(pruned.tags("app")) == {"0.9", "1.0", "1.1"}


@pytest.mark.parametrize("status", [401, 403, 404, 500])
@pytest.mark.usefixtures("pauses")
def test_an_unread_source_removes_nothing(pruned: Bench, status: int) -> None:
    """While the source's list of tags cannot be read, no tag of the destination goes."""
    pruned.up.fault = lambda request: refusal(status) if listing(request) else None
    assert pruned.sync().code != 0
    assert set(pruned.tags("app")) == {"0.9"}


@pytest.mark.parametrize("options", [(), ("--max-removals", "0")])
def test_an_unread_source_does_not_look_like_many_removals(pruned: Bench, options: tuple[str, ...]) -> None:
    """Nobody is told to allow removals where the source's tags could not be read, and other images are copied."""
    for tag in ("0.7", "0.8"):
        image("old").seed(pruned.there("app"), tag)
    pruned.up.fault = lambda request: refusal(403) if "/app/" in request.path else None
    pruned.seed("other", "1")
    pruned.write(pruned.entry("app", tags=["1.*"], prune=True), pruned.entry("other", "1"))
    finished = pruned.sync(*options)
    assert finished.code == 4, finished.err
    assert "403" in finished.err
    assert "max-removals" not in finished.err
    assert set(pruned.tags("app")) == {"0.7", "0.8", "0.9"}
    assert set(pruned.tags("other")) == {"1"}


def test_a_failed_copy_does_not_look_like_many_removals(pruned: Bench) -> None:
    """Nobody is told to allow removals that a failed copy stops; they are named as kept."""
    for number in range(5):
        image("old").seed(pruned.there("app"), f"0.{number}")
    pruned.up.repository("app").manifests.pop(pruned.up.repository("app").tags["1.0"])
    finished = pruned.sync()
    assert finished.code == 3, finished.err
    assert "max-removals" not in finished.err
    assert f"keep   {pruned.down.host}/app:0.1 (not everything" in finished.out
    assert set(pruned.tags("app")) == {"1.1", "0.9", *(f"0.{number}" for number in range(5))}


def test_a_list_that_breaks_off_removes_nothing(bench: Bench) -> None:
    """If the second page of the source's tags cannot be had, what the first one lacks is not taken for gone."""
    tags = [f"1.{number}" for number in range(4)]
    for tag in tags:
        bench.seed("app", tag).seed(bench.there("app"), tag)
    bench.write(bench.entry("app", tags=["1.*"], prune=True))
    first = json.dumps({"name": "app", "tags": tags[:2]}).encode()
    following = {"Link": '</v2/app/tags/list?n=2&last=1.1>; rel="next"', "Content-Type": "application/json"}

    def break_off(request: Request) -> Fault | None:
        if not listing(request):
            return None
        return refusal(400) if "last" in request.query else Fault(answer=Response(200, following, first))

    bench.up.fault = break_off
    assert bench.sync().code == 6
    assert set(bench.tags("app")) == set(tags)


def test_a_source_without_a_match_removes_nothing(pruned: Bench) -> None:
    """A pattern with a slip in it picks nothing, which is an error and not a wish to remove everything."""
    pruned.write(pruned.entry("app", tags=["l.*"], prune=True))
    finished = pruned.sync()
    assert finished.code == 3
    assert "imagesync tags" in finished.err
    assert set(pruned.tags("app")) == {"0.9"}


@pytest.mark.parametrize("side", ["up", "down"])
def test_what_another_run_brings_meanwhile_stays(pruned: Bench, side: str) -> None:
    """A tag that the source gets while this run lists tags, and that another run copies at once, is not removed."""
    late = image("late")
    registry = pruned.up if side == "up" else pruned.down

    def publish(request: Request) -> Fault | None:
        if listing(request):
            registry.fault = None
            return Fault(change=arrive)
        return None

    def arrive(answer: Response) -> Response:
        late.seed(pruned.up.repository("app"), "1.2")
        late.seed(pruned.there("app"), "1.2")
        return answer

    registry.fault = publish
    finished = pruned.sync()
    assert finished.code == 0, finished.err
    assert set(pruned.tags("app")) == {"1.0", "1.1", "1.2"}


def test_a_failed_copy_removes_nothing(pruned: Bench) -> None:
    """If one of the wanted images cannot be copied, the old ones stay, and the output says why."""
    pruned.up.repository("app").manifests.pop(pruned.up.repository("app").tags["1.0"])
    finished = pruned.sync()
    assert finished.code != 0
    assert set(pruned.tags("app")) == {"0.9", "1.1"}
    assert "not everything that is wanted there could be copied" in finished.out


def test_other_entries_tags_stay(pruned: Bench) -> None:
    """Two entries that fill one repository do not prune each other's tags."""
    pruned.seed("other", "0.9", image("old"))
    other = {"source": f"{pruned.up.host}/other:0.9", "destination": f"{pruned.down.host}/app:0.9"}
    pruned.write(pruned.entry("app", tags=["1.*"], prune=True), other)
    assert pruned.sync().code == 0
    assert set(pruned.tags("app")) == {"0.9", "1.0", "1.1"}


def test_another_entry_that_fails_keeps_all(pruned: Bench) -> None:
    """While it is not known which tags another entry wants in the repository, none is removed."""
    other = {"source": f"{pruned.up.host}/nobody", "destination": f"{pruned.down.host}/app", "tags": ["0.*"]}
    pruned.write(pruned.entry("app", tags=["1.*"], prune=True), other)
    assert pruned.sync().code == 3
    assert set(pruned.tags("app")) == {"0.9", "1.0", "1.1"}


def test_a_surprise_stops_before_anything(pruned: Bench) -> None:
    """With more removals than --max-removals nothing is copied and nothing removed, and it is said which."""
    finished = pruned.sync("--max-removals", "0")
    assert finished.code == 7
    assert f"{pruned.down.host}/app:0.9" in finished.err
    assert set(pruned.tags("app")) == {"0.9"}
    assert pruned.sync("--max-removals", "1").code == 0


@pytest.mark.parametrize(
    ("there", "picked", "goes"),
    [
        (1, 1, True),
        (2, 1, True),
        (2, 2, True),
        (3, 1, False),
        (3, 2, True),
        (5, 2, False),
        (20, 10, True),
        (30, 19, False),
    ],
)
def test_many_removals_need_a_word(bench: Bench, there: int, picked: int, goes: bool) -> None:
    """More than half or more than ten tags of a repository go only if --max-removals allows them; the rest is copied.

    ``there`` is how many tags the destination has, of which the source has ``picked`` and no others.
    """
    root = image("any")
    tags = [f"1.{number}" for number in range(there)]
    root.seed(bench.up.repository("app"), *tags[:picked])
    root.seed(bench.there("app"), *tags)
    bench.seed("other", "1").seed(bench.there("other"), "0")
    bench.write(bench.entry("app", tags=["1.*"], prune=True), bench.entry("other", tags=["1"], prune=True))
    dry = bench.sync("--dry-run")
    finished = bench.sync()
    assert set(bench.tags("other")) == {"1"}
    assert finished.code == dry.code == (0 if goes else 7), finished.err
    assert set(bench.tags("app")) == set(tags[:picked] if goes else tags)
    if not goes:
        message = f"no tag removed, since {there - picked} of {there} would go"
        for said in (dry, finished):
            assert message in said.err
            assert "--max-removals" in said.err
        assert f"remove {bench.down.host}/app:{tags[-1]}" in dry.out
        assert bench.sync("--max-removals", str(there)).code == 0
        assert set(bench.tags("app")) == set(tags[:picked])


@pytest.mark.parametrize("spelled", ["localhost", "LOCALHOST", "127.0.0.1"])
def test_another_name_of_the_same_registry(bench: Bench, spelled: str) -> None:
    """A tag that one entry wants is not pruned by another one that spells the registry differently."""
    bench.seed("app", "1.0")
    bench.seed("other", "0.9")
    there = bench.down.host.replace("127.0.0.1", spelled)
    other = {"source": f"{bench.up.host}/other:0.9", "destination": f"{there}/app:0.9"}
    bench.write(bench.entry("app", tags=["1.*"], prune=True), other)
    for _ in range(2):
        assert bench.sync().code == 0
        assert set(bench.tags("app")) == {"0.9", "1.0"}


@pytest.mark.parametrize("reads", [False, True])
def test_a_registry_of_two_names(bench: Bench, monkeypatch: pytest.MonkeyPatch, reads: bool) -> None:
    """What an entry fills or reads by another name of the registry, at the same address, is not pruned."""
    resolve, host = socket.getaddrinfo, bench.down.host.replace("127.0.0.1", "mirror.example")

    def resolver(name: Any, *rest: Any, **more: Any) -> Any:
        return resolve("127.0.0.1" if name in ("mirror.example", b"mirror.example") else name, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    bench.seed("app", "1.0")
    bench.seed("other", "0.9")
    image("old").seed(bench.there("app"), "0.8")
    there = {"source": f"{bench.up.host}/other:0.9", "destination": f"{host}/app:0.9"}
    if reads:
        image("stable").seed(bench.there("app"), "0.9")
        there = {"source": f"{host}/app:0.9", "destination": f"{bench.down.host}/live:0.9"}
    bench.write(bench.entry("app", tags=["1.*"], prune=True), there)
    for _ in range(2):
        finished = bench.sync("--plain-http", host)
        assert finished.code == 0, finished.err
        assert set(bench.tags("app")) == {"0.9", "1.0"}
    assert f"{bench.down.host}/app: what is wanted at {host} stays, as that may be the same registry" in finished.err


@pytest.mark.parametrize("link", [*NAMED.values(), *BROKEN.values()], ids=[*NAMED, *BROKEN])
def test_prune_takes_no_page_for_the_whole(bench: Bench, link: str) -> None:
    """Tags that the source names on its second page are wanted; if that page cannot be had, all tags stay."""
    tags = [f"1.{number}" for number in range(6)]
    root = image("any")
    root.seed(bench.up.repository("app"), *tags)
    root.seed(bench.there("app"), *tags, "0.9")
    bench.write(bench.entry("app", tags=["1.*"], prune=True))
    bench.up.fault = ShortList("/tags/list", tags_answer(*tags[:4]), link)
    code = bench.sync().code
    known = link in NAMED.values()
    assert (code == 0) == known
    assert set(bench.tags("app")) == set(tags if known else [*tags, "0.9"])


def test_signatures_stay_and_go_with_their_image(pruned: Bench) -> None:
    """Signatures, by cosign's tag or in the referrers' list, stay with a kept image and go with a removed one."""
    kept, gone = pruned.up.repository("app").tags["1.0"], image("old")
    down = pruned.there("app")
    names = [f"sha256-{digest.removeprefix('sha256:')}" for digest in (kept, gone.digest)]
    for name in names:
        image(("signature", name)).seed(down, f"{name}.sig")
        index(("list", name)).seed(down, name)
    assert pruned.sync().code == 0
    assert set(down.tags) == {"1.0", "1.1", f"{names[0]}.sig", names[0]}
    assert gone.digest not in down.manifests


def test_signatures_of_what_another_tag_holds_stay(pruned: Bench) -> None:
    """The image of a removed tag that a wanted index lists is still signed afterwards."""
    made = index("both")
    made.seed(pruned.up.repository("app"), "1.2")
    made.seed(pruned.there("app"))
    child = made.children[0]
    pruned.there("app").tags["0.8"] = child
    signature = f"sha256-{child.removeprefix('sha256:')}.sig"
    image("signature").seed(pruned.there("app"), signature)
    assert pruned.sync().code == 0
    assert set(pruned.tags("app")) == {"1.0", "1.1", "1.2", signature}


def test_a_refused_removal_fails_by_name(pruned: Bench) -> None:
    """A registry that does not let us delete is told of, and the copies are done all the same."""
    pruned.down.fault = lambda request: refusal(403) if manifest("DELETE")(request) else None
    finished = pruned.sync()
    assert finished.code == 4
    assert f"failed: {pruned.down.host}/app:0.9" in finished.err
    assert set(pruned.tags("app")) == {"0.9", "1.0", "1.1"}


def test_referrers_do_not_count_as_tags(pruned: Bench) -> None:
    """An artifact without a tag is not touched by pruning tags."""
    subject = pruned.up.repository("app").tags["1.0"]
    artifact = referrer(image(("app", "1.0")))
    artifact.seed(pruned.there("app"))
    assert pruned.sync().code == 0
    assert subject in pruned.there("app").manifests
    assert artifact.digest in pruned.there("app").manifests


@pytest.mark.parametrize("referrers", [True, False])
def test_referrers_go_with_an_image_that_they_came_with(pruned: Bench, referrers: bool) -> None:
    """An image goes with its artifacts where the entry copies them; where it does not, they keep it."""
    gone = image("old")
    artifact = referrer(gone)
    artifact.seed(pruned.there("app"))
    pruned.write(pruned.entry("app", tags=["1.*"], prune=True, referrers=referrers))
    finished = pruned.sync()
    assert finished.code == 0, finished.err
    assert set(pruned.tags("app")) == {"1.0", "1.1"}
    left = {gone.digest, artifact.digest} & pruned.there("app").manifests.keys()
    assert left == (set() if referrers else {gone.digest, artifact.digest})


def test_signatures_and_images_go_together(pruned: Bench) -> None:
    """With referrers in the entry, what is signed by cosign's tags is removed like it is without."""
    pruned.write(pruned.entry("app", tags=["1.*"], prune=True, referrers=True))
    signature = f"sha256-{image('old').digest.removeprefix('sha256:')}.sig"
    image("signature").seed(pruned.there("app"), signature)
    assert pruned.sync().code == 0
    assert set(pruned.tags("app")) == {"1.0", "1.1"}
    assert image("signature").digest not in pruned.there("app").manifests


@pytest.mark.parametrize("referrers", [True, False])
def test_a_signature_that_an_entry_names_stays(pruned: Bench, referrers: bool) -> None:
    """Who names a tag gets it, and keeps it when the image that it is about goes."""
    signature = f"sha256-{image('old').digest.removeprefix('sha256:')}.sig"
    pruned.seed("app", signature, image("signature"))
    entry = pruned.entry("app", tags=["1.*"], prune=True, referrers=referrers)
    pruned.write(entry, pruned.entry("app", signature, referrers=referrers))
    for _ in range(2):
        finished = pruned.sync()
        assert finished.code == 0, finished.err
        assert pruned.tags("app").keys() == {"1.0", "1.1", signature}
        assert image("signature").digest in pruned.there("app").manifests


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.sampled_from(TAGS), min_size=1), st.sets(st.sampled_from(TAGS)), st.sampled_from(RULES))
def test_a_prune_never_removes_what_is_picked(
    bench: Bench, up: set[str], down: set[str], rules: dict[str, object]
) -> None:
    """Whatever both sides have, afterwards the destination has what the rules pick; all else only if nothing failed."""
    with EmbeddedRegistry() as destination:
        source = bench.up.repository("p")
        source.tags.clear()
        for tag in up:
            image(tag).seed(source, tag)
        for tag in down:
            image(("there", tag)).seed(destination.repository("p"), tag)
        entry = {"source": f"{bench.up.host}/p", "destination": f"{destination.host}/p", "tags": rules, "prune": True}
        bench.write(entry)
        code = bench.sync("--quiet", "--max-removals", "5").code
        fields = {name: tuple(value) if isinstance(value, list) else value for name, value in rules.items()}
        picked = set(TagRules(**fields).pick(up))  # type: ignore[arg-type]
        left = dict(destination.repository("p").tags)
        if picked:
            assert (code, set(left)) == (0, picked)
            assert all(left[tag] == image(tag).digest for tag in picked)
        else:
            assert (code, set(left)) == (3, down)


@pytest.mark.parametrize(
    "onward",
    [
        {"source": "DOWN/team/app:stable", "destination": "DOWN/live/app:stable"},
        {"source": "DOWN/team/app", "destination": "DOWN/live/app", "tags": ["stable"]},
        {"source": "DOWN/team/app", "destination": "DOWN/live/app", "tags": ["st*"]},
        {"source": "DOWN/team/**", "destination": "DOWN/live", "tags": ["st*"]},
    ],
)
def test_an_image_that_the_file_reads_stays(pruned: Bench, onward: dict[str, object]) -> None:
    """A tag that another entry copies on, by its name or by a rule, is in use, though nothing fills it."""
    image("promoted").seed(pruned.there("team/app"), "stable")
    entry = {"source": f"{pruned.up.host}/app", "destination": f"{pruned.down.host}/team/app", "tags": ["1.*"]}
    onward = json.loads(json.dumps(onward).replace("DOWN", pruned.down.host))
    pruned.write({**entry, "prune": True}, onward)
    for _ in range(2):
        finished = pruned.sync()
        assert finished.code == 0, finished.err
        assert set(pruned.tags("team/app")) == {"1.0", "1.1", "stable"}
        assert pruned.tags("live/app")["stable"] == pruned.tags("team/app")["stable"]


def test_what_the_file_may_read_stays(pruned: Bench) -> None:
    """While it is not known which tags another entry reads in the repository, none is removed."""
    onward = {"source": f"{pruned.down.host}/app", "destination": f"{pruned.down.host}/live", "tags": ["st?ble"]}
    pruned.write(pruned.entry("app", tags=["1.*"], prune=True), onward)
    assert pruned.sync().code == 3
    assert set(pruned.tags("app")) == {"0.9", "1.0", "1.1"}


def test_a_folder_of_two_names_is_one_place(pruned: Bench) -> None:
    """By a link and by its own name, a folder keeps what either of its entries wants."""
    folder, link = pruned.folder / "layout", pruned.folder / "link"
    link.symlink_to(folder)
    source = f"{pruned.up.host}/app"
    pruned.write(
        {"source": source, "destination": f"oci:{folder}", "tags": ["1.0"], "prune": True},
        {"source": source, "destination": f"oci:{link}", "tags": ["1.1"], "prune": True},
    )
    for _ in range(2):
        finished = pruned.sync()
        assert (finished.code, "removed" in finished.err) == (0, False), finished.err
    names = [each["annotations"] for each in json.loads((folder / "index.json").read_text())["manifests"]]
    assert {name for each in names for name in each.values()} >= {"1.0", "1.1"}


@pytest.mark.parametrize("tag", ["", ":was"])
@pytest.mark.parametrize("is_listed", [False, True])
def test_an_image_that_the_file_reads_by_digest_stays(pruned: Bench, tag: str, is_listed: bool) -> None:
    """The tag that is on it, or on an index that lists it, stays: with it the image would go."""
    made = index("pinned")
    made.seed(pruned.there("app"), "stable")
    digest = made.children[0] if is_listed else made.digest
    onward = {"source": f"{pruned.down.host}/app{tag}@{digest}", "destination": f"{pruned.down.host}/live:1"}
    pruned.write(pruned.entry("app", tags=["1.*"], prune=True), onward)
    finished = pruned.sync()
    assert finished.code == 0, finished.err
    assert set(pruned.tags("app")) == {"1.0", "1.1", "stable"}
    assert digest in pruned.there("app").manifests


def test_each_tag_is_looked_at_once_for_the_image_that_it_keeps(pruned: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With keep_as, many tags do not make a prune slow: what a tag keeps is read from its name, whatever is wanted."""
    way, at = parse_keep_as("{tag}-{date}-{digest}"), datetime(2026, 1, 1, tzinfo=timezone.utc)
    kept = {way.tag(tag, image("old").digest, at) for tag in ("1.0", "1.1")}
    stray = way.tag("0.9", image("old").digest, at)
    for tag in (*kept, stray):
        image("old").seed(pruned.there("app"), tag)
    read = list[str]()

    def counted(self: KeepAs, tag: str) -> KeptTag | None:
        read.append(tag)
        return reads(self, tag)

    reads = KeepAs.read
    monkeypatch.setattr(KeepAs, "read", counted)
    pruned.write(pruned.entry("app", tags=["1.*"], prune=True, keep_as=way.template))
    finished = pruned.sync("--max-removals", "2")
    assert finished.code == 0, finished.err
    assert set(pruned.tags("app")) == {"1.0", "1.1", *kept}
    assert sorted(read) == sorted({"0.9", stray, *kept})


def test_a_tag_that_somebody_moves_meanwhile_stays(pruned: Bench) -> None:
    """What is pushed to an unwanted tag while images are copied is not what was to go: it stays, and that is said."""
    foreign = image("foreign")

    def push(request: Request) -> Fault | None:
        if not blob("GET")(request):
            return None
        foreign.seed(pruned.there("app"), "0.9")
        return None

    pruned.up.fault = push
    finished = pruned.sync()
    assert finished.code == 0, finished.err
    assert pruned.tags("app")["0.9"] == foreign.digest
    assert {foreign.digest, image("old").digest} <= pruned.there("app").manifests.keys()
    assert f"keep   {pruned.down.host}/app:0.9 (it points at {foreign.digest} now, not at " in finished.out


def test_a_signature_of_what_somebody_has_moved_stays(pruned: Bench) -> None:
    """A tag that moves to an image which has a signature by tag keeps that, and the image before keeps its own."""
    old, foreign = image("old"), image("foreign")
    for about in (old, foreign):
        image(("sig", about.digest)).seed(pruned.there("app"), f"{about.digest.replace(':', '-')}.sig")

    def push(request: Request) -> Fault | None:
        if blob("GET")(request):
            foreign.seed(pruned.there("app"), "0.9")
        return None

    pruned.up.fault = push
    finished = pruned.sync()
    assert finished.code == 0, finished.err
    assert {f"{each.digest.replace(':', '-')}.sig" for each in (old, foreign)} <= pruned.tags("app").keys()


@pytest.mark.parametrize("keep_as", [None, "old-{date}-{digest}-{tag}"])
def test_images_kept_by_an_earlier_template_stay(pruned: Bench, keep_as: str | None) -> None:
    """Dropping or changing keep_as removes no image that it has kept; a tag that only looks like one goes."""
    way, at = parse_keep_as("{tag}-{date}-{digest}"), datetime(2026, 1, 1, tzinfo=timezone.utc)
    kept, stray = way.tag("1.0", image("old").digest, at), way.tag("1.0", image("other").digest, at)
    for tag in (kept, stray):
        image("old").seed(pruned.there("app"), tag)
    pruned.write(pruned.entry("app", tags=["1.*"], prune=True, **({"keep_as": keep_as} if keep_as else {})))
    finished = pruned.sync()
    assert finished.code == 0, finished.err
    assert set(pruned.tags("app")) == {"1.0", "1.1", kept}


def test_a_tag_that_leads_nowhere_is_not_said_to_be_removed(pruned: Bench) -> None:
    """A tag that a registry lists and does not have is neither in the plan nor in what was done."""
    pruned.there("app").tags["0.7"] = image("never").digest
    for options in (("--dry-run",), ()):
        finished = pruned.sync(*options)
        assert finished.code == 0, finished.err
        assert f"remove {pruned.down.host}/app:0.9" in finished.out
        assert "app:0.7" not in finished.out


def test_a_dry_run_reads_no_manifest_of_what_goes(pruned: Bench) -> None:
    """What a prune would remove is told from tags alone, with the signatures that go along."""
    signature = f"{image('old').digest.replace(':', '-')}.sig"
    image("signature").seed(pruned.there("app"), signature)
    going = {f"remove {pruned.down.host}/app:{tag}" for tag in ("0.9", signature)}
    dry = pruned.sync("--dry-run")
    assert not [each.path for each in pruned.down.requests if each.method == "GET" and "/manifests/" in each.path]
    assert going <= set(dry.out.splitlines())
    assert going <= set(pruned.sync().out.splitlines())


def test_a_tag_that_another_run_has_removed_is_said_to_be_gone(pruned: Bench) -> None:
    """Of two runs at once, the one that finds a tag gone after its copies does not claim to have removed it."""
    there = pruned.there("app")

    def copied_late(request: Request) -> None:
        if request.method == "PUT" and request.path.endswith("/manifests/1.1"):
            there.tags.pop("0.9", None)

    pruned.down.fault = copied_late
    finished = pruned.sync()
    assert finished.code == 0, finished.err
    assert f"remove {pruned.down.host}/app:0.9 (already gone)" in finished.out


def test_few_repositories_are_pruned_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What all tags of a repository point at is held for a few of them, however many the file prunes."""
    names, under_way = [f"app-{number}" for number in range(40)], [0]

    async def counted(*given: Any, **more: Any) -> list[DeleteReport]:
        under_way.append(under_way[-1] + 1)
        try:
            return await delete(*given, **more)
        finally:
            under_way.append(under_way[-1] - 1)

    monkeypatch.setattr(prune, "delete", counted)
    for name in names:
        bench.seed(name, "1")
        image(("old", name)).seed(bench.there(name), "0")
    bench.write(*(bench.entry(name, tags=["*"], prune=True) for name in names))
    finished = bench.sync()
    assert finished.code == 0, finished.err
    assert all(set(bench.tags(name)) == {"1"} for name in names)
    assert 1 < max(under_way) <= 8
