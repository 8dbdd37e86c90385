"""The hosts' own APIs: the exact requests that remove a tag or a version, and which host is told which login."""

from __future__ import annotations

import asyncio
import base64
import json

import httpx
import pytest

from imagesync_cli.concurrency import gather
from imagesync_cli.stores import Untagged
from imagesync_cli.stores.registry import exchange
from imagesync_cli.stores.registry.hosts import acr, docker_hub, ghcr, harbor, pulp
from imagesync_cli.values.errors import ContentError, Denied, ImagesyncError, NotFound, Refused
from tests.logins import CANARY
from tests.stores.registry.scripted import NAME, SCOPES, Scripted

DIGEST = f"sha256:{'a' * 64}"
BASIC = f"Basic {base64.b64encode(f'ann:{CANARY}'.encode()).decode()}"
HUB, GITHUB = "https://hub.docker.com", "https://api.github.com"
VERSIONS = f"{GITHUB}/orgs/team/packages/container/sub%2Fapp/versions"


@pytest.fixture
def scripted(pauses: list[float]) -> Scripted:
    return Scripted()


def test_docker_hub(scripted: Scripted) -> None:
    """Docker Hub's API gives a token for the login, and with that removes the tag."""
    token = scripted.routes.post(f"{HUB}/v2/auth/token").respond(json={"access_token": "hub-token"})
    scripted.routes.delete(f"{HUB}/v2/repositories/{NAME}/tags/1/").respond(204)
    assert scripted.run(lambda: docker_hub.untag(scripted.api("docker.io"), "1", DIGEST)) is Untagged.DONE
    assert json.loads(token.calls[0].request.content) == {"identifier": "ann", "secret": CANARY}
    assert scripted.told("Bearer hub-token") == ["hub.docker.com"]
    assert scripted.told(BASIC) == []


def test_docker_hub_in_trouble(scripted: Scripted, pauses: list[float]) -> None:
    """A 500 is tried again, a tag that is not there is no failure."""
    scripted.routes.post(f"{HUB}/v2/auth/token").respond(json={"access_token": "hub-token"})
    answers = [httpx.Response(503), httpx.Response(404, json={"message": "not found"})]
    scripted.routes.delete(f"{HUB}/v2/repositories/{NAME}/tags/1/").mock(side_effect=answers)
    assert scripted.run(lambda: docker_hub.untag(scripted.api("docker.io"), "1", DIGEST)) is Untagged.ABSENT
    assert len(pauses) == 1


@pytest.mark.parametrize("answer", [{}, {"access_token": 1}, {"access_token": "a\nb"}, []])
def test_docker_hub_gives_no_token(scripted: Scripted, answer: object) -> None:
    """An answer without a token is an error, and nothing is removed with what it is."""
    scripted.routes.post(f"{HUB}/v2/auth/token").respond(json=answer)
    with pytest.raises(ContentError, match="gives no token"):
        scripted.run(lambda: docker_hub.untag(scripted.api("docker.io"), "1", DIGEST))


def version(number: int, digest: str, *tags: str) -> dict[str, object]:
    return {"id": number, "name": digest, "metadata": {"container": {"tags": list(tags)}}}


def test_ghcr_reads_every_page(scripted: Scripted) -> None:
    """A version on the second page is found although the first one is empty, and deleted by its number."""
    second = f"{GITHUB}/organizations/1/packages/container/sub%2Fapp/versions?per_page=100&page=2"
    scripted.routes.get(VERSIONS, params={"per_page": "100"}).respond(
        json=[], headers={"Link": f'<{second}>; rel="next last"'}
    )
    scripted.routes.get(second).respond(json=[version(7, DIGEST, "1")])
    scripted.routes.get(f"{VERSIONS}/7").respond(json=version(7, DIGEST, "1"))
    scripted.routes.delete(f"{VERSIONS}/7").respond(204)
    assert scripted.run(lambda: ghcr.delete(scripted.api("ghcr.io"), DIGEST, ["1"])) == ""
    assert set(scripted.told(f"Bearer {CANARY}")) == {"api.github.com"}


