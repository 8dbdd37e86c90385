"""Write the reference from the code: docs/reference/, the manual page, the tables between markers in READMEs,
and the repository's address wherever it is named.

.venv/bin/python packaging/reference            # writes what is stale
.venv/bin/python packaging/reference --check    # writes nothing; exit code 1 names what is stale
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from addresses import Addresses
from commands import commands_page
from demo import demo
from exits import environment_page, exit_codes_page, exit_codes_table
from figures import chart
from manual import manual
from schemas import files_page, json_page
from terraform import module_tables, modules_page

ROOT = Path(__file__).parents[2]

PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/commands.md": commands_page,
    "docs/reference/exit-codes.md": exit_codes_page,
    "docs/reference/environment.md": environment_page,
    "docs/reference/files.md": lambda: files_page(ROOT),
    "docs/reference/json.md": lambda: json_page(ROOT),
    "docs/reference/modules.md": lambda: modules_page(ROOT),
    "packaging/imagesync.1": manual,
    "docs/demo.svg": lambda: demo(ROOT / "docs/tutorial.md"),
    "docs/performance-summary.svg": lambda: chart(ROOT / "docs/performance.md"),
}
# Parts of pages that are otherwise written by hand, between <!-- BEGIN_NAME --> and <!-- END_NAME -->.
PARTS: dict[str, tuple[str, Callable[[], str]]] = {
    "README.md": ("EXIT_CODES", exit_codes_table),
    "modules/image/README.md": ("TF_DOCS", lambda: module_tables(ROOT / "modules/image")),
    "modules/images/README.md": ("TF_DOCS", lambda: module_tables(ROOT / "modules/images")),
    "modules/digests/README.md": ("TF_DOCS", lambda: module_tables(ROOT / "modules/digests")),
    "modules/tags/README.md": ("TF_DOCS", lambda: module_tables(ROOT / "modules/tags")),
}


def main() -> None:
    """Do what the command line says."""
    wanted = {name: make() for name, make in PAGES.items()} | {name: _with_part(name) for name in PARTS}
    addresses = Addresses(ROOT)
    wanted |= {name: addresses.put_into(wanted.get(name) or _present(name)) for name in addresses.files()}
    stale = [name for name, text in wanted.items() if _present(name) != text]
    if sys.argv[1:] == ["--check"]:
        sys.exit(f"stale: {', '.join(stale)}; this mends it: python packaging/reference" if stale else 0)
    if sys.argv[1:]:
        sys.exit(__doc__)
    for name in stale:
        (ROOT / name).write_text(wanted[name], encoding="utf-8")
        sys.stdout.write(f"written: {name}\n")


def _present(name: str) -> str:
    path = ROOT / name
    return path.read_text("utf-8") if path.exists() else ""


def _with_part(name: str) -> str:
    """The page with what is between its markers made anew."""
    marker, make = PARTS[name]
    part = re.compile(f"(<!-- BEGIN_{marker} -->\n).*(<!-- END_{marker} -->)", re.DOTALL)
    text, count = part.subn(lambda found: f"{found[1]}\n{make()}\n\n{found[2]}", _present(name))
    if count != 1:
        sys.exit(f"{name} needs the markers <!-- BEGIN_{marker} --> and <!-- END_{marker} -->, once each")
    return text


if __name__ == "__main__":
    main()
