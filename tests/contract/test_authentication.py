"""Signing in to the embedded registry: Basic, and Bearer tokens with their scopes and lives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.embedded_registry import Authentication, EmbeddedRegistry, Manner

ACCOUNTS = {"ann": "secret"}
ANN = ("ann", "secret")
TAGS = "/v2/a/b/tags/list"


@contextmanager
def _running(rules: Authentication) -> Iterator[tuple[EmbeddedRegistry, httpx.Client]]:
    with EmbeddedRegistry(Manner(authentication=rules)) as registry:
        registry.repository("a/b")
        with httpx.Client(base_url=f"http://{registry.host}", trust_env=False) as client:
            yield registry, client


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_basic() -> None:
    """The right password opens, a wrong or no password does not."""
    with _running(Authentication("basic", ACCOUNTS)) as (_, client):
        assert client.get(TAGS).headers["WWW-Authenticate"].startswith("Basic")
        assert client.get(TAGS, auth=("ann", "wrong")).status_code == 401
        assert client.get(TAGS, auth=ANN).status_code == 200
        assert client.get("/v2/", auth=ANN).status_code == 200
        assert client.get("/v2/").status_code == 401


def test_bearer() -> None:
    """The challenge names realm, service and scope; a token for that scope opens, until it is revoked."""
    with _running(Authentication("bearer", ACCOUNTS)) as (registry, client):
        challenge = client.get(TAGS).headers["WWW-Authenticate"]
        parts = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        assert parts["scope"] == "repository:a/b:pull"
        answer = client.get(parts["realm"], params={"scope": parts["scope"]}, auth=ANN)
        token = answer.json()["token"]
        assert client.get(TAGS, headers=_bearer(token)).status_code == 200
        assert client.post("/v2/a/b/blobs/uploads/", headers=_bearer(token)).status_code == 401
        registry.authenticator.revoke_tokens()
        assert client.get(TAGS, headers=_bearer(token)).status_code == 401


def test_refresh_token() -> None:
    """The OAuth2 POST gives a refresh token for a password, and a token for a refresh token."""
    with _running(Authentication("bearer", ACCOUNTS)) as (_, client):
        scope = "repository:a/b:pull,push"
        form = {"grant_type": "password", "username": "ann", "password": "secret", "access_type": "offline"}
        refresh = client.post("/token", data={**form, "scope": scope}).json()["refresh_token"]
        form = {"grant_type": "refresh_token", "refresh_token": refresh, "scope": scope}
        token = client.post("/token", data=form).json()["token"]
        assert client.post("/v2/a/b/blobs/uploads/", headers=_bearer(token)).status_code == 202
        assert client.post("/token", data={**form, "refresh_token": "x"}).status_code == 401


@pytest.mark.parametrize(("anonymous", "status"), [(True, 200), (False, 401)])
def test_anonymous_pull(anonymous: bool, status: int) -> None:
    """Without an account there is a token, which opens only what is public."""
    with _running(Authentication("bearer", ACCOUNTS, anonymous_pull=anonymous)) as (_, client):
        token = client.get("/token", params={"scope": "repository:a/b:pull"}).json()["token"]
        assert client.get(TAGS, headers=_bearer(token)).status_code == status


def test_delete_scope_refused() -> None:
    """As at Quay, a scope with delete is an error and one with push may delete."""
    rules = Authentication("bearer", ACCOUNTS, refuses_delete_scope=True)
    with _running(rules) as (_, client):
        query = {"scope": "repository:a/b:pull,push,delete"}
        assert client.get("/token", params=query, auth=ANN).status_code == 400
        query = {"scope": "repository:a/b:pull,push"}
        token = client.get("/token", params=query, auth=ANN).json()["token"]
        assert client.delete("/v2/a/b/manifests/x", headers=_bearer(token)).status_code == 404


def test_mount_needs_pull_on_its_source() -> None:
    """Without a scope for the source, a mount becomes an upload."""
    with _running(Authentication("bearer", ACCOUNTS)) as (registry, client):
        digest = registry.repository("a/b").add_blob(b"content")
        scopes = ["repository:c/d:pull,push", "repository:a/b:pull"]
        for wanted, status in ((scopes[:1], 202), (scopes, 201)):
            token = client.get("/token", params={"scope": wanted}, auth=ANN).json()["token"]
            query = {"mount": digest, "from": "a/b"}
            answer = client.post("/v2/c/d/blobs/uploads/", params=query, headers=_bearer(token))
            assert answer.status_code == status


def test_dead_token() -> None:
    """A token is worth nothing once its life is over."""
    with _running(Authentication("bearer", ACCOUNTS, token_life_s=0)) as (_, client):
        token = client.get("/token", params={"scope": "repository:a/b:pull"}, auth=ANN).json()["token"]
        assert client.get(TAGS, headers=_bearer(token)).status_code == 401
