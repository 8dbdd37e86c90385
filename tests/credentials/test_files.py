"""Logins in files of Docker's and Podman's form: which entry answers, and what a broken file comes to."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from imagesync_cli.credentials import Anonymous, Credential, Wanted, account, find_login
from imagesync_cli.settings import Settings, read_settings
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.secret import Secret
from tests.command import imagesync
from tests.embedded_registry import Authentication, EmbeddedRegistry, Manner
from tests.embedded_registry.images import image
from tests.logins import CANARY, auth, write_auths

HOST = "registry.example.com"


async def no_post(url: str, form: Mapping[str, str]) -> tuple[int, bytes]:
    raise AssertionError(f"{url} was asked")


def wanted(registry: str, repository: str, *files: Path, settings: Settings | None = None) -> Wanted:
    return Wanted(registry, repository, files, settings or Settings(), no_post, {})


def find(registry: str, *files: Path, repository: str = "team/app") -> Credential | Anonymous:
    return asyncio.run(find_login(wanted(registry, repository, *files)))


def username(login: Credential | Anonymous) -> str:
    return login.username if isinstance(login, Credential) else ""


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (auth("ann", "a:b c"), Credential("", "ann", Secret("a:b c"))),
        ({"username": "ann", "password": "x"}, Credential("", "ann", Secret("x"))),
        ({**auth("ann", ""), "identitytoken": "refresh"}, Credential("", "ann", identity_token=Secret("refresh"))),
        ({"identitytoken": "refresh"}, Credential("", identity_token=Secret("refresh"))),
        ({"registrytoken": "bearer"}, Credential("", registry_token=Secret("bearer"))),
    ],
)
def test_entries(tmp_path: Path, entry: dict[str, str], expected: Credential) -> None:
    """Passwords, identity tokens and registry tokens are all understood, as Docker writes them."""
    found = find(HOST, write_auths(tmp_path / "config.json", {HOST: entry}))
    assert isinstance(found, Credential)
    assert found.source == str(tmp_path / "config.json")
    assert (found.username, found.password) == (expected.username, expected.password)
    assert (found.identity_token, found.registry_token) == (expected.identity_token, expected.registry_token)


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        (HOST, HOST),
        (f"https://{HOST}", HOST),
        (f"https://{HOST}/v1/", HOST),
        (f"http://{HOST}/v2/", HOST),
        (HOST.upper(), HOST),
        (f"{HOST}:5000", f"{HOST}:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
    ],
)
def test_keys(tmp_path: Path, key: str, registry: str) -> None:
    """A key may be the host, or a URL as older clients write it; Docker Hub has several names."""
    assert username(find(registry, write_auths(tmp_path / "f", {key: auth("ann", "x")}))) == "ann"


@pytest.mark.parametrize(
    "key",
    [
        f"https://evil.example.com/https://{HOST}",
        f"https://https://{HOST}",
        f"ftp://{HOST}",
        f"://{HOST}",
        f"https://ann@{HOST}",
        f"{HOST}:443",
        f"x{HOST}",
        f"{HOST}.evil.example",
        f"example.com/{HOST}",
        "",
        f"{HOST}/other",
        f"{HOST}/tea",
    ],
)
def test_keys_of_others(tmp_path: Path, key: str) -> None:
    """A login for another port, host or path is not taken for ours."""
    assert isinstance(find(HOST, write_auths(tmp_path / "f", {key: auth("ann", "x")})), Anonymous)


@pytest.mark.parametrize(
    ("repository", "expected"),
    [("team/app", "app"), ("team/app/sub", "app"), ("team/other", "team"), ("teams", "host"), ("team", "team")],
)
def test_the_longest_path(tmp_path: Path, repository: str, expected: str) -> None:
    """Podman's keys may name a path: the longest one that the repository lies in answers."""
    keys = {HOST: "host", f"{HOST}/team": "team", f"{HOST}/team/app": "app"}
    file = write_auths(tmp_path / "auth.json", {key: auth(name, "x") for key, name in keys.items()})
    assert username(find(HOST, file, repository=repository)) == expected


@pytest.mark.parametrize("content", ["", "\n", " \n\t"])
def test_an_empty_file(tmp_path: Path, content: str) -> None:
    """A file that somebody only made, such as /dev/null in a container, knows nobody."""
    (tmp_path / "config.json").write_text(content)
    assert isinstance(find(HOST, tmp_path / "config.json"), Anonymous)
    assert isinstance(find(HOST, Path(os.devnull)), Anonymous)


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_a_login_in_lines(tmp_path: Path, line_break: str) -> None:
    """An auth that was broken into lines, as base64 programs do, is read as Docker reads it."""
    entry = auth("ann", CANARY)
    entry["auth"] = line_break.join([entry["auth"][:10], entry["auth"][10:], ""])
    found = find(HOST, write_auths(tmp_path / "f", {HOST: entry}))
    assert isinstance(found, Credential)
    assert (found.username, found.password) == ("ann", Secret(CANARY))


def test_equal_accounts(tmp_path: Path) -> None:
    """Repositories without a login of their own share one, and one handshake."""
    file = write_auths(tmp_path / "auth.json", {HOST: auth("ann", "x"), f"{HOST}/team": auth("bob", "x")})
    assert account(wanted(HOST, "a", file)) == account(wanted(HOST, "b/c", file)) == ""
    assert account(wanted(HOST, "team/x", file)) == account(wanted(HOST, "team/y", file)) == "team"


