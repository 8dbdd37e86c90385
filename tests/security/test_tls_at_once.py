"""Registries on this machine that turn out to speak TLS, asked for many things at once by who does not know it yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import peers
from tests.command import Finished, imagesync
from tests.embedded_registry.images import image
from tests.security.authority import Authority

MANY = range(12)


@pytest.fixture(params=["docker_registry", "distribution_v3"])
def host(
    request: pytest.FixtureRequest, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A real registry that speaks TLS alone."""
    certificate, key = authority.issue("127.0.0.1")
    monkeypatch.setenv("REGISTRY_HTTP_TLS_CERTIFICATE", str(certificate))
    monkeypatch.setenv("REGISTRY_HTTP_TLS_KEY", str(key))
    (tmp_path / "registry").mkdir()
    with getattr(peers, request.param)(tmp_path / "registry") as running:
        yield running


def test_many_at_once(host: str, tmp_path: Path, authority: Authority) -> None:
    """A batch, a question for many images and a removal of two succeed: what went out plain goes out again over TLS."""

    def run(*arguments: str) -> Finished:
        return imagesync(*arguments, "--ca-file", str(authority.ca_file))

    entries = []
    for number in MANY:
        folder = image(f"{number}").write_layout(tmp_path / f"{number}", "1")
        entries.append(f"  - source: oci:{folder}:1\n    destination: {host}/app-{number}:1\n")
    (tmp_path / "images.yaml").write_text("images:\n" + "".join(entries))
    written = run("sync", "--file", str(tmp_path / "images.yaml"))
    assert written.code == 0, written.err
    resolved = run("resolve", *(f"{host}/app-{number}:1" for number in MANY))
    assert (resolved.code, resolved.out.count("sha256:")) == (0, len(MANY)), resolved.err
    deleted = run("delete", f"{host}/app-0:1", f"{host}/app-1:1")
    assert deleted.code == 0, deleted.err
    assert run("resolve", f"{host}/app-0:1").code == 3
