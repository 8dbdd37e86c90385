"""What a plan of many images costs."""

from __future__ import annotations

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image
from tests.terraform.workspace import Workspace

IMAGES = 200


def test_two_hundred_images_in_sync(workspace: Workspace) -> None:
    """Planning 200 images that are in sync takes two imagesync processes and at most 400 HEAD requests."""
    made = image()
    with EmbeddedRegistry() as source, EmbeddedRegistry() as destination:
        for number in range(IMAGES):
            made.seed(source.repository(f"app-{number}"), "1")
            made.seed(destination.repository(f"app-{number}"), "1")
        images = {f"app-{number}:1": f"{source.host}/app-{number}:1" for number in range(IMAGES)}
        workspace.write(images, destination_prefix=destination.host)

        assert workspace.plan().code == 2  # they are not in the state yet: 200 copies would only cost time
        assert workspace.calls() == [["external"], ["external"]]
        requests = source.requests + destination.requests
        assert {request.method for request in requests} == {"HEAD"}
        assert len(requests) <= 2 * IMAGES
