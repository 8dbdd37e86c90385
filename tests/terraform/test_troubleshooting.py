"""What Terraform shows in the cases of docs/troubleshooting.md: its headings are parts of that."""

from __future__ import annotations

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image
from tests.repo.test_troubleshooting import headings
from tests.terraform.workspace import CHECKOUT, Expression, Workspace

NOT_READ = 'resource "terraform_data" "first" {}\n'
WRONG_KEY = 'output "id" { value = module.mirror.ids["busybox"] }\n'
# Asserted in test_picked.py and test_left_out.py.
ELSEWHERE = ["the rules pick none", "the last picks are not remembered", "is older than these modules"]


def test_the_texts_are_what_one_sees(workspace: Workspace) -> None:
    """A missing command, one slash, a depends_on, a wrong key, a source, an image and a registry that are gone."""
    with EmbeddedRegistry() as source, EmbeddedRegistry() as registry:
        image().seed(source.repository("up"), "1")
        images = {f"{registry.host}/m/a:1": f"{source.host}/up:1"}
        workspace.write(images, command=["imagesync-is-not-here"])
        said = [workspace.plan().text]
        one_slash = workspace.inside("one-slash")
        one_slash.folder.mkdir()
        one_slash.write_module("image", source=f"{CHECKOUT}/modules/image")
        said.append(one_slash.shell("! terraform init -no-color 2>&1"))
        workspace.write(images, NOT_READ, depends_on=Expression("[terraform_data.first]"))
        said.append(workspace.plan().text)
        workspace.write(images, WRONG_KEY)
        said.append(workspace.plan().text)
        workspace.write({f"{registry.host}/m/a:1": f"{source.host}/up:2"})
        said.append(workspace.plan().text)
        workspace.write(images)
        workspace.apply()
        registry.repository("m/a").tags.clear()
        said.append(workspace.plan().text)
        registry.fault = lambda _: refusal(403, "DENIED")
        said.append(workspace.run("destroy", "-auto-approve").text)
    assert [text for text in headings("In Terraform") if not any(text in each for each in said)] == ELSEWHERE
