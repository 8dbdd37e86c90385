"""Whatever Terraform is told to do around a change, no image is lost and no plan fails that could succeed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.embedded_registry import EmbeddedRegistry, Request
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import Image, image
from tests.terraform.workspace import BOTH_TOOLS, IMAGESYNC, Expression, Workspace

SENSITIVE = 'variable "secret" {\n  type      = string\n  sensitive = true\n}'


@pytest.fixture
def source() -> Iterator[EmbeddedRegistry]:
    """A registry to mirror from, with the images a and b."""
    with EmbeddedRegistry() as registry:
        for name in ("a", "b"):
            image(name).seed(registry.repository(name), "1")
        yield registry


@pytest.fixture
def mirror() -> Iterator[EmbeddedRegistry]:
    """A registry to mirror to."""
    with EmbeddedRegistry() as registry:
        yield registry


def entries(source: EmbeddedRegistry) -> dict[str, str]:
    return {f"{name}:1": f"{source.host}/{name}:1" for name in ("a", "b")}


def moved(source: EmbeddedRegistry, name: str) -> Image:
    """Another image under the tag."""
    made = image(f"{name} again")
    made.seed(source.repository(name), "1")
    return made


def tags(registry: EmbeddedRegistry, folder: str = "") -> dict[str, str]:
    """What each image's tag points at, for those that are there."""
    there = registry.state.repositories
    return {
        name: there[f"{folder}{name}"].tags["1"]
        for name in ("a", "b")
        if f"{folder}{name}" in there and "1" in there[f"{folder}{name}"].tags
    }


