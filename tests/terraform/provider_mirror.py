"""Stand-ins for providers (external_provider/, aws_provider/), served from a filesystem mirror: no registry is asked.

IMAGESYNC_EXTERNAL_PROVIDER names the file of the real hashicorp/external, to be taken in its place
(packaging/releasing.md).
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from tests import peers

PROVIDER_VERSION = "2.3.99"  # no version of the real one, so that nobody takes this one for it
HOSTS = {"terraform": "registry.terraform.io", "tofu": "registry.opentofu.org"}
CLI_CONFIG = """\
disable_checkpoint = true
provider_installation {
  filesystem_mirror {
    path = "%s"
  }
}
"""


def install(mirror: Path, name: str, version: str) -> None:
    """Build the stand-in for one of HashiCorp's providers into a folder that CLI_CONFIG can name, for both tools."""
    provider = mirror / name
    if name == "external" and "IMAGESYNC_EXTERNAL_PROVIDER" in os.environ:
        provider = Path(os.environ["IMAGESYNC_EXTERNAL_PROVIDER"])
    else:
        source = Path(__file__).with_name(f"{name}_provider")
        subprocess.run([peers.program("go"), "build", "-o", str(provider), "."], cwd=source, check=True)
    for host in HOSTS.values():
        folder = mirror / host / "hashicorp" / name / version / _platform()
        folder.mkdir(parents=True)
        shutil.copy(provider, folder / f"terraform-provider-{name}_v{version}")


def _platform() -> str:
    machine = platform.machine().lower()
    return f"{platform.system().lower()}_{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"
