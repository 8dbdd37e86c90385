"""Settings: what environment and options mean, and which of them are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagesync_cli.settings import read_settings
from imagesync_cli.values.errors import UsageError


def test_nothing_set() -> None:
    """Without any setting only this machine is spoken to in plain HTTP, and 30 s is the deadline."""
    settings = read_settings(environ={})
    schemes = [settings.scheme(host) for host in ("127.0.0.1:5000", "localhost", "[::1]:5000", "registry.lan:5000")]
    assert schemes == ["http", "http", "http", "https"]
    assert settings.external_timeout_s == 30


def test_plain_http() -> None:
    """A host is spoken to in plain HTTP when an option or the environment names it with its port, and no other."""
    settings = read_settings(plain_http=["Registry.lan:5000"], environ={"IMAGESYNC_PLAIN_HTTP": "a.lan, b.lan:80"})
    named = ("registry.lan:5000", "REGISTRY.LAN:5000", "a.lan", "b.lan:80")
    assert {settings.scheme(host) for host in named} == {"http"}
    assert {settings.scheme(host) for host in ("registry.lan", "a.lan:5000", "c.lan")} == {"https"}


def test_plain_http_takes_a_host() -> None:
    """A URL where a host belongs is refused, as it would never match."""
    with pytest.raises(UsageError, match=r"'http://registry\.lan'") as refused:
        read_settings(plain_http=["http://registry.lan"], environ={})
    assert "host[:port]" in refused.value.hint


@pytest.mark.parametrize(("text", "seconds"), [("", 30), ("5", 5), ("0.5", 0.5)])
def test_timeout(text: str, seconds: float) -> None:
    """IMAGESYNC_TIMEOUT is a number of seconds; empty is the default."""
    assert read_settings(environ={"IMAGESYNC_TIMEOUT": text}).external_timeout_s == seconds


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", "1e999", "30s"])
def test_timeout_that_is_none(text: str) -> None:
    """A deadline that is no positive number is refused, with an example."""
    with pytest.raises(UsageError, match="IMAGESYNC_TIMEOUT is") as refused:
        read_settings(environ={"IMAGESYNC_TIMEOUT": text})
    assert "such as 30" in refused.value.hint


def test_lower_case_proxy_wins() -> None:
    """Of http_proxy and HTTP_PROXY the lower-case one counts, as with curl."""
    for environ in ({"http_proxy": "a", "HTTP_PROXY": "b"}, {"HTTP_PROXY": "b", "http_proxy": "a"}):
        assert read_settings(environ=environ).proxies == {"http_proxy": "a"}


DOCKER_PROXIES = {"proxies": {"default": {"httpProxy": "a", "httpsProxy": "b", "noProxy": "c", "ftpProxy": "d"}}}


@pytest.mark.parametrize(
    ("content", "proxies"),
    [
        (json.dumps(DOCKER_PROXIES), {"http_proxy": "a", "https_proxy": "b", "no_proxy": "c"}),
        ('{"proxies": {"default": {"httpProxy": 1, "allProxy": "a"}}}', {"all_proxy": "a"}),
        ('{"proxies": {"tcp://docker:2375": {"httpProxy": "a"}}}', {}),
        ('{"proxies": []}', {}),
        ('{"proxies": {"default": null}}', {}),
        ('{"proxies": ', {}),
        ("{}", {}),
        ("", {}),
    ],
)
def test_proxies_of_dockers_configuration(tmp_path: Path, content: str, proxies: dict[str, str]) -> None:
    """Docker's config.json names the proxies where no variable does; one variable, and it is not asked."""
    (tmp_path / "config.json").write_text(content)
    assert read_settings(environ={"DOCKER_CONFIG": str(tmp_path)}).proxies == proxies
    both = read_settings(environ={"DOCKER_CONFIG": str(tmp_path), "NO_PROXY": "x"})
    assert both.proxies == {"no_proxy": "x"}
    others = read_settings(environ={"DOCKER_CONFIG": str(tmp_path), "npm_config_https_proxy": "x", "FTP_PROXY": "y"})
    assert others.proxies == proxies


