"""Lists of tags in pages: all of them, or an error; half a list would make a delete take too much."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import replace

import pytest

from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from imagesync_cli.values.errors import ContentError, ImagesyncError
from imagesync_cli.values.reference import parse_reference
from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry, Fault, Manner, Request, Response
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image
from tests.stores.copying import NAME, always


def tags(registry: EmbeddedRegistry) -> list[str]:
    async def ask() -> list[str]:
        stores = Stores(Settings())
        try:
            return list(await stores.open(parse_reference(f"{registry.host}/{NAME}")).tags())
        finally:
            await stores.aclose()

    return asyncio.run(ask())


def listing(request: Request) -> bool:
    return request.path.endswith("/tags/list")


def answering(*names: str, link: str = "") -> Fault:
    headers = {"Link": link} if link else {}
    return Fault(answer=Response(200, headers, json.dumps({"tags": list(names)}).encode()))


@pytest.mark.parametrize("paging", ["link", "no-link", "none"])
@pytest.mark.parametrize("count", [0, 1, 1000, 2500])
def test_pages(paging: str, count: int) -> None:
    """Every tag is listed, whichever way a registry has of cutting its list into pages."""
    manner = replace(Manner(), tag_paging=paging)  # type: ignore[arg-type]
    names = [f"tag-{number:05}" for number in range(count)]
    with EmbeddedRegistry(manner) as registry:
        image().seed(registry.repository(NAME), *names)
        assert sorted(tags(registry)) == names


def test_repository_that_does_not_exist(registry: EmbeddedRegistry) -> None:
    """A repository that is not there has no tags."""
    assert tags(registry) == []
    assert registry.requests[0].status == 404


@pytest.mark.parametrize("link", ["list?n=1&last=a", "/v2/team/app/tags/list", "", "?n=10000", "#2"])
def test_pages_in_a_circle(registry: EmbeddedRegistry, link: str) -> None:
    """A page that leads back to one before it is an error: what else there is, nobody knows."""
    registry.fault = always(listing, answering("a", link=f'<{link}>; rel="next"'))
    with pytest.raises(ContentError, match="one that came before"):
        tags(registry)
    assert len(registry.requests) <= 2


@pytest.mark.parametrize(
    "link",
    [
        '<list?last=a>; rel="next"',
        "<list?last=a>; rel=next",
        "<list?last=a>; rel=NEXT",
        '<list?last=a>; REL="next"',
        '<list?last=a> ; rel = "next"',
        '<list?last=a>; rel="last next"',
        '<list?last=a>; rel="next last"; title=x',
        '<list?last=a>; title="x; rel=prev"; rel="next"',
        '<list?last=a>; title="a, <b>; rel=first"; rel="next"',
        '<list?last=a>; title="\\"; rel=\\""; rel="next"',
        '<list>; rel="first", <list?last=a>; rel="next"',
        "<list>; rel=first,<list?last=a>; rel=next,<list>; rel=last",
        ', <list?last=a>; rel="next"',
        '<list?last=a>; hreflang=en; rel="next"',
        '<list?last=a>; rel="next"; rel="prev"',
        '<list>; rel="prev"\r\nLink: <list?last=a>; rel="next"',
        '</v2/team/app/tags/list?last=a>; rel="next"',
        '<http://HOST/v2/team/app/tags/list?last=a>; rel="next"',
        '<//HOST/v2/team/app/tags/list?last=a>; rel="next"',
    ],
)
@pytest.mark.parametrize("first", [("a",), ()])
def test_every_form_of_a_link(registry: EmbeddedRegistry, link: str, first: tuple[str, ...]) -> None:
    """However a registry writes that there is a next page, and whatever is on this one, the next is read."""
    pages = [answering(*first, link=link.replace("HOST", registry.host)), answering("z")]
    registry.fault = lambda request: pages.pop(0) if listing(request) else None
    assert tags(registry) == [*first, "z"]


def test_page_with_nothing_new(registry: EmbeddedRegistry) -> None:
    """A page of tags that are known already is not the last one if it names a next one."""
    pages = [answering("a", link="<list?last=a>; rel=next"), answering("a", link="<list?last=b>; rel=next")]
    pages.append(answering("z"))
    registry.fault = lambda request: pages.pop(0) if listing(request) else None
    assert tags(registry) == ["a", "z"]


@pytest.mark.parametrize("link", ['list?last=a; rel="next"', '<list?last=a; rel="next"', '<list?last=a>; rel="next'])
def test_link_that_cannot_be_read(registry: EmbeddedRegistry, link: str) -> None:
    """A header that may name a next page and cannot be read is an error, not the end of the list."""
    registry.fault = always(listing, answering("a", link=link))
    with pytest.raises(ContentError, match="cannot be told"):
        tags(registry)


def test_pages_without_end(registry: EmbeddedRegistry) -> None:
    """Empty pages that always name a new one are given up."""
    numbers = itertools.count()

    def page(request: Request) -> Fault | None:
        return answering(link=f'<list?last={next(numbers)}>; rel="next"') if listing(request) else None

    registry.fault = page
    with pytest.raises(ImagesyncError, match="more than 1000 pages"):
        tags(registry)


@pytest.mark.parametrize("status", [400, 413, 422, 504])
@pytest.mark.parametrize("most", [1000, 100, 0])
def test_page_size_that_is_refused(registry: EmbeddedRegistry, status: int, most: int, pauses: list[float]) -> None:
    """Where pages may only be small, smaller ones are asked for, at last as large as the registry likes."""
    image().seed(registry.repository(NAME), "a", "b")
    registry.fault = lambda request: refusal(status) if int(request.query.get("n", "0")) > most else None
    assert sorted(tags(registry)) == ["a", "b"]
    assert pauses == []


@pytest.mark.parametrize("values", ["[],", "{},", '"a",', '{"a":1},'])
def test_dense_page(registry: EmbeddedRegistry, values: str) -> None:
    """A page of millions of tiny values is an error before it costs much memory."""
    body = b'{"tags": [' + values.encode() * (4_000_000 // len(values)) + b'"a"]}'
    registry.fault = always(listing, Fault(answer=Response(200, {}, body)))
    with pytest.raises(ContentError, match="not a list of tags"):
        tags(registry)


@pytest.mark.parametrize("link", ["http://other.invalid/v2/a/tags/list", "//other.invalid/", "https://127.0.0.1/"])
def test_page_elsewhere(registry: EmbeddedRegistry, link: str) -> None:
    """The next page is never asked of another host, which would learn our login."""
    registry.fault = always(listing, answering("a", link=f'<{link}>; rel="next"'))
    with pytest.raises(ContentError, match="the next page is on another host"):
        tags(registry)


@pytest.mark.parametrize(
    "link", ["<http://[>; rel=next", "<ftp://127.0.0.1/>; rel=next", "<http://a:99999/>; rel=next"]
)
def test_page_nowhere(registry: EmbeddedRegistry, link: str) -> None:
    """A next page that is no address is an error, not the end of the list."""
    registry.fault = always(listing, answering("a", link=link))
    with pytest.raises(ImagesyncError):
        tags(registry)


@pytest.mark.parametrize("link", ["<", ";;", "<>", '<x>; rel="prev"', "<" * 1000])
def test_link_to_no_page(registry: EmbeddedRegistry, link: str) -> None:
    """A Link header that names no next page is the last page's."""
    registry.fault = always(listing, answering("a", link=link))
    assert tags(registry) == ["a"]


