"""Who is asking, and may they: Basic, or Bearer tokens from the registry's own token endpoint.

Tokens are opaque and live in memory. Scopes are enforced per repository and action; a mount wants pull on its
source as well, else it silently becomes an upload, as with distribution.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

from tests.embedded_registry.manner import Authentication
from tests.embedded_registry.routes import NAME
from tests.embedded_registry.wire import Request, Response, json_response

Access = dict[str, set[str]]
_REPOSITORY = re.compile(rf"/v2/({NAME})/(?:manifests|blobs|tags|referrers)/.*")
_ACTIONS = {"GET": {"pull"}, "HEAD": {"pull"}, "DELETE": {"delete"}}
_WRITING = {"pull", "push"}


@dataclass
class Token:
    account: str
    access: Access
    ends_at: float


@dataclass
class Authenticator:
    """Check requests against one set of rules; remembers the tokens that it gave."""

    rules: Authentication
    host: str
    tokens: dict[str, Token] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict)

    def challenge(self, request: Request) -> Response | None:
        """Return the refusal that the request deserves, or None when it may go on."""
        if self.rules.scheme == "none":
            return None
        wanted = self._wanted(request)
        if self.rules.scheme == "basic":
            account = self._basic_account(request)
            granted = self._granted(account, wanted) if account else {}
        else:
            token = self._token(request)
            account = token.account if token else ""
            granted = token.access if token else {}
        if wanted and all(actions <= granted.get(name, set()) for name, actions in wanted.items()):
            return None
        if not wanted and (account or (self.rules.scheme == "bearer" and self._token(request))):
            return None
        return self._refusal(request, wanted)

    def revoke_tokens(self) -> None:
        """Make every token dead before its time."""
        self.tokens.clear()

    def token_endpoint(self, request: Request) -> Response:
        """Answer GET with Basic or nothing, and the OAuth2 POST with a password or refresh token."""
        form = parse_qs(bytes(request.body).decode())
        scopes = form.get("scope", [""]) if request.method == "POST" else _scopes_of(request)
        account = self._form_account(form) if request.method == "POST" else self._basic_account(request)
        if account is None or (request.method == "POST" and not account):
            return json_response(401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong credentials"}]})
        wanted = _parse_scopes(scopes)
        refused_delete = self.rules.refuses_delete_scope and any("delete" in a for a in wanted.values())
        if refused_delete or (self.rules.one_scope_only and len(wanted) > 1):
            return json_response(400, {"errors": [{"code": "UNSUPPORTED", "message": "scope not supported"}]})
        return self._issue(account, wanted, form, request)

    def _issue(self, account: str, wanted: Access, form: dict[str, list[str]], request: Request) -> Response:
        text, now = uuid.uuid4().hex, time.monotonic()
        self.tokens[text] = Token(account, self._granted(account, wanted), now + self.rules.token_life_s)
        document = {self.rules.token_field: text, "expires_in": int(self.rules.token_life_s)}
        offline = form.get("access_type") == ["offline"] or request.query.get("offline_token") == "true"
        if offline and account:
            refresh = f"refresh-{uuid.uuid4().hex}"
            self.refresh_tokens[refresh] = account
            document["refresh_token"] = refresh
        return json_response(200, document)

    def _granted(self, account: str, wanted: Access) -> Access:
        """Cut the wish down to what the account may do; nobody is told that it was cut."""
        anonymous = {"pull"} if self.rules.anonymous_pull else set()
        granted = {}
        for name, actions in wanted.items():
            rule = self.rules.allowed.get(name, "pull,push,delete")
            allowed = set(rule.split(",")) if account else anonymous
            granted[name] = actions & allowed
            if self.rules.refuses_delete_scope and "push" in granted[name]:
                granted[name] = granted[name] | {"delete"}
        return granted

    def _wanted(self, request: Request) -> Access:
        match = _REPOSITORY.fullmatch(request.path)
        return {match[1]: _ACTIONS.get(request.method, _WRITING)} if match else {}

    def _refusal(self, request: Request, wanted: Access) -> Response:
        scopes = [f"repository:{name}:{','.join(sorted(actions))}" for name, actions in wanted.items()]
        if self.rules.scheme == "basic":
            if self._basic_account(request):
                return json_response(403, {"errors": [{"code": "DENIED", "message": "not allowed"}]})
            challenge = 'Basic realm="embedded"'
        else:
            challenge = f'Bearer realm="http://{self.host}/token",service="embedded"'
            challenge += f',scope="{" ".join(scopes)}"' if scopes else ""
        headers = {"WWW-Authenticate": challenge}
        if self._token(request):
            challenge += ',error="insufficient_scope"'
            headers = {"WWW-Authenticate": challenge}
        return json_response(401, {"errors": [{"code": "UNAUTHORIZED", "message": "sign in"}]}, headers)

    def _token(self, request: Request) -> Token | None:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        token = self.tokens.get(text) if scheme.lower() == "bearer" else None
        return token if token and token.ends_at > time.monotonic() else None

    def may_pull(self, request: Request, name: str) -> bool:
        """Tell whether a mount may take from this repository."""
        if self.rules.scheme != "bearer":
            return True
        token = self._token(request)
        return token is not None and "pull" in token.access.get(name, set())

    def _basic_account(self, request: Request) -> str | None:
        """Return the account, "" for nobody, None for a wrong password."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return ""
        try:
            user, _, password = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return user if self.rules.accounts.get(user) == password else None

    def _form_account(self, form: dict[str, list[str]]) -> str | None:
        if form.get("grant_type") == ["refresh_token"]:
            return self.refresh_tokens.get(form.get("refresh_token", [""])[0])
        user, password = form.get("username", [""])[0], form.get("password", [""])[0]
        return user if user and self.rules.accounts.get(user) == password else None


def _scopes_of(request: Request) -> list[str]:
    """Return every ``scope`` of the query: the parameter may stand there several times."""
    pairs = request.target.partition("?")[2].split("&")
    return [unquote(pair[6:].replace("+", " ")) for pair in pairs if pair.startswith("scope=")]


def _parse_scopes(scopes: list[str]) -> Access:
    wanted: Access = {}
    for scope in " ".join(scopes).split():
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        if kind == "repository":
            wanted.setdefault(name, set()).update(actions.split(","))
    return wanted
