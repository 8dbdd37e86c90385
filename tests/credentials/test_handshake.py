"""The handshake in full: which requests a login costs, what scopes are asked for, when a token is renewed."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.command import Finished, imagesync
from tests.embedded_registry import Authentication, EmbeddedRegistry, Manner
from tests.embedded_registry.faults import Fault
from tests.embedded_registry.images import image, index
from tests.embedded_registry.wire import Request, Response
from tests.logins import auth, variables, write_auths

BEARER = Authentication("bearer", {"ann": "secret"})
Run = Callable[..., Finished]


def registry_with(rules: Authentication, **manner: object) -> EmbeddedRegistry:
    return EmbeddedRegistry(replace(Manner(authentication=rules), **manner))  # type: ignore[arg-type]


def signed_in(registry: EmbeddedRegistry, *arguments: str) -> Finished:
    return imagesync(*arguments, environ=variables(registry.host, "ann", "secret"))


def tokens(registry: EmbeddedRegistry) -> list[list[str]]:
    """The scopes of each request for a token, with and without success."""
    asked = [request for request in registry.requests if request.path == "/token"]
    return [parse_qs(request.target.partition("?")[2]).get("scope", []) for request in asked]


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_one_refusal(scheme: str) -> None:
    """Of thirty images that are asked for at once, one learns by a 401 that a login is needed."""
    with registry_with(replace(BEARER, scheme=scheme)) as registry:  # type: ignore[arg-type]
        for number in range(30):
            image().seed(registry.repository(f"app{number}"), "1")
        done = signed_in(registry, "resolve", *(f"{registry.host}/app{number}:1" for number in range(30)))
        statuses = Counter(request.status for request in registry.requests if request.method == "HEAD")
    assert done.code == 0, done.err
    assert statuses == {200: 30, 401: 1}


def test_scopes_share_a_token() -> None:
    """Thirty repositories cost a few tokens, not thirty, and each of them no more than ten scopes long."""
    with registry_with(BEARER) as registry:
        for number in range(30):
            image().seed(registry.repository(f"app{number}"), "1")
        signed_in(registry, "resolve", *(f"{registry.host}/app{number}:1" for number in range(30)))
        asked = tokens(registry)
    assert len(asked) <= 6
    assert max(map(len, asked)) <= 10
    assert sorted(itertools.chain(*asked)) == sorted(f"repository:app{number}:pull" for number in range(30))


def test_one_scope_only() -> None:
    """A server that refuses several scopes at once is asked for one each, and nothing fails."""
    with registry_with(replace(BEARER, one_scope_only=True)) as registry:
        for number in range(30):
            image().seed(registry.repository(f"app{number}"), "1")
        done = signed_in(registry, "resolve", *(f"{registry.host}/app{number}:1" for number in range(30)))
    assert done.code == 0, done.err


def test_one_denied_of_many() -> None:
    """A repository that may not be read does not take others with it, and the error names it alone."""
    with registry_with(replace(BEARER, allowed={"secret": "none"})) as registry:
        names = ["app1", "secret", "app2"]
        for name in names:
            image().seed(registry.repository(name), "1")
        done = signed_in(registry, "resolve", *(f"{registry.host}/{name}:1" for name in names))
    assert done.code == 4
    assert len(done.out.splitlines()) == 2
    assert (
        f"looking up {registry.host}/secret:1" in done.err or f"reading manifest {registry.host}/secret:1" in done.err
    )
    assert "IMAGESYNC_USERNAME_" in done.err


def test_the_scopes_of_a_mount() -> None:
    """A copy within one registry asks for push here and pull there in one token, and mounts every blob."""
    with registry_with(BEARER) as registry:
        made = image(layers=3)
        made.seed(registry.repository("app"), "1")
        done = signed_in(registry, "sync", f"{registry.host}/app:1", f"{registry.host}/copy:1")
        asked = tokens(registry)
        uploads = [request for request in registry.requests if request.method == "PUT" and "uploads" in request.path]
    assert done.code == 0, done.err
    assert ["repository:copy:pull,push", "repository:app:pull"] in asked
    assert uploads == []


def test_a_mount_with_one_scope() -> None:
    """Where only one scope is given at a time the mount becomes an upload, and the copy succeeds."""
    with registry_with(replace(BEARER, one_scope_only=True)) as registry:
        image().seed(registry.repository("app"), "1")
        done = signed_in(registry, "sync", f"{registry.host}/app:1", f"{registry.host}/copy:1")
        assert done.code == 0, done.err
        assert registry.repository("copy").tags == {"1": image().digest}


def test_a_ping_whose_challenge_names_a_repository(tmp_path: Path) -> None:
    """GHCR's challenge to a bare ping has a scope for "user/image": login and doctor ask for a token without one."""

    def as_ghcr(response: Response) -> Response:
        challenge = response.headers.get("WWW-Authenticate", "") + ',scope="repository:user/image:pull"'
        return replace(response, headers={**response.headers, "WWW-Authenticate": challenge})

    with registry_with(BEARER) as registry:
        image().seed(registry.repository("app"), "1")
        registry.fault = lambda request: Fault(change=as_ghcr) if request.path == "/v2/" else None
        login = ["login", "--username", "ann", registry.host]
        runs = [
            imagesync(*login, stdin="secret\n", environ={"HOME": str(tmp_path)}),
            signed_in(registry, "doctor", f"{registry.host}/app:1"),
        ]
        asked = tokens(registry)
    assert [done.code for done in runs] == [0, 0], [done.err for done in runs]
    assert asked[:2] == [[], []]


