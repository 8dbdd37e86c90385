"""SOCKS 5 proxies, by the library python-socks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests import peers
from tests.command import Finished, imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image
from tests.stores.copying import NAME
from tests.stores.transport.socks import SocksProxy

if not peers.required():
    pytest.importorskip("python_socks")
HOST = "registry.invalid"
PLAIN = {"IMAGESYNC_PLAIN_HTTP": f"{HOST},other.invalid"}


def resolve(**environ: str) -> Finished:
    return imagesync("resolve", f"{HOST}/{NAME}:1", environ=environ)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("name", ["http_proxy", "ALL_PROXY"])
def test_copy_through_socks(registry: EmbeddedRegistry, scheme: str, name: str) -> None:
    """A whole copy goes through the proxy, which looks up the names of the registries."""
    app = image(layers=3)
    app.seed(registry.repository("up/app"), "1")
    with SocksProxy(registry.host) as proxy:
        environ = {name: f"{scheme}://{proxy.host}", **PLAIN}
        finished = imagesync("sync", f"{HOST}/up/app:1", f"other.invalid/{NAME}:1", environ=environ)
    assert finished.code == 0, finished.err
    assert registry.repository(NAME).tags == {"1": app.digest}
    assert set(proxy.asked) == {(HOST, 80), ("other.invalid", 80)}


def test_login_at_the_proxy(registry: EmbeddedRegistry) -> None:
    """The login in the proxy's URL is shown to it; a wrong one is told without repeating it."""
    image().seed(registry.repository(NAME), "1")
    with SocksProxy(registry.host, ("me", "secret")) as proxy:
        assert resolve(http_proxy=f"socks5://me:secret@{proxy.host}", **PLAIN).code == 0
        wrong = resolve(http_proxy=f"socks5://me:mistaken@{proxy.host}", **PLAIN)
    assert wrong.code == 5
    assert "the proxy 127.0.0.1" in wrong.err
    assert "mistaken" not in wrong.err


@pytest.mark.parametrize("refuses", [1, 2, 4, 5])
def test_refused(registry: EmbeddedRegistry, pauses: list[float], refuses: int) -> None:
    """A proxy that does not get through is named, with what it says."""
    with SocksProxy(registry.host, refuses=refuses) as proxy:
        finished = resolve(http_proxy=f"socks5://{proxy.host}", **PLAIN)
    assert finished.code == 5
    assert "the proxy 127.0.0.1" in finished.err
    assert len(pauses) == 4


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the error says what to install, and names no password."""
    monkeypatch.setitem(sys.modules, "python_socks", None)
    finished = resolve(http_proxy="socks5://me:secret@127.0.0.1:1", **PLAIN)
    assert finished.code == 2
    assert "imagesync-cli[socks]" in finished.err
    assert "secret" not in finished.err


def test_named_by_dockers_configuration(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """The proxies of Docker's config.json are taken where the environment names none."""
    image().seed(registry.repository(NAME), "1")
    with SocksProxy(registry.host) as proxy:
        proxies = {"default": {"httpProxy": f"socks5://{proxy.host}", "noProxy": "direct.invalid"}}
        (tmp_path / "config.json").write_text(json.dumps({"proxies": proxies}))
        assert resolve(DOCKER_CONFIG=str(tmp_path), **PLAIN).code == 0
        assert resolve(DOCKER_CONFIG=str(tmp_path), NO_PROXY="*", **PLAIN).code == 5
    assert proxy.asked == [(HOST, 80)]
