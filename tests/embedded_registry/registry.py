"""The embedded registry itself: routes, state, authentication and servers put together."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any

from tests.embedded_registry import blobs, host_apis, listings, manifests, uploads
from tests.embedded_registry.authentication import Authenticator
from tests.embedded_registry.faults import FaultHook
from tests.embedded_registry.manner import Manner
from tests.embedded_registry.routes import Call, Route, answer, check_accepts_json, route
from tests.embedded_registry.server import LoopbackServer
from tests.embedded_registry.state import Repository, State
from tests.embedded_registry.wire import Request, Response, compressed


class EmbeddedRegistry:
    """A registry that runs while its ``with`` block lasts."""

    def __init__(self, manner: Manner | None = None, port: int = 0) -> None:
        self.manner = manner or Manner()
        self.state = State()
        self._server = LoopbackServer(self.handle, self.manner.delay_ms, port)
        self.storage = LoopbackServer(lambda request: blobs.get_from_storage(self.state, request))
        self.host = self._server.host
        self.authenticator = Authenticator(self.manner.authentication, self.host)
        self._routes = self._distribution_routes() + host_apis.routes(self.manner.host_api)
        self._closing = ExitStack()
        for server in (self._server, self.storage):
            self._closing.push(server)

    def __enter__(self) -> EmbeddedRegistry:
        self._server.__enter__()
        self.storage.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it, also where it has not been entered: its ports are its own from the beginning."""
        self._closing.close()

    @property
    def requests(self) -> list[Request]:
        """Every request so far, as they came; those to the storage host are in ``storage.requests``."""
        return self._server.requests

    @property
    def connections_opened(self) -> int:
        return self._server.connections_opened

    @property
    def fault(self) -> FaultHook | None:
        """Asked about each request before its body is read; see faults.py."""
        return self._server.fault

    @fault.setter
    def fault(self, hook: FaultHook | None) -> None:
        self._server.fault = hook

    def clear_requests(self) -> None:
        self._server.requests.clear()
        self.storage.requests.clear()

    def repository(self, name: str) -> Repository:
        """Return a repository to look into or to seed directly, made if need be."""
        return self.state.repository(name)

    def dump(self) -> dict[str, dict[str, Any]]:
        """Return tags, manifests and blobs by repository, comparable with ``==``."""
        return self.state.dump()

    def wait(self) -> None:
        self._server.wait()

    def handle(self, request: Request) -> Response:
        """Answer a request that came by socket, or from a test that does without."""
        if request.path == "/token" and self.manner.authentication.scheme == "bearer":
            return self.authenticator.token_endpoint(request)
        refused = self.authenticator.challenge(request)
        call = Call(request, self.state, self.manner, self.host, self.authenticator.may_pull)
        response = refused or answer(self._routes, call)
        if self.manner.deletes_later:
            headers = {"Correlation-ID": "0", "X-Registry-Supports-Signatures": "1"}
            response = replace(response, headers={**response.headers, **headers})
        if self.manner.compresses and "gzip" in request.headers.get("accept-encoding", ""):
            return compressed(response)
        return response

    def _get_blob(self, call: Call) -> Response:
        return blobs.get_blob(call, self.storage.host if self.manner.redirects_blobs else "")

    def _distribution_routes(self) -> list[Route]:
        return [
            route("/v2/?", GET=_ping),
            route(
                "/v2/NAME/manifests/(?P<target>[^/]+)",
                GET=manifests.get_manifest,
                PUT=manifests.put_manifest,
                DELETE=manifests.delete_manifest,
            ),
            route("/v2/NAME/blobs/uploads/?", POST=uploads.start_upload),
            route(
                "/v2/NAME/blobs/uploads/(?P<target>[^/]+)",
                GET=uploads.get_upload,
                PATCH=uploads.patch_upload,
                PUT=uploads.put_upload,
                DELETE=uploads.delete_upload,
            ),
            route("/v2/NAME/blobs/(?P<target>[^/]+)", GET=self._get_blob, DELETE=blobs.delete_blob),
            route("/v2/NAME/tags/list", GET=listings.list_tags),
            route("/v2/NAME/referrers/(?P<target>[^/]+)", GET=listings.list_referrers),
            route("/v2/_catalog", GET=listings.list_repositories),
        ]


def _ping(call: Call) -> Response:
    check_accepts_json(call)
    headers = {"Content-Type": "application/json"}
    if call.manner.ping_challenge:
        headers["WWW-Authenticate"] = call.manner.ping_challenge
    return Response(200, headers, b"{}")
