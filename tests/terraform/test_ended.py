"""Where all images of a call go, its entries keep nothing, though a destroy has read some that were never applied."""

from __future__ import annotations

import shutil

import pytest

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image
from tests.terraform.test_ownership import (
    NAMES,
    RENAMED,
    Edit,
    assert_all_there,
    images,
    mirror,
    source,
    write,
)
from tests.terraform.workspace import BOTH_TOOLS, Workspace

__all__ = ["mirror", "source"]


def another_prefix(source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> tuple[list[str], list[str]]:
    before, after = (
        f'module "x" {{\n CALL\n destination_prefix = "{mirror.host}/{folder}"\n {images(source, *NAMES)}\n}}'
        for folder in ("m", "n")
    )
    return [before], [after]


def swapped(source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> tuple[list[str], list[str]]:
    """The entries of two calls."""

    def call(name: str, *keys: str) -> str:
        return f'module "{name}" {{\n CALL\n destination_prefix = "{mirror.host}/m"\n {images(source, *keys)}\n}}'

    return [call("x", *NAMES[:2]), call("y", *NAMES[2:])], [call("x", *NAMES[2:]), call("y", *NAMES[:2])]


def edited(workspace: Workspace, edit: tuple[list[str], list[str]]) -> list[str]:
    """Apply what comes before an edit, and leave the edit in main.tf, not applied; gives its calls."""
    before, after = edit
    write(workspace, *before)
    workspace.apply()
    write(workspace, *after)
    return after


def is_empty(mirror: EmbeddedRegistry) -> bool:
    """Whether there is no tag, and no manifest that one had."""
    repositories = mirror.state.repositories.values()
    return not any(repository.tags or repository.manifests for repository in repositories)


@pytest.mark.parametrize("edit", [*RENAMED, another_prefix, swapped])
@pytest.mark.parametrize("parallelism", [1, 10])
def test_a_destroy_right_after_an_edit_removes_the_images(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry, edit: Edit, parallelism: int
) -> None:
    """A destroy reads the edited entries as an apply does, and these have no object that it could remove."""
    mirror.fault = None
    edited(workspace, edit(source, mirror))
    workspace.with_environment({}).succeeding("destroy", "-auto-approve", f"-parallelism={parallelism}")
    assert is_empty(mirror)


@BOTH_TOOLS
def test_a_saved_destroy(workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """Another plan that nobody applies comes between the plan of a destroy and its apply."""
    after = edited(workspace, another_prefix(source, mirror))
    workspace.succeeding("plan", "-destroy", "-out=saved")
    write(workspace, *RENAMED[0](source, mirror)[1])
    workspace.plan()
    write(workspace, *after)
    workspace.succeeding("apply", "saved")
    assert is_empty(mirror)


@BOTH_TOOLS
def test_what_somebody_else_still_relies_on(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """The end of one call, or of one workspace, takes nothing from others."""
    before, edited = RENAMED[0](source, mirror)
    write(workspace, *before)
    other = workspace.with_environment({"TF_WORKSPACE": "other"})
    workspace.apply()
    other.apply()
    write(workspace, *edited)
    kept = other.destroy()
    assert "the workspace default relies on it: a" in kept.text
    assert_all_there(mirror)
    workspace.destroy()
    assert is_empty(mirror)


def test_a_destroy_that_is_aimed_at_an_image(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """Its call does not end, so the entry may rely on the image; and what one run has left is not of the next one."""
    after = edited(workspace, RENAMED[0](source, mirror))
    address = f'module.x.terraform_data.image["a@{image("a").digest}"]'
    workspace.succeeding("destroy", "-auto-approve", f"-target={address}")
    assert_all_there(mirror)
    workspace.apply()
    write(workspace, *after, "removed {\n from = module.x.terraform_data.image\n lifecycle {\n destroy = false\n }\n}")
    workspace.shell(f"terraform state rm 'module.x.terraform_data.image[\"m/a@{image('a').digest}\"]'")
    write(workspace, *after)
    workspace.destroy()
    there = {name for name, repository in mirror.state.repositories.items() if repository.tags}
    assert there == {"m/a"}


def test_images_are_replaced_and_nothing_ends(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """Only the last images of a call end it: not a change of what is copied, and not -replace."""
    edited(workspace, RENAMED[0](source, mirror))
    workspace.calls()
    workspace.apply()
    workspace.succeeding("apply", "-auto-approve", "-replace=module.x.terraform_data.copies[0]")
    assert workspace.verbs().count("forget") == 0
    assert_all_there(mirror)
    write(workspace, f'module "x" {{\n CALL\n {images(source)}\n}}')
    workspace.apply()
    assert workspace.verbs().count("forget") == 1
    assert is_empty(mirror)


def test_a_destroy_without_a_folder_of_notes(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """Its plan was made elsewhere: nothing is in doubt, and all goes."""
    edited(workspace, another_prefix(source, mirror))
    workspace.succeeding("plan", "-destroy", "-out=saved")
    shutil.rmtree(workspace.folder / ".terraform" / "imagesync")
    workspace.succeeding("apply", "saved")
    assert is_empty(mirror)
    assert not [*workspace.folder.glob(".terraform/imagesync/claims/*.json")]