def test_ghcr_keeps_a_version_with_other_tags(scripted: Scripted) -> None:
    """A version that got another tag since the list was made stays."""
    scripted.routes.get(f"{VERSIONS}?per_page=100").respond(json=[version(7, DIGEST, "1")])
    scripted.routes.get(f"{VERSIONS}/7").respond(json=version(7, DIGEST, "1", "new"))
    assert "the tags new" in scripted.run(lambda: ghcr.delete(scripted.api("ghcr.io"), DIGEST, ["1"]))


@pytest.mark.parametrize("link", [f"{VERSIONS}?per_page=100", "https://evil.example.com/versions?page=2"])
def test_ghcr_pages_that_lead_astray(scripted: Scripted, link: str) -> None:
    """Pages in a circle or on another host are an error: whether the version is there is not known."""
    scripted.routes.get(f"{VERSIONS}?per_page=100").respond(json=[], headers={"Link": f"<{link}>; rel=next"})
    with pytest.raises(ContentError, match="the next page is"):
        scripted.run(lambda: ghcr.delete(scripted.api("ghcr.io"), DIGEST, ["1"]))
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("is_there", [True, False])
def test_ghcr_shows_no_package(scripted: Scripted, is_there: bool) -> None:
    """GitHub says 404 of a package to who may not see it: what the registry still gives has not gone."""
    for kind in ("orgs", "users"):
        scripted.routes.get(url__startswith=f"{GITHUB}/{kind}/team/packages/").respond(
            404, json={"message": "Not Found"}
        )
    scripted.routes.head(f"https://ghcr.io/v2/{NAME}/manifests/{DIGEST}").respond(200 if is_there else 404)
    if not is_there:  # perhaps to nobody alone
        scripted.routes.get("https://ghcr.io/v2/").respond(200)
    why = scripted.run(lambda: ghcr.delete(scripted.api("ghcr.io"), DIGEST, ["1"]))
    assert why == ("GitHub's API knows no such package version: " + ghcr._NEEDS if is_there else "")


def test_ghcr_page_that_is_missing(scripted: Scripted) -> None:
    """A list whose second page is "not found" does not say that the version is gone."""
    second = f"{GITHUB}/organizations/1/packages/container/sub%2Fapp/versions?per_page=100&page=2"
    scripted.routes.get(f"{VERSIONS}?per_page=100").respond(json=[], headers={"Link": f"<{second}>; rel=next"})
    scripted.routes.get(second).respond(404)
    with pytest.raises(ContentError, match="the list ends in the middle"):
        scripted.run(lambda: ghcr.delete(scripted.api("ghcr.io"), DIGEST, ["1"]))


def test_acr(scripted: Scripted) -> None:
    """Azure's API is at the registry and takes the registry's own token."""
    host = "team.azurecr.io"
    target = f"https://{host}/acr/v1/{NAME}/_tags/1"
    challenge = {"WWW-Authenticate": f'Bearer realm="https://{host}/oauth2/token",service="{host}"'}
    scripted.routes.delete(target).mock(side_effect=[httpx.Response(401, headers=challenge), httpx.Response(202)])
    scripted.routes.get(url__startswith=f"https://{host}/oauth2/token").respond(json={"access_token": "acr-token"})
    assert scripted.run(lambda: acr.untag(scripted.api(host), "1", DIGEST)) is Untagged.DONE
    assert [request.partition("?")[0] for request in scripted.requests] == [
        f"DELETE {target}",
        f"GET https://{host}/oauth2/token",
        f"DELETE {target}",
    ]


@pytest.mark.parametrize(
    ("status", "document", "outcome"),
    [
        (200, None, Untagged.DONE),
        (404, {"errors": [{"code": "NOT_FOUND", "message": "tag 1 not found"}]}, Untagged.ABSENT),
        (404, None, Untagged.NOT_OFFERED),
    ],
)
def test_harbor(scripted: Scripted, status: int, document: object, outcome: Untagged) -> None:
    """Harbor removes the tag from this artifact alone; a 404 that is not in its words is another server's."""
    path = f"/api/v2.0/projects/team/repositories/sub%252Fapp/artifacts/{DIGEST}/tags/1"
    route = scripted.routes.delete(url__startswith="https://harbor.example.com/api/v2.0/")
    route.respond(status, **({"json": document} if document else {}))  # type: ignore[arg-type]
    assert scripted.run(lambda: harbor.untag(scripted.api("harbor.example.com"), "1", DIGEST)) is outcome
    assert route.calls[0].request.url.raw_path.decode() == path
    assert route.calls[0].request.headers["authorization"] == BASIC


