"""Foreign text where it is shown: it is only ever text, whoever wrote it and wherever it goes."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
from xml.etree import ElementTree

import markdown_it
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from imagesync_cli.output.console import print_json, print_line, say
from imagesync_cli.output.escape import as_printable, cell, json_text, printable, quoted, xml
from tests.peers import program

COMMANDS = [
    "##[command]rm -rf /",
    "##[set-output name=x]y",
    "##vso[task.setvariable variable=x]y",
    "##teamcity[buildStatus status='SUCCESS']",
    "###[group]x",
    "::set-output name=x::y",
    "  ::add-mask::a",
    "::stop-commands::t",
]
DRIVING = [
    "\x1b[2J",
    "\x9b31m",
    "\x7f\x08",
    "a\nb\rc\x85d\u2028e\u2029f",
    "\u202eevil\u2066x\u200f",
    "section_start:1:x\r\x1b[0K",
    "\U000e0041\ufeff\xad",
]
NASTY = [*COMMANDS, *DRIVING]
# What runners look for in each line of a log (GitHub's ActionCommand, Azure's, TeamCity's service messages).
RUNNERS = re.compile(r"^\s*::|##\[|##\w+\[", re.MULTILINE)


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("around", ["{}", "a tag {} of x", "\n{}", "#{}"])
def test_neither_terminals_nor_runners_obey_a_line(text: str, around: str) -> None:
    """What is printed of a foreign text is one line of visible characters that no CI runner takes for a command."""
    shown = printable(around.format(text))
    assert shown.isprintable()
    assert not RUNNERS.search(shown)
    assert printable(shown) == shown


@pytest.mark.parametrize("text", NASTY)
def test_all_that_is_printed_goes_the_same_way(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Results, messages and JSON: no way out of the process leaves the text as it was."""
    print_line(text)
    say(text)
    print_json({text: [text]})
    out, err = capsys.readouterr()
    assert not RUNNERS.search(out + err)
    assert all(line.isprintable() for line in (out + err).split("\n"))
    assert json.loads(out.partition("\n")[2]) == {text: [text]}


@given(st.text())
@example("".join(NASTY))
def test_json_says_what_it_was_given(text: str) -> None:
    """Escaping changes how JSON looks and never what it says."""
    shown = json_text([text, {text: 1}])
    assert json.loads(shown) == [text, {text: 1}]
    assert shown.isascii()
    assert shown.isprintable()
    assert not RUNNERS.search(shown)


def test_every_text_of_an_answer_is_printable() -> None:
    """However deep it stands in a document, a text that Terraform would print is harmless."""
    answer = as_printable(
        {"damage": "1 blob of linux/\x1b[2J\nPlan: 0 to add", "copy": {"why": ["\x9b", 7, None, True]}}
    )
    assert answer == {
        "damage": "1 blob of linux/\\x1b[2J\\nPlan: 0 to add",
        "copy": {"why": ["\\x9b", 7, None, True]},
    }


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("".join(NASTY) + '${a} %{if} $${b} \\${c} " \\ \U0001f600')
def test_yaml_reads_what_was_quoted(text: str) -> None:
    """A string of an images.yaml that adopt prints is the text, and harmless to look at."""
    shown = quoted(text)
    assert yaml.safe_load(shown) == text
    assert shown.isascii()
    assert shown.isprintable()
    assert not RUNNERS.search(shown)


def test_terraform_reads_what_was_quoted() -> None:
    """The same in HCL: no text is a template, ends its string, or is another text."""
    texts = [
        *NASTY,
        "${1+1}",
        "%{if true}x%{endif}",
        "$${a}",
        "\\${b}",
        'say "x"',
        "\\",
        "\U0001f600\b\f",
        "{{ .Tag }}",
    ]
    asked = f"base64encode(jsonencode([{', '.join(map(quoted, texts))}]))\n"
    told = subprocess.run([program("terraform"), "console"], input=asked, capture_output=True, text=True, check=True)
    assert json.loads(base64.b64decode(told.stdout.strip().strip('"'))) == texts


MARKUP = [
    "https://evil.example/x",
    "www.evil.example",
    "mail@evil.example",
    "@team #12 GH-7 :smile:",
    "[a](http://b) ![c](d) <script>x</script> &lt;",
    "$x$ $$y$$ $`z`$",
    "`a` ``b`` ``` c",
    "`",
    "a|b\\|c\\",
    "**a** _b_ ~c~",
    "# x",
    "- [ ] y",
    "<!-- z",
    "\\",
]


@pytest.mark.parametrize("text", [*MARKUP, *NASTY])
def test_a_cell_of_markdown_is_only_text(text: str) -> None:
    """In a table a text is one piece of code: no link, mention, formula, emoji or HTML, and no cell more or less."""
    table = f"| a | b |\n|---|---|\n| {cell(text)} | {cell('x')} |\n"
    tokens = markdown_it.MarkdownIt("gfm-like", {"linkify": False}).enable("table").parse(table)
    cells = [token for token in tokens if token.type == "inline"][2:]
    assert [[child.type for child in each.children or []] for each in cells] == [["code_inline"], ["code_inline"]]
    assert (cells[0].children or [])[0].content.strip() == printable(text).replace("|", "\\x7c").strip()
    assert not RUNNERS.search(table)


@pytest.mark.parametrize("text", [*MARKUP, *NASTY, "]]>\"'&<", "\x00\ufffe\ud800"])
def test_xml_holds_any_text(text: str) -> None:
    """Neither an attribute nor an element ends early, and no character is one that XML does not have."""
    shown = ElementTree.fromstring(f'<a b="{xml(text)}">{xml(text)}</a>'.encode())  # noqa: S314
    assert shown.get("b") == shown.text == printable(text)


def test_a_terminal_without_unicode_shows_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stdout is ASCII, other characters are escaped, and nothing fails."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    print_line("straße \x1b")
    stream.seek(0)
    assert stream.read() == "stra\\xdfe \\x1b\n"
