"""From a request to the answer of a registry: finds the route, keeps the lock, turns refusals into answers.

The rules of each thing are beside it: manifests.py, blobs.py, uploads.py, listings.py, host_apis.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.embedded_registry.manner import NAME_UNKNOWN, Manner, Refusal
from tests.embedded_registry.state import Repository, State
from tests.embedded_registry.wire import Request, Response, json_response

NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"


class RefusedError(Exception):
    """The answer is an error in the registry's form."""

    def __init__(self, refusal: Refusal, *subjects: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(refusal.code)
        self.refusal, self.subjects, self.headers = refusal, subjects or ("",), headers

    def response(self) -> Response:
        if not self.refusal.code:
            return error_page(self.refusal.status)
        errors = [
            {
                "code": self.refusal.code,
                "message": self.refusal.message.replace("%s", subject),
                "detail": subject,
            }
            for subject in self.subjects
        ]
        return json_response(self.refusal.status, {"errors": errors}, self.headers)


def refuse(status: int, code: str, message: str = "", headers: dict[str, str] | None = None) -> RefusedError:
    return RefusedError(Refusal(status, code, message), headers=headers)


def error_page(status: int) -> Response:
    """Make the web page that a framework shows for an error (Pulp)."""
    content = f"<!doctype html>\n<title>Error ({status})</title>\n".encode()
    return Response(status, {"Content-Type": "text/html; charset=utf-8"}, content)


def no_such_route(manner: Manner) -> Response:
    if manner.error_pages:
        return error_page(404)
    return Response(404, {"Content-Type": "text/plain; charset=utf-8"}, b"404 page not found\n")


@dataclass(frozen=True)
class Call:
    """A request with what its route made of it and the registry that it concerns."""

    request: Request
    state: State
    manner: Manner
    host: str
    may_pull: Callable[[Request, str], bool]
    name: str = ""
    target: str = ""

    @property
    def known_repository(self) -> Repository:
        """The repository; refuses when there is none of this name."""
        try:
            return self.state.repositories[self.name]
        except KeyError:
            raise RefusedError(self.manner.unknown or NAME_UNKNOWN, self.name) from None

    def address(self, path: str) -> str:
        """Write a path as this registry writes its Locations."""
        return f"http://{self.host}{path}" if self.manner.location == "absolute" else path

    def stored(self, path: str, digest: str) -> dict[str, str]:
        """Make the headers that tell of something stored."""
        headers = {"Location": self.address(path)} if self.manner.names_location else {}
        return {**headers, "Docker-Content-Digest": digest}

    def find_blob(self, digest: str) -> bytes | None:
        """Return a blob that this repository has, or any, where the registry shares them."""
        repositories = self.state.repositories
        names = list(repositories) if self.manner.shares_blobs else [self.name]
        found = (repositories[name].blobs.get(digest) for name in names if name in repositories)
        return next((content for content in found if content is not None), None)

    @property
    def writable_repository(self) -> Repository:
        """The repository, made by the first write unless this registry wants it made beforehand."""
        return (
            self.known_repository if self.manner.creates_repositories == "never" else self.state.repository(self.name)
        )


def check_accepts_json(call: Call) -> None:
    """Refuse a request for JSON that does not take any, where that is a refusal."""
    accepted = call.request.headers.get("accept", "*/*")
    if call.manner.json_only and not re.search(r"\*/\*|application/(\*|json)", accepted):
        raise refuse(406, "UNSUPPORTED", "Could not satisfy the request Accept header.")


Route = tuple[re.Pattern[str], dict[str, Callable[[Call], Response]]]


def route(pattern: str, **handlers: Callable[[Call], Response]) -> Route:
    """Name the handler of each method for the paths that the pattern matches (groups name and target)."""
    return re.compile(pattern.replace("NAME", f"(?P<name>{NAME})")), handlers


def answer(routes: list[Route], call: Call) -> Response:
    """Find the route of the request and let its handler answer."""
    for pattern, handlers in routes:
        match = pattern.fullmatch(call.request.path)
        if match is None:
            continue
        handler = handlers.get(call.request.method) or handlers.get(_reading(call.request.method))
        if handler is None:
            return json_response(405, {"errors": [{"code": "UNSUPPORTED", "message": "method not allowed"}]})
        groups = match.groupdict(default="")
        found = replace(call, name=groups.get("name", ""), target=groups.get("target", ""))
        try:
            _check_project(found)
            with call.state.lock:
                call.state.do_what_is_due()
                return handler(found)
        except RefusedError as refused:
            return refused.response()
    return no_such_route(call.manner)


def _check_project(call: Call) -> None:
    project, projects = call.name.partition("/")[0], call.manner.projects
    if call.name and projects is not None and project not in projects:
        raise refuse(401, "UNAUTHORIZED", f"project {project} not found")


def _reading(method: str) -> str:
    return "GET" if method == "HEAD" else ""
