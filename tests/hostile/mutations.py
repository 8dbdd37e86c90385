"""Text that is nearly right: real answers with a few changes, made from what parsers have stumbled over."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from hypothesis import strategies as st

# Signs and words that mean something to one of the parsers, or that some language counts as such a sign.
_PIECES = [
    *('"', "\\", "{", "}", "[", "]", ":", ",", ";", "=", "<", ">", "/", "//", "?", "#", "%", "@", "&", "..", ".", "-"),
    *("%00", "%2e%2e%2f", "%25", "%ff", "\0", "\r\n", "\n ", "\t", " ", "\x7f", "\x9b", "\x1b[2J", "\u202e", "\ufeff"),
    *("٣", "１", "²", "ſ", "K", "ü", "。", "\ud800", "\udcff", "😀", "\\ud800", "\\u0000"),  # noqa: RUF001
    *("true", "null", "NaN", "-Infinity", "1e400", "-1", "0", "1.0", "9" * 20, "9" * 5000, "0x7f", "1_0"),
    *("[" * 2000, '{"a":' * 2000, "a" * 300, "xn--", "xn--a", "::1", "[::1%25lo]", "[fe80::1%eth0]", "127.0.0.1"),
    *(":0", ":65536", ":99999999", "http://", "https://", "file://", "bearer ", "basic ", "Mon, ", " -0000", "0001"),
    *('"schemaVersion":1', '"Layers":[]', '"layers":null', '"manifests":[]', '"size":true', '"digest":"sha256:"'),
    *("sha256:", "sha512:", "oci:", "docker://", "latest"),
]


_PARTS = re.compile(r"[A-Za-z0-9]+|.", re.DOTALL)


def changed_once(text: str, every: int) -> Iterator[str]:
    """The text with each of its words and signs in turn left out, doubled, and replaced by each piece.

    With ``every`` at 4, each place gets another quarter of the changes.
    """
    parts = _PARTS.findall(text)
    for at, part in enumerate(parts):
        for new in ("", part * 2, part.swapcase(), *_PIECES)[at % every :: every]:
            yield "".join([*parts[:at], new, *parts[at + 1 :]])


@st.composite
def changed(draw: st.DrawFn, texts: tuple[str, ...]) -> str:
    """One of the texts after up to six such changes, or after some that cut across its words."""
    parts = draw(st.sampled_from([_PARTS.findall(text) for text in texts] + [list(text) for text in texts]))
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(parts)))
        end = draw(st.integers(start, min(len(parts), start + 3)))
        new = draw(st.sampled_from([*_PIECES, "", "".join(parts[start:end]) * 2]))
        parts = [*parts[:start], new, *parts[end:]]
    return "".join(parts)


def changed_at_random(texts: tuple[str, ...], seed: int) -> str:
    """Such a text, the same one for each seed; many times as quick as a strategy."""
    chance = random.Random(seed)  # noqa: S311  (the same texts each time)
    text = chance.choice(texts)
    parts = _PARTS.findall(text) if chance.random() < 0.7 else list(text)
    for _ in range(chance.randint(1, 6)):
        start = chance.randint(0, len(parts))
        end = min(len(parts), start + chance.randint(0, 3))
        parts[start:end] = [chance.choice((*_PIECES, "", "".join(parts[start:end]) * 2))]
    return "".join(parts)


def as_bytes(texts: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """The same as bytes: mostly UTF-8, sometimes another encoding or with a few bytes that are none."""
    encodings = st.sampled_from(["utf-8"] * 8 + ["utf-16", "utf-32", "latin-1", "utf-8-sig"])
    stray = st.sampled_from([b""] * 8) | st.binary(max_size=2)
    return st.builds(
        lambda text, encoding, more, at: (content := text.encode(encoding, "replace"))[:at] + more + content[at:],
        texts,
        encodings,
        stray,
        st.integers(0, 200),
    )
