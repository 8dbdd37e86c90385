"""A plan with rules of trust: an unsigned image fails it, by its name, and a signed one names the signer."""

from __future__ import annotations

import json
from typing import Any

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import Image
from tests.remote_repository import RemoteRepository
from tests.terraform.workspace import BOTH_TOOLS, Expression, Workspace
from tests.trust.signing import cosign_tag, key_pair, sign, signature, trusting

OURS, OTHERS = key_pair(), key_pair(number=1)
TRUST: dict[str, Any] = {"rules": [trusting(OURS)]}


def test_from_unsigned_to_signed(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, new: Image
) -> None:
    """Refused, then copied with the signer's name, then asked no more; a moved tag, and new rules, are asked again."""
    upstream.push(old, "1")
    images = {mirror.tagged("1"): upstream.tagged("1")}
    workspace.write(images, trust=TRUST)
    refused = workspace.plan()
    assert refused.code == 1
    why = f"trust: {upstream}@{old.digest}: it has no signature (wanted is a signature by a key)"
    assert f'images["{mirror.tagged("1")}"]: {why}' in refused.text
    assert mirror.digest("1") is None
    (explained,) = workspace.explained()
    assert explained["kind"] == "refused"
    assert why in explained["why"]

    upstream.push(signature(old.digest, OURS), cosign_tag(old.digest))
    planned = workspace.plan()
    assert planned.code == 2
    assert "is new, from" in planned.text
    assert "signed by key sha256:" in planned.text
    assert [each["signed"].startswith("signed by key sha256:") for each in workspace.explained()] == [True]
    workspace.succeeding("apply", "plan.bin")
    assert mirror.digest("1") == old.digest

    upstream.push(signature(old.digest, OTHERS), cosign_tag(old.digest))
    assert workspace.plan().code == 0  # nobody is asked who has signed
    workspace.write(images, trust=TRUST, verify_trust="always")
    assert "no signature counts: one: it was not made with this key" in workspace.plan().text

    upstream.push(signature(old.digest, OURS), cosign_tag(old.digest))
    upstream.push(new, "1")
    workspace.write(images, trust=TRUST)
    assert f"trust: {upstream}@{new.digest}: it has no signature" in workspace.plan().text
    upstream.push(signature(new.digest, OTHERS), cosign_tag(new.digest))
    assert "no signature counts: one: it was not made with this key" in workspace.plan().text
    upstream.push(old, "1")
    workspace.write(images, trust={"rules": [trusting(OTHERS)]})
    assert f"trust: {upstream}@{old.digest}: no signature counts" in workspace.plan().text
    workspace.write(images, trust={"rules": []})
    assert f"trust: no rule names {upstream}@{old.digest}" in workspace.plan().text
    workspace.destroy()
    assert mirror.digest("1") is None


def push_one_signed(upstream: RemoteRepository, signed: Image, other: Image) -> None:
    """The signed one is tag 1, the other one is tag 2."""
    for image, tag in ((signed, "1"), (other, "2")):
        upstream.push(image, tag)
    upstream.push(signature(signed.digest, OURS), cosign_tag(signed.digest))


