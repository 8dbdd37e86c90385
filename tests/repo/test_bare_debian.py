"""On a Debian 12 that has python3-venv, git and terraform and nothing else, the documentation works as pasted.

Terraform's provider is the stand-in of tests/terraform, from a filesystem mirror; packages come from the index.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest

from tests import peers
from tests.repo.bare_debian import BareDebian, bare_debian
from tests.repo.checkout import ROOT, readme_block, version
from tests.terraform import provider_mirror
from tests.terraform.tutorial import broken_promises, whole_script

CHECKOUT = "/srv/checkout"
# pipx and uv both put the command there.
AND_THEN = """
[ ! -e ~/.local/bin/imagesync ] || { ~/.local/bin/imagesync --version; rm ~/.local/bin/imagesync; }
"""
# Those that need other programs, which are skipped here, beside some that need none.
SOME_TESTS = (
    "tests/terraform tests/referrers/test_peers.py tests/delete/test_real_registries.py tests/repo/test_workflows.py "
    "tests/benchmarks/test_smoke.py tests/commands/test_completion.py tests/values tests/repo/test_text.py"
)
CRANE = "github.com/google/go-containerregistry/cmd/crane@"
README = (ROOT / "README.md").read_text("utf-8")

pytestmark = pytest.mark.timeout(900)  # the first one of them all makes the plain system


@pytest.fixture
def debian() -> Iterator[BareDebian]:
    """A bare Debian with a clone of this checkout, in which one is."""
    with bare_debian() as made:
        made.clone(CHECKOUT)
        yield made


def with_terraform(debian: BareDebian) -> BareDebian:
    """Put terraform and the mirror of its one provider into it."""
    shutil.copy(peers.program("terraform"), debian.root / "usr/local/bin/terraform")
    provider_mirror.install(debian.root / "opt/providers", "external", provider_mirror.PROVIDER_VERSION)
    (debian.root / "root/.terraformrc").write_text(provider_mirror.CLI_CONFIG % "/opt/providers")
    return debian


def test_the_two_commands(debian: BareDebian) -> None:
    """The README's first command installs imagesync, which prints the id of what it copied and knows its commit; the
    second installs what tests need and runs them (here: some of them)."""
    promised = re.search(r"It prints .*`(oci:\S+@sha256:\w+)…`", README)
    assert promised
    assert promised[1] in debian.run(readme_block("Try it"), folder=CHECKOUT)
    assert (debian.root / "srv/checkout/.venv/mirror/index.json").exists()
    commit = debian.run("git rev-parse --short=12 HEAD", folder=CHECKOUT).strip()
    assert debian.run(".venv/bin/imagesync --version", folder=CHECKOUT).endswith(f"{version()} ({commit})\n")

    printed = debian.run(readme_block("Run the tests"), folder=CHECKOUT, PYTEST_ADDOPTS=SOME_TESTS)
    assert re.search(r"^=+ \d{3,} passed, \d{3,} skipped\b[^f\n]*$", printed, re.MULTILINE)
    for missing in ("apt-get install -y --no-install-recommends buildah ", f"go install {CRANE}"):
        assert f"\n  {missing}" in printed


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_running_all_tests(debian: BareDebian) -> None:
    """The second command runs all tests, and none fails because a peer is missing."""
    printed = debian.run(readme_block("Run the tests"), folder=CHECKOUT)
    assert re.search(r"^=+ \d{4,} passed, \d+ skipped\b", printed, re.MULTILINE)


def test_the_tutorial(debian: BareDebian) -> None:
    """Whoever follows the tutorial from its first block on sees what it promises, and has a clean checkout again."""
    printed = with_terraform(debian).run(whole_script("Install"), folder=CHECKOUT, TF_CLI_ARGS="-no-color")
    assert broken_promises(printed) == []
    assert debian.run("git status --porcelain", folder=CHECKOUT) == ""


def test_the_install_page(debian: BareDebian) -> None:
    """Each way to install that needs no more than the package index ends with the command, and it can be taken away.

    The one file is built by test_packages.
    """
    page = (ROOT / "docs/install.md").read_text("utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    printed = debian.run(
        f"""
        git config --global url./srv/imagesync.insteadOf https://git.example.com/imagesync.git
        python3 -m venv /opt/installers && /opt/installers/bin/pip install -q pipx uv
        export PATH=/opt/installers/bin:~/.local/bin:$PATH
        {AND_THEN.join(blocks)}
        test -e ~/imagesync/bin/python && test ! -e ~/imagesync/bin/imagesync
        test -e ~/imagesync-inside/share/man/man1/imagesync.1
        ~/imagesync-inside/bin/imagesync --version
        """,
        folder=CHECKOUT,
    )
    assert len(re.findall(rf"^imagesync, version {re.escape(version())}", printed, re.MULTILINE)) == 4


def test_the_block_for_terraform_names_the_module_by_git(debian: BareDebian) -> None:
    """The README's module source is fetched by git at this version's tag, and the configuration is valid.

    That the address, which is nobody's, means this checkout is all that git is told.
    """
    (debian.root / "srv/main.tf").write_text(readme_block("In Terraform"))
    printed = with_terraform(debian).run(
        """
        git config --global url./srv/imagesync.insteadOf https://git.example.com/imagesync.git
        terraform init -input=false
        terraform validate
        """,
        TF_CLI_ARGS="-no-color",
    )
    assert "Success! The configuration is valid." in printed