@pytest.mark.parametrize(
    "repository",
    [
        *("https://evil.example.com/", "/pulp/api/v3/users/1/", "/pulp/../x/", "/pulp/api/v3/repositories/", 1, None),
        *(
            f"/pulp/{way}repositories/container/container/01a22d23-7077-7bc7-b19e-f528806ffadf/"
            for way in ("../", "a//")
        ),
    ],
)
def test_pulp_names_no_repository(scripted: Scripted, repository: object) -> None:
    """Only what looks like a repository of Pulp's becomes part of an address."""
    base = "https://pulp.example.com/pulp/api/v3/distributions/container/container/"
    served = {"base_path": NAME, "repository": repository}
    scripted.routes.get(base, params={"base_path": NAME}).respond(json={"results": [served]})
    with pytest.raises(ContentError, match="does not name one repository"):
        scripted.run(lambda: pulp.untag(scripted.api("pulp.example.com"), "1", DIGEST))


@pytest.mark.parametrize("path", [f"{NAME}/more", "victim", None])
def test_pulp_serves_something_else(scripted: Scripted, path: str | None) -> None:
    """A Pulp that passes over the filter names what it serves elsewhere: nothing is removed there."""
    base = "https://pulp.example.com/pulp/api/v3/distributions/container/container/"
    where = "/pulp/api/v3/repositories/container/container/01a22d23-7077-7bc7-b19e-f528806ffadf/"
    results = [{"base_path": path, "repository": where} if path else {"repository": where}]
    scripted.routes.get(base, params={"base_path": NAME}).respond(json={"results": results})
    with pytest.raises(ContentError, match="does not name one repository"):
        scripted.run(lambda: pulp.untag(scripted.api("pulp.example.com"), "1", DIGEST))
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("untag", [docker_hub.untag, harbor.untag, pulp.untag])
def test_nobody_removes_anything(scripted: Scripted, untag: object) -> None:
    """Without a login nothing is asked."""
    with pytest.raises(Denied, match="wants a login"):
        scripted.run(lambda: untag(scripted.api("registry.example.com", login=False), "1", DIGEST))  # type: ignore[operator]
    assert scripted.requests == []


@pytest.mark.parametrize("status", [307, 308, 302])
def test_an_api_that_redirects_a_removal(scripted: Scripted, status: int) -> None:
    """A removal that is sent on to another host goes nowhere."""
    elsewhere = {"Location": "https://registry.victim.example.com/v2/app/manifests/latest"}
    scripted.routes.post(f"{HUB}/v2/auth/token").respond(json={"access_token": "hub-token"})
    scripted.routes.delete(f"{HUB}/v2/repositories/{NAME}/tags/1/").respond(status, headers=elsewhere)
    with pytest.raises(ImagesyncError):
        scripted.run(lambda: docker_hub.untag(scripted.api("docker.io"), "1", DIGEST))
    assert {request.split("/")[2] for request in scripted.requests} == {"hub.docker.com"}


REGISTRY = "https://registry.example.com"
ELSEWHERE = "https://other.example.com"


@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST", "PATCH"])
@pytest.mark.parametrize("status", [307, 308])
def test_what_changes_something_stays_at_the_registry(scripted: Scripted, method: str, status: int) -> None:
    """A request that changes something is redirected within the registry, and to nobody else."""
    client = scripted.client("registry.example.com")
    here, there = "/v2/app/manifests/1", "/gate/v2/app/manifests/1"
    scripted.routes.route(method=method, url=f"{REGISTRY}{here}").respond(status, headers={"Location": there})
    away = {"Location": f"{ELSEWHERE}{here}"}
    scripted.routes.route(method=method, url=f"{REGISTRY}{there}").respond(status, headers=away)
    with pytest.raises(Refused, match=f"sends a {method} request on to other.example.com"):
        scripted.run(lambda: client.send(method, here, doing="", scopes=SCOPES, body=b"body"))
    assert scripted.requests == [f"{method} {REGISTRY}{here}", f"{method} {REGISTRY}{there}"]


