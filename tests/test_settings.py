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