def test_docker_configuration() -> None:
    """Logins are looked for in the file named for them, then where docker login keeps them."""
    home, named = {"HOME": "/nowhere/me"}, {"DOCKER_CONFIG": "/etc/docker"}
    assert Path("/nowhere/me/.docker/config.json") in read_settings(environ=home).auth_files
    files = read_settings(environ={**home, **named, "REGISTRY_AUTH_FILE": "/run/auth.json"}).auth_files
    assert files.index(Path("/run/auth.json")) < files.index(Path("/etc/docker/config.json"))
    assert Path("/nowhere/me/.docker/config.json") not in files


def test_the_run_folder_is_in_terraforms_own() -> None:
    """What a run of Terraform notes lies where Terraform keeps its own files."""
    assert read_settings(environ={}).run_folder == Path(".terraform/imagesync")
    assert read_settings(environ={"TF_DATA_DIR": "/data"}).run_folder == Path("/data/imagesync")


def limits_of(options: tuple[str, ...] = (), file: Path | None = None, **environ: str) -> dict[str, float]:
    named = {"IMAGESYNC_CONFIG": str(file)} if file else {}
    return dict(read_settings(requests_per_second=options, environ={**environ, **named}).limits["requests_per_second"])


def test_limits_of_hosts(tmp_path: Path) -> None:
    """An option goes before a variable, and that before the file; each says what it knows, host by host."""
    file = tmp_path / "config.json"
    file.write_text('{"requests_per_second": {"a.lan": 1, "b.lan": 1, "c.lan": 0.5}, "connections": {"a.lan": 4}}')
    variable = {"IMAGESYNC_REQUESTS_PER_SECOND": "a.lan=2,b.lan=2"}
    assert limits_of(("a.lan=3",), file, **variable) == {"a.lan": 3, "b.lan": 2, "c.lan": 0.5}
    settings = read_settings(connections=["b.lan=1"], environ={"IMAGESYNC_CONFIG": str(file)})
    assert settings.limits["connections"] == {"a.lan": 4, "b.lan": 1}


def test_the_settings_file_is_where_others_are(tmp_path: Path) -> None:
    """Without a name it is in the user's folder for settings, and need not exist."""
    assert limits_of(XDG_CONFIG_HOME=str(tmp_path)) == limits_of(HOME=str(tmp_path)) == {}
    for folder in (tmp_path / "imagesync", tmp_path / ".config" / "imagesync"):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text('{"requests_per_second": {"a.lan": 1}}')
    assert limits_of(XDG_CONFIG_HOME=str(tmp_path)) == limits_of(HOME=str(tmp_path)) == {"a.lan": 1}


@pytest.mark.parametrize(
    ("named", "name", "port", "holds"),
    [
        ("index.docker.io", "registry-1.docker.io", 443, True),
        ("docker.io", "auth.docker.io", 443, False),
        ("a.lan", "a.lan", 443, True),
        ("a.lan:443", "a.lan", 443, True),
        ("a.lan", "a.lan", 5000, False),
        ("A.LAN:5000", "a.lan", 5000, True),
        ("https://a.lan/", "a.lan", 443, True),
        ("127.0.0.1", "127.0.0.1", 80, True),
    ],
)
def test_whose_limit_it_is(named: str, name: str, port: int, holds: bool) -> None:
    """A host is the same with and without its usual port, by any of its names, and another one at another port."""
    settings = read_settings(connections=[f"{named}=2"], environ={})
    assert settings.limits_at(name, port) == (2 if holds else None, None)


