"""A Debian 12 with python3-venv and git and nothing else, in which a test pastes what a newcomer would.

The plain system is made once, by debootstrap, and kept in the cache. Each test has a copy, a folder to change the root
to. The host lends what it takes to reach the package index: name resolution, certificates, pip's settings and cache.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import peers
from tests.repo.checkout import copy_checkout, version

PACKAGES = "ca-certificates,git,python3-venv"
LEFT_OUT = ("var/cache/apt/archives", "var/lib/apt/lists")
LENT_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
LENT_VARIABLES = re.compile(r"(PIP_(?!FIND_LINKS)\w+|SSL_CERT_FILE|\w+_proxy)", re.IGNORECASE)
# In a mount namespace of its own, so that nothing stays mounted whatever happens to the test.
ENTER = """
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
mount -t devpts devpts "$1/dev/pts"
mount --bind "$0" "$1/root/.cache/pip"
exec chroot "$@"
"""


@dataclass(frozen=True)
class BareDebian:
    """The root folder of such a system."""

    root: Path

    def run(self, script: str, *, folder: str = "/srv", **environment: str) -> str:
        """Run a shell script in a folder of it, as root, and return what it printed; fails the test if that fails."""
        home = {"HOME": "/root", "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        enter = ["unshare", "--mount", "--fork", "bash", "-euc", ENTER, str(cache("pip")), str(self.root)]
        done = subprocess.run(
            [*enter, "bash", "-euo", "pipefail", "-c", 'cd "$0"; eval "$1"', folder, script],
            env=lent_variables() | home | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def clone(self, folder: str) -> None:
        """Put what this checkout holds into a repository, tagged with its version, and clone that into a folder."""
        copy_checkout(self.root / "srv/imagesync")
        self.run(
            f"""
            git config --global user.name Nobody
            git config --global user.email nobody@example.com
            git -C /srv/imagesync init -q
            git -C /srv/imagesync add .
            git -C /srv/imagesync commit -q -m 'The checkout'
            git -C /srv/imagesync tag v{version()}
            git clone -q /srv/imagesync '{folder}'
            """
        )


def lent_variables() -> dict[str, str]:
    """What of the environment it takes to reach the package index."""
    return {name: value for name, value in os.environ.items() if LENT_VARIABLES.fullmatch(name)}


def cache(name: str) -> Path:
    """A folder that is kept from run to run; pip's has what the machine has downloaded already."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def plain_debian() -> Path:
    """The root folder of a plain Debian 12, which nobody changes; takes a minute the first time."""
    debootstrap = peers.program("debootstrap")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        peers.unavailable("a root user who may mount")
    kept = cache("imagesync-ci") / "debian-12"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            made = Path(tempfile.mkdtemp(prefix="debian-12.", dir=kept.parent))
            command = [debootstrap, "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(made)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            for folder in LEFT_OUT:
                shutil.rmtree(made / folder)
                (made / folder / "partial").mkdir(parents=True)
            made.chmod(0o755)
            made.rename(kept)
    return kept


@contextlib.contextmanager
def bare_debian() -> Iterator[BareDebian]:
    """A copy of the plain system that can reach the package index, gone with the end of the block."""
    plain = plain_debian()
    with tempfile.TemporaryDirectory(prefix="debian-12.") as folder:
        root = Path(folder, "root")
        subprocess.run(["cp", "-a", str(plain), str(root)], check=True)
        for lent in map(Path, LENT_FILES):
            if lent.exists():
                shutil.copyfile(lent, root.joinpath(*lent.parts[1:]))
        (root / "root/.cache/pip").mkdir(parents=True)
        yield BareDebian(root)
