"""The generated reference says what the code says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli import settings
from imagesync_cli.batch.batch import JOBS
from imagesync_cli.commands.sync import command as sync
from imagesync_cli.settings import read_settings
from tests.command import environment
from tests.repo.checkout import ROOT, left_out

VARIABLES = re.findall(r"^([A-Z_]{4,}(?:<HOST>)?) {2,}\S", settings.__doc__ or "", re.MULTILINE)


def reference(checkout: Path, *options: str) -> tuple[int, str]:
    """Run the generator as CONTRIBUTING.md says."""
    done = subprocess.run(
        [sys.executable, "packaging/reference", *options],
        cwd=checkout,
        env=environment(PYTHONPATH=str(checkout)),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_reference_is_what_the_code_says() -> None:
    """Nobody reads of an option, a code, a variable or a default that is no longer so."""
    assert reference(ROOT, "--check") == (0, "")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    checkout = tmp_path_factory.mktemp("reference") / "imagesync"
    shutil.copytree(ROOT, checkout, ignore=lambda folder, names: {*left_out(folder, names), "benchmarks", "tests"})
    return checkout


@pytest.fixture
def checkout(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "imagesync"))


NEW_VARIABLE = """
variable "allowed" {
  type        = list(object({ name = string, at = optional(number, 1) }))
  description = "One of \\"a|b\\",\\nor $${X}."
  default     = [{ name = "x" }]
}
"""
CHANGES = {
    "a variable": (
        *("modules/images/variables_rules.tf", 'variable "verify"', NEW_VARIABLE + 'variable "verify"'),
        ["docs/reference/modules.md", "modules/images/README.md"],
        '| `allowed` | One of "a&#124;b", or ${X}. | `list(object({name = string, at = optional(number, 1)}))` '
        '| `[{"name": "x"}]` | no |',
    ),
    "a default": (
        *("modules/image/variables.tf", 'default     = "tag"', 'default     = "deep"'),
        ["docs/reference/modules.md", "modules/image/README.md"],
        '| `string` | `"deep"` | no |',
    ),
    "an output": (
        *("modules/image/outputs.tf", 'output "digest"', 'output "sum"'),
        ["docs/reference/modules.md", "modules/image/README.md"],
        "| `sum` | The image's digest",
    ),
    "an option": (
        *("imagesync_cli/commands/look.py", '"--latest"', '"--newest", "latest"'),
        ["docs/reference/commands.md", "packaging/imagesync.1"],
        "| `--newest N` | Of those",
    ),
    "an exit code": (
        *("imagesync_cli/values/errors.py", "    exit_code = 8\n", "    exit_code = 9\n"),
        ["docs/reference/exit-codes.md", "packaging/imagesync.1", "README.md"],
        "| 9 | a check failed",
    ),
    "a variable of the environment": (
        *("imagesync_cli/settings.py", "\nIMAGESYNC_TIMEOUT ", "\nIMAGESYNC_PATIENCE "),
        ["docs/reference/environment.md"],
        "| `IMAGESYNC_PATIENCE` | time limit",
    ),
    "a key in a file": (
        *("imagesync_cli/batch/images.schema.json", "The images to mirror, each", "The images to copy, each"),
        ["docs/reference/files.md"],
        "The images to copy, each",
    ),
    "a key in JSON": (
        *("docs/output.schema.json", "Requests that were made again.", "Requests made once more."),
        ["docs/reference/json.md"],
        "| `retries` | integer | Requests made once more. |",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_makes_it_stale_and_one_command_mends_it(checkout: Path, change: str) -> None:
    """Whoever changes the code is told which pages are stale and what to run, and that is all that there is to do."""
    file, old, new, stale, told = CHANGES[change]
    path = checkout / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    code, said = reference(checkout, "--check")
    assert code == 1
    assert said == f"stale: {', '.join(stale)}; this mends it: python packaging/reference\n"
    pages = [page for page in stale if page.endswith(".md")]  # the manual has another form
    assert [told in (checkout / page).read_text("utf-8") for page in pages] == [False] * len(pages)
    assert reference(checkout) == (0, "".join(f"written: {page}\n" for page in stale))
    assert [told in (checkout / page).read_text("utf-8") for page in pages] == [True] * len(pages)
    assert reference(checkout, "--check") == (0, "")


def test_a_release_sets_the_address_once(checkout: Path) -> None:
    """Who moves the repository, or makes a version, changes one line; whatever is pasted follows."""
    for file, old, new in (
        ("pyproject.toml", "https://git.example.com/imagesync", "https://git.example.net/team/images"),
        ("imagesync_cli/__init__.py", '__version__ = "', '__version__ = "7.'),
    ):
        path = checkout / file
        path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    assert reference(checkout)[0] == 0
    pasted = [checkout / "README.md", *(checkout / "docs").rglob("*.md"), *(checkout / "examples").rglob("*.tf")]
    sources = [each for path in pasted for each in re.findall(r'"(git::[^"]+)"', path.read_text("utf-8"))]
    assert len(sources) > 10
    beginning = "git::https://git.example.net/team/images.git//modules/"
    assert [each for each in sources if not (each.startswith(beginning) and "?ref=v7." in each)] == []
    assert "git.example.com" not in (checkout / "imagesync_cli/output/adopt.py").read_text("utf-8")


def test_what_is_written_by_hand_stays(checkout: Path) -> None:
    """Only what is between its markers is changed in a README; without them it is left alone and named."""
    readme = checkout / "modules/image/README.md"
    text = readme.read_text("utf-8")
    readme.write_text(text.replace("| `verify` |", "| `verified` |"), "utf-8")
    assert reference(checkout)[0] == 0
    assert readme.read_text("utf-8") == text
    readme.write_text(text.replace("<!-- END_TF_DOCS -->", ""), "utf-8")
    code, said = reference(checkout)
    assert code == 1
    assert "modules/image/README.md needs the markers" in said


class Asked(dict[str, str]):
    """An environment that notes what was asked of it by name."""

    def __init__(self, **values: str) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


# What a variable may say where it is not just any text.
SAYS = {"IMAGESYNC_REQUESTS_PER_SECOND": "r.example.com=7", "IMAGESYNC_CONNECTIONS": "r.example.com=7"}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Something that each variable may say."""
    config = tmp_path_factory.mktemp("config") / "config.json"
    config.write_text('{"connections": {"r.example.com": 7}}')
    return {**dict.fromkeys(VARIABLES, "7"), **SAYS, "IMAGESYNC_CONFIG": str(config)}


