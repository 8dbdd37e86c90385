"""What is handed out: the wheel, the sdist, and the command in one file.

Building takes the package index; what the files hold is looked at without it.
"""

from __future__ import annotations

import base64
import email
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_nix
import tree_sitter_ruby
import yaml

from tests import peers
from tests.repo.checkout import PACKAGE, ROOT, copy_checkout, files, version
from tests.terraform import provider_mirror

SUPPORTED = ("3.10", "3.11", "3.12", "3.13")
TEXT = {".md", ".tf", ".yml", ".yaml"}

needs_index = pytest.mark.skipif(os.environ.get("IMAGESYNC_REQUIRE_PEERS") != "1", reason="needs the package index")


def name_of(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement.strip())[0].lower().replace("_", "-")


def pins() -> dict[str, str]:
    """What packaging/requirements.txt names, each with its version and hashes on one line."""
    text = (ROOT / "packaging/requirements.txt").read_text("utf-8").replace("\\\n", "")
    return {name_of(line): line for line in text.splitlines() if line and not line.startswith("#")}


def test_what_the_file_is_built_of_is_pinned() -> None:
    """Each dependency of the package has one version and the hashes of its files, for all that is built."""
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    listed = re.findall(r'^    "(.+)",', project.partition("\ndependencies = [")[2].partition("\n]")[0], re.MULTILINE)
    assert "httpx" in map(name_of, listed)
    assert {name_of(each) for each in listed} <= pins().keys()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+( +--hash=sha256:[0-9a-f]{64})+", line) for line in pins().values())


def test_nothing_is_installed_without_its_hash() -> None:
    """The action, the GitLab component, the image and the one file install dependencies by hash, and only those."""
    for name in ("action.yml", "templates/sync.yml", "Dockerfile", "packaging/zipapp.py"):
        text = (ROOT / name).read_text("utf-8")
        assert "--require-hashes" in text, name
        assert "--no-deps" in text, name
    *_, component = yaml.safe_load_all((ROOT / "templates/sync.yml").read_text("utf-8"))
    inline = component["imagesync"]["variables"]["IMAGESYNC_REQUIREMENTS"].replace("\\\n", "")
    assert inline.splitlines() == list(pins().values())


def test_the_action_used_twice_shows_each_report(tmp_path: Path) -> None:
    """The second use in a job has a report of its own: never the first one's, also where it writes none."""
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    (script,) = [step["run"] for step in action["runs"]["steps"] if step.get("id") == "sync"]
    program = tmp_path / "imagesync/bin/imagesync"
    program.parent.mkdir(parents=True)
    program.write_text(
        "#!/bin/bash\n"
        'if [[ $1 == report ]]; then echo "summary of $(cat "$3")" > "${@: -1}"; exit; fi\n'
        '[[ $3 != first ]] || echo "$3" > "${@: -1}"\n'
        "[[ $3 == first ]]\n"
    )
    program.chmod(0o755)
    summary, output = tmp_path / "summary", tmp_path / "output"
    for file, code in (("first", 0), ("second", 1)):
        given = {"FILE": file, "LOCKED": "false", "ARGUMENTS": "", "RUNNER_TEMP": str(tmp_path)}
        given |= {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary), "PATH": os.environ["PATH"]}
        assert subprocess.run(["bash", "-e", "-c", script], env=given, check=False).returncode == code
    assert summary.read_text() == "summary of first\n"
    reports = output.read_text().splitlines()
    assert len(set(reports)) == len(reports) == 2