def test_the_order_of_files(tmp_path: Path) -> None:
    """A file that was named comes first, then Docker's, then Podman's; the first that knows the host answers."""
    home, run = tmp_path / "home", tmp_path / "run"
    files = [
        tmp_path / "imagesync.json",
        tmp_path / "registry.json",
        home / ".docker" / "config.json",
        run / "containers" / "auth.json",
        home / ".config" / "containers" / "auth.json",
    ]
    environ = {
        "IMAGESYNC_AUTH_FILE": str(files[0]),
        "REGISTRY_AUTH_FILE": str(files[1]),
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(run),
    }
    settings = read_settings(environ=environ)
    assert settings.auth_files == tuple(files)
    for number, file in enumerate(files):
        write_auths(file, {f"host{number}": auth(f"user{number}", "x"), "shared": auth(f"user{number}", "x")})
    for number in range(len(files)):
        assert username(find(f"host{number}", *settings.auth_files)) == f"user{number}"
    assert username(find("shared", *settings.auth_files)) == "user0"


def test_docker_config_elsewhere(tmp_path: Path) -> None:
    """DOCKER_CONFIG names the folder that is used instead of ~/.docker."""
    docker, home = tmp_path / "docker", tmp_path / "home"
    settings = read_settings(environ={"DOCKER_CONFIG": str(docker), "HOME": str(home)})
    assert settings.auth_files[0] == docker / "config.json"
    assert home / ".docker" / "config.json" not in settings.auth_files


@pytest.mark.parametrize(
    "content",
    [
        "{",
        '{"auths": {"HOST": {"auth": "CANARY',
        "[]",
        '{"auths": []}',
        '{"auths": {"HOST": "CANARY"}}',
        '{"auths": {"HOST": {"auth": "not base64 CANARY"}}}',
        '{"auths": {"HOST": {"auth": 1}}}',
        '{"auths": {"HOST": {"auth": "OnBhc3M="}}}',
        '{"auths": {"HOST": {"username": "ann", "password": 1}}}',
        '{"credHelpers": []}',
        '{"credHelpers": {"HOST": "../../bin/CANARY;sh"}}',
        '{"credsStore": {"a": 1}}',
        "\xff\xfe",
    ],
)
def test_broken_files(tmp_path: Path, content: str) -> None:
    """A broken file is an error that names it, when its registry is needed; it shows nothing of what the file holds."""
    file = tmp_path / "config.json"
    file.write_text(content.replace("HOST", HOST).replace("CANARY", CANARY), encoding="latin-1")
    with pytest.raises(UsageError) as caught:
        find(HOST, file)
    assert str(file) in str(caught.value)
    assert CANARY not in str(caught.value).replace(f"'../../bin/{CANARY};sh'", "")


def test_a_broken_file_that_nobody_needs(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """A registry that asks for no login is read whatever the files hold; one that does is not read anonymously."""
    image().seed(registry.repository("app"), "1")
    (tmp_path / "config.json").write_text("{")
    environ = {"DOCKER_CONFIG": str(tmp_path)}
    assert imagesync("resolve", f"{registry.host}/app:1", environ=environ).code == 0
    with EmbeddedRegistry(Manner(authentication=Authentication("bearer", {}, anonymous_pull=True))) as public:
        image().seed(public.repository("app"), "1")
        done = imagesync("resolve", f"{public.host}/app:1", environ=environ)
        assert done.code == 2
        assert f"{tmp_path}/config.json is not JSON" in done.err


@pytest.mark.parametrize("name", ["IMAGESYNC_AUTH_FILE", "REGISTRY_AUTH_FILE"])
def test_a_named_file_must_be_there(name: str, tmp_path: Path) -> None:
    """A file of logins that was named and is missing is an error; the usual ones need not exist."""
    with EmbeddedRegistry(Manner(authentication=Authentication("bearer", {}, anonymous_pull=True))) as public:
        image().seed(public.repository("app"), "1")
        missing = tmp_path / "nothing.json"
        done = imagesync("resolve", f"{public.host}/app:1", environ={name: str(missing)})
        assert done.code == 2
        assert f"there is no {missing}" in done.err
        assert imagesync("resolve", f"{public.host}/app:1").code == 0


def test_an_unreadable_file(tmp_path: Path) -> None:
    """A file that cannot be read is an error with the reason."""
    (tmp_path / "config.json").mkdir()
    with pytest.raises(UsageError, match="Is a directory"):
        find(HOST, tmp_path / "config.json")


def test_a_huge_file(tmp_path: Path) -> None:
    """A file that cannot be one of logins is not read to its end."""
    file = tmp_path / "config.json"
    file.write_text('"' + "x" * 5_000_000 + '"')
    with pytest.raises(UsageError, match="File too large"):
        find(HOST, file)


@pytest.mark.parametrize(
    "entry",
    [
        {"registrytoken": "c4nary\ntoken"},
        {"registrytoken": "c4nary token"},
        {"registrytoken": "c4naryé"},
        {"username": "ann", "password": "c4nary\ud800"},
        {"username": "c4nary\ud800", "password": "p"},
        {"identitytoken": "c4nary\udcff"},
    ],
)
def test_logins_that_cannot_be_sent(entry: dict[str, str], tmp_path: Path) -> None:
    """A login that fits in no header is an error that names its file and shows nothing of it."""
    with EmbeddedRegistry(Manner(authentication=Authentication("bearer", {"ann": "x"}))) as registry:
        file = write_auths(tmp_path / "auth.json", {registry.host: entry})
        done = imagesync("resolve", f"{registry.host}/app:1", environ={"IMAGESYNC_AUTH_FILE": str(file)})
    assert done.code == 2
    assert str(file) in done.err
    assert "c4nary" not in done.err
