#!/usr/bin/env python3
"""Build imagesync.pyz: the command and everything it imports in one file, for any python3 >= 3.10.

    python3 packaging/zipapp.py imagesync.pyz

Takes the versions in requirements.txt and build-requirements.txt. What is compiled is left out: PyYAML, the only one
that has such a part, does without. The same sources give the same bytes: files are sorted and carry no time of their
own (SOURCE_DATE_EPOCH sets one).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
# What pip notes about an installation, and what only one kind of machine could load.
LEFT_OUT = {"RECORD", "INSTALLER", "REQUESTED", "WHEEL", "direct_url.json"}
COMPILED = {".so", ".pyd", ".dylib"}
FIRST_LINE = b"#!/usr/bin/env python3\n"
MAIN = b"from imagesync_cli.__main__ import main\n\nmain()\n"
EARLIEST_S = 315532800  # 1980, where zip's calendar begins


def main() -> None:
    """Build the file that the command line names."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        wheels, packages = Path(folder, "wheels"), Path(folder, "packages")
        _pip("wheel", "--no-deps", "--wheel-dir", str(wheels), str(HERE.parent))
        into = ("install", "--no-deps", "--no-compile", "--target", str(packages))
        _pip(*into, "--require-hashes", "--requirement", str(HERE / "requirements.txt"))
        _pip(*into, "--upgrade", *map(str, wheels.iterdir()))  # "bin" is there already
        write(Path(sys.argv[1]), packages)


def _pip(*arguments: str) -> None:
    tools = str(HERE / "build-requirements.txt")
    pinned = {"PIP_CONSTRAINT": tools, "PIP_BUILD_CONSTRAINT": tools}  # the second one from pip 25.3 on
    environment = {**os.environ, **pinned, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments], check=True, env=environment)


def write(target: Path, packages: Path) -> None:
    """Write all of the packages' files, and one that starts imagesync, to a zip that Python runs."""
    seconds = max(EARLIEST_S, int(os.environ.get("SOURCE_DATE_EPOCH", EARLIEST_S)))
    date_time = time.gmtime(seconds)[:6]
    with target.open("wb") as file:
        file.write(FIRST_LINE)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in [("__main__.py", MAIN), *_files(packages)]:
                entry = zipfile.ZipInfo(name, date_time)
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    target.chmod(0o755)


def _files(packages: Path) -> Iterator[tuple[str, bytes]]:
    """What is imported, and the licences."""
    for path in sorted(packages.rglob("*")):
        name = path.relative_to(packages)
        if path.is_file() and name.parts[0] != "bin" and path.name not in LEFT_OUT and path.suffix not in COMPILED:
            yield name.as_posix(), path.read_bytes()


if __name__ == "__main__":
    main()
