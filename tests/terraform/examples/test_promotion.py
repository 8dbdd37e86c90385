"""examples/promotion: its README's commands, from a registry to staging's and from there to production's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import peers
from tests.embedded_registry.images import Image, image, referrer
from tests.referrers.artifacts import NOTATION, about, cosign, list_of
from tests.remote_repository import RemoteRepository
from tests.terraform.examples.internet import DOCKER_HUB, Internet
from tests.terraform.examples.pages import commands
from tests.terraform.workspace import Workspace


class Environments:
    """The example with a registry for staging and another one for production."""

    def __init__(self, example: Workspace, internet: Internet, registries: dict[str, str]) -> None:
        self.staging, self.production = (RemoteRepository(host, "busybox") for host in registries.values())
        self._hub = internet.repository(DOCKER_HUB, "library/busybox")
        self._example = example
        self._online = internet.environment
        self.roots = {name: example.inside(name) for name in registries}
        self._registries = registries
        for name, host in registries.items():
            self.roots[name].set(registry=host)

    def release(self, released: Image) -> Image:
        """Push an image upstream, and signatures on it in both ways; returns the signature."""
        signature = referrer(released, NOTATION)
        self._hub.push(released, "1.36")
        self._hub.push(signature, signature.digest)
        self._hub.push(list_of(signature), about(released))
        self._hub.push(cosign(released), about(released, ".sig"))
        return signature

    def run(self, number: int) -> None:
        """Paste a block of the README."""
        block = commands(self._example)[number]
        root = "staging" if number == 0 else "production"
        online = self._online if root == "staging" else {}
        variables = {"TF_VAR_registry": self._registries[root], "TF_CLI_ARGS_apply": "-auto-approve"}
        self._example.shell(block, **variables, **online)

    def follow(self) -> None:
        self.run(0)

    def write_down(self) -> None:
        self.run(1)

    def promote(self) -> None:
        self.run(2)

    def digests(self) -> tuple[str | None, str | None]:
        """What the tag is in staging and in production."""
        return self.staging.digest("1.36"), self.production.digest("1.36")


@pytest.fixture
def environments(checkout: Workspace, internet: Internet, tmp_path: Path) -> Iterator[Environments]:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with peers.docker_registry(tmp_path / "a") as staging, peers.distribution_v3(tmp_path / "b") as production:
        registries = {"staging": staging, "production": production}
        yield Environments(checkout.inside("examples", "promotion"), internet, registries)


def test_promotion(environments: Environments, old: Image, new: Image) -> None:
    """A moved tag moves staging alone; promoting brings production staging's bytes and signatures; and back again."""
    signed_old = environments.release(old)
    environments.follow()
    assert environments.digests() == (old.digest, None)
    environments.write_down()
    environments.promote()
    assert environments.digests() == (old.digest, old.digest)

    signed_new = environments.release(new)
    environments.follow()
    environments.promote()  # applies again what was reviewed, and that has not changed
    assert environments.digests() == (new.digest, old.digest)
    production = environments.roots["production"]
    assert production.plan().code == 0

    reviewed = production.folder / "promoted.auto.tfvars.json"
    before = reviewed.read_text()
    environments.write_down()
    assert json.loads(reviewed.read_text()) == {"images": {"busybox:1.36": f"{environments.staging}@{new.digest}"}}
    assert production.plan().code == 2
    environments.promote()
    assert environments.digests() == (new.digest, new.digest)
    for one in (new, signed_new, cosign(new)):
        assert environments.production.holds(one)
        for digest, manifest in one.manifests.items():
            assert environments.production.content(digest) == manifest.content
        assert all(environments.production.has_blob(digest) for digest in one.blobs)

    assert environments.production.holds(old)  # for what still runs it
    reviewed.write_text(before)
    environments.promote()
    assert environments.digests() == (new.digest, old.digest)
    assert environments.production.holds(signed_old)


def test_what_cannot_be_promoted(environments: Environments, old: Image) -> None:
    """Without the reviewed file, or with a digest that staging has not, the plan fails; production stays as it is."""
    environments.release(old)
    environments.follow()
    environments.write_down()
    environments.promote()
    production = environments.roots["production"]
    reviewed = production.folder / "promoted.auto.tfvars.json"
    reviewed.write_text(reviewed.read_text().replace(old.digest, image("nowhere").digest))
    unknown = production.plan()
    assert unknown.code == 1
    assert f"the source {environments.staging}@{image('nowhere').digest} is missing" in unknown.text
    reviewed.unlink()
    without = production.plan()
    assert without.code == 1
    assert 'The root module input variable "images" is not set' in without.text
    assert environments.digests() == (old.digest, old.digest)


def test_a_tag_is_not_promoted(environments: Environments) -> None:
    """A promotion by a tag is refused: it would follow by itself."""
    production = environments.roots["production"]
    values = {"images": {"busybox:1.36": environments.staging.tagged("1.36")}}
    (production.folder / "promoted.auto.tfvars.json").write_text(json.dumps(values))
    refused = production.plan()
    assert refused.code == 1
    assert "a tag would move by itself" in refused.text
