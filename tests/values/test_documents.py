"""A file that is not what it should be is told in words that its user can follow, not in Python's."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from imagesync_cli.batch.entries import read_entries
from imagesync_cli.batch.reading.trust_file import read_trust_file
from imagesync_cli.look.lockfile import read_lock
from imagesync_cli.output.report import read_report
from imagesync_cli.settings import read_settings
from imagesync_cli.stores.files.layout_index import read_index
from imagesync_cli.stores.files.runs.claimed import Claimant
from imagesync_cli.stores.files.runs.claims import Claims
from imagesync_cli.values.errors import ContentError, UsageError

IMAGE = {"digest": f"sha256:{'a' * 64}", "size": 1, "platforms": [], "date": ""}
REPORT = {"version": 1, "dry_run": False, "interrupted": False, "images": [], "removals": []}
PYTHON = (
    *("codec", "Expecting", "Extra data", "Unterminated", "unicode", "utf-8-sig", "char ", "object", "attribute"),
    *("subscriptable", "iterable", "keyword", "argument", "indices", "NoneType", "recursion", "sys."),
)
BROKEN = ["{", '{"version": "1', "[{]", "{caf\xe9}", "\0", "!!python/name:os.system ''", "[" * 100_000]
WRONG = [*BROKEN, "", "[]", "null", "7", '"text"', "{}", '{"version": 1}', '{"version": 1, "images": 5}']


def _lock(path: Path) -> None:
    read_lock(path)


def _report(path: Path) -> None:
    read_report(path)


def _claims(path: Path) -> None:
    place = path.parent / "claims" / "call.json"
    place.parent.mkdir()
    path.rename(place)
    Claims(path.parent).read().of(Claimant("call", "app:1"))


def _index(path: Path) -> None:
    path.rename(path.parent / "index.json")
    read_index(lambda name: (path.parent / name).read_bytes(), str)


BYTES = (
    *(b"\xef\xbb\xbf[", b"\xff\xfe{\x00", b'{"a": "\xe9"}', b'{"a": 1} {}', b'{"a" 1}', b"{]", b" \n"),
    *(b'{"a": "\\x"}', b'{"a', b'{"version": %s}' % (b"9" * 5000)),
)


@pytest.mark.parametrize("reading", [_lock, _report, _index])
@pytest.mark.parametrize("content", BYTES)
def test_what_is_no_json_is_told_in_words(tmp_path: Path, reading: Callable[[Path], None], content: bytes) -> None:
    """Whoever has an editor finds the place."""
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises((UsageError, ContentError)) as raised:
        reading(path)
    assert not [word for word in PYTHON if word in str(raised.value)]


@pytest.mark.parametrize(("mark", "is_read"), [(codecs.BOM_UTF8, True), (codecs.BOM_UTF16_LE, False)])
def test_a_lock_that_an_editor_has_marked(tmp_path: Path, mark: bytes, is_read: bool) -> None:
    """Some editors write a mark before UTF-8; other encodings are told."""
    path = tmp_path / "file.json"
    path.write_bytes(mark + json.dumps({"version": 1, "images": {"app:1": IMAGE}}).encode())
    if is_read:
        assert len(read_lock(path).images) == 1
    else:
        with pytest.raises(UsageError, match="it is not UTF-8"):
            read_lock(path)


@pytest.mark.parametrize(
    "pending",
    [
        *({"digest": IMAGE["digest"], "first_seen": seen} for seen in ("soon", "", 5, None, "2026-01-01", "\x1b[2J")),
        {"digest": "x", "first_seen": "2026-01-01T00:00:00Z"},
    ],
)
def test_a_lock_that_waits_since_no_time(tmp_path: Path, pending: dict[str, object]) -> None:
    """What a lock waits for is a digest, since a time: all else is told when it is read, by every command."""
    path = tmp_path / "file.json"
    path.write_text(json.dumps({"version": 1, "images": {"app:1": IMAGE | {"pending": pending}}}))
    with pytest.raises(UsageError, match="is not a lock") as raised:
        read_lock(path)
    assert "\x1b" not in str(raised.value)


def test_a_lock_that_says_two_things(tmp_path: Path) -> None:
    """A merge may leave an image in it twice, with two digests."""
    path = tmp_path / "file.json"
    path.write_text(json.dumps({"version": 1, "images": {"app:1": IMAGE, "app:2": IMAGE}}).replace("app:2", "app:1"))
    with pytest.raises(UsageError, match="it has a key twice") as raised:
        read_lock(path, must_exist=False)
    assert "remove it" in raised.value.hint


def _images(path: Path) -> None:
    read_entries(path, {})


def _images_in_yaml(path: Path) -> None:
    read_entries(path.rename(path.with_name("file.json.yaml")), {})


def _trust(path: Path) -> None:
    read_trust_file(path)


def _limits(path: Path) -> None:
    read_settings(environ={"IMAGESYNC_CONFIG": str(path)})


@pytest.mark.parametrize("reading", [_lock, _report, _claims])
@pytest.mark.parametrize(
    "text",
    [
        *WRONG,
        *(json.dumps({"version": 1, "images": {"app:1": IMAGE | more}}) for more in ({"size": -1}, {"size": True})),
        json.dumps({"version": 1, "images": {"app:1": None}}),
        json.dumps({"version": 1, "images": {"app:1": IMAGE | {"selected": ["linux/amd64"]}}}),
        json.dumps(REPORT | {"totals": {"requests": 1, "seconds": 1}, "images": [{"mood": "good"}]}),
        json.dumps(REPORT | {"totals": []}),
        json.dumps({"run": "1", "images": {"app:1": 5}}),
    ],
    ids=lambda text: text[:60],
)
def test_a_misread_file_is_told_in_words(tmp_path: Path, reading: Callable[[Path], None], text: str) -> None:
    is_told_in_words(tmp_path / "file.json", reading, text)


@pytest.mark.parametrize("reading", [_images, _images_in_yaml, _trust, _limits])
@pytest.mark.parametrize("text", BROKEN, ids=lambda text: text[:60])
def test_a_broken_file_is_told_in_words(tmp_path: Path, reading: Callable[[Path], None], text: str) -> None:
    is_told_in_words(tmp_path / "file.json", reading, text)


def is_told_in_words(path: Path, reading: Callable[[Path], None], text: str) -> None:
    path.write_text(text, "latin-1")
    with pytest.raises((UsageError, ContentError)) as raised:
        reading(path)
    said = str(raised.value)
    assert "file.json" in said or "call.json" in said
    assert not [word for word in PYTHON if word in said], said


def test_a_mark_at_the_beginning_of_the_settings_means_nothing(tmp_path: Path) -> None:
    """Some editors begin each file with a byte-order mark."""
    path = tmp_path / "config.json"
    path.write_text('{"connections": {"registry.lan": 4}}', "utf-8-sig")
    assert read_settings(environ={"IMAGESYNC_CONFIG": str(path)}).limits["connections"] == {"registry.lan": 4}


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    path.write_text('{"version": 1}')
    with pytest.raises(UsageError, match=r"lock\.json is not a lock: it has no 'images'"):
        read_lock(path)