def settings_of(name: str, value: str) -> Iterator[Any]:
    """The settings with this variable and without it."""
    for environ in ({name.replace("<HOST>", "R_EXAMPLE_COM"): value}, {}):
        yield read_settings(environ=environ)


# What a process reads before there are settings; tests/output/test_log.py shows what each does.
READ_EARLY = {"IMAGESYNC_LOG", "IMAGESYNC_LOG_FILE", "IMAGESYNC_LOG_FORMAT"}


@pytest.mark.parametrize("name", [name for name in VARIABLES if name not in READ_EARLY])
def test_every_variable_that_is_told_changes_something(name: str, said: dict[str, str]) -> None:
    """What the page of variables names is read."""
    with_it, without_it = settings_of(name, said[name])
    assert (with_it, with_it.proxies) != (without_it, without_it.proxies)


def test_every_variable_that_is_read_is_told(said: dict[str, str]) -> None:
    """Nothing in the environment changes a run without standing on the page of variables."""
    bare, full = Asked(), Asked(**said)
    for environ in (bare, full):
        read_settings(environ=environ)
    logins = {*settings._LOGIN_NAMES, *(f"{prefix}<HOST>" for prefix in settings._LOGIN_PREFIXES)}
    assert {"IMAGESYNC_TIMEOUT", "HOME"} <= bare.names
    assert (bare.names | full.names | logins) - set(VARIABLES) == set()


def test_the_number_of_images_in_parallel_is_told() -> None:
    """The help of --jobs names what holds without it."""
    (jobs,) = (each for each in sync.params if each.name == "jobs")
    assert f"(default {JOBS})" in getattr(jobs, "help", "")
