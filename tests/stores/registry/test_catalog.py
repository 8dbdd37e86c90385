"""Which repositories a registry has: by its catalog, or in the way of the host that it is."""

from __future__ import annotations

import itertools

import httpx
import pytest

from imagesync_cli.stores.registry.catalog import list_repositories
from imagesync_cli.values.errors import ContentError, Denied, ImagesyncError, Refused
from tests.logins import CANARY
from tests.stores.registry.scripted import Scripted

HUB = "https://hub.docker.com"
HARBOR = "https://harbor.example.com"


@pytest.fixture
def scripted(pauses: list[float]) -> Scripted:
    return Scripted()


def listed(scripted: Scripted, host: str, path: str, *, login: bool = False) -> list[str]:
    found = scripted.run(lambda: list_repositories(scripted.client(host, login=login), [path]))[path]
    if isinstance(found, ImagesyncError):
        raise found
    return [str(name) for name in found]


def test_docker_hub_lists_a_namespace(scripted: Scripted) -> None:
    """Docker Hub is asked by its own API, page after page; without a login nobody is told anything.

    A push moves its repository to the first page, and so the last one of a page that was read to the next.
    """
    listing, more = f"{HUB}/v2/namespaces/team/repositories?page_size=100", "&page=2"
    last = {"results": [{"name": "a"}, {"name": "c"}], "next": None}
    first = {"results": [{"name": "a"}, {"name": "B"}], "next": f"{listing}{more}"}
    for url, page in ((f"{listing}{more}", last), (listing, first)):
        scripted.routes.get(url).respond(json=page)
    assert listed(scripted, "docker.io", "team") == ["team/a", "team/c"]
    assert not scripted.told("Bearer")


def test_docker_hub_lists_what_a_login_may_see(scripted: Scripted) -> None:
    """The login goes to Docker Hub's API alone, for a token that lists private repositories as well."""
    scripted.routes.post(f"{HUB}/v2/auth/token").respond(json={"access_token": "hub-token"})
    scripted.routes.get(f"{HUB}/v2/namespaces/team/repositories").respond(json={"results": [], "next": None})
    assert listed(scripted, "docker.io", "team", login=True) == []
    assert scripted.told("Bearer hub-token") == ["hub.docker.com"]


@pytest.mark.parametrize(
    "page",
    [
        [],
        {"results": [{}], "next": None},
        {"results": 5, "next": None},
        {"results": []},
        {"results": [], "next": 5},
        {"results": [], "next": "https://example.com/?page=2"},
        {"results": [], "next": ""},
    ],
)
def test_docker_hub_says_something_else(scripted: Scripted, page: object) -> None:
    """An answer in another form is no list, and half a list is none."""
    scripted.routes.get(f"{HUB}/v2/namespaces/team/repositories").respond(json=page)
    with pytest.raises(ContentError, match=r"not a list of repositories|the next page"):
        listed(scripted, "docker.io", "team")


@pytest.mark.parametrize(("host", "path"), [("docker.io", ""), ("ghcr.io", "team"), ("ghcr.io", "")])
def test_who_lists_nothing_is_not_asked(scripted: Scripted, host: str, path: str) -> None:
    """GitHub's registry has no list, nor has all of Docker Hub; the error says what to do."""
    with pytest.raises(Refused, match="does not list") as refused:
        listed(scripted, host, path)
    assert "name each" in refused.value.hint
    assert not scripted.requests


def test_harbor_lists_a_project(scripted: Scripted) -> None:
    """Where the catalog is for administrators alone, Harbor's API lists a project, page after page."""
    scripted.routes.get(f"{HARBOR}/v2/").respond(200)
    scripted.routes.get(f"{HARBOR}/v2/_catalog").respond(403, json={"errors": [{"code": "DENIED"}]})
    link = {"Link": '</api/v2.0/projects/team/repositories?page=2&page_size=100>; rel="next"'}
    page = [{"name": "team/a"}, {"name": "team/x/y"}]
    route = f"{HARBOR}/api/v2.0/projects/team/repositories"
    scripted.routes.get(route, params={"page": "2"}).respond(
        json=[{"name": "team/x/y"}, {"name": "team/x/z"}, {"name": "other/a"}]
    )
    scripted.routes.get(route).respond(json=page, headers=link)
    assert listed(scripted, "harbor.example.com", "team/x", login=True) == ["team/x/y", "team/x/z"]


@pytest.mark.parametrize(
    "answer", [httpx.Response(404), httpx.Response(403), httpx.Response(200, json={}), httpx.Response(200, json=[5])]
)
def test_who_is_no_harbor_is_refused_as_before(scripted: Scripted, answer: httpx.Response) -> None:
    """What the catalog's refusal said is what counts."""
    scripted.routes.get(f"{HARBOR}/v2/").respond(200)
    scripted.routes.get(f"{HARBOR}/v2/_catalog").respond(403, json={"errors": [{"code": "DENIED"}]})
    scripted.routes.get(f"{HARBOR}/api/v2.0/projects/team/repositories").mock(return_value=answer)
    with pytest.raises(Denied) as denied:
        listed(scripted, "harbor.example.com", "team", login=True)
    assert "name each" in denied.value.hint
    assert CANARY not in str(denied.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
def test_a_catalog_that_breaks_off(scripted: Scripted, status: int) -> None:
    """A registry whose second page is refused has a catalog: nobody is asked instead, and half of it is no list."""
    page = {"Link": '</v2/_catalog?last=a>; rel="next"'}
    scripted.routes.get(f"{HARBOR}/v2/_catalog", params={"last": "a"}).respond(status)
    scripted.routes.get(f"{HARBOR}/v2/_catalog").respond(json={"repositories": ["team/a"]}, headers=page)
    with pytest.raises(ContentError, match="the list ends in the middle") as broken:
        listed(scripted, "harbor.example.com", "team")
    assert "name each" not in broken.value.hint
    assert not [request for request in scripted.requests if "/api/" in request]


def test_an_endless_list_ends(scripted: Scripted) -> None:
    """A host that always has another page is given up, whatever it names."""
    numbers, results = itertools.count(2), [{"name": f"a{number}"} for number in range(101)]

    def page(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"results": results, "next": f"?page={next(numbers)}"})

    scripted.routes.get(f"{HUB}/v2/namespaces/team/repositories").mock(side_effect=page)
    with pytest.raises(ImagesyncError, match="more than 1"):
        listed(scripted, "docker.io", "team")


def test_a_name_of_nothing_but_slashes(scripted: Scripted) -> None:
    """A registry may name anything: two million folders deep takes no longer than any other name."""
    deep = f"team/{'a/' * 2_000_000}"
    scripted.routes.get(f"{HARBOR}/v2/_catalog").respond(json={"repositories": ["team/a", deep, "teams/b"]})
    assert listed(scripted, "harbor.example.com", "team") == ["team/a"]
    assert listed(scripted, "harbor.example.com", "") == ["team/a", "teams/b"]
