"""The folder in which an apply leaves what failed, for Terraform to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagesync_cli.batch.apply import failures_in
from imagesync_cli.batch.report import BatchReport

_CALL = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("parent", "call", "stays"),
    [
        (_CALL, _CALL, False),
        ("downloads", _CALL, True),
        ("downloads", "downloads", True),
        ("", "", True),
        ("downloads/..", "..", True),
    ],
)
def test_what_is_beside_it(tmp_path: Path, parent: str, call: str, stays: bool) -> None:
    """Earlier failures of the same call go. What is in a folder of anybody else's stays, whatever the call is named."""
    beside = tmp_path / parent / "earlier" / "file"
    (tmp_path / "downloads").mkdir()
    beside.parent.mkdir(parents=True)
    beside.touch()
    with failures_in(tmp_path / parent / "now", [call], [], BatchReport()):
        assert (tmp_path / parent / "now").is_dir()
        assert beside.exists() == stays
