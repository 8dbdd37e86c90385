"""Run cosign, with no setting of the machine and without its own way to the public Sigstore."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests import peers


def cosign(folder: Path, *arguments: str, program: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """The call of the cosign that is installed, or of another one, to its end."""
    return subprocess.run(
        [program or peers.program("cosign"), *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TUF_ROOT": str(folder / "tuf"),
            "COSIGN_PASSWORD": "",
            "COSIGN_YES": "true",
            **environ,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
