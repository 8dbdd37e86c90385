"""docs/tutorial.md as it is followed: its steps, what each promises, and the script that pasting its blocks makes."""

from __future__ import annotations

import re
import shlex

from tests.repo.checkout import ROOT

PAGE = (ROOT / "docs/tutorial.md").read_text("utf-8")
STEPS: dict[str, tuple[str, ...]] = {
    "A source": ("oci:upstream@sha256:",),
    "Mirror it": ("oci:mirror:1.0 is new, from oci:upstream:1.0", "Apply complete! Resources: 4 added"),
    "Nothing to do": ("No changes.",),
    "The source moves": ("are there already", "Apply complete! Resources: 2 added, 1 changed, 2 destroyed."),
    "Somebody removes the mirror's tag": ("is missing at its destination", "nothing to copy"),
    "Remove it": ("Apply complete! Resources: 0 added, 1 changed, 2 destroyed.",),
    "Clean up": (),
}
_STEP = "== step: "


def script(heading: str) -> str:
    """The blocks under a heading as one script: what goes into main.tf is written there."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"^```(sh|hcl)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found
    return "".join(text if kind == "sh" else f"cat >main.tf <<'END'\n{text}END\n" for kind, text in found)


def whole_script(*before: str) -> str:
    """All steps for one shell, as a reader has it, after those headings; each prints its name first."""
    return "\n".join(f"echo {shlex.quote(_STEP + heading)}\n{script(heading)}" for heading in (*before, *STEPS))


def shown(heading: str) -> list[str]:
    """What the page shows under a heading as what one sees, a line each; ``…`` stands for anything but a space."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```text\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [" ".join(line.split()) for block in blocks for line in block.splitlines()]


def not_seen(heading: str, said: str) -> list[str]:
    """The lines shown under a heading that were not printed there, or not in that order."""
    missing, position = [], 0
    for line in shown(heading):
        found = re.compile(re.escape(line).replace("…", r"\S*")).search(said, position)
        missing += [] if found else [f"{heading}: {line}"]
        position = found.end() if found else position
    return missing


def broken_promises(printed: str) -> list[str]:
    """The steps that did not do what they promise, in what `whole_script` printed."""
    parts = dict(part.split("\n", maxsplit=1) for part in printed.split(_STEP)[1:])
    said = {heading: " ".join(parts[heading].split()) for heading in STEPS}
    found_files = not said["Remove it"].endswith("2 destroyed.")  # what find prints comes after that
    broken = [heading for heading, promises in STEPS.items() if not all(each in said[heading] for each in promises)]
    return broken + ["find"] * found_files + [each for heading in STEPS for each in not_seen(heading, said[heading])]
