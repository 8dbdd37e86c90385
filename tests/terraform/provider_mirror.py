"""The stand-in for hashicorp/external (external_provider/), served from a filesystem mirror: no registry is asked.

IMAGESYNC_EXTERNAL_PROVIDER names the file of the real one, to be taken in its place (docs/releasing.md).
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


def build(mirror: Path) -> None:
    """Put the provider into a folder that CLI_CONFIG can name, for both tools."""
    provider = Path(os.environ.get("IMAGESYNC_EXTERNAL_PROVIDER", mirror / "provider"))
    if "IMAGESYNC_EXTERNAL_PROVIDER" not in os.environ:
        source = Path(__file__).with_name("external_provider")
        subprocess.run([peers.program("go"), "build", "-o", str(provider), "."], cwd=source, check=True)
    for host in HOSTS.values():
        folder = mirror / host / "hashicorp" / "external" / PROVIDER_VERSION / _platform()
        folder.mkdir(parents=True)
        shutil.copy(provider, folder / f"terraform-provider-external_v{PROVIDER_VERSION}")


def _platform() -> str:
    machine = platform.machine().lower()
    return f"{platform.system().lower()}_{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"