def interpreters() -> dict[str, str]:
    """Every Python that is supported and here, by version."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = {}
    for each in SUPPORTED:
        candidates = [shutil.which(f"python{each}"), *map(str, pyenv.glob(f"{each}.*/bin/python"))]
        if usable := [python for python in candidates if python and runs(python)]:
            found[each] = usable[0]
    return found


def runs(python: str) -> bool:
    return subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0


def repository(folder: Path) -> Path:
    """A git repository of what this checkout holds, with one commit, at a fixed time."""
    copy_checkout(folder)
    git = ["git", "-C", str(folder), "-c", "user.name=Nobody", "-c", "user.email=nobody@example.com"]
    times = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), "2026-01-02T03:04:05Z")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "A release"]):
        subprocess.run([*git, *command], check=True, env={**os.environ, **times})
    return folder


def release(source: Path, folder: Path, python: str, **environment: str) -> Path:
    """Follow packaging/releasing.md in a clone: what it has built."""
    subprocess.run(["git", "clone", "-q", str(source), str(folder)], check=True)
    programs = folder.parent / f"{folder.name}-programs"
    programs.mkdir()
    (programs / "python3").symlink_to(python)
    build = (
        (ROOT / "packaging/releasing.md")
        .read_text("utf-8")
        .split("\n## Build\n")[1]
        .split("```sh\n")[1]
        .split("```")[0]
    )
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", build],
        cwd=folder,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", **environment},
        umask=0o077 if environment else 0o022,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"


@needs_index
@pytest.mark.timeout(900)
def test_a_release_is_built_again_byte_for_byte(tmp_path: Path) -> None:
    """Who follows packaging/releasing.md in another folder, at another time, with another umask, language and Python
    gets the same files; they hold what they should, and PyPI takes them."""
    source, others = repository(tmp_path / "source"), interpreters()
    one = release(source, tmp_path / "one", sys.executable)
    elsewhere = {"TZ": "Pacific/Auckland", "LC_ALL": "C", "LANG": "tr_TR.UTF-8", "HOME": str(tmp_path)}
    two = release(source, tmp_path / "two/deeper", next(iter(others.values()), sys.executable), **elsewhere)
    assert {path.name: path.read_bytes() for path in one.iterdir()} == {
        path.name: path.read_bytes() for path in two.iterdir()
    }
    (wheel,), (sdist,) = one.glob("*.whl"), one.glob("*.tar.gz")
    checked = subprocess.run([sys.executable, "-m", "twine", "check", "--strict", wheel, sdist], check=False)
    assert checked.returncode == 0
    look_at_recipes(one)
    look_at_wheel(wheel)
    look_at_sdist(sdist, source)
    for name, python in {**others, "this": sys.executable}.items():
        look_at_zipapp(one / "imagesync.pyz", python, tmp_path / f"run-by-{name}")


def look_at_recipes(folder: Path) -> None:
    """Homebrew's and Nix's are well-formed, and install the one file of this version by its checksum."""
    digest = hashlib.sha256((folder / "imagesync.pyz").read_bytes()).digest()
    told = {"imagesync.rb": digest.hex(), "flake.nix": f"sha256-{base64.b64encode(digest).decode()}"}
    for (name, checksum), grammar in zip(told.items(), (tree_sitter_ruby, tree_sitter_nix), strict=True):
        recipe = (folder / name).read_text("utf-8")
        tree = tree_sitter.Parser(tree_sitter.Language(grammar.language())).parse(recipe.encode())
        assert not tree.root_node.has_error, name
        assert f'"{checksum}"' in recipe
        assert f"/releases/download/v{version()}/imagesync.pyz" in recipe


def test_the_terraform_registrys_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder has a root module, which its example uses, and no link that leads out of it."""
    source, folder, providers = repository(tmp_path / "source"), tmp_path / "registry", tmp_path / "providers"
    subprocess.run([source / "packaging/registry-layout", folder], check=True)
    provider_mirror.install(providers, "external", provider_mirror.PROVIDER_VERSION)
    (tmp_path / "cli.tfrc").write_text(provider_mirror.CLI_CONFIG % providers)
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "cli.tfrc"))
    for arguments in (["init", "-input=false"], ["validate"]):
        subprocess.run([peers.program("terraform"), *arguments], cwd=folder / "examples/complete", check=True)
    for each in folder.rglob("README.md"):
        links = re.findall(r"]\(([^)#]+)", each.read_text("utf-8"))
        assert all(link.startswith("https://") or (each.parent / link).exists() for link in links), links
    assert {"README.md", "LICENSE", "main.tf", "variables.tf", "outputs.tf", "modules", "examples"} <= {
        path.name for path in folder.iterdir()
    }


