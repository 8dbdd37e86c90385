"""What is loaded before a command does its work: every plan waits for it, so each addition is a decision."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from imagesync_cli.stores.files.runs.wishes import Run
from tests.command import environment
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image

# Packages outside the standard library that may be loaded, by command; and parts of it that are slow and may not.
FOR_REGISTRIES = {"click", "h11", "httpx", "idna"}
MAY_LOAD = {
    "--version": {"click"},
    "external": FOR_REGISTRIES,
    "resolve": FOR_REGISTRIES,
    "sync": FOR_REGISTRIES,
    "check": FOR_REGISTRIES,
    "tags": FOR_REGISTRIES,
}
NETWORK = {"asyncio", "h11", "httpx", "ssl", "urllib.request"}
# What logs in is loaded by the first 401, and the codec for foreign hosts' names by nothing that looks up a registry.
WAITS = {
    "encodings.idna",
    "imagesync_cli.credentials",
    "imagesync_cli.stores.registry.login",
    "imagesync_cli.stores.registry.login.tokens",
}
WITH_REGISTRIES = [command for command in MAY_LOAD if command != "--version"]
MUST_NOT_LOAD = {"--version": NETWORK} | dict.fromkeys(WITH_REGISTRIES, WAITS)
CONNECTING = """
import json, sys
from imagesync_cli.stores.transport import preconnect
begin = preconnect.preconnect
def noting(*given):
    sys.stderr.write(json.dumps([0, sorted(sys.modules)]))
    return begin(*given)
preconnect.preconnect = noting
from imagesync_cli.cli import main
main()
"""
REPORT = """
import json, sys
before = set(sys.modules)
from imagesync_cli.cli import main
try:
    main()
except SystemExit as ended:
    sys.stderr.write(json.dumps([ended.code, sorted(name for name in set(sys.modules) - before if sys.modules[name])]))
"""


def loaded_by(command: str, report: str = REPORT) -> set[str]:
    """The modules that the program ``report`` finds loaded when it runs the command on a registry."""
    with EmbeddedRegistry() as registry:
        image().seed(registry.repository("app"), "1", "2")
        one, two = f"{registry.host}/app:1", f"{registry.host}/app:2"
        calls = {
            "--version": (),
            "external": (),
            "resolve": (one,),
            "sync": ("--quiet", one, two),
            "check": ("--deep", "--quiet", one, two),
            "tags": ("--quiet", f"{registry.host}/app", "--semver", "*"),
        }
        stdin = json.dumps({"images": json.dumps({"app": one})})
        return loaded(command, *calls[command], report=report, stdin=stdin)


def loaded(*arguments: str, report: str = REPORT, stdin: str = "", **environ: str) -> set[str]:
    """The same for any call; the report goes to stderr."""
    done = subprocess.run(
        [sys.executable, "-c", report, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=True,
        env=environment(**environ),
    )
    code, modules = json.loads(done.stderr)
    assert code == 0
    return set(modules)


def packages(modules: set[str]) -> set[str]:
    """The packages among them that were installed."""
    tops = {module.partition(".")[0] for module in modules}
    return {top for top in tops if top not in sys.stdlib_module_names and not top.startswith(("_", "imagesync_cli"))}


@pytest.mark.parametrize("command", MAY_LOAD)
def test_a_command_loads_only_what_it_uses(command: str) -> None:
    """A run with nothing to copy starts without progress bars, retries, cloud SDKs and everything else that waits."""
    modules = loaded_by(command)
    assert packages(modules) - MAY_LOAD[command] == set()
    assert modules & MUST_NOT_LOAD[command] == set()


@pytest.mark.parametrize("command", WITH_REGISTRIES)
def test_connections_begin_before_the_rest_is_loaded(command: str) -> None:
    """A registry that is far away answers a command sooner: it is looked up and reached while the rest is loaded."""
    assert loaded_by(command, CONNECTING) & NETWORK == set()


@pytest.mark.parametrize(
    "words", ["imagesync ", "imagesync sync --", "imagesync sync --platform linux/", "imagesync -v "]
)
def test_completing_loads_no_more_than_help(words: str) -> None:
    """Tab answers as fast as --help, whatever is being completed."""
    asked = {"_IMAGESYNC_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    modules = loaded(**asked)
    assert packages(modules) == {"click"}
    ours = {module for module in modules if module.startswith("imagesync_cli.")}
    assert ours - loaded("--help") == {"imagesync_cli.commands.completion"}
    assert modules & MUST_NOT_LOAD["--version"] == set()


WAITING = """
import json, sys
before = set(sys.modules)  # coverage's as well, where that is measured
from imagesync_cli.stores.files.runs import wishes
def report(seconds):
    sys.stderr.write(json.dumps([0, sorted(name for name in set(sys.modules) - before if sys.modules[name])]))
    sys.stderr.flush()
    raise SystemExit(0)
wishes.time.sleep = report
from imagesync_cli.__main__ import main
sys.argv[1:] = ["delete", "--claimant", "call/key", "--digest", "sha256:0", "registry.example.com/app:1"]
main()
"""


def test_a_removal_that_waits_for_another_loads_next_to_nothing(tmp_path: Path) -> None:
    """Terraform starts a process for each image that goes: all but one of them only wait."""
    leads = Run(f"{tmp_path}/imagesync")
    assert leads.join([]) is None
    try:
        modules = loaded("unused", report=WAITING, TF_DATA_DIR=str(tmp_path))
    finally:
        leads.leave()
    assert packages(modules) == set()
    assert modules & (NETWORK | {"dataclasses", "imagesync_cli.settings", "pathlib"}) == set()
