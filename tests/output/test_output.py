"""What is printed: nothing in it can drive a terminal, whoever wrote it."""

from __future__ import annotations

import contextlib
import io
import json
import sys

import pytest

from imagesync_cli.batch.report import BatchProgress
from imagesync_cli.copy.sync import SyncReport
from imagesync_cli.delete.delete_report import DeleteReport
from imagesync_cli.look.resolve import Resolved
from imagesync_cli.output import Output, Result, exit_code, print_text, results, sync
from imagesync_cli.output.batch import flight_lines
from imagesync_cli.output.progress import progress_line
from imagesync_cli.stores import Written
from imagesync_cli.values.digest import parse_digest
from imagesync_cli.values.errors import ImagesyncError, NotFound
from imagesync_cli.values.manifest import OCI_INDEX, Descriptor
from imagesync_cli.values.progress import Progress
from imagesync_cli.values.reference import LayoutReference, parse_reference
from imagesync_cli.values.tags.rules import Judgement

DIGEST = parse_digest(f"sha256:{'a' * 64}")
HOSTILE = "v1\x1b]0;owned\x07\x1b[2J\r\n\x9b31m\u202eevil"
Captured = pytest.CaptureFixture[str]


def resolved(reference: str) -> Resolved:
    return Resolved(parse_reference(reference), Descriptor(OCI_INDEX, DIGEST, 7), DIGEST)


def synced(**more: object) -> SyncReport:
    report = SyncReport(
        "a.example/a:1", "b.example/b:1", f"b.example/b@{DIGEST}", DIGEST, "", changed=True, dry_run=False
    )
    for name, value in more.items():
        setattr(report, name, value)
    return report


def test_resolved(capsys: Captured) -> None:
    """Ids go to stdout, one a line; what failed goes to stderr with its hint."""
    Output().result(results.resolved([resolved("a.example/a:1"), NotFound("no image", hint="look again")]))
    assert capsys.readouterr() == (f"a.example/a@{DIGEST}\n", "imagesync: no image\nimagesync:   look again\n")


def test_resolved_as_json(capsys: Captured) -> None:
    """As JSON, found and missing references stand in one list in the order of the call."""
    Output(as_json=True).result(results.resolved([NotFound("no image"), resolved("a.example/a:1")]))
    out = json.loads(capsys.readouterr().out)
    assert out == [
        {"error": "no image", "kind": "missing"},
        {
            "reference": "a.example/a:1",
            "id": f"a.example/a@{DIGEST}",
            "digest": DIGEST,
            "source_digest": DIGEST,
            "media_type": OCI_INDEX,
            "size": 7,
        },
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"changed": False}, "b.example/b:1 is in sync with a.example/a:1"),
        (
            {"manifests": 2, "sent_bytes": 999},
            "copied a.example/a:1 to b.example/b:1: 2 manifests, 0 blobs, 999 B sent",
        ),
        (
            {"dry_run": True, "sent_bytes": 1500},
            "would copy a.example/a:1 to b.example/b:1: 0 manifests, 0 blobs, 1.5 kB to send",
        ),
        ({"foreign": 1}, "1 foreign layer left where it is"),
        ({"sent_bytes": 5 * 10**15}, "5000.0 TB sent"),
    ],
)
def test_synced(capsys: Captured, more: dict[str, object], said: str) -> None:
    """The id alone is on stdout, for scripts; what was done is on stderr, for people."""
    Output().result(sync.synced(synced(**more)))
    out, err = capsys.readouterr()
    assert out == f"b.example/b@{DIGEST}\n"
    assert said in err


def test_synced_quietly(capsys: Captured) -> None:
    """--quiet leaves the id alone."""
    Output(quiet=True).result(sync.synced(synced()))
    assert capsys.readouterr() == (f"b.example/b@{DIGEST}\n", "")


