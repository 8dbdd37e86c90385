"""What a registry's refusal means: read once, here, so that nobody above knows a status or a code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import httpx

from imagesync_cli.stores.transport.http import read_all, retry_after_s
from imagesync_cli.stores.transport.proxy import wants_login
from imagesync_cli.stores.transport.retry import status_may_pass
from imagesync_cli.values.errors import ContentError, Denied, Gone, ImagesyncError, NotFound, Refused, Unavailable
from imagesync_cli.values.secret import redacted

_MOST_ERRORS = 10
_CHANGING = frozenset({"PUT", "DELETE", "POST", "PATCH"})
_IMMUTABLE_HINT = (
    "allow this tag to change there, or mirror each version under a tag of its own; overwrite = never says so at plan"
)
_READ_ONLY_HINT = "it may be a cache, or be set to read-only: name a registry that takes uploads"
# What tells of an error in JSON that is not the registries' own, the most telling first.
_TEXTS = ("message", "details", "detail", "error", "title")
# What those answer to HEAD that know GET alone.
_KNOWS_NO_HEAD = frozenset({400, 405, 501})
# What registries call a thing that they do not have. Any web server may answer 404; these words only a registry says.
_UNKNOWN = frozenset(
    {"NAME_UNKNOWN", "REPOSITORY_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "TAG_EXPIRED", "NOT_FOUND"}
)


async def refusal(response: httpx.Response, method: str, elsewhere: str = "") -> ImagesyncError:
    """Our error for a status that was not expected; ``elsewhere`` is the host that the registry has sent us on to."""
    errors = await read_errors(response) if method != "HEAD" else []
    await response.aclose()
    status = response.status_code
    who = f"{elsewhere}, to which the registry sends on," if elsewhere else "the registry"
    answer = "not found (404)" if status == 404 and not elsewhere else f"{who} answers {status}"
    said = "; ".join([answer, *spelled(errors)])
    codes = frozenset(code for code, _ in errors if code)
    error: ImagesyncError
    if status == 405 and method in _CHANGING - {"DELETE"}:  # distribution: maintenance.readonly, or proxy
        error = Refused(said, hint=_READ_ONLY_HINT, status=status)
    elif method in _CHANGING and any("immutable" in text.lower() for _, text in errors):
        # ECR 400 TAG_INVALID, Harbor 412 PRECONDITION, Quay 409, Artifact Registry 400: no two say it by the same code.
        error = Refused(f"the tag is immutable at the registry: {said}", hint=_IMMUTABLE_HINT, status=status)
    else:
        error = _by_status(status, said, codes, retry_after_s(response.headers.get("retry-after", "")))
    error.codes = codes
    return error


def spelled(errors: Iterable[tuple[str, str]]) -> list[str]:
    """What ``read_errors`` has read, as it is shown."""
    return [f"{code}: {text}" if code else text for code, text in errors]


def _by_status(status: int, said: str, codes: frozenset[str], wait_s: float | None) -> ImagesyncError:
    if status_may_pass(status):
        if wait_s is not None:
            said = f"{said}; it asks to wait {wait_s:.0f} s"
        return Unavailable(said, retry_after_s=wait_s, status=status)
    if status == 404:
        return Gone(said) if codes & _UNKNOWN else NotFound(said)
    if status in (401, 403):
        return Denied(said)
    if status == 407:
        return wants_login()
    return Refused(said, status=status)


def may_answer_get(error: Denied | Refused) -> bool:
    """Whether what answers HEAD so may know or allow GET alone; a real refusal is repeated there, with its reason."""
    return isinstance(error, Denied) or error.status in _KNOWS_NO_HEAD


async def read_ahead(response: httpx.Response) -> httpx.Response:
    """The same refusal with its body read: it keeps no connection from what has to be asked before it counts."""
    try:
        content = await read_all(response)
    except ImagesyncError:
        content = b""  # as in read_errors
    stream = httpx.ByteStream(content)
    return httpx.Response(response.status_code, headers=response.headers, stream=stream, request=response.request)


async def read_errors(response: httpx.Response) -> list[tuple[str, str]]:
    """Codes and messages in an error body, safe for a terminal and a log (distribution-spec, Error Codes).

    What is said in another form has no code.
    """
    try:
        content = await read_all(response)
    except ImagesyncError:
        return []  # too long or cut off: the status alone has to tell
    try:
        errors = json.loads(content)["errors"]
        said = [(str(error.get("code") or ""), str(error.get("message") or "")) for error in errors[:_MOST_ERRORS]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        said = [("", text) for text in _in_other_forms(content, response)]
    return [(_printable(code), _printable(text)) for code, text in said]


async def read_codes(response: httpx.Response) -> frozenset[str]:
    """The codes alone."""
    return frozenset(code for code, _ in await read_errors(response))


def _in_other_forms(content: bytes, response: httpx.Response) -> Iterator[str]:
    """What Docker Hub, gateways and web frameworks say in forms of their own; a web page says nothing."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        is_text = response.headers.get("content-type", "").startswith("text/plain")
        if is_text and response.status_code != 404:  # "404 page not found" says no more than the status
            yield content.decode(errors="replace").strip().partition("\n")[0]
        return
    if isinstance(told, dict):
        nested = told.get("error")
        told = nested if isinstance(nested, dict) else told
        yield from [told[name] for name in _TEXTS if isinstance(told.get(name), str)][:1]


def note_encoding(error: ImagesyncError, response: httpx.Response) -> None:
    """Say of wrong bytes that they came encoded, if they did.

    That alone is no error: S3 leaves "aws-chunked" on what it has stored, and some servers say "utf-8" or nothing.
    """
    encoding = response.headers.get("content-encoding", "identity")
    if isinstance(error, ContentError) and encoding.lower() not in ("identity", ""):
        error.hint = f"{response.url.host} encodes the answer as {_printable(encoding)}, which nobody asked for"


def _printable(text: str) -> str:
    """A server's text without what a terminal would obey, cut to a line."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in redacted(text)[:300])
