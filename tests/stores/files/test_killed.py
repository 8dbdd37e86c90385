"""A copy into a folder or an archive that is killed (SIGKILL) at any call on a file: the old images stay whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from imagesync_cli.stores.files.new_file import PREFIX
from tests.command import CHECKOUT, environment, imagesync
from tests.embedded_registry.images import index
from tests.stores.files.tars import layout_members, tags, write_tar

OLD, NEW = index("old", platforms=["linux/amd64"]), index("new", platforms=["linux/amd64", "linux/arm64"])
RUN_WITHIN_S = 120
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and fork")


@pytest.mark.parametrize("form", ["oci", "oci-archive"])
@pytest.mark.parametrize("tag", ["kept", "new"])
def test_killed_at_every_file_call(tmp_path: Path, form: str, tag: str) -> None:
    """At every moment a tag is what it was or what it is to be, and whole; the next run ends the work."""
    NEW.write_layout(tmp_path / "source", "1")
    before = tmp_path / "before"
    before.mkdir()
    if form == "oci":
        OLD.write_layout(before / "images", "kept")
    else:
        write_tar(before / "images", layout_members({"kept": OLD}))
    command = ["sync", f"oci:{tmp_path / 'source'}:1", f"{form}:{{here}}/images:{tag}"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.stores.files.killed", before, tmp_path / "runs", *command],
        env=environment(),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_WITHIN_S,
    )
    assert done.returncode == 0, done.stderr
    runs = int(done.stdout)
    assert runs > 20
    ways = [outcome(tmp_path, tmp_path / "runs" / f"{number}", form, tag) for number in range(runs)]
    assert (ways[0], ways[-1]) == ("as before", "done")
    assert ways == sorted(ways), "once it is done it stays done"


def outcome(tmp_path: Path, here: Path, form: str, tag: str) -> str:
    """What a run left behind, every image of it copied whole; then what the next run makes of it."""
    images, source = f"{form}:{here / 'images'}", f"oci:{tmp_path / 'source'}:1"
    found = {}
    for name in {"kept", tag}:
        copied = imagesync("sync", f"{images}:{name}", f"oci:{here / 'copy'}:{name}")
        assert copied.code == 0 or (name == "new" and copied.code == 3), copied.err
        found[name] = copied.out.strip().rpartition("@")[2]
    assert found["kept"] in ({OLD.digest, NEW.digest} if tag == "kept" else {OLD.digest})
    again = imagesync("sync", source, f"{images}:{tag}")
    assert again.code == 0, again.err
    assert again.out.strip().endswith(NEW.digest)
    if form == "oci-archive":
        assert tags(here / "images") == {"kept": OLD.digest, tag: NEW.digest}
        assert not [left.name for left in here.iterdir() if left.name.startswith(PREFIX)]
    return "done" if found[tag] == NEW.digest else "as before"