@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST"])
@pytest.mark.parametrize(
    "other",
    [
        "/v2/app/manifests/2",
        "/v2/app/blobs/1",
        "/v2/victim/manifests/latest",
        "/v2/victim/manifests/1",
        "/v2/victim/app/manifests/1",
        "/v2/victim/v2/app/manifests/1",
        "/gate/v2/victim/v2/app/manifests/1",
        "/v2/v2/app/manifests/1",
    ],
)
def test_a_change_is_not_redirected_to_another_name(scripted: Scripted, method: str, other: str) -> None:
    """A registry cannot make of the change of one tag that of another, nor of one in another repository."""
    client = scripted.client("registry.example.com")
    scripted.routes.route(method=method, url=f"{REGISTRY}/v2/app/manifests/1").respond(307, headers={"Location": other})
    with pytest.raises(Refused, match="307"):
        scripted.run(lambda: client.send(method, "/v2/app/manifests/1", doing="", scopes=SCOPES))
    assert scripted.requests == [f"{method} {REGISTRY}/v2/app/manifests/1"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("host", [REGISTRY, ELSEWHERE])
@pytest.mark.parametrize(
    "path",
    [
        "victim/manifests/latest",
        "victim/app/manifests/latest",
        "victim/manifests/latest/",
        "victim//manifests//latest",
        "victim/%6danifests/latest",
        "victim/manifests%2Flatest",
        "victim/manifests/sha256:0",
        "app/blobs/uploads/manifests/latest",
        "app/blobs/uploads/%2e%2e/%2e%2e/tags",
        "victim/manifests/blobs/uploads/%2e%2e/%2e%2e/latest",
        "victim/manifests/%2E/latest",
        "victim/%256danifests/latest",
        "victim/%25256danifests%252flatest",
        "victim/manifests;x/latest",
        "victim;x/manifests;/latest",
        "victim/manifests%3Bx/latest",
        "victim/manifests/blobs/uploads/..;/..;x/latest",
        "victim/manifests%5Clatest",
        "victim/Manifests/latest",
        "blobs/uploads/manifests/1",
        "victim/manifests/latest%3Fx/blobs/uploads/1",
        "victim/manifests/latest%23/blobs/uploads/1",
    ],
)
def test_an_upload_writes_no_manifest(scripted: Scripted, method: str, host: str, path: str) -> None:
    """A registry cannot have the bytes of a blob, which a stranger wrote, put under a tag: here or at another one."""
    client, url = scripted.client("registry.example.com"), httpx.URL(f"{host}/v2/{path}?digest=x")
    with pytest.raises(Refused, match="names a manifest as the address of an upload"):
        scripted.run(lambda: client.send(method, url, doing="", scopes=SCOPES, body=b"blob", is_upload=True))
    assert scripted.requests == []


@pytest.mark.parametrize("repository", ["manifests", "team/manifests", "manifests/manifests", "manifests/team"])
@pytest.mark.parametrize(
    "address",
    [
        "/v2/{}/blobs/uploads/1.2",
        "/v2/{}/blobs/upload/00106041-dac2-43cd-8182-3b1f7a567aa4",  # GitHub
        "/artifacts-uploads/namespaces/project/repositories/{}/uploads/AJ-x_y==",  # Google
        "/docker/registry/v2/repositories/{}/_uploads/1/data",  # distribution's storage
    ],
)
def test_a_repository_may_be_called_manifests(scripted: Scripted, repository: str, address: str) -> None:
    """Its uploads are below that name, and go there."""
    client, url = scripted.client("registry.example.com"), f"{REGISTRY}{address.format(repository)}"
    scripted.routes.put(url).respond(201)
    scripted.run(lambda: client.send("PUT", url, doing="", scopes=SCOPES, accept=(201,), body=b"blob", is_upload=True))
    assert scripted.requests == [f"PUT {url}"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_the_bytes_of_an_upload_may_go_elsewhere(scripted: Scripted, method: str) -> None:
    """The bytes of an upload follow their Location, without a login; a DELETE to the same place does not."""
    client = scripted.client("registry.example.com")
    request = httpx.Request("GET", "https://registry.example.com/v2/")
    client.login.offer(httpx.Response(401, headers={"WWW-Authenticate": "Basic realm=x"}, request=request))
    scripted.routes.route(method=method, url=f"{ELSEWHERE}/upload").respond(201)
    url = httpx.URL(f"{ELSEWHERE}/upload")

    async def work() -> None:
        await client.send(method, url, doing="", scopes=SCOPES, accept=(201,), body=b"blob", is_upload=True)
        with pytest.raises(Refused):
            await client.send("DELETE", url, doing="", scopes=SCOPES, is_upload=True)

    scripted.run(work)
    assert scripted.requests == [f"{method} {ELSEWHERE}/upload"]
    assert scripted.told(BASIC) == []


def test_a_registry_behind_a_facade(scripted: Scripted) -> None:
    """What a facade redirects to may want a token for nobody, as behind registry.k8s.io; it is told no login."""
    client = scripted.client("registry.example.com")
    scripted.routes.get(f"{REGISTRY}/v2/app/manifests/1").respond(307, headers={"Location": f"{ELSEWHERE}/v2/k/app"})
    challenge = f'Bearer realm="{ELSEWHERE}/token",service="s",scope="repository:k/app:pull"'
    answers = [httpx.Response(401, headers={"WWW-Authenticate": challenge}), httpx.Response(200)]
    scripted.routes.get(f"{ELSEWHERE}/v2/k/app").mock(side_effect=answers)
    token = scripted.routes.get(url__startswith=f"{ELSEWHERE}/token").respond(json={"token": "nobodys"})
    scripted.run(lambda: client.send("GET", "/v2/app/manifests/1", doing="", scopes=("repository:app:pull",)))
    assert token.calls[0].request.url.params["scope"] == "repository:k/app:pull"
    assert scripted.told(BASIC) == []
    assert scripted.told("nobodys") == ["other.example.com"]


def test_a_gateway_that_renames_repositories(scripted: Scripted) -> None:
    """A token is asked for what the challenge names, where that is not what we call it."""
    client = scripted.client("registry.example.com")
    challenge = f'Bearer realm="{REGISTRY}/token",service="s",scope="repository:behind/app:pull"'
    answers = [httpx.Response(401, headers={"WWW-Authenticate": challenge}), httpx.Response(200)]
    scripted.routes.get(f"{REGISTRY}/v2/app/manifests/1").mock(side_effect=answers)
    token = scripted.routes.get(url__startswith=f"{REGISTRY}/token").respond(json={"token": "t"})
    scripted.run(lambda: client.send("GET", "/v2/app/manifests/1", doing="", scopes=("repository:app:pull,push",)))
    assert token.calls[0].request.url.params["scope"] == "repository:behind/app:pull,push"


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("challenge", ["", "Basic realm=x"])
def test_hidden_from_nobody(scripted: Scripted, status: int, challenge: str) -> None:
    """A registry that says 403 or 404 to nobody is asked once more with the login that is at hand."""
    client = scripted.client("registry.example.com")
    answers = [httpx.Response(status), httpx.Response(200)]
    scripted.routes.get(f"{REGISTRY}/v2/app/manifests/1").mock(side_effect=answers)
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    scripted.routes.get(f"{REGISTRY}/v2/").respond(200, headers=headers)
    scripted.run(lambda: client.send("GET", "/v2/app/manifests/1", doing="", scopes=("repository:app:pull",)))
    assert scripted.told(BASIC) == ["registry.example.com"]


def test_hidden_from_nobody_while_a_login_is_tried(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is answered with 404 as nobody, while another request tries the login, asks once more with it as well."""
    monkeypatch.setattr(exchange, "_FIRST_ANSWER_WITHIN_S", 0.0)  # a registry that is slower than that
    client = scripted.client("registry.example.com")

    async def work() -> list[httpx.Response]:
        second_is_out = asyncio.Event()

        async def ping(request: httpx.Request) -> httpx.Response:
            await second_is_out.wait()
            return httpx.Response(200)

        def hidden(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("2"):
                second_is_out.set()
            return httpx.Response(200 if "authorization" in request.headers else 404)

        scripted.routes.get(url__regex=f"{REGISTRY}/v2/app/manifests/.").mock(side_effect=hidden)
        scripted.routes.get(f"{REGISTRY}/v2/").mock(side_effect=ping)
        paths = ("/v2/app/manifests/1", "/v2/app/manifests/2")
        return await gather(client.send("GET", path, doing="", scopes=("repository:app:pull",)) for path in paths)

    assert [response.status_code for response in scripted.run(work)] == [200, 200]


def test_a_login_that_is_of_no_use(scripted: Scripted) -> None:
    """A login that the token server refuses keeps nobody from what everybody may read, also after a 404."""
    client = scripted.client("registry.example.com")
    challenge = f'Bearer realm="{REGISTRY}/token",service="s"'
    scripted.routes.get(f"{REGISTRY}/v2/").respond(401, headers={"WWW-Authenticate": challenge})
    scripted.routes.get(url__startswith=f"{REGISTRY}/token").respond(401)
    scripted.routes.get(f"{REGISTRY}/v2/app/manifests/1").respond(404)
    scripted.routes.get(f"{REGISTRY}/v2/app/manifests/2").respond(200)

    async def work() -> httpx.Response:
        with pytest.raises(NotFound):
            await client.send("GET", "/v2/app/manifests/1", doing="", scopes=("repository:app:pull",))
        return await client.send("GET", "/v2/app/manifests/2", doing="", scopes=("repository:app:pull",))

    assert scripted.run(work).status_code == 200


@pytest.mark.parametrize("challenge", ["", f'Bearer realm="{REGISTRY}/token",service="s"'])
def test_while_a_login_of_no_use_is_tried(scripted: Scripted, challenge: str) -> None:
    """A stale login that another request tries after a 404 keeps nobody from what everybody may read meanwhile."""
    client = scripted.client("registry.example.com")

    async def work() -> int:
        is_tried, is_read = asyncio.Event(), asyncio.Event()

        async def refuse(request: httpx.Request) -> httpx.Response:
            if not is_tried.is_set():
                is_tried.set()
                await is_read.wait()
            return httpx.Response(401)

        async def answer(request: httpx.Request) -> httpx.Response:
            if "authorization" in request.headers:
                return await refuse(request)
            return httpx.Response(404 if request.url.path.endswith("1") else 200)

        if challenge:
            scripted.routes.get(url__startswith=f"{REGISTRY}/token").mock(side_effect=refuse)
        scripted.routes.get(url__regex=f"{REGISTRY}/v2/.*/manifests/.").mock(side_effect=answer)
        scripted.routes.get(f"{REGISTRY}/v2/").respond(
            401, headers={"WWW-Authenticate": challenge} if challenge else {}
        )
        hidden = client.send("GET", "/v2/app/manifests/1", doing="", scopes=("repository:app:pull",))
        lacking = asyncio.ensure_future(hidden)
        await is_tried.wait()
        response = await client.send("GET", "/v2/open/manifests/2", doing="", scopes=("repository:open:pull",))
        is_read.set()
        with pytest.raises(NotFound):
            await lacking
        return response.status_code

    assert scripted.run(work) == 200


@pytest.mark.parametrize("login", [True, False])
def test_not_there_for_anybody(scripted: Scripted, login: bool) -> None:
    """What is not there costs one request without a login, and is still not there with one."""
    client = scripted.client("registry.example.com", login=login)
    scripted.routes.get(f"{REGISTRY}/v2/app/manifests/1").respond(404)
    if login:
        scripted.routes.get(f"{REGISTRY}/v2/").respond(200)
    with pytest.raises(ImagesyncError, match="not found"):
        scripted.run(lambda: client.send("GET", "/v2/app/manifests/1", doing="", scopes=("repository:app:pull",)))
    assert len(scripted.requests) == (3 if login else 1)


def test_a_proxy_that_wants_a_login(scripted: Scripted) -> None:
    """407 is the proxy's answer, and is called so."""
    client = scripted.client("registry.example.com", login=False)
    scripted.routes.get(f"{REGISTRY}/v2/").respond(407)
    with pytest.raises(Denied, match="the proxy wants a login"):
        scripted.run(lambda: client.send("GET", "/v2/", doing="", scopes=()))


def test_a_project_that_is_missing(scripted: Scripted) -> None:
    """Harbor answers 401 without a challenge for a project that is not there: its words are passed on."""
    client = scripted.client("registry.example.com")
    errors = {"errors": [{"code": "UNAUTHORIZED", "message": "project team not found"}]}
    scripted.routes.get(f"{REGISTRY}/v2/team/app/manifests/1").respond(401, json=errors)
    with pytest.raises(Denied, match="project team not found"):
        scripted.run(lambda: client.send("GET", "/v2/team/app/manifests/1", doing="", scopes=SCOPES))
