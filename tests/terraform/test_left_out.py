"""What an apply has put in place stays its call's: no plan that is dropped, and no run that leaves it out, takes it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image
from tests.terraform.workspace import BOTH_TOOLS, CHECKOUT, IMAGESYNC, Workspace


@pytest.fixture
def mirror() -> Iterator[EmbeddedRegistry]:
    """A registry to mirror to; its repository source has the image."""
    with EmbeddedRegistry() as registry:
        image("a").seed(registry.repository("source"), "latest")
        yield registry


def write(workspace: Workspace, mirror: EmbeddedRegistry, more: str = "", **calls: str) -> None:
    """A main.tf of calls that mirror to m/a, each under this key; "" for none."""
    common = f'source = "{CHECKOUT}/modules//images"\n command = {json.dumps(workspace.recorded(*IMAGESYNC))}'
    written = []
    for name, key in calls.items():
        images = json.dumps({key: {"source": f"{mirror.host}/source"}} if key else {})
        place = f'destination_prefix = "{mirror.host}/m"\n images = {images}'
        written.append(f'module "{name}" {{\n {common}\n {place}\n {more}\n}}')
    (workspace.folder / "main.tf").write_text("\n".join(written))


def is_there(mirror: EmbeddedRegistry) -> bool:
    repository = mirror.state.repositories["m/a"]
    return repository.tags == {"latest": image("a").digest} and image("a").digest in repository.manifests


@BOTH_TOOLS
@pytest.mark.parametrize("what", ["dropped", "saved"])
def test_a_plan_of_one_call_and_a_removal_by_another(workspace: Workspace, mirror: EmbeddedRegistry, what: str) -> None:
    """What a plan would take from a call that nobody applied is still the call's when another one is removed."""
    write(workspace, mirror, x="a", y="a")
    workspace.apply()
    if what == "saved":
        write(workspace, mirror, x="a", y="")
        workspace.succeeding("plan", "-out=saved")
    write(workspace, mirror, x="", y="a")
    workspace.plan()
    if what == "saved":
        kept = workspace.succeeding("apply", "saved")
    else:
        write(workspace, mirror, x="a", y="")
        kept = workspace.succeeding("apply", "-auto-approve", "-target=module.y")
    assert is_there(mirror)
    assert "kept: tag latest (another image of this configuration has taken it over: a; if that is gone" in kept.text
    write(workspace, mirror, x="", y="")
    workspace.apply()
    assert not mirror.state.repositories["m/a"].tags


@BOTH_TOOLS
def test_target_adds_and_removes_what_another_call_has(workspace: Workspace, mirror: EmbeddedRegistry) -> None:
    """A call that no run reads meanwhile keeps its image from a new one that comes and goes."""
    write(workspace, mirror, x="a")
    workspace.apply()
    write(workspace, mirror, x="a", y="a")
    workspace = workspace.with_environment({})  # which installs the module again
    workspace.succeeding("apply", "-auto-approve", "-target=module.y")
    workspace.succeeding("destroy", "-auto-approve", "-target=module.y")
    assert is_there(mirror)
    write(workspace, mirror, x="a")
    assert workspace.plan().code == 0
    workspace.destroy()
    assert not mirror.state.repositories["m/a"].tags


@BOTH_TOOLS
@pytest.mark.parametrize("what", ["applied", "removed at once", "destroyed at once", "without a read"])
def test_a_workspace_with_a_copy_of_the_state(
    workspace: Workspace, mirror: EmbeddedRegistry, tool: str, what: str
) -> None:
    """It has the IDs of the first one, and is somebody else: what it removes, the first one still has."""
    write(workspace, mirror, x="a")
    workspace.apply()
    workspace.shell(f"{tool} workspace new other && {tool} state push terraform.tfstate")
    other = workspace.with_environment({"TF_WORKSPACE": "other"})
    first = workspace.with_environment({"TF_WORKSPACE": "default"})
    if what == "applied":
        other.apply()
    if what == "removed at once":
        write(workspace, mirror, x="")
        removed = other.apply()
        write(workspace, mirror, x="a")
    else:
        more = ["-refresh=false"] if what == "without a read" else []
        removed = other.succeeding("destroy", "-auto-approve", *more)
    assert "kept: tag latest (the workspace default relies on it: a" in removed.text
    assert is_there(mirror)
    first.destroy()
    assert not mirror.state.repositories["m/a"].tags


@BOTH_TOOLS
def test_an_object_is_imported(workspace: Workspace, mirror: EmbeddedRegistry, tool: str) -> None:
    """An image whose object was forgotten comes back by `terraform import`, and the apply after it makes it whole."""
    write(workspace, mirror, x="a")
    workspace.apply()
    address = f'module.x.terraform_data.image["a@{image("a").digest}"]'
    workspace.shell(f"{tool} state rm '{address}' && {tool} import '{address}' any")
    workspace.apply()
    assert workspace.plan().code == 0
    workspace.destroy()
    assert not mirror.state.repositories["m/a"].tags


@BOTH_TOOLS
def test_an_imported_object_is_destroyed(workspace: Workspace, mirror: EmbeddedRegistry, tool: str) -> None:
    """Until an apply nothing tells which image it is: the image stays, and the log says so."""
    write(workspace, mirror, x="a")
    workspace.apply()
    address = f'module.x.terraform_data.image["a@{image("a").digest}"]'
    for each in (address, "module.x.terraform_data.copies[0]"):
        workspace.shell(f"{tool} state rm '{each}' && {tool} import '{each}' any")
    destroyed = workspace.destroy()
    assert "kept: imported, and never applied since" in destroyed.text
    assert is_there(mirror)


@BOTH_TOOLS
@pytest.mark.parametrize("then", ["apply", "destroy"])
def test_an_object_under_another_key(workspace: Workspace, mirror: EmbeddedRegistry, tool: str, then: str) -> None:
    """`state mv` has moved it away from its entry, which gets a new one: the old one does not take the image."""
    write(workspace, mirror, x="a")
    workspace.apply()
    at = f'module.x.terraform_data.image["%s@{image("a").digest}"]'
    workspace.shell(f"{tool} state mv '{at % 'a'}' '{at % 'b'}'")
    if then == "apply":
        assert "kept: tag latest (another image of this configuration has taken it over: a)" in workspace.apply().text
        assert is_there(mirror)
        assert workspace.plan().code == 0
    workspace.destroy()
    assert not mirror.state.repositories["m/a"].tags


OLDER = """
import json, subprocess, sys
done = subprocess.run([sys.executable, "-m", "imagesync_cli", *sys.argv[1:]], capture_output=True, check=True)
answer = json.loads(done.stdout)
answer.pop("@protocol", None)
print(json.dumps(answer))
"""


def test_a_command_that_is_older_than_the_modules(workspace: Workspace, mirror: EmbeddedRegistry) -> None:
    """The plan says so once, before anything is asked of it that it does not know; a destroy goes on."""
    (workspace.folder / "older.py").write_text(OLDER)
    write(workspace, mirror, x="a")
    workspace.apply()
    main = workspace.folder / "main.tf"
    main.write_text(main.read_text().replace('"-m", "imagesync_cli"', f'"{workspace.folder}/older.py"'))
    workspace.calls()
    planned = workspace.plan()
    assert planned.code == 1
    assert planned.text.count("Error:") == 1
    assert f"imagesync ({sys.executable} -I " in planned.text
    assert "is older than these modules. Install the modules' version." in planned.text
    assert len(workspace.calls()) == 1
    assert is_there(mirror)