def test_no_delete_scope() -> None:
    """Quay refuses a scope that names delete: the same is asked for without it, and the deletion works."""
    with registry_with(replace(BEARER, refuses_delete_scope=True)) as registry:
        image().seed(registry.repository("app"), "1")
        done = signed_in(registry, "delete", f"{registry.host}/app:1")
        asked = tokens(registry)
        assert done.code == 0, done.err
        assert registry.repository("app").tags == {}
    assert asked == [["repository:app:pull,push,delete"], ["repository:app:pull,push"]]


def test_no_more_than_needed() -> None:
    """Reading asks for pull, writing for pull and push; delete is for deleting."""
    with registry_with(BEARER) as registry, EmbeddedRegistry() as source:
        image().seed(source.repository("app"), "1")
        signed_in(registry, "sync", f"{source.host}/app:1", f"{registry.host}/app:1")
        assert {scope for asked in tokens(registry) for scope in asked} == {"repository:app:pull,push"}


def test_an_identity_token(tmp_path: Path) -> None:
    """A refresh token is turned into tokens by the OAuth2 form, and never sent as a password."""
    with registry_with(BEARER) as registry:
        image().seed(registry.repository("app"), "1")
        registry.authenticator.refresh_tokens["refresh-1"] = "ann"
        file = write_auths(tmp_path / "auth.json", {registry.host: {"identitytoken": "refresh-1"}})
        done = imagesync("resolve", f"{registry.host}/app:1", environ={"IMAGESYNC_AUTH_FILE": str(file)})
        asked = [request for request in registry.requests if request.path == "/token"]
    assert done.code == 0, done.err
    assert [request.method for request in asked] == ["POST"]
    assert all("authorization" not in request.headers and "refresh-1" not in request.target for request in asked)


def test_a_registry_token(tmp_path: Path) -> None:
    """A bearer token from the file is sent as it is; nobody is asked for another one."""
    with registry_with(BEARER) as registry:
        image().seed(registry.repository("app"), "1")
        with_basic = signed_in(registry, "resolve", f"{registry.host}/app:1")
        assert with_basic.code == 0
        (token,) = registry.authenticator.tokens
        registry.clear_requests()
        file = write_auths(tmp_path / "auth.json", {registry.host: {"registrytoken": token}})
        environ = {"IMAGESYNC_AUTH_FILE": str(file)}
        assert imagesync("resolve", f"{registry.host}/app:1", environ=environ).code == 0
        assert tokens(registry) == []
        registry.authenticator.revoke_tokens()
        done = imagesync("resolve", f"{registry.host}/app:1", environ=environ)
    assert done.code == 4
    assert f"refuses the login with {file}" in done.err


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_a_wrong_password(scheme: str) -> None:
    """A wrong password is tried once, and the error says where it came from."""
    with registry_with(replace(BEARER, scheme=scheme)) as registry:  # type: ignore[arg-type]
        image().seed(registry.repository("app"), "1")
        done = imagesync("resolve", f"{registry.host}/app:1", environ=variables(registry.host, "ann", "wrong"))
        tried = [each for each in registry.requests if each.headers.get("authorization", "").startswith("Basic")]
    assert done.code == 4
    assert "with IMAGESYNC_USERNAME_127_0_0_1_" in done.err
    assert len(tried) <= 4


def test_short_lives() -> None:
    """Tokens that live a second are renewed before they die: a copy that takes longer sees no refusal but the first."""
    rules = replace(BEARER, token_life_s=1)
    made = index(layers=4, layer_size_bytes=64 * 1024)
    with EmbeddedRegistry() as source, registry_with(rules, delay_ms=40) as registry:
        made.seed(source.repository("app"), "1")
        done = signed_in(registry, "sync", f"{source.host}/app:1", f"{registry.host}/app:1")
        statuses = Counter(request.status for request in registry.requests)
        assert done.code == 0, done.err
        assert registry.repository("app").tags == {"1": made.digest}
    assert statuses[401] <= 3