def test_two_spellings_of_one_host(tmp_path: Path) -> None:
    """With the port of HTTPS a host is the same one: an option for one spelling goes before a file with the other."""
    file = tmp_path / "config.json"
    file.write_text('{"requests_per_second": {"a.lan:0443": 1, "index.docker.io:443": 1, "localhost:443": 1}}')
    options = ["a.lan=5", "docker.io=6", "localhost=7"]
    settings = read_settings(requests_per_second=options, environ={"IMAGESYNC_CONFIG": str(file)})
    assert [settings.limits_at(*settings.address(host))[1] for host in ("a.lan", "a.lan:443", "docker.io")] == [5, 5, 6]
    assert [settings.limits_at("localhost", port)[1] for port in (80, 443)] == [7, 1]


@pytest.mark.parametrize(
    "text",
    [
        *("a.lan", "a.lan=", "=1", "a.lan=0", "a.lan=-1", "a.lan=x", "a.lan=nan", "a.lan=1e3", "a.lan=inf"),
        *("a.lan=\u0663", "a.lan=9999999", "a.lan=0.0001", "a.lan/app=1", "https://u:p@a.lan=1", "a.lan=1 "),
    ],
)
def test_limits_that_are_none(text: str) -> None:
    """What is no host, or no number that can be kept, is told with an example before anything is asked."""
    with pytest.raises(UsageError, match="--requests-per-second") as refused:
        read_settings(requests_per_second=[text], environ={})
    assert "it takes" in refused.value.hint


@pytest.mark.parametrize("text", ["a.lan=0", "a.lan=1.5", "a.lan=257"])
def test_connections_that_are_none(text: str) -> None:
    """There is no half connection, and a number beyond what a process may open is refused."""
    with pytest.raises(UsageError, match="IMAGESYNC_CONNECTIONS"):
        read_settings(environ={"IMAGESYNC_CONNECTIONS": text})


@pytest.mark.parametrize("text", ["{}={}", "https://{}={}", "{}/team={}", "{}:5000={}"])
def test_a_password_before_a_host(text: str) -> None:
    """Who writes a login where a host belongs is refused, and the error does not repeat the password."""
    with pytest.raises(UsageError, match=r"…@a\.lan") as refused:
        read_settings(environ={"IMAGESYNC_CONNECTIONS": text.format("user:hunter2@a.lan", 4)})
    assert "hunter2" not in str(refused.value.message) + refused.value.hint


def test_one_host_twice() -> None:
    """Two numbers for one host in one place are a slip: which one was meant?"""
    for host, other in (("docker.io", "index.docker.io"), ("a.lan", "a.lan:443")):
        with pytest.raises(UsageError, match=f"two numbers for {host}"):
            read_settings(connections=[f"{host}=2", f"{other}=3"], environ={})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not a settings file"),
        ("[]", "is not a settings file: it is not an object"),
        ('{"connections": 4}', "connections names no hosts"),
        ('{"connections": null}', "connections names no hosts"),
        ('{"connections": 4, "conections": 4}', "unknown setting: 'conections'"),
        ('{"connections": {"a.lan": 1, "a.lan": 2}}', "a key twice"),
        ('{"connections": {"a.lan": [1]}}', "[1]"),
        ('{"connections": {"a.lan": true}}', "True"),
        ('{"connections": {"a.lan": null}}', "None"),
        ('{"conections": {}}', "unknown setting: 'conections'"),
        ('{"connections": {"a b": 1}}', "'a b' is not a host"),
        ("[" * 100_000, "is not a settings file"),
    ],
)
def test_settings_files_that_are_none(tmp_path: Path, content: str, said: str) -> None:
    """A slip in the file is told with the file's name, and is never a limit that silently does not hold."""
    file = tmp_path / "config.json"
    file.write_text(content)
    with pytest.raises(UsageError) as refused:
        limits_of(file=file)
    assert str(file) in refused.value.message
    assert said in refused.value.message


def test_a_settings_file_that_is_named_must_exist(tmp_path: Path) -> None:
    """Whoever names one wants it to count; a folder is none."""
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            limits_of(file=path)
    assert limits_of(XDG_CONFIG_HOME=str(tmp_path)) == {}
