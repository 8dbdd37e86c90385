"""Terraform's question who has signed images: whatever goes wrong is an answer, and one image hides no other."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.command import imagesync
from tests.commands.test_json import matches
from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.images import image
from tests.trust.signing import key_pair, sign, trusting

OURS, APP, OTHER = key_pair(), image("app"), image("other")
RULES = {"rules": [trusting(OURS)]}


@pytest.fixture
def registry() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as running:
        APP.seed(running.repository("app"), "1")
        OTHER.seed(running.repository("app"), "2")
        sign(running.repository("app"), APP.digest, OURS)
        yield running


def ask(images: dict[str, Any], rules: str, **environ: str) -> dict[str, Any]:
    done = imagesync("external", stdin=json.dumps({"images": json.dumps(images), "trust": rules}), environ=environ)
    assert done.code == 0, done.err
    return {key: matches(text, "external_trust") for key, text in json.loads(done.out).items()}


def test_each_image_has_an_answer(registry: EmbeddedRegistry) -> None:
    """Who has signed it, or why it may not be copied; the digest counts, wherever the tag points now."""
    app = f"{registry.host}/app"
    told = ask(
        {
            "signed": {"reference": f"{app}:2", "digest": APP.digest},
            "unsigned": f"{app}:2",
            "away": f"{app}:3",
            "wrong": {"reference": f"{app}:1", "digest": "sha256:1"},
            "wrong too": {"reference": f"{app}:1", "digest": 1},
        },
        json.dumps(RULES),
    )
    assert told["signed"]["signed"].startswith("signed by key sha256:")
    assert told["signed"]["refused"] == []
    assert told["unsigned"]["refused"][0].startswith(f"trust: {app}@{OTHER.digest}: it has no signature")
    assert told["away"]["refused"][0].startswith(f"whether trust allows the source {app}:3 is not known: ")
    assert "'sha256:1' is not a digest" in told["wrong"]["refused"][0]
    assert "the 'digest' of an image is a string" in told["wrong too"]["refused"][0]


@pytest.mark.parametrize(("rules", "why"), [("{", "trust is not JSON"), ('{"rulez": 1}', "trust has no 'rulez'")])
def test_wrong_rules(registry: EmbeddedRegistry, rules: str, why: str) -> None:
    """They refuse every image: an error would hold up removals."""
    (told,) = ask({"a": f"{registry.host}/app:1"}, rules).values()
    assert why in told["refused"][0]


def test_a_registry_that_does_not_answer(registry: EmbeddedRegistry) -> None:
    """It ends within the time that a plan waits, and refuses the image."""

    never = threading.Event()

    def silent(request: Request) -> Fault | None:
        return Fault(stall=never) if "referrers" in request.path else None

    registry.fault = silent
    (told,) = ask({"a": f"{registry.host}/app:1"}, json.dumps(RULES), IMAGESYNC_TIMEOUT="2").values()
    never.set()
    assert "is not known: no answer within 2 s (see IMAGESYNC_TIMEOUT)" in told["refused"][0]
