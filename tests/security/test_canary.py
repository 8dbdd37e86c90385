"""A password that must not be seen appears nowhere: not in output at any verbosity, reports, errors, state or plan."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pytest

from imagesync_cli.credentials import Credential
from imagesync_cli.values.secret import Secret
from tests.command import Finished, imagesync, imagesync_process
from tests.embedded_registry import Authentication, EmbeddedRegistry, Manner
from tests.embedded_registry.faults import Fault
from tests.embedded_registry.images import image
from tests.embedded_registry.wire import Request, Response, json_response
from tests.logins import CANARY, auth, variables, write_auths
from tests.terraform.conftest import tool, tool_environment, workspace  # noqa: F401  (fixtures)
from tests.terraform.workspace import Workspace

SPELLINGS = (CANARY, base64.b64encode(f"ann:{CANARY}".encode()).decode().rstrip("="), quote(CANARY))


def assert_clean(text: str, *more: str) -> None:
    assert [spelling for spelling in (*SPELLINGS, *more) if spelling in text] == []


@dataclass
class Locked:
    """A registry that wants the canary for a password."""

    registry: EmbeddedRegistry

    @property
    def host(self) -> str:
        return self.registry.host

    def run(self, *arguments: str, stdin: str = "") -> Finished:
        return imagesync(*arguments, stdin=stdin, environ=variables(self.host, "ann", CANARY))

    def tokens(self) -> list[str]:
        return list(self.registry.authenticator.tokens)


@pytest.fixture(params=["basic", "bearer"])
def locked(request: pytest.FixtureRequest) -> Iterator[Locked]:
    rules = Authentication(request.param, {"ann": CANARY})
    with EmbeddedRegistry(Manner(authentication=rules, redirects_blobs=True)) as registry:
        image().seed(registry.repository("app"), "1")
        yield Locked(registry)


def test_every_command(locked: Locked) -> None:
    """No command, at full verbosity, with and without --json, prints the password or the token it used."""
    reference = f"{locked.host}/app:1"
    query = json.dumps({"images": json.dumps({"a": reference})})
    for arguments in (
        ["-v", "resolve", reference],
        ["-v", "resolve", "--json", reference],
        ["-v", "sync", reference, f"{locked.host}/copy:1"],
        ["-v", "sync", "--json", reference, f"{locked.host}/copy:2"],
        ["-v", "doctor", reference],
        ["-v", "doctor", "--json", reference],
        ["-v", "external"],
        ["-v", "delete", f"{locked.host}/copy:1"],
        ["-v", "delete", "--json", f"{locked.host}/copy:2"],
    ):
        done = locked.run(*arguments, stdin=query if "external" in arguments else "")
        assert done.code == 0, done.err
        assert "logging in with" in done.err
        assert_clean(done.out + done.err, *locked.tokens(), "for-this-blob-only")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 200])
def test_a_registry_that_echoes(locked: Locked, status: int) -> None:
    """A hostile registry that repeats every header in its error page gets none of it onto the screen."""
    heard: list[str] = []

    def echo(request: Request) -> Fault | None:
        login = request.headers.get("authorization")
        if login is None or request.path == "/token":
            return None
        heard.append(login)
        basic = base64.b64decode(login[6:]).decode() if login.startswith("Basic") else ""
        said = f"you sent {login} ({basic})"
        answer = {"errors": [{"code": "DENIED", "message": said}], "token": said}
        return Fault(answer=json_response(status, answer, {"X-Echo": login}))

    locked.registry.fault = echo
    for command in (["resolve"], ["doctor"]):
        done = locked.run("-v", *command, f"{locked.host}/app:1")
        assert_clean(done.out + done.err, *(login.partition(" ")[2] for login in heard))
    assert heard


@pytest.mark.parametrize(
    "header",
    [
        "Content-Type: application/PASSWORD",
        "Content-Type: application/vnd.PASSWORD+json",
        "Content-Encoding: PASSWORD",
        "Docker-Content-Digest: sha256:PASSWORD",
        "Docker-Content-Digest: PASSWORD",
        "Server: PASSWORD",
        "Location: https://PASSWORD.example.com/",
        "Location: ftp://PASSWORD/",
        "Link: <https://PASSWORD.example.com/>; rel=next",
    ],
)
def test_a_header_that_repeats(locked: Locked, header: str) -> None:
    """In whatever header a registry repeats our password, nothing that is printed has it."""
    name, _, value = header.replace("PASSWORD", CANARY).partition(": ")

    def repeat(request: Request) -> Fault | None:
        if "authorization" not in request.headers or request.path == "/token":
            return None
        status = 307 if name == "Location" else None
        return Fault(
            change=lambda answer: replace(
                answer, status=status or answer.status, headers={**answer.headers, name: value}
            )
        )

    locked.registry.fault = repeat
    reference = f"{locked.host}/app:1"
    for arguments in (["resolve", reference], ["doctor", reference], ["tags", f"{locked.host}/app", "--semver", "*"]):
        done = locked.run("-v", *arguments)
        assert_clean(done.out + done.err)


def test_a_tag_that_is_a_short_password() -> None:
    """A password too short to be looked for within words is not printed where it is a whole tag."""
    with EmbeddedRegistry(Manner(authentication=Authentication("basic", {"ann": "s3cr3t"}))) as registry:
        for tag in ("1", "s3cr3t", "s3cr3t-2"):
            image().seed(registry.repository("app"), tag)
        for more in ([], ["--json"], ["--explain"]):
            done = imagesync("tags", *more, f"{registry.host}/app", environ=variables(registry.host, "ann", "s3cr3t"))
            assert done.code == 0, done.err
            assert "***" in done.out
            assert re.findall(r"s3cr3t\b(?!-)", done.out + done.err) == []


@pytest.mark.parametrize(
    "body",
    [
        {"tags": ["1", CANARY]},
        {"tags": ["1", f"v-{CANARY}-1"]},
        {"tags": [f"not a tag {CANARY}"]},
        {"schemaVersion": 2, "mediaType": f"application/{CANARY}", "layers": []},
        {"schemaVersion": 2, "manifests": [{"mediaType": "x", "digest": f"sha256:{CANARY}", "size": 1}]},
        {
            "schemaVersion": 2,
            "manifests": [
                {
                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "digest": f"sha256:{'a' * 64}",
                    "size": 1,
                    "platform": {"os": "linux", "architecture": CANARY},
                }
            ],
        },
        {"errors": [{"code": CANARY, "message": CANARY}]},
        [CANARY],
    ],
)
def test_a_document_that_repeats(locked: Locked, body: object) -> None:
    """In whatever document a registry repeats our password, nothing that is printed has it."""

    def repeat(request: Request) -> Fault | None:
        if "authorization" not in request.headers or request.path == "/token" or request.method == "HEAD":
            return None
        return Fault(answer=json_response(200, body))

    locked.registry.fault = repeat
    reference = f"{locked.host}/app:1"
    for arguments in (
        ["resolve", "--platform", "linux/arm64", reference],
        ["check", reference, f"{locked.host}/app:2"],
        ["tags", f"{locked.host}/app", "--include", "*"],
    ):
        done = locked.run("-v", *arguments)
        assert done.code != 0
        assert_clean(done.out + done.err)


def test_signed_addresses(locked: Locked, tmp_path: Path) -> None:
    """The signature in an address that a registry redirects to is in no error, whatever happens there."""
    for location in (
        "http://127.0.0.1:1/blob?X-Amz-Signature=SIGNED",
        "ftp://storage.example.com/blob?X-Amz-Signature=SIGNED",
        "http://[::1/blob?X-Amz-Signature=SIGNED",
        "http://[::1]:99999/?X-Amz-Signature=SIGNED",
    ):

        def redirect(request: Request, location: str = location) -> Fault | None:
            wanted = request.method == "GET" and "/blobs/" in request.path and "authorization" in request.headers
            return Fault(answer=Response(307, {"Location": location})) if wanted else None

        locked.registry.fault = redirect
        done = locked.run("-v", "sync", f"{locked.host}/app:1", f"oci:{tmp_path}/copy:1")
        assert done.code != 0
        assert "SIGNED" not in done.out + done.err


def test_a_wrong_password(locked: Locked) -> None:
    """A password that is refused is not repeated in the refusal."""
    done = imagesync("-v", "resolve", f"{locked.host}/app:1", environ=variables(locked.host, "bob", CANARY))
    assert done.code == 4
    assert_clean(done.out + done.err)


def test_a_proxy_with_a_login() -> None:
    """The password in a proxy's URL is not in the error that it cannot be reached."""
    for proxy in (f"http://ann:{CANARY}@127.0.0.1:1", f"socks5://ann:{CANARY}@127.0.0.1:1", f"http://ann:{CANARY}@["):
        done = imagesync("-v", "resolve", "registry.example.com/app:1", environ={"HTTPS_PROXY": proxy})
        assert done.code != 0
        assert_clean(done.out + done.err)


