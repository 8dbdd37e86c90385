"""Deleting from a real Pulp, which has an API of its own for tags and does everything later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import Finished, imagesync
from tests.embedded_registry.images import index
from tests.served import Served

IMAGE = index("pulp", platforms=("linux/amd64", "linux/arm64"))


class Repository:
    """A repository of Pulp's with one image in it, by imagesync alone."""

    def __init__(self, served: Served, name: str, folder: Path) -> None:
        self.name = f"{served.host}/{name}"
        self._environ = served.environ
        self.layout = f"oci:{IMAGE.write_layout(folder, '1')}:1"

    def run(self, *arguments: str) -> Finished:
        return imagesync(*arguments, environ=self._environ)

    def succeed(self, *arguments: str) -> Any:
        """What a command prints as JSON, where it ends well."""
        done = self.run(*arguments, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)

    def push(self, *tags: str) -> None:
        for tag in tags:
            self.succeed("sync", self.layout, f"{self.name}:{tag}")


@pytest.fixture
def repository(pulp_registry: Served, repository_name: str, tmp_path: Path) -> Repository:
    return Repository(pulp_registry, repository_name, tmp_path / "layout")


def test_one_tag_of_two(repository: Repository) -> None:
    """A tag goes alone, its sibling stays whole, and the last one takes the image along, at once for who asks next."""
    repository.push("going", "staying")
    repository.succeed("delete", f"{repository.name}:going")
    assert repository.run("tags", repository.name).out == "staying\n"
    assert repository.run("check", "--read", f"{repository.name}:staying").code == 0
    repository.succeed("delete", f"{repository.name}:staying")
    assert repository.run("resolve", f"{repository.name}@{IMAGE.digest}").code == 3
    repository.push("staying")
    assert repository.run("check", "--read", f"{repository.name}:staying").code == 0


def test_the_tag_alone(repository: Repository) -> None:
    """`--keep-manifests` takes the tag, and the manifest is there as the report says."""
    repository.push("1")
    repository.succeed("delete", "--keep-manifests", f"{repository.name}:1")
    assert repository.run("tags", repository.name).out == ""
    assert repository.run("check", "--read", f"{repository.name}@{IMAGE.digest}").code == 0


def test_doctor(repository: Repository) -> None:
    """Doctor finds out that tags are deleted and blobs are mounted, and nothing is gone afterwards."""
    repository.push("1")
    (told,) = repository.succeed("doctor", "--destination", f"{repository.name}:1")
    steps = {step["name"]: (step["outcome"], step["seen"]) for step in told["steps"]}
    assert steps["delete"] == ("ok", "tags are deleted")
    assert steps["mount"][0] == "ok"
    assert repository.run("check", "--read", f"{repository.name}:1").code == 0
