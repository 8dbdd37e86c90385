"""A list that is not known whole tells nothing: whatever a registry does with its pages, nothing of others goes."""

from __future__ import annotations

import pytest

from tests.command import imagesync
from tests.delete.short_lists import BROKEN, NAMED, ShortList, tags_answer
from tests.embedded_registry import MANNERS, EmbeddedRegistry
from tests.embedded_registry.faults import Fault
from tests.embedded_registry.images import OCI_INDEX, image, index_of, referrer
from tests.embedded_registry.wire import json_response

REPOSITORY = "team/app"
X, Y = image("x"), image("y")
XY = index_of({"linux/amd64": X, "linux/arm64": Y})


@pytest.mark.parametrize("first", [(), ("1.0",)], ids=["empty", "short"])
@pytest.mark.parametrize("link", [*NAMED.values(), *BROKEN.values()], ids=[*NAMED, *BROKEN])
@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8"])
def test_a_sibling_on_another_page_stays(manner: str, link: str, first: tuple[str, ...]) -> None:
    """A tag on the same digest that only the second page names is there afterwards, whole."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        repository = registry.repository(REPOSITORY)
        XY.seed(repository, "1.0", "1.1")
        registry.fault = ShortList("/tags/list", tags_answer(*first), link)
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1.0")
        assert repository.tags == {"1.1": XY.digest}, done.err
        assert set(XY.manifests) <= repository.manifests.keys()


@pytest.mark.parametrize(
    "document", [{}, {"errors": []}, {"tags": None}, {"tags": []}, {"tags": ["other"]}, []], ids=str
)
@pytest.mark.parametrize("manner", ["distribution-2.8", "nexus"])
def test_a_list_without_the_tag_itself_is_not_known(manner: str, document: object) -> None:
    """A list that lacks the tag that is being removed, or is none at all, is no proof that nobody shares its image."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        repository = registry.repository(REPOSITORY)
        XY.seed(repository, "1.0", "1.1")
        registry.fault = lambda request: (
            Fault(answer=json_response(200, document)) if request.path.endswith("/tags/list") else None
        )
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1.0")
        assert repository.tags["1.1"] == XY.digest, done.err
        assert set(XY.manifests) <= repository.manifests.keys()


@pytest.mark.parametrize("link", [*NAMED.values(), *BROKEN.values()], ids=[*NAMED, *BROKEN])
def test_a_referrer_on_another_page_keeps_its_image(link: str) -> None:
    """What a referrer is about stays, though the first page of referrers does not name it."""
    with EmbeddedRegistry() as registry:
        repository = registry.repository(REPOSITORY)
        X.seed(repository, "1.0")
        referrer(X).seed(repository)
        nothing = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        pages = ShortList("/referrers/", lambda _: json_response(200, nothing, {"Content-Type": OCI_INDEX}), link)
        registry.fault = pages
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1.0")
        assert done.code == 0, done.err
        assert X.digest in repository.manifests
        assert referrer(X).digest in repository.manifests
