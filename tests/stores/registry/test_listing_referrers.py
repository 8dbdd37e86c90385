"""The Referrers API: every page of it, or the certain knowledge that there is none; never half a list."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest

from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from imagesync_cli.values.errors import ContentError, ImagesyncError
from imagesync_cli.values.manifest import OCI_INDEX, OCI_MANIFEST
from imagesync_cli.values.reference import parse_reference
from tests.embedded_registry import EmbeddedRegistry, Fault, Request, Response
from tests.embedded_registry.faults import login_page, refusal
from tests.embedded_registry.images import image
from tests.embedded_registry.server import LoopbackServer
from tests.stores.copying import NAME, always

DIGEST = f"sha256:{'a' * 64}"


def referrers(registry: EmbeddedRegistry, *digests: str) -> list[str]:
    """The digests that the API lists, for one manifest after the other."""

    async def ask() -> list[str]:
        stores = Stores(Settings())
        try:
            store = stores.open(parse_reference(f"{registry.host}/{NAME}"))
            return [entry.digest for digest in digests or (DIGEST,) for entry in await store.referrers(digest)]
        finally:
            await stores.aclose()

    return asyncio.run(ask())


def listing(request: Request) -> bool:
    return "/referrers/" in request.path


def page(*numbers: int, link: str = "") -> Fault:
    entries = [{"mediaType": OCI_MANIFEST, "digest": f"sha256:{number:064x}", "size": 7} for number in numbers]
    headers = {"Content-Type": OCI_INDEX, **({"Link": link} if link else {})}
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return Fault(answer=Response(200, headers, json.dumps(document).encode()))


@pytest.mark.parametrize("first", [(1, 2), ()])
def test_pages(registry: EmbeddedRegistry, first: tuple[int, ...]) -> None:
    """Every page is read, whatever was on the one before."""
    answers = [page(*first, link='<?p=2>; rel="last next"'), page(*first, link="<?p=3>; REL=Next"), page(9)]
    registry.fault = lambda request: answers.pop(0) if listing(request) else None
    assert len(referrers(registry)) == len(first) + 1


def test_pages_in_a_circle(registry: EmbeddedRegistry) -> None:
    """A page that leads back is an error: a signature may be on the one that never came."""
    registry.fault = always(listing, page(1, link='<?p=2>; rel="next"'))
    with pytest.raises(ContentError, match="one that came before"):
        referrers(registry)


@pytest.mark.parametrize("second", [refusal(404), refusal(403), refusal(400), login_page()])
def test_list_that_breaks_off(registry: EmbeddedRegistry, second: Fault) -> None:
    """Half a list is an error, not a list."""
    answers = [page(1, link='<?p=2>; rel="next"'), second]
    registry.fault = lambda request: answers.pop(0) if listing(request) else None
    with pytest.raises(ImagesyncError, match=r"ends in the middle($|: there is no Referrers API)"):
        referrers(registry)


def test_referrers_without_end(registry: EmbeddedRegistry) -> None:
    """A list that goes on for ever with new entries is an error before it costs much memory."""
    numbers = itertools.count()

    def next_page(request: Request) -> Fault | None:
        new = [next(numbers) for _ in range(3000)]
        return page(*new, link=f"<?p={new[-1]}>; rel=next") if listing(request) else None

    registry.fault = next_page
    with pytest.raises(ContentError, match="more than 10000"):
        referrers(registry)


@pytest.mark.parametrize(("status", "asked"), [(401, 1), (403, 1), (404, 1), (400, 1), (405, 1), (501, 1)])
def test_no_api(registry: EmbeddedRegistry, status: int, asked: int) -> None:
    """A refusal, of whatever kind, means that there is no such API here; it is not asked for again."""
    image().seed(registry.repository(NAME), "1")
    registry.fault = always(listing, Fault(answer=Response(status, {}, b"no")))
    assert referrers(registry, DIGEST, f"sha256:{'b' * 64}") == []
    assert len([each for each in registry.requests if listing(each)]) <= asked + 1


@pytest.mark.parametrize("status", [200, 401, 404, 429, 503])
def test_redirected_to_a_web_page(registry: EmbeddedRegistry, status: int, pauses: list[float]) -> None:
    """Where the question is sent on to some web page, its answer is that there is no such API, at once."""
    headers = {"Content-Type": "text/html", "Retry-After": "33"}
    with LoopbackServer(lambda _: Response(status, headers, b"<html>")) as web:
        registry.fault = always(listing, Fault(answer=Response(302, {"Location": f"http://{web.host}/docs"})))
        assert referrers(registry) == []
        assert len(web.requests) == 1
    assert pauses == []


def test_a_registry_in_trouble(registry: EmbeddedRegistry, pauses: list[float]) -> None:
    """The registry's own 503 says nothing of the API: it is asked again."""
    answers = [refusal(503), page(1)]
    registry.fault = lambda request: answers.pop(0) if listing(request) else None
    assert len(referrers(registry)) == 1
    assert len(pauses) == 1
