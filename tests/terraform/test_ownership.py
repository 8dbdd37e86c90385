"""Who owns a tag: an entry may be spelled anew or move to another call, and no removal takes what it relies on."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.embedded_registry import EmbeddedRegistry, Request
from tests.embedded_registry.images import image
from tests.terraform.workspace import BOTH_TOOLS, CHECKOUT, IMAGESYNC, Workspace

NAMES = ("a", "b", "c")
SLOW_DELETE_S = 1.5


@pytest.fixture
def source() -> Iterator[EmbeddedRegistry]:
    """A registry with an image for each name, under the tag latest."""
    with EmbeddedRegistry() as registry:
        for name in NAMES:
            image(name).seed(registry.repository(name), "latest")
        yield registry


@pytest.fixture
def mirror() -> Iterator[EmbeddedRegistry]:
    """A registry to mirror to, slow to delete."""

    def slow(request: Request) -> None:
        if request.method == "DELETE":
            time.sleep(SLOW_DELETE_S)

    with EmbeddedRegistry() as registry:
        registry.fault = slow
        yield registry


def write(workspace: Workspace, *calls: str) -> None:
    """A main.tf of these calls; CALL stands for what all of them have."""
    common = f'source = "{CHECKOUT}/modules//images"\n  command = {json.dumps(workspace.recorded(*IMAGESYNC))}'
    (workspace.folder / "main.tf").write_text("\n".join(calls).replace("CALL", common))


def images(source: EmbeddedRegistry, *keys: str) -> str:
    """A map of images whose keys end with their names."""
    entries = {key: {"source": f"{source.host}/{key.rpartition('/')[2].partition(':')[0]}"} for key in keys}
    return f"images = {json.dumps(entries)}"


def assert_all_there(mirror: EmbeddedRegistry, folder: str = "m") -> None:
    """Every image is whole under its tag."""
    for name in NAMES:
        repository = mirror.state.repositories[f"{folder}/{name}"]
        assert repository.tags == {"latest": image(name).digest}
        assert image(name).digest in repository.manifests


Edit = Callable[[EmbeddedRegistry, EmbeddedRegistry], tuple[list[str], list[str]]]


def prefix_into_keys(source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> tuple[list[str], list[str]]:
    before = f'module "x" {{\n CALL\n destination_prefix = "{mirror.host}/m"\n {images(source, *NAMES)}\n}}'
    keys = [f"m/{name}" for name in NAMES]
    return [before], [f'module "x" {{\n CALL\n destination_prefix = "{mirror.host}"\n {images(source, *keys)}\n}}']


def latest_spelled_out(source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> tuple[list[str], list[str]]:
    spelled = [[*NAMES], [f"{name}:latest" for name in NAMES]]
    before, after = (
        f'module "x" {{\n CALL\n destination_prefix = "{mirror.host}/m"\n {images(source, *keys)}\n}}'
        for keys in spelled
    )
    return [before], [after]


def scheme_and_case(source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> tuple[list[str], list[str]]:
    host = mirror.host.replace("127.0.0.1", "localhost")
    loud = host.replace("localhost", "LOCALHOST")
    before, after = (
        f'module "x" {{\n CALL\n {images(source, *(f"{start}/m/{name}" for name in NAMES))}\n}}'
        for start in (host, f"docker://{loud}")
    )
    return [before], [after]


def renamed_in_dns(source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> tuple[list[str], list[str]]:
    """The registry answers at both names; nothing but their addresses tells."""
    before, after = (
        f'module "x" {{\n CALL\n {images(source, *(f"{host}/m/{name}" for name in NAMES))}\n}}'
        for host in (mirror.host, mirror.host.replace("127.0.0.1", "localhost"))
    )
    return [before], [after]


def to_another_call(source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> tuple[list[str], list[str]]:
    def call(name: str, *keys: str) -> str:
        return f'module "{name}" {{\n CALL\n destination_prefix = "{mirror.host}/m"\n {images(source, *keys)}\n}}'

    return [call("x", *NAMES), call("y")], [call("x"), call("y", *NAMES)]


def count_to_for_each(source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> tuple[list[str], list[str]]:
    before, after = (
        f'module "x" {{\n {many}\n CALL\n destination_prefix = "{mirror.host}/m"\n {images(source, *NAMES)}\n}}'
        for many in ("count = 1", 'for_each = toset(["one"])')
    )
    return [before], [after]


RENAMED = [prefix_into_keys, latest_spelled_out, scheme_and_case, renamed_in_dns]
EDITS = [*RENAMED, to_another_call, count_to_for_each]


@pytest.mark.parametrize("parallelism", [1, 10])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_that_keeps_the_image_keeps_it(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry, edit: Edit, parallelism: int
) -> None:
    """Whatever order Terraform takes, nothing is removed that the configuration still names; later it is removed."""
    before, after = edit(source, mirror)
    write(workspace, *before)
    workspace.apply()
    assert_all_there(mirror)
    write(workspace, *after)
    mirror.clear_requests()
    workspace.with_environment({}).succeeding("apply", "-auto-approve", f"-parallelism={parallelism}")
    assert_all_there(mirror)
    assert {request.method for request in mirror.requests} <= {"HEAD", "GET"}
    workspace = workspace.with_environment({})
    assert workspace.plan().code == 0
    if parallelism == 10:
        workspace.destroy()
        assert not any(repository.tags for repository in mirror.state.repositories.values())


CONSUMER = """
resource "terraform_data" "consumer" {
  triggers_replace = keys(module.x.ids)
  provisioner "local-exec" { command = "test ! -e broken" }
}
"""


@pytest.mark.parametrize("edit", RENAMED)
def test_an_edit_whose_apply_fails_at_a_consumer_keeps_the_image(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry, edit: Edit
) -> None:
    """The next apply finds all in place, so it copies nothing, and it removes the old objects: none takes an image."""
    before, after = edit(source, mirror)
    write(workspace, *before, CONSUMER)
    workspace.apply()
    write(workspace, *after, CONSUMER)
    (workspace.folder / "broken").touch()
    assert workspace.run("apply", "-auto-approve").code == 1
    (workspace.folder / "broken").unlink()
    workspace.calls()
    workspace.apply()
    assert "apply" not in workspace.verbs()
    assert_all_there(mirror)


@BOTH_TOOLS
@pytest.mark.parametrize("what", ["the prefix is known late", "the new block is left out", "another image comes"])
def test_a_block_that_waits_for_where_its_entries_go(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry, what: str
) -> None:
    """With `wait_for` it removes nothing before the new block has the images, whatever else hides that one."""

    def call(name: str, prefix: str, *keys: str, more: str = "") -> str:
        return f'module "{name}" {{\n CALL\n destination_prefix = {prefix}\n {images(source, *keys)}\n {more}\n}}'

    prefix, late, arguments = f'"{mirror.host}/m"', "", list[str]()
    write(workspace, call("x", prefix, *NAMES), call("y", prefix))
    workspace.apply()
    mirror.clear_requests()
    x = call("x", prefix, more="wait_for = module.y.ids")
    if what == "the prefix is known late":
        slow = 'provisioner "local-exec" {\n  command = "sleep 2"\n }'
        late = f'resource "terraform_data" "repository" {{\n input = {prefix}\n {slow}\n}}'
        prefix = "terraform_data.repository.output"
    elif what == "the new block is left out":
        arguments = ["-target=module.x"]
    else:
        for name in NAMES:
            image(f"{name} again").seed(source.repository(name), "latest")
    write(workspace, late, x, call("y", prefix, *NAMES))
    workspace.with_environment({}).succeeding("apply", "-auto-approve", *arguments)
    if what == "another image comes":
        there = [set(mirror.repository(f"m/{name}").manifests) for name in NAMES]
        assert there == [{image(f"{name} again").digest} for name in NAMES]
    else:
        assert_all_there(mirror)
        assert {request.method for request in mirror.requests} <= {"HEAD", "GET"}


@BOTH_TOOLS
@pytest.mark.parametrize("waits", [False, True])
def test_an_entry_is_copied_from_where_another_block_removes(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry, waits: bool
) -> None:
    """Nothing orders the copy and the removal: what is yet to be copied stays. With `wait_for`, it goes after that."""

    def call(name: str, source: str, *keys: str, more: str = "") -> str:
        entries = {key: {"source": f"{source}/a"} for key in keys}
        prefix = f'destination_prefix = "{mirror.host}"'
        return f'module "{name}" {{\n CALL\n {prefix}\n images = {json.dumps(entries)}\n {more}\n}}'

    write(workspace, call("x", source.host, "m/a"))
    workspace.apply()
    sleep = f'provisioner "local-exec" {{\n command = "sleep {SLOW_DELETE_S}"\n }}'
    slow = f'resource "terraform_data" "slow" {{\n {sleep}\n}}'
    new = call("y", f"{mirror.host}/m", "n/a", more="wait_for = terraform_data.slow")
    write(workspace, slow, new, call("x", source.host, more="wait_for = module.y.ids" if waits else ""))
    applied = workspace.with_environment({}).apply()
    there = {name for name, repository in mirror.state.repositories.items() if repository.tags}
    assert there == ({"n/a"} if waits else {"m/a", "n/a"})
    assert ("kept: tag latest (n/a is yet to be copied from it)" in applied.text) == (not waits)
    assert image("a").digest in mirror.state.repositories["n/a"].manifests


def test_a_destroy_removes_a_copy_and_what_it_was_copied_from(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """Whichever goes first: what goes itself is not to be copied any more."""
    entries = {"m/a": source.host, "n/a": f"{mirror.host}/m", "o/a": f"{mirror.host}/n"}
    calls = list[str]()
    for key, host in entries.items():
        one = json.dumps({key: {"source": f"{host}/a"}})
        calls.append(f'module "{key[0]}" {{\n CALL\n destination_prefix = "{mirror.host}"\n images = {one}\n}}')
        write(workspace, *calls)
        workspace.with_environment({}).apply()
    workspace.destroy()
    assert not any(repository.tags for repository in mirror.state.repositories.values())


def test_a_plan_that_moves_entries_is_applied_elsewhere(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry, tmp_path: Path
) -> None:
    """On a machine that knows nothing of the plan every image is there in the end."""
    before, after = to_another_call(source, mirror)
    write(workspace, *before)
    workspace.apply()
    write(workspace, *after)
    workspace.plan()
    shutil.copytree(workspace.folder, elsewhere := tmp_path.parent / f"{tmp_path.name}-elsewhere", symlinks=True)
    shutil.rmtree(elsewhere / ".terraform" / "imagesync")
    workspace.inside(str(elsewhere)).succeeding("apply", "plan.bin")
    assert_all_there(mirror)
    noted = map(Path.read_text, elsewhere.glob(".terraform/imagesync/claims/*.json"))
    assert [json.loads(each)["workspace"] for each in noted] == ["default"]


def test_two_workspaces_with_one_destination(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """A destroy of one leaves what the other has, though that was read long before; the last one removes it."""
    write(workspace, f'module "x" {{\n CALL\n destination_prefix = "{mirror.host}/m"\n {images(source, *NAMES)}\n}}')
    other = workspace.with_environment({"TF_WORKSPACE": "other"})
    workspace.apply()
    other.apply()
    destroyed = other.destroy()
    assert (
        "kept: tag latest (the workspace default relies on it: a; if that is gone, remove .terraform/" in destroyed.text
    )
    assert_all_there(mirror)
    workspace.destroy()
    assert not any(repository.tags for repository in mirror.state.repositories.values())


@BOTH_TOOLS
def test_a_workspace_with_a_copied_state(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """A workspace's own images go when their entries do, those that its copy has as well stay, and no plan changes."""
    call = f'module "x" {{\n CALL\n destination_prefix = "{mirror.host}/m"\n'
    write(workspace, f"{call} {images(source, *NAMES)}\n}}")
    first, copy = (workspace.with_environment({"TF_WORKSPACE": name}) for name in ("first", "copy"))
    first.apply()
    states = workspace.folder / "terraform.tfstate.d"
    shutil.copytree(states / "first", states / "copy")
    assert (copy.plan().code, first.plan().code) == (0, 0)
    assert "the workspace first relies on it: a" in copy.destroy().text
    assert_all_there(mirror)
    write(workspace, f"{call} {images(source, 'a')}\n}}")
    first.apply()
    assert {name for name, repository in mirror.state.repositories.items() if repository.tags} == {"m/a"}


