"""Every page in a browser, as wide as a desktop and as narrow as a phone, in the light and in the dark."""

from __future__ import annotations

import html
import json
import subprocess
from pathlib import Path
from typing import Any

from tests.peers import program

WIDTHS = (1280, 390)
# Opens each page in a frame of the wanted width, and writes down what is wrong with it. Frames of one folder may look
# into each other, because the browser is told that files are of one origin.
WALK = """<!doctype html><meta charset="utf-8"><title>walk</title><body><pre id="out"></pre><script>
const pages = %s, widths = %s, wrong = [];
function luminance(c) {
  const [r, g, b] = c.map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function colour(text) { return (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number); }
function background(view, element) {
  for (let at = element; at; at = at.parentElement) {
    const found = colour(view.getComputedStyle(at).backgroundColor);
    if (found.length < 4 || found[3] >= 0.99) return found.slice(0, 3);
  }
  return [255, 255, 255];
}
function contrast(view, element) {
  const front = colour(view.getComputedStyle(element).color), back = background(view, element);
  const alpha = front.length > 3 ? front[3] : 1;
  const mixed = back.map((value, index) => front[index] * alpha + value * (1 - alpha));
  const [low, high] = [luminance(mixed), luminance(back)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}
function scrolls(view, element, article) {
  for (let at = element; at && at !== article; at = at.parentElement)
    if (["auto", "scroll"].includes(view.getComputedStyle(at).overflowX)) return true;
  return false;
}
function look(page, width, view) {
  const doc = view.document, article = doc.querySelector("article");
  const say = what => wrong.push(`${page} at ${width}: ${what}`);
  if (!article) return say("no article");
  if (doc.documentElement.scrollWidth > width) say(`the page is ${doc.documentElement.scrollWidth} wide`);
  for (const element of article.querySelectorAll("table, pre, img, p, li"))
    if (element.getBoundingClientRect().right > width + 1 && !scrolls(view, element, article))
      say(`cut off: ${element.tagName} ${element.textContent.trim().slice(0, 40)}`);
  let level = 0;
  for (const heading of article.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) say(`h${level} is followed by h${own}: ${heading.textContent.slice(0, 40)}`);
    level = own;
  }
  if (article.querySelectorAll("h1").length !== 1) say("not one h1");
  for (const image of article.querySelectorAll("img")) {
    if (!image.alt) say(`a picture without words: ${image.src.slice(-30)}`);
    if (!image.naturalWidth) say(`a picture that does not load: ${image.src.slice(-30)}`);
  }
  for (const link of article.querySelectorAll("a[href]"))
    if (!(link.textContent.trim() || link.title || link.getAttribute("aria-label")))
      say(`a link without words: ${link.href}`);
  view.document.head.insertAdjacentHTML("beforeend", "<style>* { transition: none !important }</style>");
  for (const scheme of ["default", "slate"]) read(article, view, scheme, say);
}
function read(article, view, scheme, say) {
  view.document.body.setAttribute("data-md-color-scheme", scheme);
  const seen = new Set();
  for (const element of article.querySelectorAll("p, li, td, th, a, code, code span, h1, h2, h3")) {
    const style = view.getComputedStyle(element), text = element.textContent.trim();
    const kind = [element.tagName, element.className, style.color, style.backgroundColor].join(" ");
    if (seen.has(kind) || !text || element.classList.contains("headerlink") || style.opacity === "0") continue;
    seen.add(kind);
    const found = contrast(view, element), large = parseFloat(style.fontSize) >= 24;
    if (found < (large ? 3 : 4.5)) say(`contrast ${found.toFixed(2)}, ${scheme}: ${kind}: ${text.slice(0, 30)}`);
  }
}
async function walk() {
  for (const width of widths) for (const page of pages) {
    const frame = document.createElement("iframe");
    frame.style.cssText = `width:${width}px;height:900px;border:0`;
    frame.src = page;
    await new Promise(loaded => { frame.onload = loaded; document.body.append(frame); });
    look(page, width, frame.contentWindow);
    frame.remove();
  }
  document.getElementById("out").textContent = JSON.stringify({ pages: pages.length, wrong });
}
walk();
</script>
"""


def walked(folder: Path, pages: list[str]) -> dict[str, Any]:
    """What a browser finds on these pages of a site."""
    walk = folder / "walk.html"
    walk.write_text(WALK % (json.dumps(pages), json.dumps(WIDTHS)), "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--dump-dom"]
    command = [program("chromium"), *options, "--virtual-time-budget=600000", walk.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    walk.unlink()
    text = done.stdout.partition('<pre id="out">')[2].partition("</pre>")[0]
    found: dict[str, Any] = json.loads(html.unescape(text))
    return found


def test_every_page_can_be_read(site: Path) -> None:
    """No page is wider than the window, what is wide scrolls, headings go down by one, colors differ enough to be read
    (WCAG 2, 1.4.3), pictures and links have words."""
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
    for each in (
        "h1 is followed by h3",
        "contrast 1.92, default",
        "cut off: TABLE",
        "without words",
        "does not load",
        "wide",
    ):
        assert each in told
