"""What a request is for, and how often in a second a host documents that it may be sent."""

from __future__ import annotations

import pytest

from imagesync_cli.stores.registry.exchange import action_of
from imagesync_cli.values.hosts import AMAZON, AMAZON_PUBLIC, KnownHost, known_host


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("GET", "/v2/team/app/manifests/1.0", "GET manifests"),
        ("PUT", "/v2/app/manifests/sha256:ab", "PUT manifests"),
        ("HEAD", "/v2/app/blobs/sha256:ab", "HEAD blobs"),
        ("POST", "/v2/app/blobs/uploads/", "POST uploads"),
        ("PATCH", "/v2/app/blobs/uploads/3f-a", "PATCH uploads"),
        ("GET", "/v2/app/tags/list", "GET tags"),
        ("GET", "/v2/app/referrers/sha256:ab", "GET referrers"),
        ("GET", "/v2/manifests/blobs/tags/list", "GET tags"),
        ("GET", "/v2/", ""),
        ("GET", "/token", ""),
        ("GET", "/api/v2.0/projects", ""),
    ],
)
def test_actions(method: str, path: str, action: str) -> None:
    """What a request is for shows in its method and in the end of its path, whatever the repository is called."""
    assert action_of(method, path) == action


@pytest.mark.parametrize(
    ("known", "registry"),
    [
        (AMAZON, "123456789012.dkr.ecr.eu-central-1.amazonaws.com"),
        (AMAZON_PUBLIC, "public.ecr.aws"),
    ],
)
def test_documented_rates(known: KnownHost, registry: str) -> None:
    """ECR's quotas are kept without being asked for, and each is for actions that there are."""
    assert known_host(registry) is known
    rates = {rate.name: rate.per_second for rate in known.rates}
    assert rates["PutImage"] == 10
    assert rates["CompleteLayerUpload"] == (100 if known is AMAZON else 10)
    assert all(action_of(*_example(action)) == action for rate in known.rates for action in rate.actions)


def _example(action: str) -> tuple[str, str]:
    method, _, kind = action.partition(" ")
    return method, "/v2/a/blobs/uploads/x" if kind == "uploads" else f"/v2/a/{kind}/x"
