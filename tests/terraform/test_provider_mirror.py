"""Where a machine has real providers, the tests run with those."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.terraform import provider_mirror
from tests.terraform.workspace import Workspace


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "unpacked"])
def test_the_real_one_comes_first(
    workspace: Workspace, tmp_path: Path, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider in the folder that IMAGESYNC_PROVIDER_MIRROR names is the one that Terraform installs."""
    made, version = tmp_path / "made", "2.3.98"
    monkeypatch.delenv("IMAGESYNC_PROVIDER_MIRROR", raising=False)
    provider_mirror.install(made, "external", version)
    if packed:
        (platform,) = made.glob(f"{provider_mirror.HOSTS['terraform']}/hashicorp/external/{version}/*")
        name = f"terraform-provider-external_{version}_{platform.name}"
        shutil.make_archive(str(platform.parents[1] / name), "zip", platform)
        shutil.rmtree(platform.parent)
    monkeypatch.setenv("IMAGESYNC_PROVIDER_MIRROR", str(made))
    provider_mirror.install(tmp_path / "mirror", "external", provider_mirror.PROVIDER_VERSION)
    config = tmp_path / "cli.tfrc"
    config.write_text(provider_mirror.CLI_CONFIG % (tmp_path / "mirror"))
    workspace.write({})
    workspace.with_environment({"TF_CLI_CONFIG_FILE": str(config)}).plan()
    assert f'version     = "{version}"' in (workspace.folder / ".terraform.lock.hcl").read_text()
