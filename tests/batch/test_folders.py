"""A folder of repositories as a source: each that is found is an entry, and what is not known removes nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from imagesync_cli.batch.entries import read_entries
from imagesync_cli.batch.entry import Entry, FolderEntry
from imagesync_cli.batch.folders import Unknown
from imagesync_cli.batch.plan import Plan
from imagesync_cli.batch.reading.prefix import Prefix
from imagesync_cli.values.errors import NotFound, UsageError
from tests.batch.conftest import Bench
from tests.command import imagesync
from tests.delete.short_lists import BROKEN, NAMED, ShortList
from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image
from tests.embedded_registry.manner import Authentication, Manner
from tests.embedded_registry.wire import json_response
from tests.logins import variables


def catalog(request: Request) -> bool:
    return request.path == "/v2/_catalog"


def names(*repositories: Any) -> Fault:
    return Fault(answer=json_response(200, {"repositories": list(repositories)}))


def folder(bench: Bench, path: str = "/team", **more: Any) -> dict[str, Any]:
    return {"source": f"{bench.up.host}{path}/**", "destination": f"{bench.down.host}/mirror", "tags": ["*"], **more}


@pytest.fixture
def team(bench: Bench) -> Bench:
    """Three repositories below team, and others beside it."""
    for name in ("team/a", "team/b/c", "team/b/d", "team", "teams/x", "other"):
        bench.seed(name, "1")
    bench.write(folder(bench))
    return bench


def test_every_repository_below_is_copied(team: Bench) -> None:
    """The rest of each path comes below the destination; what only begins with the same letters stays."""
    finished = team.sync()
    assert finished.code == 0, finished.err
    assert sorted(team.down.state.repositories) == ["mirror/a", "mirror/b/c", "mirror/b/d"]
    assert team.tags("mirror/b/c") == team.up.repository("team/b/c").tags
    team.clear()
    assert team.sync().out == ""
    assert sum(map(catalog, team.up.requests)) == 1


def test_a_whole_registry(team: Bench) -> None:
    """HOST/** is all that the registry has; a destination may be a registry too."""
    team.write({**folder(team, ""), "destination": team.down.host})
    assert team.sync().code == 0
    assert sorted(team.down.state.repositories) == sorted(team.up.state.repositories)


def test_two_folders_ask_once_and_go_to_two_places(team: Bench) -> None:
    """A list of destinations holds for each repository; mirrors by prefix do too."""
    with EmbeddedRegistry() as mirror, EmbeddedRegistry() as second:
        image(("team/a", "1")).seed(mirror.repository("hub/team/a"), "1")
        entry = folder(team)
        entry["destination"] = [entry["destination"], f"{second.host}/copy"]
        team.write(entry, folder(team, **{"as": "{tag}-2"}), mirrors={team.up.host: [f"{mirror.host}/hub"]})
        finished = team.sync()
        assert finished.code == 0, finished.err
        assert set(team.tags("mirror/a")) == {"1", "1-2"}
        assert second.repository("copy/b/d").tags == team.up.repository("team/b/d").tags
        assert not [request for request in team.up.requests if "team/a/blobs" in request.path]
    assert sum(map(catalog, team.up.requests)) == 1


def test_an_entry_of_its_own_goes_before(team: Bench) -> None:
    """A repository that the file names itself, for the same place, follows that entry."""
    team.seed("team/a", "2")
    own = {"source": f"{team.up.host}/team/a", "destination": f"{team.down.host}/mirror/a", "tags": ["2"]}
    team.write(folder(team), own)
    assert team.sync().code == 0
    assert set(team.tags("mirror/a")) == {"2"}
    assert set(team.tags("mirror/b/c")) == {"1"}


def test_a_lock_knows_the_repositories(team: Bench) -> None:
    """With --locked the source's catalog is not asked, and what it has got since is not copied."""
    assert team.lock().code == 0
    team.seed("team/new", "1")
    team.clear()
    assert team.sync("--locked").code == 0
    assert not [request for request in team.up.requests if catalog(request) or "new" in request.path]
    assert sorted(team.down.state.repositories) == ["mirror/a", "mirror/b/c", "mirror/b/d"]


def test_a_lock_keeps_what_nobody_lists(team: Bench) -> None:
    """While the catalog cannot be read, the lock keeps all that it has of the folder."""
    assert team.lock().code == 0
    before = json.loads(team.lock_file.read_text())
    team.up.fault = lambda request: refusal(403) if catalog(request) else None
    assert team.lock().code != 0
    assert json.loads(team.lock_file.read_text()) == before


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (refusal(404), "it has no list of repositories"),
        (refusal(405), "it has no list of repositories"),
        (refusal(401), "name each repository"),
        (refusal(500), "answers 500"),
        (names(), "there is no repository in"),
        (names("other/a"), "there is no repository in"),
        (names("team/a", 7), "not a list of repositories"),
        (Fault(answer=json_response(200, ["team/a"])), "not a list of repositories"),
        (Fault(answer=json_response(200, {"repositories": None})), "there is no repository in"),
    ],
)
@pytest.mark.usefixtures("pauses")
def test_what_is_not_listed_fails_and_removes_nothing(team: Bench, fault: Fault, said: str) -> None:
    """Without a list the folder fails by name, other entries go on, and where it goes nothing is pruned."""
    image("old").seed(team.there("mirror/a"), "0")
    own = {"source": f"{team.up.host}/team/a", "destination": f"{team.down.host}/mirror/a", "tags": ["*"]}
    team.write(folder(team, prune=True), {**own, "prune": True})
    team.up.fault = lambda request: fault if catalog(request) else None
    finished = team.sync()
    assert finished.code != 0
    assert f"{team.up.host}/team/** to {team.down.host}/mirror/**" in finished.err
    assert said in finished.err
    assert set(team.tags("mirror/a")) == {"0", "1"}
    assert set(team.down.state.repositories) == {"mirror/a"}


@pytest.mark.parametrize("prune", [(True, True), (True, False), (False, True)])
def test_two_folders_never_prune_what_the_other_has_brought(team: Bench, prune: tuple[bool, bool]) -> None:
    """One catalog has lost a repository that the other has too: the file is refused, and the tags stay."""
    image("brought").seed(team.there("mirror/a"), "brought")
    before = team.down.dump()
    team.seed("teams/a", "1")
    team.up.fault = lambda request: names("team/b/c", "teams/a") if catalog(request) else None
    team.write(folder(team, prune=prune[0]), folder(team, "/teams", prune=prune[1]))
    finished = team.sync()
    assert (finished.code, team.down.dump()) == (2, before)
    assert f"destination {team.down.host}/mirror is also a destination of {team.up.host}/team/**" in finished.err


@pytest.mark.parametrize(
    ("other", "is_refused"),
    [
        ({"source": "teams/**", "destination": "mirror/below", "tags": ["*"], "prune": True}, True),
        ({"source": "teams/**", "destination": "mirrors", "tags": ["*"], "prune": True}, False),
        ({"source": "teams/x", "destination": "mirror/a", "tags": ["*"], "prune": True}, True),
        ({"source": "teams/x", "destination": "mirror/a", "tags": ["9"]}, False),
        ({"source": "team/a", "destination": "mirror/a", "tags": ["1"], "prune": True}, False),
        ({"source": "team/**", "destination": "mirror", "tags": ["2"], "prune": True}, False),
    ],
)
def test_what_a_folder_fills_is_pruned_for_nobody_else(team: Bench, other: dict[str, Any], is_refused: bool) -> None:
    """A repository that prune empties of other tags comes from one source; who does not prune takes nothing away."""
    ends = {"source": f"{team.up.host}/{other['source']}", "destination": f"{team.down.host}/{other['destination']}"}
    team.write(folder(team, prune="prune" in other and not is_refused), {**other, **ends})
    finished = team.sync("--dry-run")
    assert ("is also a destination of" in finished.err) == is_refused, finished.err


def test_many_unread_folders_are_not_compared_with_each_repository(
    team: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While many folders cannot be read, each pruned repository finds out at once whether one of them may fill it."""
    number, compared, rest = 50, list[str](), Prefix.rest

    def counted(self: Prefix, place: tuple[str, str]) -> str | None:
        compared.append(self.path)
        return rest(self, place)

    ends = [(f"up.example/{n}", f"down.example/{n}") for n in range(number)]
    folders = [{"source": f"{up}/**", "destination": down, "tags": ["*"]} for up, down in ends]
    team.write(*folders)
    unread = [each for each in read_entries(team.file, {}) if isinstance(each, FolderEntry)]
    made = Plan([], unknown=[Unknown(each, each.name, "", NotFound("unread")) for each in unread])
    monkeypatch.setattr(Prefix, "rest", counted)
    known = [made.unknown_at(("down.example", f"{n}/app")) for n in range(2 * number)]
    assert [why is None for why in known] == [False] * number + [True] * number
    assert len(compared) <= 2 * number


@pytest.mark.parametrize("destination", ["mirror/{}", "mirror"])
@pytest.mark.parametrize("prune", [True, False])
def test_many_folders_are_not_compared_with_each_other(
    team: Bench, destination: str, prune: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of many folders and images is read in a time that grows with its length."""
    compared, number = list[Entry](), 100
    is_rivaled_by = FolderEntry.is_rivaled_by

    def counted(self: FolderEntry, other: Entry) -> bool:
        compared.append(other)
        return is_rivaled_by(self, other)

    monkeypatch.setattr(FolderEntry, "is_rivaled_by", counted)
    ends = [(f"up.example/{n}", f"down.example/{destination.format(n)}") for n in range(number)]
    images = [{"source": f"{up}/a", "destination": f"{down}/a"} for up, down in ends]
    folders = [{"source": f"{up}/**", "destination": down} for up, down in ends]
    team.write(*({**each, "tags": ["*"], "prune": prune} for each in (*folders, *images)))
    with contextlib.suppress(UsageError):
        read_entries(team.file, {})
    assert len(compared) <= 4 * number


def test_many_folders_of_a_registry_read_its_catalog_once(team: Bench) -> None:
    """All folders of a registry are served by one reading of its catalog; one that has too much fails alone."""
    team.seed("far/away", "1")
    many = [f"many/a{number}" for number in range(10_001)]
    team.up.fault = lambda request: names("team/a", "team/b/c", "far/away", *many) if catalog(request) else None
    places = {"team": "mirror", "team/b": "below", "far": "far", "many": "many"}
    team.write(*(folder(team, f"/{up}", destination=f"{team.down.host}/{down}") for up, down in places.items()))
    finished = team.sync()
    assert finished.code == 5
    assert finished.err.count("failed: ") == finished.err.count("/many: more than 10000 repositories") == 1
    assert sorted(team.down.state.repositories) == ["below/c", "far/away", "mirror/a", "mirror/b/c"]
    assert sum(map(catalog, team.up.requests)) == 1


def test_prune_holds_for_each_repository(team: Bench) -> None:
    """Tags that the source has not go; a repository that it has not any more stays as it is."""
    image("old").seed(team.there("mirror/a"), "0")
    image("old").seed(team.there("mirror/gone"), "0")
    team.write(folder(team, prune=True))
    assert team.sync().code == 0
    assert set(team.tags("mirror/a")) == {"1"}
    assert set(team.tags("mirror/gone")) == {"0"}


@pytest.mark.parametrize(
    "name",
    [
        "team/../other",
        "team/A",
        "team//a",
        "team/a?x=1",
        "team/%2e%2e/other",
        "team/a\nb",
        "TEAM/a",
        "/team/a",
        "team/",
    ],
)
def test_a_catalog_names_nothing_else(team: Bench, name: str) -> None:
    """Whatever a catalog calls a repository, only names below the folder are asked for, and others are said or gone."""
    team.up.fault = lambda request: names(name, "other", "teams/x", "team/a") if catalog(request) else None
    finished = team.sync()
    assert finished.code == 0, finished.err
    assert list(team.down.state.repositories) == ["mirror/a"]
    assert {request.path.split("/")[2] for request in team.up.requests} == {"_catalog", "team"}


def test_a_catalog_without_bounds_is_given_up(team: Bench) -> None:
    """More repositories than anybody names are an error, said at once; beside the folder there may be more."""
    many = [f"team/a{number}" for number in range(10_001)]
    team.up.fault = lambda request: names(*many) if catalog(request) else None
    finished = team.sync()
    assert finished.code == 5
    assert "more than 10000 repositories" in finished.err
    others = [f"other/a{number}" for number in range(10_001)]
    team.up.fault = lambda request: names("team/a", *others) if catalog(request) else None
    assert team.sync().code == 0
    assert list(team.down.state.repositories) == ["mirror/a"]


def test_a_name_that_is_too_long_below_its_place_fails_alone(team: Bench) -> None:
    """A repository whose name cannot be at the destination is one failure, and the others are copied."""
    long = "team/" + "x" * 250
    team.up.fault = lambda request: names(long, "team/a") if catalog(request) else None
    finished = team.sync()
    assert finished.code == 2
    assert "longer than 255" in finished.err
    assert list(team.down.state.repositories) == ["mirror/a"]


@pytest.mark.parametrize("link", BROKEN.values(), ids=BROKEN)
@pytest.mark.usefixtures("pauses")
def test_a_catalog_that_ends_early_is_no_catalog(team: Bench, link: str) -> None:
    """A list that breaks off after a page fails the folder: what it has named until then is not taken for all."""
    team.up.fault = ShortList("/_catalog", lambda _: json_response(200, {"repositories": ["team/a"]}), link)
    finished = team.sync()
    assert finished.code != 0
    assert not team.down.state.repositories


@pytest.mark.parametrize("link", NAMED.values(), ids=NAMED)
def test_a_catalog_comes_in_pages(team: Bench, link: str) -> None:
    """The next page is found however it is named."""
    team.up.fault = ShortList("/_catalog", lambda _: json_response(200, {"repositories": ["team/a"]}), link)
    assert team.sync("--dry-run").out.count("add ") == 3


@pytest.fixture
def guarded(bench: Bench) -> Iterator[Bench]:
    manner = Manner(authentication=Authentication(scheme="bearer", accounts={"ann": "secret"}))
    with EmbeddedRegistry(manner) as up:
        yield Bench(up, bench.down, bench.folder)


def test_a_catalog_may_want_a_login(guarded: Bench) -> None:
    """The catalog is asked for with the login of its registry, by a token with a scope for it."""
    guarded.seed("team/a", "1")
    guarded.write(folder(guarded))
    host = guarded.up.host
    assert guarded.sync().code != 0
    finished = imagesync("sync", "--file", str(guarded.file), environ=variables(host, "ann", "secret"))
    assert finished.code == 0, finished.err
    assert guarded.tags("mirror/a")


def test_a_folder_fills_nothing_in_its_own_source(bench: Bench) -> None:
    """Below a destination above the source, team/team/app would be team/app: it fails, and the others are copied."""
    for name in ("team/app", "team/team/app"):
        bench.seed(name, "1")
    before = bench.up.dump()["team/app"]
    bench.write({"source": f"{bench.up.host}/team/**", "destination": bench.up.host, "tags": ["*"], "prune": True})
    finished = bench.sync()
    assert (finished.code, "is below its own source" in finished.err) == (2, True), finished.err
    assert bench.up.dump()["team/app"] == before
    assert bench.up.repository("app").tags == bench.up.repository("team/app").tags
