"""Logins in variables: by host for any CI, and the tokens that GitHub and GitLab give their own jobs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from imagesync_cli.credentials import Anonymous, Credential, find_login
from imagesync_cli.credentials.environment import variable_name
from imagesync_cli.settings import Settings, read_settings
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.secret import Secret
from tests.command import imagesync
from tests.credentials.test_files import wanted
from tests.embedded_registry import Authentication, EmbeddedRegistry, Manner
from tests.embedded_registry.images import image
from tests.logins import CANARY, auth, variables, write_auths

GITHUB = {"GITHUB_TOKEN": CANARY, "GITHUB_ACTOR": "ann"}
GITLAB = {"CI_JOB_TOKEN": CANARY, "CI_REGISTRY": "registry.gitlab.example.com:5050"}
ASKED = {"IMAGESYNC_CI_LOGIN": "1"}


def find(registry: str, environ: dict[str, str]) -> Credential | Anonymous:
    settings: Settings = read_settings(environ=environ)
    return asyncio.run(find_login(wanted(registry, "team/app", settings=settings)))


@pytest.mark.parametrize(
    ("registry", "name"),
    [
        ("registry.example.com", "REGISTRY_EXAMPLE_COM"),
        ("registry.example.com:5000", "REGISTRY_EXAMPLE_COM_5000"),
        ("my-registry.example.com", "MY__REGISTRY_EXAMPLE_COM"),
        ("localhost:5000", "LOCALHOST_5000"),
        ("docker.io", "DOCKER_IO"),
    ],
)
def test_names(registry: str, name: str) -> None:
    """The variable's name is the host in capitals, with _ for dots and colons and __ for dashes."""
    assert variable_name(registry) == name
    environ = {f"IMAGESYNC_USERNAME_{name}": "ann", f"IMAGESYNC_PASSWORD_{name}": "x"}
    assert find(registry, environ) == Credential(f"IMAGESYNC_USERNAME_{name}", "ann", Secret("x"))


@pytest.mark.parametrize("other", ["a-b.example", "a.b-example", "a.b.example:1", "a--b.example", "b.example", "a.b"])
def test_look_alikes(other: str) -> None:
    """No other host's name comes to the same variable: whoever owns it would be sent the password."""
    assert isinstance(find(other, variables("a.b.example", "ann", CANARY)), Anonymous)


@pytest.mark.parametrize("name", ["IMAGESYNC_USERNAME_A_B", "IMAGESYNC_PASSWORD_A_B"])
def test_one_of_two(name: str) -> None:
    """A user name without a password, or the other way round, is an error that names what is missing."""
    with pytest.raises(UsageError, match="is set without"):
        find("a.b", {name: CANARY})


def test_a_file_comes_first(tmp_path: Path) -> None:
    """A login in a file answers before one in the variables."""
    with EmbeddedRegistry(Manner(authentication=Authentication("basic", {"ann": "x"}))) as registry:
        image().seed(registry.repository("app"), "1")
        file = write_auths(tmp_path / "auth.json", {registry.host: auth("ann", "x")})
        environ = variables(registry.host, "ann", "wrong") | {"IMAGESYNC_AUTH_FILE": str(file)}
        done = imagesync("-v", "resolve", f"{registry.host}/app:1", environ=environ)
    assert done.code == 0, done.err
    assert done.err == f"imagesync: {registry.host}: logging in with {file}\n"


def test_github() -> None:
    """The job's token is for ghcr.io alone, and only when it is asked for."""
    assert find("ghcr.io", GITHUB | ASKED) == Credential("GITHUB_TOKEN", "ann", Secret(CANARY))
    assert isinstance(find("ghcr.io", GITHUB), Anonymous)
    for other in ("ghcr.io:443", "x.ghcr.io", "ghcr.io.example.com", "docker.io"):
        assert isinstance(find(other, GITHUB | ASKED), Anonymous)


def test_gitlab() -> None:
    """The job's token is for the instance's own registry, and only when it is asked for."""
    registry = GITLAB["CI_REGISTRY"]
    assert find(registry, GITLAB | ASKED) == Credential("CI_JOB_TOKEN", "gitlab-ci-token", Secret(CANARY))
    assert isinstance(find(registry, GITLAB), Anonymous)
    assert isinstance(find("registry.gitlab.example.com", GITLAB | ASKED), Anonymous)


def test_settings_do_not_print_logins() -> None:
    """Settings can be shown in a traceback: what is secret in them is not."""
    environ = variables("a.b", "ann", CANARY) | GITHUB | {"HTTPS_PROXY": f"http://ann:{CANARY}@proxy:3128"}
    assert CANARY not in repr(read_settings(environ=environ))
