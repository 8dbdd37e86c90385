"""The examples as files: listed, pinned, described, right by their engines' schemas; and what they call exists.

Those for Terraform are run by tests/terraform/examples.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from imagesync_cli.batch.entries import read_entries
from tests.repo.checkout import ROOT
from tests.repo.test_documentation import COMMANDS

EXAMPLES = ROOT / "examples"
KUBERNETES = [path for path in sorted((EXAMPLES / "kubernetes").glob("*.yaml")) if path.name != "images.yaml"]
WORKFLOWS = {
    "vendor.github-workflows": sorted((EXAMPLES / "github-actions").glob("*.yml")),
    "vendor.gitlab-ci": [EXAMPLES / "gitlab-ci" / name for name in (".gitlab-ci.yml", "plan.yml")],
}
TERRAFORM = sorted(EXAMPLES.rglob("main.tf"))
OLDEST, NEWEST = "1.25", "1.37"


def name_of(path: Path) -> str:
    return path.relative_to(EXAMPLES).as_posix()


def test_each_is_listed() -> None:
    """Whoever looks into the folder finds a line about each example."""
    rows = re.findall(r"^\| \[[^]]+\]\((\S+)\)", (EXAMPLES / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


@pytest.mark.parametrize("path", TERRAFORM, ids=name_of)
def test_terraform_is_pinned_and_described(path: Path) -> None:
    """A copy keeps to the major versions that it was made for, and says what each variable and output is."""
    text = path.read_text("utf-8")
    assert re.findall(r'^  required_version = "(.*)"$', text, re.MULTILINE) == [">= 1.5"]
    providers = re.findall(r'^      source  = "hashicorp/(\w+)"$', text, re.MULTILINE)
    versions = re.findall(r'^      version = "~> [0-9.]+"$', text, re.MULTILINE)
    assert "external" in providers
    assert len(versions) == len(providers)
    blocks = re.findall(r'^(?:variable|output) "\w+" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    assert blocks
    assert [block for block in blocks if not re.search(r'^  description = "\w', block, re.MULTILINE)] == []


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("path", KUBERNETES, ids=name_of)
def test_kubernetes_takes_it(path: Path, version: str) -> None:
    """An old and a new cluster find nothing in the manifest that they do not know."""
    kubernetes_validate.validate(yaml.safe_load(path.read_text()), version, strict=True)


def test_kubernetes_would_refuse_a_slip() -> None:
    """A key that no cluster knows fails the check: the schemas are strict."""
    manifest = yaml.safe_load((EXAMPLES / "kubernetes" / "job.yaml").read_text())
    manifest["spec"]["completion_mode"] = "Indexed"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, NEWEST, strict=True)


@pytest.mark.parametrize("schema", WORKFLOWS)
def test_the_ci_system_takes_it(schema: str) -> None:
    """GitHub's and GitLab's own schemas have nothing against the examples."""
    files = [str(path) for path in WORKFLOWS[schema]]
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *files]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("images.yaml")), ids=name_of)
def test_the_files_of_images_are_right(path: Path) -> None:
    """Each images.yaml among the examples is one that the command takes."""
    assert read_entries(path, {"MIRROR": "registry.example.com/mirror"})


def called(document: Any) -> list[list[str]]:
    """Every call of imagesync in an example, wherever it stands."""
    if isinstance(document, dict):
        own = [document["args"]] if "args" in document else []
        return own + [call for value in document.values() for call in called(value)]
    if isinstance(document, list):
        return [call for value in document for call in called(value)]
    lines = str(document).splitlines() if document else []
    return [shlex.split(line.partition("||")[0])[1:] for line in lines if line.strip().startswith("imagesync ")]


@pytest.mark.parametrize(
    "path", [*KUBERNETES, *WORKFLOWS["vendor.github-workflows"], *WORKFLOWS["vendor.gitlab-ci"]], ids=name_of
)
def test_what_is_called_exists(path: Path) -> None:
    """Each command and option in an example is one that imagesync has."""
    for call in called(yaml.safe_load(path.read_text())):
        name = next(f"imagesync {' '.join(call[:n])}" for n in (2, 1) if f"imagesync {' '.join(call[:n])}" in COMMANDS)
        known = {option for parameter in COMMANDS[name].params for option in parameter.opts}
        assert {word for word in call if word.startswith("--")} <= known


def test_the_job_shards_as_often_as_it_has_pods() -> None:
    """The number of shares in the Indexed Job's command is the number of its completions."""
    job = yaml.safe_load((EXAMPLES / "kubernetes" / "job.yaml").read_text())["spec"]
    (arguments,) = called(job)
    assert arguments[arguments.index("--shard") + 1] == str(job["completions"])