@pytest.mark.parametrize("phase", ["POST", "PUT", "HEAD"])
def test_a_token_that_dies_early(phase: str) -> None:
    """A token that dies in the middle of anything, an upload's body too, is renewed once and the request sent again."""
    made = image(layers=3, layer_size_bytes=256 * 1024)
    with EmbeddedRegistry() as source, registry_with(BEARER) as registry:
        made.seed(source.repository("app"), "1")
        deaths: list[Request] = []

        def revoke(request: Request) -> Fault | None:
            if request.method == phase and "authorization" in request.headers and not deaths:
                deaths.append(request)
                registry.authenticator.revoke_tokens()
            return None

        registry.fault = revoke
        done = signed_in(registry, "sync", f"{source.host}/app:1", f"{registry.host}/app:1")
        assert done.code == 0, done.err
        assert registry.repository("app").tags == {"1": made.digest}
        assert deaths


def test_an_early_401_during_an_upload() -> None:
    """A registry that answers 401 without reading the body, and closes, gets the body again with a new token."""
    made = image(layers=1, layer_size_bytes=8 * 1024 * 1024)
    with EmbeddedRegistry() as source, registry_with(BEARER) as registry:
        made.seed(source.repository("app"), "1")
        refused: list[Request] = []

        def refuse(request: Request) -> Fault | None:
            if request.method != "PUT" or "uploads" not in request.path or refused:
                return None
            refused.append(request)
            registry.authenticator.revoke_tokens()
            realm = f'Bearer realm="http://{registry.host}/token",service="embedded"'
            return Fault(answer=Response(401, {"WWW-Authenticate": realm}), unread=True)

        registry.fault = refuse
        done = signed_in(registry, "sync", f"{source.host}/app:1", f"{registry.host}/app:1")
        assert done.code == 0, done.err
        assert registry.repository("app").tags == {"1": made.digest}
        assert refused


def test_two_accounts_on_one_registry(tmp_path: Path) -> None:
    """--src-auth-file and --dst-auth-file log each side of a copy in as somebody else, on the same registry."""
    rules = Authentication("basic", {"reader": "r", "writer": "w"})
    with registry_with(rules) as registry:
        image().seed(registry.repository("app"), "1")
        reader = write_auths(tmp_path / "reader.json", {registry.host: auth("reader", "r")})
        writer = write_auths(tmp_path / "writer.json", {registry.host: auth("writer", "w")})
        options = ("--src-auth-file", str(reader), "--dst-auth-file", str(writer))
        done = imagesync("-v", "sync", f"{registry.host}/app:1", f"{registry.host}/copy:1", *options)
        sent = {(each.method, each.headers["authorization"]) for each in registry.requests if each.status < 300}
    assert done.code == 0, done.err
    assert {login for method, login in sent if method == "PUT"} == {f"Basic {auth('writer', 'w')['auth']}"}
    assert ("GET", f"Basic {auth('reader', 'r')['auth']}") in sent
    assert f"logging in with {reader}" in done.err
    assert f"logging in with {writer}" in done.err


def test_accounts_by_path(tmp_path: Path) -> None:
    """Repositories with logins of their own are read with them, in one run."""
    rules = Authentication("basic", {"ann": "a", "bob": "b"})
    with registry_with(rules) as registry:
        for name in ("team/app", "other/app"):
            image().seed(registry.repository(name), "1")
        keys = {registry.host: auth("ann", "a"), f"{registry.host}/team": auth("bob", "b")}
        file = write_auths(tmp_path / "auth.json", keys)
        references = [f"{registry.host}/{name}:1" for name in ("team/app", "other/app")]
        done = imagesync("resolve", *references, environ={"IMAGESYNC_AUTH_FILE": str(file)})
        sent = {
            each.path.split("/")[2]: each.headers["authorization"] for each in registry.requests if each.status == 200
        }
    assert done.code == 0, done.err
    assert sent == {"team": f"Basic {auth('bob', 'b')['auth']}", "other": f"Basic {auth('ann', 'a')['auth']}"}


def test_nobody_is_logged_in() -> None:
    """Without any login the error says how to get one; -v says that the request went on anonymously."""
    with registry_with(BEARER) as registry:
        image().seed(registry.repository("app"), "1")
        done = imagesync("resolve", "-v", f"{registry.host}/app:1")
    assert done.code == 4
    assert f"docker login {registry.host}" in done.err
    assert "going on anonymously" in done.err


def test_a_token_server_in_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token server that fails for a while is asked again, and one that asks for time gets it."""
    waits: list[float] = []

    async def pause(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("imagesync_cli.stores.transport.retry.pause", pause)
    with registry_with(BEARER) as registry:
        image().seed(registry.repository("app"), "1")
        answers = iter([Response(503), Response(429, {"Retry-After": "7"})])

        def fail(request: Request) -> Fault | None:
            answer = next(answers, None) if request.path == "/token" else None
            return Fault(answer=answer) if answer else None

        registry.fault = fail
        done = signed_in(registry, "resolve", f"{registry.host}/app:1")
    assert done.code == 0, done.err
    assert 7 in waits