@BOTH_TOOLS
def test_an_image_that_is_there_already(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """What somebody else has put there is in sync, and verified all the same before it is taken over."""
    for repository in (upstream, mirror):
        repository.push(old, "1")
    options = {"source_image": upstream.tagged("1"), "destination_image": mirror.tagged("1")}
    workspace.write_module("image", trust=TRUST, **options)
    assert f"trust: {upstream}@{old.digest}: it has no signature" in workspace.plan().text
    upstream.push(signature(old.digest, OURS), cosign_tag(old.digest))
    assert "signed by key sha256:" in workspace.apply().text


@BOTH_TOOLS
def test_a_refused_image_that_an_apply_leaves_out(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, new: Image
) -> None:
    """It stays refused: an apply of the others does not make it one that was verified."""
    push_one_signed(upstream, old, new)
    workspace.write({mirror.tagged(tag): upstream.tagged(tag) for tag in ("1", "2")}, trust=TRUST)
    why = f"trust: {upstream}@{new.digest}: it has no signature"
    assert why in workspace.plan().text
    signed = f'module.mirror.terraform_data.image["{mirror}:1@{old.digest}"]'
    workspace.succeeding("apply", "-auto-approve", f"-target={signed}")
    assert why in workspace.run("apply", "-auto-approve").text
    assert (mirror.digest("1"), mirror.digest("2")) == (old.digest, None)


@BOTH_TOOLS
def test_an_image_in_place_that_new_rules_refuse(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, new: Image
) -> None:
    """No apply goes round it: after one that did, it would count as verified under these rules."""
    push_one_signed(upstream, old, new)
    images = {mirror.tagged(tag): upstream.tagged(tag) for tag in ("1", "2")}
    workspace.write(images)
    workspace.apply()
    workspace.write(images, trust=TRUST)
    why = f'images["{mirror}:2"]: trust: {upstream}@{new.digest}: it has no signature'
    signed = f'module.mirror.terraform_data.image["{mirror}:1@{old.digest}"]'
    for more in ([f"-target={signed}"], []):
        assert why in workspace.run("apply", "-auto-approve", *more).text
    workspace.destroy()
    assert (mirror.digest("1"), mirror.digest("2")) == (None, None)


def test_a_rule_that_is_known_at_apply_only(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """The apply refuses the image, and so does each one after it."""
    upstream.push(old, "1")
    key = f'resource "terraform_data" "key" {{ input = {json.dumps(OURS.pem)} }}'
    rules = Expression('{ rules = [{ sources = ["**"], signers = [{ key = terraform_data.key.output }] }] }')
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, key, trust=rules)
    for _ in range(2):
        assert f"trust: {upstream}@{old.digest}: it has no signature" in workspace.run("apply", "-auto-approve").text
        assert mirror.digest("1") is None


def test_a_source_with_another_rule(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """An image that is in place counts by the rule for its source: that of another source is asked, if both agree."""
    for tag in ("1", "2"):
        upstream.push(old, tag)
    trust = {"rules": [trusting(OURS) | {"sources": [upstream.tagged("2")]}], "default": "accept"}
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, trust=trust)
    workspace.apply()
    workspace.write({mirror.tagged("1"): upstream.tagged("2")}, trust=trust)
    assert f"trust: {upstream}@{old.digest}: it has no signature" in workspace.plan().text


def test_what_is_wrong_with_the_rules(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """Rules that make no sense refuse the image and say why; they do not hold up a removal."""
    upstream.push(old, "1")
    images = {mirror.tagged("1"): upstream.tagged("1")}
    workspace.write(images)
    workspace.apply()
    workspace.write(images, trust={"rules": [{"sources": ["**"], "signers": [{"keyy": "a"}]}]})
    assert "trust.rules[0].signers[0] has no 'keyy'" in workspace.plan().text
    workspace.destroy()
    assert mirror.digest("1") is None


def test_a_prefix_that_is_not_known_yet(workspace: Workspace, mirror: RemoteRepository, old: Image) -> None:
    """The plan refuses all the same: only the source is asked. A source that is away later costs no question."""
    prefix = Expression(f'split("|", terraform_data.place.id)[0] == "" ? "" : "{mirror}"')
    options: dict[str, Any] = {
        "trust": TRUST,
        "destination_prefix": prefix,
        "source_unavailable": "use_destination",
        "more": 'resource "terraform_data" "place" {}',
    }
    with EmbeddedRegistry() as registry:
        old.seed(registry.repository("app"), "1")
        images = {":1": f"{registry.host}/app:1"}
        workspace.write(images, **options)
        refused = workspace.plan()
        assert refused.code == 1
        assert f'images[":1"]: trust: {registry.host}/app@{old.digest}: it has no signature' in refused.text
        sign(registry.repository("app"), old.digest, OURS)
        assert "signed by key sha256:" in workspace.apply().text
    assert workspace.plan().code == 0
    workspace.write(images, **{**options, "trust": {"rules": [trusting(OTHERS)]}})
    assert f"whether trust allows the source {images[':1']} is not known: " in workspace.plan().text
