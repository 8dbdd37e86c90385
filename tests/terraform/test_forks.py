"""What Terraform's tests call in imagesync's place is imagesync."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image
from tests.terraform.workspace import IMAGESYNC, RECORDED

CALLS = (["--version"], ["external"], ["resolve"], ["sync", "HOST/app:1", "oci:copy:1"], ["tags", "oci:copy"])


@pytest.mark.skipif(sys.platform != "linux", reason="calls are no forks elsewhere")
def test_a_fork_is_what_a_process_is(
    tool_environment: dict[str, str], registry: EmbeddedRegistry, tmp_path: Path
) -> None:
    """Arguments, standard input, environment and folder go in; output, errors, the exit code and files come out."""
    image().seed(registry.repository("app"), "1")
    asked = json.dumps({"images": json.dumps({"a": f"{registry.host}/app:1"})})
    assert tool_environment["TESTS_FORKS"]
    seen = []
    for forks in (tool_environment["TESTS_FORKS"], ""):
        folder = tmp_path / f"forks-{bool(forks)}"
        folder.mkdir()
        environ = tool_environment | {"TESTS_FORKS": forks, "IMAGESYNC_LOG": "info", "IMAGESYNC_LOG_FILE": "log"}
        done = [
            subprocess.run(
                [
                    sys.executable,
                    str(RECORDED),
                    os.devnull,
                    *IMAGESYNC,
                    *(arg.replace("HOST", registry.host) for arg in call),
                ],
                cwd=folder,
                env=environ,
                input=asked,
                capture_output=True,
                text=True,
                check=False,
            )
            for call in CALLS
        ]
        files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
        seen.append(([(each.returncode, each.stdout, each.stderr.partition(" sent")[0]) for each in done], files))
    assert seen[0] == seen[1]
    assert [code for code, *_ in seen[0][0]] == [0, 0, 2, 0, 0]
    assert "log" in seen[0][1]
