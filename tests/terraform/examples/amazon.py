"""Amazon as examples/ecr sees it: an API that creates repositories and gives logins, and a registry that holds images.

Two doubles put together: moto is the API, the embedded registry in the manner of ECR has the images. Repositories that
moto creates are there in the registry, and what concerns images (BatchDeleteImage, and whether a repository is empty)
is answered from the registry.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import TracebackType
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.embedded_registry import MANNERS, Authentication, EmbeddedRegistry, Repository, Request, host_apis
from tests.embedded_registry.routes import Call, answer

ACCOUNT, REGION = "123456789012", "eu-west-1"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
_LOGIN = Authentication("basic", {"AWS": f"{ACCOUNT}-auth-token"})  # what moto's GetAuthorizationToken gives
_JSON = [("Content-Type", "application/x-amz-json-1.1")]


class Amazon:
    """Serves while its ``with`` block lasts; ``environment`` is that of a role of the account."""

    def __init__(self) -> None:
        self.registry = EmbeddedRegistry(replace(MANNERS["ecr"], authentication=_LOGIN))
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.actions: list[str] = []
        self.environment = {
            "AWS_ACCESS_KEY_ID": "AKIATEST",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.port}",
        }

    def __enter__(self) -> Amazon:
        self.registry.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.registry.__exit__(kind, error, trace)

    @property
    def repositories(self) -> dict[str, Repository]:
        return self.registry.state.repositories

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        action = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.actions.append(action)
        wish = json.loads(body or b"{}")
        name = wish.get("repositoryName", "")
        if action == "BatchDeleteImage":
            request = Request("POST", "/", {}, {"x-amz-target": environ["HTTP_X_AMZ_TARGET"]}, body=body)
            call = Call(request, self.registry.state, self.registry.manner, HOST, lambda *_: True)
            response = answer(host_apis.routes("ecr"), call)
            start(f"{response.status} -", _JSON)
            return [bytes(response.body)]
        if action == "DeleteRepository" and self.repositories[name].manifests and not wish.get("force"):
            start("400 -", _JSON)
            return [b'{"__type": "RepositoryNotEmptyException"}']
        if action == "CreateRepository":
            self.registry.repository(name)
        if action == "DeleteRepository":
            del self.repositories[name]
        answered: Iterable[bytes] = self._moto({**environ, "wsgi.input": io.BytesIO(body)}, start)
        return answered