def test_synced_as_json(capsys: Captured) -> None:
    """As JSON, a sync tells how each blob came to be there."""
    report = synced()
    report.blobs.update({Written.SENT: 2, Written.MOUNTED: 1})
    Output(as_json=True).result(sync.synced(report))
    out, err = capsys.readouterr()
    assert json.loads(out)["blobs"] == {"sent": 2, "mounted": 1}
    assert err == ""


@pytest.mark.parametrize(
    ("picked", "count", "said"),
    [
        (["1"], 1, "1 of 1 tag of a.example/a"),
        (["2", "1"], 2, "all 2 tags of a.example/a"),
        (["2"], 12, "1 of 12 tags of a.example/a"),
        ([], 0, "a.example/a has no tags"),
    ],
)
def test_tags(capsys: Captured, picked: list[str], count: int, said: str) -> None:
    """Tags are lines for a script, and beside them a sentence says how many of how many they are."""
    left = [f"left-{number}" for number in range(count - len(picked))]
    Output().result(results.tags("a.example/a", [Judgement(tag, tag in picked, "why") for tag in (*picked, *left)]))
    assert capsys.readouterr() == ("".join(f"{tag}\n" for tag in picked), f"imagesync: {said}\n")


def test_a_document_is_made_where_it_is_printed(capsys: Captured) -> None:
    """That of many tags takes more memory than their lines, which need none."""

    def document() -> object:
        raise AssertionError("nobody asked for JSON")

    Output().result(Result(document, ["a line"], summary=["all in all"]))
    assert capsys.readouterr() == ("a line\n", "imagesync: all in all\n")


def test_foreign_text_drives_no_terminal(capsys: Captured) -> None:
    """Escape sequences in tags, folders and error messages are shown, not obeyed."""
    report = DeleteReport("a.example/a:1", dry_run=False)
    report.add("manifest", DIGEST, "kept", f"tag {HOSTILE}")
    Output().result(results.deleted([report]))
    Output().error(ImagesyncError(HOSTILE, hint=HOSTILE))
    Output().result(results.resolved([Resolved(LayoutReference(HOSTILE), Descriptor(OCI_INDEX, DIGEST, 7), DIGEST)]))
    Output().result(sync.synced(synced(source=HOSTILE, id=HOSTILE)))
    for text in capsys.readouterr():
        lines = text.splitlines(keepends=True)
        assert "\\x1b]0;owned\\x07" in text
        assert all(line.endswith("\n") and line[:-1].isprintable() for line in lines)


def test_stdout_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that stdout's encoding lacks is escaped, not a crash after the work is done."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    Output().result(results.resolved([Resolved(LayoutReference("grüße"), Descriptor(OCI_INDEX, DIGEST, 7), DIGEST)]))
    assert raw.getvalue() == f"oci:gr\\xfc\\xdfe@{DIGEST}\n".encode()


def test_progress_never_tells_more_than_all() -> None:
    """Bytes that are sent once more are told as such, and not as 19 of 10 MB."""
    progress = Progress("copying a")
    progress.total, progress.total_bytes, progress.moved_bytes = 1, 10_000_000, 4_000_000
    assert "4.0 MB of 10.0 MB" in progress_line(progress)
    assert "again" not in progress_line(progress)
    progress.moved_bytes = 19_000_000
    assert "10.0 MB of 10.0 MB, 9.0 MB sent again" in progress_line(progress)
    live = BatchProgress(total=1, in_flight={"b.example/b:1": progress})
    assert "10.0 MB of 10.0 MB" in "\n".join(flight_lines(live, 80))


@pytest.mark.parametrize("doing", ["deleting", "copying"])
def test_progress_of_what_is_not_counted_yet(doing: str) -> None:
    """Before anything is counted the line says what is done, and not that it is 0 of 0 blobs."""
    assert progress_line(Progress(doing)) == doing


def test_an_error_after_answers_to_other_processes(capsys: Captured) -> None:
    """A removal that leads others writes down what they are to print: its own error is still all that it has said."""

    def lead() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            print_text("{}")
        raise NotFound("no image")

    assert exit_code(lead, as_json=True) == NotFound.exit_code
    assert json.loads(capsys.readouterr().out)["error"] == "no image"
