"""What the security tests may ask for: an authority of their own, and an empty home folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.security.authority import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority that nobody trusts by itself."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once: how long to wait is tested elsewhere."""

    async def pause(_: float) -> None:
        return None

    monkeypatch.setattr("imagesync_cli.stores.transport.retry.pause", pause)
