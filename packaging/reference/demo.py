"""The moving picture of the landing page: two steps of the tutorial, as a terminal shows them.

The tutorial's tests hold what it shows against real runs, so this is what one sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

_STEPS = ("Mirror it", "The source moves")
_LEFT_OUT = ("terraform init", "imagesync check", "oci:mirror:1.0 is in sync")
_BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COLUMNS, _LINE, _TOP = 100, 20, 40
_COMMAND_S, _OUTPUT_S = 1.2, 0.35  # how long a line waits for the one before it
_STYLE = """
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #d7e0e5; white-space: pre }
.typed { fill: #8fe0d6 }
@media (prefers-reduced-motion: no-preference) {
  text { animation: appear 0.2s both }
  @keyframes appear { from { opacity: 0 } }
}
"""


def demo(page: Path) -> str:
    """An SVG whose lines appear one after the other; who wants no motion sees all of them."""
    lines = list(_lines(page.read_text("utf-8")))
    height = _TOP + _LINE * len(lines) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 840 {height}" role="img" aria-labelledby="title">',
        '<title id="title">A first apply mirrors an image; when its source moves, a plan says what is copied</title>',
        f"<style>{_STYLE}</style>",
        f'<rect width="840" height="{height}" rx="8" fill="#14242b"/>',
        *(f'<circle cx="{20 + 18 * number}" cy="18" r="5.5" fill="#41555f"/>' for number in range(3)),
    ]
    delay_s = 0.3
    for number, (is_typed, text) in enumerate(lines):
        delay_s += _COMMAND_S if is_typed else _OUTPUT_S
        kind = ' class="typed"' if is_typed else ""
        style = f'style="animation-delay:{delay_s:.2f}s"'
        parts.append(f'<text x="16" y="{_TOP + _LINE * number + 14}"{kind} {style}>{escape(text)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _lines(page: str) -> Iterator[tuple[bool, str]]:
    """Each line, and whether it is typed."""
    for step in _STEPS:
        section = page.split(f"\n## {step}\n")[1].split("\n## ", maxsplit=1)[0]
        for kind, text in _BLOCK.findall(section):
            for line in text.splitlines():
                if not line.startswith(_LEFT_OUT):
                    yield kind == "sh", _shown(line if kind == "text" else f"$ {line}")


def _shown(line: str) -> str:
    line = line.replace(" -input=false", "").replace(" -auto-approve", "")
    return line if len(line) <= _COLUMNS else f"{line[: _COLUMNS - 1]}…"
