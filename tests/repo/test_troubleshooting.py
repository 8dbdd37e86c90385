"""The page of troubles is found by what one sees: every text on it is one that really appears."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imagesync_cli.values.errors import ImagesyncError
from tests.command import imagesync
from tests.embedded_registry import Authentication, EmbeddedRegistry, Manner
from tests.embedded_registry.faults import Fault, refusal
from tests.embedded_registry.images import image
from tests.logins import variables
from tests.peers import free_host
from tests.repo.checkout import ROOT
from tests.security.authority import Authority
from tests.security.relay import TlsFront

PAGE = (ROOT / "docs/troubleshooting.md").read_text("utf-8")


def headings(*parts: str) -> list[str]:
    """The headings below these."""
    sections = re.split(r"^## (.+)\n", PAGE, flags=re.MULTILINE)
    by_name = dict(zip(sections[1::2], sections[2::2], strict=True))
    return [each for part in parts for each in re.findall(r"^### (.+)$", by_name[part], re.MULTILINE)]


def every(error: type[ImagesyncError]) -> Iterator[type[ImagesyncError]]:
    yield error
    for child in error.__subclasses__():
        yield from every(child)


def test_every_error_has_its_section() -> None:
    """Whoever reads an error's name in JSON finds what to do under just that name, and its exit code is right."""
    names = {each.name: each.exit_code for each in every(ImagesyncError)}
    assert set(headings("Errors by name")) == names.keys()
    told = re.findall(r"^### ([a-z-]+)\n\nExit code (\d+)\.", PAGE, re.MULTILINE)
    assert dict(told) == {name: str(code) for name, code in names.items()}


def test_the_page_of_exit_codes_links_to_each() -> None:
    """From an exit code one comes to what to do."""
    page = (ROOT / "docs/reference/exit-codes.md").read_text("utf-8")
    for error in every(ImagesyncError):
        assert f"[`{error.name}`](../troubleshooting.md#{error.name})" in page


def seen_with(manner: Manner, **login: str) -> str:
    with EmbeddedRegistry(manner) as registry:
        image("1").seed(registry.repository("up"), "1")
        image("2").seed(registry.repository("down"), "1")
        environ = variables(registry.host, **login) if login else {}
        return imagesync("sync", f"{registry.host}/up:1", f"{registry.host}/down:1", environ=environ).err


def seen_at(fault: Fault | None, tag: str = "1") -> str:
    with EmbeddedRegistry() as registry:
        image("1").seed(registry.repository("up"), "1")
        registry.fault = lambda _: fault
        return imagesync("resolve", f"{registry.host}/up:{tag}").err


def not_trusted(folder: Path) -> str:
    authority = Authority(folder)
    with EmbeddedRegistry() as registry, TlsFront(registry.host, authority.server_context("127.0.0.1")) as front:
        return imagesync("resolve", f"{front.host}/app:1").err


def proxy_login() -> str:
    with EmbeddedRegistry() as registry:
        registry.fault = lambda _: refusal(407)
        return imagesync(
            "resolve", "r.invalid/a:1", "--plain-http", "r.invalid", environ={"HTTP_PROXY": f"http://{registry.host}"}
        ).err


def speaks_http() -> str:
    with EmbeddedRegistry() as registry:
        port = registry.host.rpartition(":")[2]
        name = f"registry.example.com:{port}"
        return imagesync("resolve", f"{name}/a:1", environ={"HTTPS_PROXY": f"http://{registry.host}"}).err


def no_pulls_left(folder: Path) -> str:
    with EmbeddedRegistry() as registry:
        image("1").seed(registry.repository("up"), "1")
        told = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "0;w=21600"}
        registry.fault = lambda request: refusal(429, "TOOMANYREQUESTS", told) if request.method == "GET" else None
        return imagesync("sync", f"{registry.host}/up:1", f"oci:{folder}/layout:1").err


BASIC = replace(Manner(), authentication=Authentication("basic", {"ann": "a-password"}))
CASES: dict[str, Callable[[Path], str]] = {
    "there is no host": lambda _: imagesync("resolve", "registry.invalid/a:1").err,
    "no answer from": lambda _: imagesync("resolve", f"{free_host()}/a:1").err,
    "is not trusted": not_trusted,
    "the proxy wants a login (407)": lambda _: proxy_login(),
    "wants a login": lambda _: seen_with(BASIC),
    "refuses the login": lambda _: seen_with(BASIC, username="ann", password="another"),
    "the registry answers 403": lambda _: seen_at(refusal(403, "DENIED")),
    "not found (404)": lambda _: seen_at(None, tag="2"),
    "it asks to wait": lambda _: seen_at(refusal(429, "TOOMANYREQUESTS", {"Retry-After": "3600"})),
    "pulls in": no_pulls_left,
    "because the repository is immutable": lambda _: seen_with(replace(Manner(), immutable_tags=True)),
}
# What needs a machine of its own: tests/security/test_tls.py, and tests/terraform/test_troubleshooting.py.
ELSEWHERE = {"does not speak TLS"}


@pytest.mark.parametrize("text", headings("Reaching a registry", "Logging in", "At the registry"))
def test_the_text_is_what_one_sees(text: str, tmp_path: Path, pauses: list[float]) -> None:
    """Each heading is a part of an error that imagesync prints in that case."""
    if text not in ELSEWHERE:
        assert text in CASES[text](tmp_path)