def test_a_crash() -> None:
    """An unexpected error prints its own line and no traceback with values in it."""
    host = "registry.example.com"
    done = imagesync_process("-v", "resolve", f"{host}/app:1", HTTPS_PROXY="http://127.0.0.1:1", **_login(host))
    assert "Traceback" not in done.err
    assert_clean(done.out + done.err)


def _login(host: str) -> dict[str, str]:
    return variables(host, "ann", CANARY)


def test_secrets_do_not_print() -> None:
    """The type that holds a secret shows it to nobody who does not ask: not printed, formatted, compared or copied."""
    secret = Secret(CANARY)
    credential = Credential("somewhere", "ann", secret, secret, secret)
    for text in (repr(secret), str(secret), f"{secret}", repr([secret]), repr(credential), str(vars(credential))):
        assert_clean(text)
    assert_clean(repr(credential.basic))
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        secret.__reduce__()


def test_terraform(workspace: Workspace, locked: Locked, tmp_path: Path) -> None:  # noqa: F811
    """Plan file, state and everything Terraform prints, when it works and when it fails, hold no login."""
    config = write_auths(tmp_path / "docker" / "config.json", {locked.host: auth("ann", CANARY)})
    workspace._environment["DOCKER_CONFIG"] = str(config.parent)
    workspace.write({f"{locked.host}/mirror:1": f"{locked.host}/app:1"})
    said = [workspace.plan().text, workspace.apply().text]
    workspace.write({f"{locked.host}/mirror:1": f"{locked.host}/app:missing"})
    said.append(workspace.plan().text)
    locked.registry.fault = lambda request: (
        Fault(answer=json_response(500, {"errors": [{"code": "X", "message": str(request.headers)}]}))
        if request.method == "DELETE"
        else None
    )
    said.append(workspace.run("destroy", "-auto-approve").text)
    files = [path for path in workspace.folder.rglob("*") if path.is_file() and path != config]
    written = "".join(path.read_bytes().decode("latin-1") for path in files if path.stat().st_size < 1_000_000)
    assert "terraform.tfstate" in {path.name for path in files}
    assert_clean("".join(said) + written, *locked.tokens())
