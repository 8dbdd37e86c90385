"""What makes a release: right by its systems' own rules, pinned, and with nothing put into its scripts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.peers import docker_registry, program
from tests.repo.checkout import ROOT, copy_checkout, version
from tests.security.authority import Authority
from tests.security.relay import TlsFront

GITHUB = sorted((ROOT / ".github/workflows").glob("*.yml"))
EXAMPLES = sorted((ROOT / "examples/github-actions").glob("*.yml"))
SCRIPTS = [ROOT / "packaging/release-files", ROOT / "packaging/push-modules"]
MODULE = 'module "images" {\n  source = "oci://%s/imagesync/modules//%s?tag=1"\n}\n'


def scripts(document: Any) -> list[str]:
    """Every script in a workflow."""
    if isinstance(document, dict):
        own = [document["run"]] if isinstance(document.get("run"), str) else []
        return own + [each for value in document.values() for each in scripts(value)]
    return [each for value in document for each in scripts(value)] if isinstance(document, list) else []


def test_actionlint() -> None:
    """actionlint has nothing against the workflows, ours and those among the examples."""
    command = [program("actionlint"), *map(str, [*GITHUB, *EXAMPLES])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("schema", "files"),
    [("vendor.github-workflows", GITHUB), ("vendor.gitlab-ci", [ROOT / ".gitlab-ci.yml"])],
    ids=["GitHub", "GitLab"],
)
def test_the_schemas(schema: str, files: list[Path]) -> None:
    """Each system's own schema has nothing against them."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.name)
def test_what_is_called_is_pinned(path: Path) -> None:
    """An action is named by a digest, which nobody can move, with the version beside it for people."""
    used = re.findall(r"uses: (\S+)(.*)", path.read_text("utf-8"))
    assert used
    foreign = [(name, said) for name, said in used if not name.startswith("./")]
    assert [name for name, _ in foreign if not re.search(r"@[0-9a-f]{40}$", name)] == []
    assert [name for name, said in foreign if not re.fullmatch(r" # v\d+\.\d+\.\d+", said)] == []


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.name)
def test_nothing_is_put_into_a_script(path: Path) -> None:
    """What comes from outside, and every token, reaches a script by the environment; rights are named one by one."""
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert [script for script in scripts(workflow) if "${{" in script] == []
    assert workflow["permissions"] in ({}, {"contents": "read"})
    steps = [step for job in workflow["jobs"].values() for step in job.get("steps", ())]
    checkouts = [step["with"] for step in steps if "checkout@" in step.get("uses", "")]
    assert [options for options in checkouts if options["persist-credentials"]] == []


def test_a_release_has_its_files(tmp_path: Path) -> None:
    """PyPI gets wheel and sdist alone, which it refuses with any other file beside them; the page gets all others."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text("utf-8"))["jobs"]
    python = {f"imagesync_cli-{version()}-py3-none-any.whl", f"imagesync_cli-{version()}.tar.gz"}
    others = {"imagesync.pyz", "imagesync.rb", "flake.nix", "SHA256SUMS"}
    dist = tmp_path / "dist"
    dist.mkdir()
    for name in python | others:
        (dist / name).touch()
    for script in scripts(jobs["pypi"]):
        subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, check=True)
    assert {path.name for path in dist.iterdir()} == python
    assert set(re.findall(r"dist/(\S+)", "\n".join(scripts(jobs["page"])))) == others


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_one(path: Path) -> None:
    """It can be started, and bash can read it."""
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_the_notes_of_a_release() -> None:
    """The notes are the changelog's section of that version, and a version without one is an error."""
    command = [sys.executable, str(ROOT / "packaging/notes.py")]
    notes = subprocess.run([*command, version()], capture_output=True, text=True, check=True).stdout
    assert notes.strip()
    assert "## [" not in notes
    assert subprocess.run([*command, "99.0.0"], capture_output=True, check=False).returncode == 1


def test_opentofu_takes_the_modules_from_a_registry(tmp_path: Path) -> None:
    """The package that a release pushes holds both modules, and OpenTofu calls either of them from it."""
    checkout, storage, folder = tmp_path / "checkout", tmp_path / "storage", tmp_path / "calls"
    copy_checkout(checkout)
    git = ["git", "-C", str(checkout), "-c", "user.name=Nobody", "-c", "user.email=nobody@example.com"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "The checkout"]):
        subprocess.run([*git, *command], check=True)
    for each in (storage, folder):
        each.mkdir()
    authority = Authority(tmp_path)
    path = f"{Path(program('oras')).parent}:/usr/bin:/bin"
    with docker_registry(storage) as host, TlsFront(host, authority.server_context("127.0.0.1")) as front:
        push = [str(checkout / "packaging/push-modules"), f"{host}/imagesync/modules:1", "--plain-http"]
        subprocess.run(push, env={"PATH": path, "HOME": str(tmp_path)}, check=True, capture_output=True)
        for module in ("image", "images"):
            (folder / "main.tf").write_text(MODULE % (front.host, module))
            environ = {"PATH": path, "HOME": str(tmp_path), "SSL_CERT_FILE": str(authority.ca_file)}
            got = subprocess.run(
                [program("tofu"), "get", "-no-color"],
                cwd=folder,
                env=environ,
                capture_output=True,
                text=True,
                check=False,
            )
            assert got.returncode == 0, got.stdout + got.stderr
            assert (folder / f".terraform/modules/images/{module}/variables.tf").read_text() == (
                ROOT / f"modules/{module}/variables.tf"
            ).read_text()