def look_at_wheel(wheel: Path) -> None:
    """It has the package, its commit, its manual and its licence, nothing else, and says all that an index shows."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        about = f"imagesync_cli-{version()}.dist-info"
        metadata = email.message_from_bytes(archive.read(f"{about}/METADATA"))
    sources = {path.relative_to(ROOT).as_posix() for path in files() if path.is_relative_to(PACKAGE)}
    described = {f"{about}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    manual = f"imagesync_cli-{version()}.data/data/share/man/man1/imagesync.1"
    assert names == {*sources, *described, "imagesync_cli/_commit.py", manual}
    assert "imagesync_cli/py.typed" in names
    told = {name: metadata.get_all(name) or [] for name in set(metadata.keys())}
    assert told["Version"] == [version()]
    assert told["License-Expression"] == ["Apache-2.0"]
    assert told["License-File"] == ["LICENSE"]
    assert told["Requires-Python"] == [">=3.10"]
    assert {"aws", "azure", "gcp", "system-trust"} <= {*told["Provides-Extra"]}
    assert {f"Programming Language :: Python :: {each}" for each in SUPPORTED} <= {*told["Classifier"]}
    assert told["Summary"]
    assert told["Keywords"]
    assert told["Description-Content-Type"] == ["text/markdown"]
    assert metadata.get_payload(decode=True) == (ROOT / "README.md").read_bytes()


def look_at_sdist(sdist: Path, source: Path) -> None:
    """It has every file of the repository, tests and documentation included, and the commit."""
    with tarfile.open(sdist) as archive:
        members = {member.name.partition("/")[2]: member for member in archive}
    listed = subprocess.run(["git", "-C", source, "ls-files"], capture_output=True, check=True, text=True)
    assert members.keys() == {*listed.stdout.splitlines(), "PKG-INFO", "imagesync_cli/_commit.py"}
    assert {(member.uid, member.gid, member.uname, member.mode & ~0o111) for member in members.values()} == {
        (0, 0, "", 0o644)
    }


def look_at_zipapp(zipapp: Path, python: str, folder: Path) -> None:
    """It copies an image and reads a file of images with a Python that has nothing installed."""
    folder.mkdir()
    with zipfile.ZipFile(zipapp) as archive:
        assert not [name for name in archive.namelist() if name.endswith((".so", ".pyd"))]
    (folder / "images.yaml").write_text(
        f"images: [{{source: 'oci:{ROOT}/examples/hello-image:1.0', destination: 'oci:{folder}/mirror:1.0'}}]\n"
    )
    bare = [python, "-I", "-S", str(zipapp)]
    told = subprocess.run([*bare, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(rf"imagesync, version {re.escape(version())} \([0-9a-f]{{12}}\)\n", told.stdout)
    subprocess.run([*bare, "sync", "--file", str(folder / "images.yaml")], check=True, capture_output=True)
    assert (folder / "mirror/index.json").exists()


def test_every_page_names_the_version() -> None:
    """A module source, an image or a component that is copied from the documentation is one of this version."""
    named = re.compile(r"(?:\?ref=v|imagesync:|imagesync/sync@|imagesync-cli==)(\d+\.\d+\.\d+)")
    found = {path: set(named.findall(path.read_text("utf-8"))) for path in files() if path.suffix in TEXT}
    assert {each for versions in found.values() for each in versions} == {version()}


def test_every_text_installs_this_project() -> None:
    """A line to paste never takes a package called imagesync, which is somebody else's: this one is imagesync-cli."""
    takes = r"\buvx|\buv tool run|\bpipx? \w+|\buv (?:tool|pip) \w+|\buv add"
    others = re.compile(rf"""(?:{takes})(?:[\\"',\s]+-\S+)*[\\"',\s]+imagesync(?![\w-])""")
    assert all(map(others.search, ("uvx imagesync", r"[\"uvx\", \"imagesync\"]", "pip install -q 'imagesync[aws]'")))
    assert not others.search("pipx install imagesync-cli")
    texts = [path for path in files() if path.suffix in {*TEXT, ".hcl"}]
    assert [path for path in texts if others.search(path.read_text("utf-8"))] == []


def test_the_actions_scripts_hold_no_inputs() -> None:
    """What a workflow passes to the action is never part of a script, only of variables."""
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    scripts = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    assert scripts
    assert not [script for script in scripts if "${{" in script]
    for script in scripts:
        subprocess.run(["bash", "-n", "-c", script], check=True)