def test_target_of_all_images(workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """`-target` of the images alone copies the new one before the old one goes."""
    options = {"destination_prefix": mirror.host, "on_destroy": "refuse"}
    workspace.write(entries(source), **options)
    workspace.apply()
    new, seen = moved(source, "a"), list[dict[str, str]]()

    def watch(request: Request) -> None:
        seen.append(tags(mirror))

    mirror.fault = watch
    workspace.calls()
    workspace.succeeding("apply", "-auto-approve", "-target=module.mirror.terraform_data.image")
    mirror.fault = None
    assert workspace.verbs() == ["apply", "delete"]
    assert all(each.keys() == {"a", "b"} for each in seen)
    assert tags(mirror) == {"a": new.digest, "b": image("b").digest}
    workspace.apply()
    assert workspace.plan().code == 0


@pytest.mark.parametrize("which", ["", "old"])
def test_target_of_images_whose_copy_fails(
    which: str, workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """With `-target` nothing waits for the copies to succeed: the old image stays, and goes when the new one comes."""
    workspace.write(entries(source), destination_prefix=mirror.host)
    workspace.apply()
    before, new = mirror.dump(), moved(source, "a")
    source.fault = lambda request: refusal(403) if request.path.startswith("/v2/a/blobs/") else None
    target = f'["a:1@{image("a").digest}"]' if which else ""
    failed = workspace.run("apply", "-auto-approve", f"-target=module.mirror.terraform_data.image{target}")
    assert failed.code == 1
    assert f"a:1 still points at {image('a').digest}, for its new image was not copied: a:1" in failed.text
    assert mirror.dump() == before
    source.fault = None
    workspace.apply()
    assert tags(mirror) == {"a": new.digest, "b": image("b").digest}
    assert mirror.repository("a").manifests.keys() == {new.digest}
    assert workspace.plan().code == 0


@pytest.mark.parametrize("verb", ["destroy", "apply"])
def test_removal_after_a_failed_copy(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry, verb: str
) -> None:
    """Where nothing is read it is still known for another run than that of the apply: the image goes, as it should."""
    options = {"destination_prefix": mirror.host, "count": Expression("1")}
    workspace.write(entries(source), **options)
    workspace.apply()
    before, _ = mirror.dump(), moved(source, "a")
    source.fault = lambda request: refusal(403) if request.path.startswith("/v2/a/blobs/") else None
    assert workspace.run("apply", "-auto-approve").code == 1
    assert mirror.dump() == before
    if verb == "apply":
        workspace.write(entries(source), **options | {"count": Expression("0")})
    workspace.succeeding(verb, "-auto-approve", "-refresh=false")
    assert (tags(mirror), mirror.repository("a").manifests) == ({}, {})


def test_target_of_one_image_while_another_has_moved(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """`-target` of one image works whatever the source of another has become."""
    ids = 'output "ids" { value = module.mirror.ids }'
    workspace.write(entries(source), ids, destination_prefix=mirror.host)
    workspace.apply()
    new = moved(source, "b")
    one = f'-target=module.mirror.terraform_data.image["a:1@{image("a").digest}"]'
    workspace.succeeding("plan", one)
    workspace.succeeding("apply", "-auto-approve", one)
    workspace.apply()
    assert tags(mirror) == {"a": image("a").digest, "b": new.digest}
    assert workspace.outputs()["ids"]["b:1"] == f"{mirror.host}/b@{new.digest}"


def test_refresh_only_in_the_module_of_one_image(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """`plan -refresh-only` and `apply -refresh-only` work after the source has moved, and copy nothing."""
    workspace.write_module("image", source_image=f"{source.host}/a:1", destination_image=f"{mirror.host}/a:1")
    workspace.apply()
    moved(source, "a")
    workspace.succeeding("plan", "-refresh-only")
    workspace.succeeding("apply", "-refresh-only", "-auto-approve")
    assert tags(mirror) == {"a": image("a").digest}
    workspace.apply()
    assert tags(mirror) == {"a": image("a again").digest}


@BOTH_TOOLS
def test_refresh_only_before_the_first_apply(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """A block, or an empty block's first entries, have no object yet: that is no error, and nothing is copied."""
    for has_empty_block in (False, True):
        if has_empty_block:
            workspace.write({}, destination_prefix=mirror.host)
            workspace.apply()
        workspace.write(entries(source), 'output "ids" { value = module.mirror.ids }', destination_prefix=mirror.host)
        workspace.succeeding("plan", "-refresh-only")
        assert tags(mirror) == {}
    workspace.apply()
    assert tags(mirror) == {name: image(name).digest for name in ("a", "b")}
    assert workspace.plan().code == 0
    workspace.write_module("image", source_image=f"{source.host}/a:1", destination_image=f"{mirror.host}/one:1")
    workspace.with_environment({}).destroy()
    workspace.with_environment({}).succeeding("plan", "-refresh-only")


def test_changed_prefix(workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """Another prefix brings all images there, says nothing of a deletion, and leaves the old ones."""
    workspace.write(entries(source), destination_prefix=f"{mirror.host}/old")
    workspace.apply()
    foreign = image("foreign")
    foreign.seed(mirror.repository("new/b"), "1")
    workspace.write(entries(source), destination_prefix=f"{mirror.host}/new")
    planned = workspace.plan()
    assert f"this plan changes 2 of 2 images in {mirror.host}/new:" in planned.text
    assert f"b:1 has another image, {foreign.digest}" in planned.text
    assert "a:1 is missing" in planned.text
    for false in ("deleted", "overwritten", "outside"):
        assert false not in planned.text
    workspace.succeeding("apply", "plan.bin")
    assert tags(mirror, "old/") == tags(mirror, "new/") == {name: image(name).digest for name in ("a", "b")}
    assert workspace.plan().code == 0


def test_changed_prefix_and_a_moved_source(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """Whether its source moved too or not, what an entry had at the old place stays there, and nothing refuses."""
    policies = {"on_destroy": "refuse", "on_replace": "delete"}
    workspace.write(entries(source), destination_prefix=f"{mirror.host}/old", **policies)
    workspace.apply()
    image("a again").seed(source.repository("a"), "1")
    workspace.write(entries(source), destination_prefix=f"{mirror.host}/new", **policies)
    applied = workspace.apply()
    assert f"kept: tag 1 (its entry is at {mirror.host}/new/a:1 now" in applied.text
    assert tags(mirror, "old/") == {name: image(name).digest for name in ("a", "b")}
    assert tags(mirror, "new/") == {"a": image("a again").digest, "b": image("b").digest}
    assert workspace.plan().code == 0


def test_new_entry_over_an_image(workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """A new entry whose tag is somebody's says that another image is there."""
    foreign = image("foreign")
    foreign.seed(mirror.repository("a"), "1")
    workspace.write(entries(source), destination_prefix=mirror.host)
    assert f"a:1 has another image and moves from {foreign.digest[:19]} to" in workspace.plan().text


def test_destroy_without_the_lock(workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """`terraform destroy` needs no lock file."""
    lock = workspace.folder / "images.lock.json"
    images = workspace.folder / "images.yaml"
    images.write_text(
        "images:\n"
        + "".join(f"  - {{source: {at}, destination: {mirror.host}/{key}}}\n" for key, at in entries(source).items())
    )
    workspace.with_program("imagesync", IMAGESYNC).shell(f"imagesync lock --file {images.name}")
    workspace.write(entries(source), destination_prefix=mirror.host, lock_file=lock.name)
    workspace.apply()
    assert tags(mirror).keys() == {"a", "b"}
    lock.unlink()
    assert workspace.plan().code == 1
    workspace.destroy()
    assert tags(mirror) == {}


def test_sensitive_prefix(workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """With a sensitive prefix a plan has one warning, which tells what changes, and a failed copy has its reason."""
    workspace.set(secret=mirror.host)
    workspace.write(entries(source), SENSITIVE, destination_prefix=Expression("var.secret"))
    planned = workspace.plan()
    assert planned.code == 2
    assert planned.text.count("Warning:") == 1
    assert f"a:1 is new, from {source.host}/a:1" in planned.text
    mirror.fault = lambda request: refusal(403) if request.path.startswith("/v2/b/") else None
    failed = workspace.run("apply", "plan.bin")
    assert f'images["b:1"]: {source.host}/b:1 could not be copied to {mirror.host}/b:1: ' in failed.text
    mirror.fault = None
    workspace.apply()
    assert tags(mirror).keys() == {"a", "b"}
    assert "Warning:" not in workspace.plan().text


def test_one_image_gets_a_prefix(workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """In modules/image the destination may be split into prefix and tag: the id is the same and nothing is lost."""
    ident = 'output "id" { value = module.mirror.id }'
    workspace.write_module("image", ident, source_image=f"{source.host}/a:1", destination_image=f"{mirror.host}/a:1")
    workspace.apply()
    before = workspace.outputs()
    workspace.write_module(
        "image", ident, source_image=f"{source.host}/a:1", destination_image=":1", destination_prefix=f"{mirror.host}/a"
    )
    workspace.apply()
    assert workspace.outputs() == before
    assert tags(mirror) == {"a": image("a").digest}
    assert workspace.plan().code == 0
    workspace.destroy()
    assert tags(mirror) == {}


def test_one_image_becomes_many(workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """modules/image may become modules/images: nothing is lost."""
    workspace.write_module("image", source_image=f"{source.host}/a:1", destination_image=f"{mirror.host}/a:1")
    workspace.apply()
    workspace = workspace.with_environment({})  # to be initialised again
    workspace.write(entries(source), destination_prefix=mirror.host)
    workspace.apply()
    assert tags(mirror) == {name: image(name).digest for name in ("a", "b")}
    assert workspace.plan().code == 0


def test_command_that_has_moved_away(workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """A command whose path changes together with a move of the source: a link at the old path is the way out."""
    old, new = (str(workspace.folder / name) for name in ("old", "new"))
    workspace.with_program("imagesync", IMAGESYNC)
    program = workspace.folder / ".programs" / "imagesync"
    (workspace.folder / "old").symlink_to(program)
    workspace.write(entries(source), destination_prefix=mirror.host, command=[old])
    workspace.apply()
    (workspace.folder / "old").rename(workspace.folder / "new")
    after = moved(source, "a")
    workspace.write(entries(source), destination_prefix=mirror.host, command=[new])
    failed = workspace.run("apply", "-auto-approve")
    assert failed.code == 1
    assert tags(mirror) == {"a": after.digest, "b": image("b").digest}
    (workspace.folder / "old").symlink_to(program)
    workspace.apply()
    assert image("a").digest not in mirror.state.repositories["a"].manifests
    assert workspace.plan().code == 0
