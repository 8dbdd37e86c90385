"""When an image was pushed: the exact requests to each host's own API, and what their answers mean."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from imagesync_cli.stores.registry.hosts.own_apis import pushed_at
from tests.logins import CANARY
from tests.stores.registry.scripted import Scripted

DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
TIME = datetime(2026, 11, 2, 3, 4, 5, tzinfo=timezone.utc)
TEXT = "2026-11-02T03:04:05.678Z"
HUB_TAG = "https://hub.docker.com/v2/namespaces/team/repositories/sub/app/tags/1"
VERSIONS = "https://api.github.com/{}/team/packages/container/sub%2Fapp/versions?per_page=100"


@pytest.fixture
def scripted(pauses: list[float]) -> Scripted:
    return Scripted()


@pytest.mark.parametrize(
    ("answer", "time"),
    [
        ({"digest": DIGEST, "tag_last_pushed": TEXT}, TIME),
        ({"digest": OTHER, "tag_last_pushed": TEXT}, None),
        ({"digest": OTHER, "tag_last_pushed": "x", "images": [{"digest": DIGEST, "last_pushed": TEXT}]}, TIME),
        ({"digest": DIGEST, "tag_last_pushed": "yesterday"}, None),
        ({"images": [3, None]}, None),
        ([], None),
    ],
)
def test_docker_hub(answer: object, time: datetime | None, scripted: Scripted) -> None:
    """The tag's push time is that of this digest only if the tag, or an image of its index, is on it."""
    scripted.routes.get(HUB_TAG).respond(json=answer)
    assert scripted.run(lambda: pushed_at(scripted.api("docker.io"), "1", DIGEST)) == time
    assert scripted.requests == [f"GET {HUB_TAG}"]
    assert all("authorization" not in call.request.headers for call in scripted.routes.calls)


def test_github(scripted: Scripted) -> None:
    """A package version of a user, found by its digest, with the user's token."""
    scripted.routes.get(VERSIONS.format("orgs")).respond(404, json={"message": "Not Found"})
    scripted.routes.get(VERSIONS.format("users")).respond(
        json=[{"id": 1, "name": OTHER, "created_at": "x"}, {"id": 2, "name": DIGEST, "created_at": TEXT}]
    )
    assert scripted.run(lambda: pushed_at(scripted.api("ghcr.io"), "1", DIGEST)) == TIME
    assert set(scripted.told(f"Bearer {CANARY}")) == {"api.github.com"}


@pytest.mark.parametrize(
    ("status", "answer", "time"),
    [
        (200, {"digest": DIGEST, "push_time": TEXT}, TIME),
        (200, {"digest": OTHER, "push_time": TEXT}, None),
        (200, "<html>", None),
        (404, {"errors": []}, None),
        (403, {"errors": []}, None),
        (405, {"errors": []}, None),
    ],
)
def test_harbor_and_whoever_is_not(status: int, answer: object, time: datetime | None, scripted: Scripted) -> None:
    """Any host may be Harbor; whoever answers otherwise tells nothing."""
    asked = f"https://harbor.example.com/api/v2.0/projects/team/repositories/sub%252Fapp/artifacts/{DIGEST}"
    route = scripted.routes.get(url__startswith="https://harbor.example.com/api/")
    if isinstance(answer, str):
        route.respond(status, text=answer)
    else:
        route.respond(status, json=answer)
    assert scripted.run(lambda: pushed_at(scripted.api("harbor.example.com"), "1", DIGEST)) == time
    assert f"{asked}".endswith(route.calls[0].request.url.raw_path.decode())


def test_hosts_that_tell_nothing_are_not_asked(scripted: Scripted) -> None:
    """Azure and Google have no such API that a pull's login opens."""
    assert scripted.run(lambda: pushed_at(scripted.api("team.azurecr.io"), "1", DIGEST)) is None
    assert scripted.run(lambda: pushed_at(scripted.api("gcr.io"), "1", DIGEST)) is None
    assert scripted.requests == []
