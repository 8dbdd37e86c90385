"""Every page in a browser, as wide as a desktop in the light and as narrow as a phone in the dark; axe-core looks."""

from __future__ import annotations

import html
import json
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

from tests.peers import program

WIDTHS = ((1280, "default"), (390, "slate"))
# Opens each page in a frame of the wanted width, and writes down what is wrong with it. Frames of one folder may look
# into each other, because the browser is told that files are of one origin.
# Not ours but the theme's, or the browser's: a search dialog without a name, a bar of buttons in every code block; and
# what scrolls can be reached by the keyboard since Chrome 130, which this axe does not know yet.
NOT_OURS = ("aria-dialog-name", "landmark-unique", "scrollable-region-focusable")
# Opens each page in a frame of the wanted width, and writes down what is wrong with it. Frames of one folder may look
# into each other, because the browser is told that files are of one origin.
WALK = """<!doctype html><meta charset="utf-8"><title>walk</title><body><pre id="out"></pre><script>
const pages = %s, widths = %s, rules = %s, wrong = [];
function scrolls(view, element, article) {
  for (let at = element; at && at !== article; at = at.parentElement)
    if (["auto", "scroll"].includes(view.getComputedStyle(at).overflowX)) return true;
  return false;
}
function look(width, view, say) {
  const doc = view.document, article = doc.querySelector("article");
  if (!article) return say("no article");
  if (doc.documentElement.scrollWidth > width) say(`the page is ${doc.documentElement.scrollWidth} wide`);
  for (const element of article.querySelectorAll("table, pre, img, p, li"))
    if (element.getBoundingClientRect().right > width + 1 && !scrolls(view, element, article))
      say(`cut off: ${element.tagName} ${element.textContent.trim().slice(0, 40)}`);
  if (article.querySelectorAll("h1").length !== 1) say("not one h1");
  for (const image of article.querySelectorAll("img"))
    if (!image.naturalWidth) say(`a picture that does not load: ${image.src.slice(-30)}`);
}
async function examine(view, scheme, say) {
  const doc = view.document, axe = doc.createElement("script");
  doc.head.insertAdjacentHTML("beforeend", "<style>* { transition: none !important }</style>");
  doc.body.setAttribute("data-md-color-scheme", scheme);
  axe.src = new URL("axe.min.js", location.href);
  await new Promise(loaded => { axe.onload = loaded; doc.head.append(axe); });
  const { violations } = await view.axe.run(doc, { rules, resultTypes: ["violations"] });
  for (const { id, nodes } of violations) for (const { html, failureSummary } of nodes)
    say(`${id}, ${scheme}: ${html.slice(0, 80)} ${failureSummary}`);
}
async function walk() {
  for (const [width, scheme] of widths) for (const page of pages) {
    const frame = document.createElement("iframe"), say = what => wrong.push(`${page} at ${width}: ${what}`);
    frame.style.cssText = `width:${width}px;height:900px;border:0`;
    frame.src = page;
    await new Promise(loaded => { frame.onload = loaded; document.body.append(frame); });
    look(width, frame.contentWindow, say);
    await examine(frame.contentWindow, scheme, say);
    frame.remove();
  }
  document.getElementById("out").textContent = JSON.stringify({ pages: pages.length, wrong });
}
walk();
</script>
"""


def walked(folder: Path, pages: list[str]) -> dict[str, Any]:
    """What a browser finds on these pages of a site."""
    walk, axe = folder / "walk.html", folder / "axe.min.js"
    rules = {rule: {"enabled": False} for rule in NOT_OURS}
    walk.write_text(WALK % tuple(map(json.dumps, (pages, WIDTHS, rules))), "utf-8")
    axe.write_bytes(resources.files("axe_core_python").joinpath("axe.min.js").read_bytes())
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--dump-dom"]
    command = [program("chromium"), *options, "--virtual-time-budget=600000", walk.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    walk.unlink()
    axe.unlink()
    text = done.stdout.partition('<pre id="out">')[2].partition("</pre>")[0]
    found: dict[str, Any] = json.loads(html.unescape(text))
    return found


def test_every_page_can_be_read(site: Path) -> None:
    """No page is wider than the window, what is wide scrolls, pictures load, and axe-core finds nothing: headings go
    down by one, colors differ enough to be read, pictures and links have words."""
    files = (path for path in site.rglob("*.html") if path.name != "404.html")
    pages = sorted(path.relative_to(site).as_posix() for path in files)
    found = walked(site, pages)
    assert found["pages"] == len(pages) > 30
    assert found["wrong"] == []


def test_a_page_that_is_wrong_is_found(tmp_path: Path) -> None:
    """What is too wide, too pale, or out of order is told."""
    (tmp_path / "bad.html").write_text(
        '<!doctype html><article><h1>a</h1><h3>b</h3><p style="color:#bbb">pale</p>'
        '<table style="width:1500px"><tr><td>wide</td></tr></table><img src="none.png"></article>'
    )
    told = " ".join(walked(tmp_path, ["bad.html"])["wrong"])
    for each in ("heading-order", "contrast of 1.91", "cut off: TABLE", "image-alt", "does not load", "wide"):
        assert each in told