def test_page_that_is_missing(registry: EmbeddedRegistry) -> None:
    """A list whose second page is "not found" is an error, and not a shorter list."""
    pages = [answering("a", link='<list?last=a>; rel="next"'), refusal(404, "NAME_UNKNOWN")]
    registry.fault = lambda request: pages.pop(0) if listing(request) else None
    with pytest.raises(ImagesyncError, match="listing the tags of"):
        tags(registry)


@pytest.mark.parametrize("name", ["z&n=1#?/../x", "../../../v2/other/manifests/1", "a\r\nb", "a\0", "", "t" * 129, "é"])
def test_tag_that_is_no_tag(registry: EmbeddedRegistry, name: str) -> None:
    """A name in the list that no tag can have is an error: it becomes part of no address."""
    registry.fault = always(listing, answering("a", name))
    with pytest.raises(ContentError, match="lists an invalid tag"):
        tags(registry)
    assert len(registry.requests) == 1


STRANGE = [f"sha256:{'a' * 64}", "-ot-beta", "../../../other/app/manifests/latest", "a b", ""]


@pytest.mark.parametrize("name", STRANGE)
def test_a_name_that_is_no_tag_is_left_out_where_tags_are_picked(registry: EmbeddedRegistry, name: str) -> None:
    """A registry that lists what is no tag can be read all the same: the rest is listed, and what is left out said."""
    registry.fault = always(listing, answering("1.0", name, "1.1"))
    finished = imagesync("tags", f"{registry.host}/{NAME}")
    assert (finished.code, finished.out.split()) == (0, ["1.1", "1.0"])
    assert "is not a tag: left out" in finished.err
    assert len(registry.requests) == 1


@pytest.mark.parametrize("name", STRANGE)
def test_a_name_that_is_no_tag_keeps_manifests(registry: EmbeddedRegistry, name: str) -> None:
    """Nobody knows what is under such a name, so a delete leaves every manifest where it is."""
    image().seed(registry.repository(NAME), "1")
    before = dict(registry.repository(NAME).manifests)
    registry.fault = always(listing, answering("1", name))
    imagesync("delete", f"{registry.host}/{NAME}:1")
    assert registry.repository(NAME).manifests == before


def test_too_many_tags(registry: EmbeddedRegistry) -> None:
    """A list that goes on for ever with new names is an error before it costs much memory."""
    numbers = itertools.count()

    def page(request: Request) -> Fault | None:
        names = [f"tag-{next(numbers)}" for _ in range(30_000)]
        return answering(*names, link=f'<list?last={names[-1]}>; rel="next"') if listing(request) else None

    registry.fault = page
    with pytest.raises(ImagesyncError, match="more than 100000 tags"):
        tags(registry)


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"tags": "a"}', b'{"tags": [1]}', b'{"tags": {"a": 1}}', b"7", b""]
)
def test_no_list(registry: EmbeddedRegistry, body: bytes) -> None:
    """What is no list of tags is an error, not an empty list."""
    registry.fault = always(listing, Fault(answer=Response(200, {}, body)))
    with pytest.raises(ContentError, match="not a list of tags"):
        tags(registry)


def test_endless_page(registry: EmbeddedRegistry) -> None:
    """A page of more than 4 MiB is given up."""
    registry.fault = always(listing, Fault(answer=Response(200, {}, b" " * 5 * 1024 * 1024)))
    with pytest.raises(ContentError, match="more than 4194304 bytes"):
        tags(registry)
