"""Stand-ins for providers (external_provider/, aws_provider/), served from a filesystem mirror: no registry is asked.

IMAGESYNC_PROVIDER_MIRROR names a filesystem mirror with real ones, as `terraform providers mirror` makes it: what it
has of hashicorp/external and hashicorp/aws is taken in their place (packaging/releasing.md).
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
    """Put one of HashiCorp's providers into a folder that CLI_CONFIG can name, for both tools: real or a stand-in."""
    real = _real(name)
    if real is None:
        stand_in = mirror / name
        source = Path(__file__).with_name(f"{name}_provider")
        subprocess.run([peers.program("go"), "build", "-o", str(stand_in), "."], cwd=source, check=True)
    for host in HOSTS.values():
        provider = mirror / host / "hashicorp" / name
        if real is not None:
            shutil.copytree(real, provider)
            continue
        folder = provider / version / _platform()
        folder.mkdir(parents=True)
        shutil.copy(stand_in, folder / f"terraform-provider-{name}_v{version}")


def _real(name: str) -> Path | None:
    """The folder of the real provider, packed or unpacked; OpenTofu takes Terraform's as well."""
    if "IMAGESYNC_PROVIDER_MIRROR" not in os.environ:
        return None
    folder = Path(os.environ["IMAGESYNC_PROVIDER_MIRROR"], HOSTS["terraform"], "hashicorp", name)
    return folder if folder.is_dir() else None


def _platform() -> str:
    machine = platform.machine().lower()
    return f"{platform.system().lower()}_{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"
