"""Repositories with as many and as long tags as a registry may list: rules pick from them in little memory."""

from __future__ import annotations

import json

import pytest

from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.images import image
from tests.embedded_registry.wire import Response, json_response
from tests.hostile.test_memory import MOST_MIB, run

PAGES, A_PAGE, LENGTH = 9, 11_000, 100
RULES = {"semver": ">=1.1", "latest": 2, "each_variant": True}


@pytest.fixture
def crowded(registry: EmbeddedRegistry) -> EmbeddedRegistry:
    """A registry in which every repository has 99,000 tags, each a version with a long word."""
    image().seed(registry.repository("a"), "1")
    pages: dict[int, Response] = {}

    def page(number: int) -> Response:
        versions = range(number * A_PAGE, (number + 1) * A_PAGE)
        tags = [f"1.{each}.0-{'x' * (LENGTH - len(str(each)) - 5)}" for each in versions]
        link = {"Link": f'<list?page={number + 1}>; rel="next"'} if number + 1 < PAGES else {}
        return json_response(200, {"tags": tags}, link)

    def answer(request: Request) -> Fault | None:
        if "tags/list" not in request.path:
            return None
        number = int(request.query.get("page", "0"))
        pages[number] = pages.get(number) or page(number)
        return Fault(answer=pages[number])

    registry.fault = answer
    return registry


def test_rules_pick_in_little_memory(crowded: EmbeddedRegistry) -> None:
    """What the versions sort by would take more than all that a process may have."""
    images = {"a": {"reference": f"{crowded.host}/a", "tags": RULES}}
    code, size_mib, said = run("external", stdin=json.dumps({"images": json.dumps(images)}))
    assert code == 0, said
    assert size_mib < MOST_MIB
