"""The modules as files: formatted, valid, documented, and true to their own tests and examples."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import Image
from tests.remote_repository import RemoteRepository
from tests.terraform.workspace import BOTH_TOOLS, CHECKOUT, IMAGESYNC, Workspace

MODULES = CHECKOUT / "modules"
EACH_MODULE = pytest.mark.parametrize("module", ["image", "images", "digests", "tags"])


@pytest.fixture
def copied(workspace: Workspace) -> Workspace:
    """The workspace with a copy of the modules, for what writes beside them."""
    shutil.copytree(MODULES, workspace.folder / "modules", ignore=shutil.ignore_patterns(".terraform*"))
    return workspace


def test_format(workspace: Workspace) -> None:
    """`terraform fmt` has nothing to change."""
    workspace.succeeding("fmt", "-check", "-recursive", str(MODULES))


@BOTH_TOOLS
@EACH_MODULE
def test_own_tests(copied: Workspace, module: str) -> None:
    """Each validation refuses what it should, and plans on made-up answers are as they should be."""
    outcome = copied.inside("modules", module).succeeding("test")
    assert "0 failed" in outcome.text


@EACH_MODULE
def test_every_validation_has_a_failing_run(module: str) -> None:
    """A validation that nobody has seen fail is not there."""
    variables = _variables(module)
    runs = (MODULES / module / "tests" / "validations.tftest.hcl").read_text()
    for name, body in variables.items():
        failing = len(re.findall(rf"expect_failures = \[var\.{name}\]", runs))
        assert failing >= len(re.findall(r"^  validation \{", body, re.MULTILINE)), name


def test_options_are_the_same() -> None:
    """modules/image has every option of modules/images, with the same type and default; the rules for it are there."""
    one, many = _variables("image"), _variables("images")
    for name in many.keys() - {"images"}:
        for attribute in ("type", "default"):
            assert _attribute(one[name], attribute) == _attribute(many[name], attribute), name
        assert "validation" not in one[name], name


def test_example_of_one_image(
    copied: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """modules/image/examples/consumer applies as it stands."""
    upstream.push(old, "1")
    example = copied.inside("modules", "image", "examples", "consumer").with_program("imagesync", IMAGESYNC)
    example.set(source_image=upstream.tagged("1"), destination_image=mirror.tagged("1"))
    example.apply()
    assert example.outputs() == {"id": f"{mirror}@{old.digest}"}
    example.destroy()
    assert mirror.digest("1") is None


def test_example_of_several_images(copied: Workspace, old: Image, tmp_path: Path) -> None:
    """modules/images/examples/repository applies as it stands, to a place that is made in the same apply."""
    layout = old.write_layout(tmp_path / "layout", "1")
    example = copied.inside("modules", "images", "examples", "repository").with_program("imagesync", IMAGESYNC)
    with EmbeddedRegistry() as registry:
        example.set(registry=registry.host, layout=f"{layout}:1")
        example.apply()
        repositories = registry.state.repositories
        assert repositories["mirror"].tags == {"stable": old.digest}
        assert repositories["mirror/tools/app"].tags == {"latest": old.digest}
        assert example.run("plan", "-detailed-exitcode").code == 0


def _variables(module: str) -> dict[str, str]:
    text = "".join(file.read_text() for file in sorted((MODULES / module).glob("variables*.tf")))
    return dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.DOTALL | re.MULTILINE))


def _attribute(body: str, name: str) -> str:
    found = re.search(rf"^  {name}\s*= (.*)$", body, re.MULTILINE)
    return found[1] if found else ""
