"""The command itself: help, version, and what becomes of it in a poor environment."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from imagesync_cli import __version__
from imagesync_cli.commands import delete
from imagesync_cli.settings import read_settings
from tests.command import IMAGESYNC, environment, imagesync, imagesync_process
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image

COMMANDS = [
    *("sync", "check", "verify", "resolve", "inspect", "tags", "lock", "report", "adopt", "delete", "doctor"),
    *("login", "logout", "external"),
]


@pytest.fixture
def reference(registry: EmbeddedRegistry) -> str:
    image().seed(registry.repository("team/app"), "1")
    return f"{registry.host}/team/app:1"


def test_version() -> None:
    """--version tells the version."""
    assert imagesync_process("--version").out == f"imagesync, version {__version__}\n"


@pytest.mark.parametrize("command", ["", *COMMANDS, "report merge"])
def test_help(command: str) -> None:
    """Help says what a command does, in 80 columns, and names every option with what it is for."""
    finished = imagesync_process(*command.split(), "--help", COLUMNS="80")
    assert finished.code == 0
    lines = finished.out.splitlines()
    assert lines[0] == f"Usage: imagesync {command}".rstrip() + lines[0][len(lines[0].split(" [")[0]) :]
    assert max(map(len, lines)) <= 80
    options = [line for line in lines if line.startswith("  -")]
    assert options
    assert all(len(line.split("  ")) > 2 or len(line) > 24 for line in options)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_the_commands(command: str) -> None:
    """The main help lists every command and every exit code."""
    out = imagesync("--help").out
    assert f"  {command} " in out
    assert all(f"  {code} " in out for code in (*range(9), 130))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["unknown"], "No such command 'unknown'"),
        (["resolve"], "Missing argument 'REF...'"),
        (["sync", "a"], "Missing argument 'DST'"),
        (["sync", "a", "b", "--force"], "No such option"),
    ],
)
def test_wrong_call(arguments: list[str], said: str) -> None:
    """A call that is no call ends with 2 and points at the help."""
    finished = imagesync(*arguments)
    assert finished.code == 2
    assert said in finished.err
    assert "--help" in finished.err


def test_resolve_several(reference: str) -> None:
    """Of several references those that are there are printed, and the code is that of the first that is not."""
    missing = reference.replace(":1", ":2", 1) if reference.endswith(":2") else reference[:-1] + "2"
    finished = imagesync("resolve", reference, missing, reference)
    assert finished.code == 3
    assert finished.out == f"{reference[:-2]}@{image().digest}\n" * 2
    assert f"looking up {missing}: not found (404)" in finished.err


def test_resolve_as_json(reference: str) -> None:
    """--json gives one list with an entry for each reference."""
    finished = imagesync("resolve", reference, reference[:-1] + "2", "--json")
    found, missing = json.loads(finished.out)
    assert (found["reference"], found["digest"]) == (reference, image().digest)
    assert (missing["kind"], finished.code) == ("missing", 3)


def run(command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run imagesync in a shell, for what only a shell can do to its files."""
    script = command.replace("imagesync", " ".join(IMAGESYNC))
    return subprocess.run(
        ["sh", "-c", script], env=environment(**environ), capture_output=True, text=True, check=False, timeout=30
    )


def test_closed_stdout(reference: str) -> None:
    """A result that has nowhere to go is an error."""
    done = run(f"imagesync resolve {reference} >&-")
    assert done.returncode == 1
    assert "stdout is closed" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_full_stdout(reference: str) -> None:
    """A disk that is full where the result should go is told as such."""
    done = run(f"imagesync resolve {reference} > /dev/full")
    assert done.returncode != 0
    assert "cannot write the result to stdout: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("call", ["--help", "--version", "sync --help"])
def test_help_on_a_full_disk(call: str) -> None:
    """Help that a full disk does not take is told as such."""
    done = run(f"imagesync {call} > /dev/full")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("imagesync: cannot write: No space left on device\n")
    assert "bug" not in done.stderr


@pytest.mark.parametrize("to", ["oci:mirror:1", "oci-archive:mirror.tar:1"])
def test_folder_that_is_gone(reference: str, tmp_path: Path, to: str) -> None:
    """Where the current folder was removed, a relative path is told to lead nowhere; a whole one works."""
    gone = tmp_path / "gone"
    gone.mkdir()
    done = run(f"cd {gone} && rmdir {gone} && imagesync sync {reference} {to}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "imagesync: the current folder is gone" in done.stderr
    gone.mkdir()
    whole = to.replace("mirror", f"{tmp_path}/mirror")
    assert run(f"cd {gone} && rmdir {gone} && imagesync sync {reference} {whole}").returncode == 0


def test_reader_that_leaves(reference: str) -> None:
    """When whoever reads has left, nothing is said."""
    done = run(f"(imagesync resolve {reference} 3>&- ; echo $? >&2) | true")
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_closed_stderr(reference: str) -> None:
    """Without stderr the result alone is on stdout, and nothing else lands there."""
    done = run(f"imagesync sync {reference} {reference}-copy 2>&-")
    assert (done.returncode, done.stdout) == (0, f"{reference[:-2]}@{image().digest}\n")
    assert run(f"imagesync resolve {reference}x 2>&-").stdout == ""


@pytest.mark.parametrize("home", ["", "/nonexistent"])
def test_no_home(reference: str, home: str) -> None:
    """Without a home folder everything public works."""
    environ = {name: value for name, value in environment().items() if name != "HOME"}
    if home:
        environ["HOME"] = home
    done = subprocess.run(
        [*IMAGESYNC, "resolve", reference], env=environ, capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_locale(registry: EmbeddedRegistry, tmp_path: Path, locale: str) -> None:
    """A folder with a name beyond ASCII works in any locale."""
    image().seed(registry.repository("app"), "1")
    done = run(f"imagesync sync {registry.host}/app:1 oci:'{tmp_path}/grüße':1", LC_ALL=locale, PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "grüße" / "index.json").exists()


@pytest.mark.parametrize("log", [[], ["-v"], ["--log-level", "debug"], ["--log-level=info"]])
def test_a_removal_that_logs_does_so_itself(log: list[str]) -> None:
    """Another process of a Terraform run carries a removal out, unless its log is asked for: that it would not show."""
    options = ["--claimant", "c1/app", "--digest", f"sha256:{'a' * 64}"]
    order = delete._parse(("registry.example.com/app:1", *options, *log), read_settings())
    assert (order is None) == bool(log)
