"""sync with rules of trust: what is not signed is not copied, and what is copied is what was verified."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import Finished, imagesync
from tests.embedded_registry import EmbeddedRegistry, Fault, Repository, Request
from tests.embedded_registry.images import image, index
from tests.trust.signing import attach, key_pair, sign, signed_bundle, trusting, write_trust

OURS, OTHERS = key_pair(), key_pair(number=1)
APP, OTHER = image("app"), image("other")


@pytest.fixture
def registry() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as running:
        APP.seed(running.repository("up"), "1")
        OTHER.seed(running.repository("up"), "2")
        yield running


@pytest.fixture
def up(registry: EmbeddedRegistry) -> Repository:
    return registry.repository("up")


@pytest.fixture
def rules(tmp_path: Path) -> str:
    return write_trust(tmp_path, trusting(OURS))


def sync(registry: EmbeddedRegistry, *options: str) -> Finished:
    return imagesync("sync", *options, f"{registry.host}/up:1", f"{registry.host}/down:1")


def test_an_unsigned_image_is_not_copied(registry: EmbeddedRegistry, up: Repository, rules: str) -> None:
    """Nothing is written, and the error names the image and what is wrong; once it is signed, it is copied."""
    attach(up, APP, signed_bundle(OTHERS, APP.digest))
    refused = sync(registry, "--trust", rules)
    assert refused.code == 7
    assert f"trust: {registry.host}/up@{APP.digest}: no signature counts: one: it was not made with" in refused.err
    assert "down" not in registry.state.repositories or not registry.repository("down").blobs
    sign(up, APP.digest, OURS)
    done = sync(registry, "--trust", rules)
    assert done.code == 0
    assert "signed by key sha256:" in done.err
    assert registry.repository("down").tags == {"1": APP.digest}


def test_the_report(registry: EmbeddedRegistry, up: Repository, rules: str) -> None:
    """It says who has signed; a dry run verifies as well."""
    assert sync(registry, "--trust", rules, "--dry-run").code == 7
    sign(up, APP.digest, OURS)
    told = json.loads(sync(registry, "--trust", rules, "--json").out)
    assert [each["signer"].partition(":")[0] for each in told["signed_by"]] == ["key sha256"]
    assert json.loads(sync(registry, "--json").out)["signed_by"] == []


def test_what_is_verified_is_what_is_copied(registry: EmbeddedRegistry, up: Repository, rules: str) -> None:
    """A tag that moves between the looks brings the image that was verified, never the other one."""
    sign(up, APP.digest, OURS)

    def move(request: Request) -> Fault | None:
        if f"/up/manifests/{APP.digest.replace(':', '-')}.sig" in request.path:
            up.tags["1"] = OTHER.digest
        return None

    registry.fault = move
    assert sync(registry, "--trust", rules).code == 0
    assert up.tags["1"] == OTHER.digest
    assert registry.repository("down").tags == {"1": APP.digest}
    registry.fault = None
    assert sync(registry, "--trust", rules).code == 7
    assert registry.repository("down").tags == {"1": APP.digest}


def test_an_image_in_sync(registry: EmbeddedRegistry, rules: str, tmp_path: Path) -> None:
    """It costs no request about signatures, unless the rules say always."""
    APP.seed(registry.repository("down"), "1")
    before = len(registry.requests)
    assert sync(registry, "--trust", rules).code == 0
    assert len(registry.requests) - before == 2
    always = write_trust(tmp_path, trusting(OURS), verify="always")
    assert sync(registry, "--trust", always).code == 7


def test_platforms(registry: EmbeddedRegistry, up: Repository, rules: str) -> None:
    """A signature of the whole image is one of the platforms that are chosen from it."""
    whole = index("whole", platforms=("linux/amd64", "linux/arm64", "linux/s390x"))
    whole.seed(up, "1")
    options = ("--trust", rules, "--platform", "linux/amd64", "--platform", "linux/arm64")
    assert sync(registry, *options).code == 7
    sign(up, whole.digest, OURS)
    assert sync(registry, *options).code == 0
    assert registry.repository("down").tags["1"] != whole.digest


def test_a_file(registry: EmbeddedRegistry, up: Repository, tmp_path: Path) -> None:
    """Its rules hold for all its images: what is not signed fails alone, and the line of the other tells the signer."""
    sign(up, APP.digest, OURS)
    file, host = tmp_path / "images.yaml", registry.host
    images = [{"source": f"{host}/up:{tag}", "destination": f"{host}/down:{tag}"} for tag in ("1", "2")]
    file.write_text(json.dumps({"images": images, "trust": {"rules": [trusting(OURS)]}}))
    report = tmp_path / "report.json"
    done = imagesync("sync", "--file", str(file), "--report", str(report))
    assert done.code == 7
    assert registry.repository("down").tags == {"1": APP.digest}
    (line,) = done.out.splitlines()
    assert line.startswith(f"add    {host}/down:1 {APP.digest}, signed by key sha256:")
    assert f"trust: {host}/up@{OTHER.digest}: it has no signature" in done.err
    signed, unsigned = json.loads(report.read_text())["images"]
    assert (len(signed["signed_by"]), unsigned["signed_by"]) == (1, [])
    accepting = write_trust(tmp_path, default="accept")
    assert imagesync("sync", "--file", str(file), "--trust", accepting).code == 0
    assert registry.repository("down").tags == {"1": APP.digest, "2": OTHER.digest}


def test_an_image_with_rules_of_its_own(registry: EmbeddedRegistry, up: Repository, tmp_path: Path) -> None:
    """An entry's rules hold in place of the file's, stricter or looser; two entries for one tag must agree."""
    sign(up, APP.digest, OURS)
    file, host = tmp_path / "images.yaml", registry.host
    first, second = ({"source": f"{host}/up:{tag}", "destination": f"{host}/down:{tag}"} for tag in ("1", "2"))
    others = {"rules": [trusting(OTHERS)]}
    images = [{**first, "trust": others}, {**second, "trust": {"default": "accept"}}]
    file.write_text(json.dumps({"images": images, "trust": {"rules": [trusting(OURS)]}}))
    assert imagesync("sync", "--file", str(file)).code == 7
    assert registry.repository("down").tags == {"2": OTHER.digest}
    file.write_text(json.dumps({"images": [*images, first], "trust": {"rules": [trusting(OURS)]}}))
    finished = imagesync("sync", "--file", str(file))
    assert (finished.code, "both fill" in finished.err) == (2, True)


@pytest.mark.parametrize("form", ["oci", "oci-archive"])
def test_from_a_folder_or_an_archive(registry: EmbeddedRegistry, up: Repository, tmp_path: Path, form: str) -> None:
    """What was carried through an air gap with its signatures is verified on the other side."""
    carried = f"{form}:{tmp_path / 'carried'}:1"
    rules = write_trust(tmp_path, {**trusting(OURS), "sources": [f"{form}:{tmp_path}/*"]})
    assert imagesync("sync", f"{registry.host}/up:1", carried).code == 0
    assert "it has no signature" in imagesync("verify", "--trust", rules, carried).err
    sign(up, APP.digest, OURS)
    attach(up, APP, signed_bundle(OTHERS, APP.digest))
    done = imagesync("sync", "--referrers", f"{registry.host}/up:1", carried)
    assert done.code == 0, done.err
    done = imagesync("sync", "--trust", rules, carried, f"{registry.host}/down:1")
    assert (done.code, "signed by key" in done.err) == (0, True), done.err