def test_a_block_that_is_gone_relies_on_an_image(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """Nobody can tell that from a block which -target leaves out: the image stays, and the log says how to go on."""

    def call(name: str, *keys: str) -> str:
        return f'module "{name}" {{\n CALL\n destination_prefix = "{mirror.host}/m"\n {images(source, *keys)}\n}}'

    write(workspace, call("x", *NAMES), call("y", *NAMES))
    workspace.apply()
    write(workspace, call("y", *NAMES))
    workspace.apply()
    write(workspace, call("y"))
    kept = workspace.apply()
    assert_all_there(mirror)
    told = re.search(r"a:latest: kept: tag latest \((.*?): a; if that is gone, remove (\S+) and delete", kept.text)
    assert told is not None
    assert told[1] == "another image of this configuration has taken it over"
    (workspace.folder / told[2]).unlink()
    write(workspace, call("y", *NAMES))
    workspace.apply()
    workspace.destroy()
    assert not any(repository.tags for repository in mirror.state.repositories.values())


def test_calls_alike_and_a_plan_that_was_dropped(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """Of two calls with the same images one may go; what a plan meant that nobody applied keeps nothing."""

    def call(name: str, folder: str, *keys: str) -> str:
        prefix = f'destination_prefix = "{mirror.host}/{folder}"'
        return f'module "{name}" {{\n CALL\n {prefix}\n {images(source, *keys)}\n}}'

    for count in (0, len(NAMES)):  # calls that have nothing yet are alike, too
        write(workspace, *(call(name, "m", *NAMES[:count]) for name in ("x", "y")))
        workspace.apply()
    write(workspace, call("x", "m", *NAMES), call("y", "m"))
    workspace.apply()
    assert_all_there(mirror)
    write(workspace, call("x", "n", *NAMES), call("y", "n", *NAMES))
    workspace.plan()
    write(workspace, call("x", "m"), call("y", "m"))
    workspace.apply()
    assert not any(repository.tags for repository in mirror.state.repositories.values())


def test_what_means_one_destination_is_refused(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """Two spellings of one destination, and a destination that is its own source, fail the plan by name."""
    host = mirror.host.replace("127.0.0.1", "localhost")
    twice = images(source, f"{host}/m/a", f"{host.replace('localhost', 'LocalHost')}/m/a")
    itself = json.dumps({f"{source.host}/a": {"source": f"docker://{source.host}/a:latest"}})
    one, other = (json.dumps({f"{host}/m/z": {"source": f"{source.host}/{name}"}}) for name in ("a", "b"))
    entries = {"x": twice, "y": f"images = {itself}", "one": f"images = {one}", "other": f"images = {other}"}
    write(workspace, *(f'module "{name}" {{\n CALL\n {given}\n}}' for name, given in entries.items()))
    planned = workspace.plan()
    assert planned.code == 1
    assert f"its destination {host}/m/a:latest is that of {host.replace('localhost', 'LocalHost')}/m/a" in planned.text
    assert f'images["{source.host}/a"]: its destination {source.host}/a:latest is its source' in planned.text
    assert f"{host}/m/z:latest is that of {host}/m/z in another module call, with another image" in planned.text
