"""The one walk over an image: whatever an image looks like, it ends, and costs no more than what it names."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from imagesync_cli.look import walk as module
from imagesync_cli.look.walk import MOST_BYTES, Place, Walk
from imagesync_cli.stores import Store
from imagesync_cli.values.digest import sha256
from imagesync_cli.values.errors import ContentError
from imagesync_cli.values.manifest import MAX_DEPTH, OCI_INDEX, OCI_MANIFEST, Descriptor, Manifest, parse_manifest

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class Shelf:
    """A double of a store that holds manifests in memory, counts what is read, and knows nothing else."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.reads: Counter[str] = Counter()

    def add(self, document: dict[str, Any], media_type: str) -> dict[str, Any]:
        content = json.dumps({"schemaVersion": 2, "mediaType": media_type, **document}).encode()
        self.content[sha256(content)] = content
        return {"mediaType": media_type, "digest": sha256(content), "size": len(content)}

    def index(self, *entries: dict[str, Any], **more: Any) -> dict[str, Any]:
        return self.add({"manifests": list(entries), "annotations": more}, OCI_INDEX)

    def image(self, *layers: object, **more: Any) -> dict[str, Any]:
        blobs = [{"mediaType": LAYER, "digest": sha256(str(layer).encode()), "size": 1} for layer in layers]
        return self.add({"layers": blobs, "annotations": more}, OCI_MANIFEST)

    async def manifest(self, wanted: str, most_bytes: int | None = None) -> Manifest:
        await asyncio.sleep(0)
        self.reads[wanted] += 1
        content = self.content[wanted]
        if most_bytes and len(content) > most_bytes:
            raise ContentError("too long")
        return parse_manifest(content, digest=wanted)


class Walker:
    """Reads everything from a shelf and notes the order: parents, and once all below is done, children."""

    def __init__(
        self,
        shelf: Shelf,
        blob: Callable[[Place], Coroutine[Any, Any, None]] | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.shelf = shelf
        self.before: list[str] = []
        self.after: list[str] = []
        self.blobs: list[str] = []
        self.walk = Walk(self.manifest, blob or self.blob, most_bytes=most_bytes)

    async def manifest(self, place: Place) -> None:
        manifest = await self.walk.read(cast(Store, self.shelf), place)
        self.before.append(place.digest)
        await self.walk.below(manifest, place)
        self.after.append(place.digest)

    async def blob(self, place: Place) -> None:
        self.blobs.append(place.digest)

    async def go(self, *roots: dict[str, Any]) -> None:
        async with self.walk:
            await self.walk.visit(*(Descriptor(root["mediaType"], root["digest"], root["size"]) for root in roots))


def walked(shelf: Shelf, *roots: dict[str, Any], most_bytes: int = MOST_BYTES) -> Walker:
    walker = Walker(shelf, most_bytes=most_bytes)
    asyncio.run(asyncio.wait_for(walker.go(*roots), 30))
    return walker


def lattice(shelf: Shelf, levels: int, width: int) -> dict[str, Any]:
    """As many indexes at each level, each naming all those below: width ** levels ways down."""
    level = [shelf.image("layer")]
    for depth in range(levels):
        level = [shelf.index(*level, at=f"{depth} {number}") for number in range(width)]
    return shelf.index(*level)


def test_each_digest_once() -> None:
    """What is named by thousands of ways is visited once, and read once."""
    shelf = Shelf()
    walker = walked(shelf, lattice(shelf, 12, 4))
    assert set(shelf.reads.values()) == {1}
    assert len(walker.after) == 12 * 4 + 2
    assert len(walker.blobs) == 1


def test_children_come_between() -> None:
    """What stands before going below happens to parents first, what follows it to children first."""
    shelf = Shelf()
    image = shelf.image("layer")
    nested = shelf.index(image, shelf.image("other"), name="nested")
    root = shelf.index(nested, image)
    walker = walked(shelf, root)
    assert walker.before[0] == walker.after[-1] == root["digest"]
    assert walker.before.index(nested["digest"]) < walker.after.index(nested["digest"])
    assert walker.after.index(image["digest"]) < walker.after.index(nested["digest"])


def test_wide_and_nested_ends() -> None:
    """Parents wait for their children, and so many parents as there are places leave room for the children."""
    shelf = Shelf()
    indexes = [
        shelf.index(*(shelf.index(shelf.image(outer, inner), n=f"{outer} {inner}") for inner in range(3)), n=outer)
        for outer in range(module._MANIFESTS_AT_ONCE * 3)
    ]
    walker = walked(shelf, shelf.index(*indexes))
    assert len(walker.after) == len(indexes) * 7 + 1


def test_few_at_once() -> None:
    """However wide an image is, a bounded number of visits has begun and not ended."""
    shelf, running, most = Shelf(), 0, 0

    async def blob(place: Place) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running, len(asyncio.all_tasks()))
        await asyncio.sleep(0)
        running -= 1

    root = shelf.index(*(shelf.image(*((n, layer) for layer in range(20))) for n in range(200)))
    walker = Walker(shelf, blob)
    asyncio.run(walker.go(root))
    assert module._BLOBS_AT_ONCE <= most <= module._BLOBS_AT_ONCE + module._MANIFESTS_AT_ONCE + 16


def deep(shelf: Shelf, levels: int) -> dict[str, Any]:
    entry = shelf.image("layer")
    for _ in range(levels):
        entry = shelf.index(entry)
    return entry


def test_depth() -> None:
    """As deep as may be is walked; one level more is an error."""
    shelf = Shelf()
    assert len(walked(shelf, deep(shelf, MAX_DEPTH)).after) == MAX_DEPTH + 1
    with pytest.raises(ContentError, match="indexes deep"):
        walked(shelf, deep(shelf, MAX_DEPTH + 1))


def test_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """More different digests than an image may name are an error before they are visited."""
    monkeypatch.setattr(module, "MAX_DESCRIPTORS", 50)
    shelf = Shelf()
    assert len(walked(shelf, shelf.image(*range(49))).blobs) == 49
    with pytest.raises(ContentError, match="more than 50 manifests and blobs"):
        walked(shelf, shelf.index(*(shelf.image(number) for number in range(30))))


def test_bytes() -> None:
    """More bytes of manifests than a walk may read are an error, whether descriptors tell them or not."""
    shelf = Shelf()
    root = shelf.index(*(shelf.image(number, x="y" * 1000) for number in range(20)))
    walked(shelf, root, most_bytes=100_000)
    with pytest.raises(ContentError, match="bytes of manifests"):
        walked(shelf, root, most_bytes=10_000)
    with pytest.raises(ContentError, match="bytes of manifests"):
        walked(shelf, {**root, "size": 0}, most_bytes=500)


@pytest.mark.parametrize("declared", [0, 1, 10, 10**6])
def test_a_descriptor_that_lies_of_a_size(declared: int) -> None:
    """A manifest that is not as long as its descriptor says is an error, and no more of it is read than it says."""
    shelf = Shelf()
    root = shelf.index({**shelf.image("layer"), "size": declared})
    with pytest.raises(ContentError):
        walked(shelf, root)


@pytest.mark.parametrize("order", [1, -1])
def test_one_digest_with_two_sizes(order: int) -> None:
    """Whichever is named first, one of the two is wrong, and clients would trip over it."""
    shelf = Shelf()
    child = shelf.image("layer")
    blobs = [{"mediaType": LAYER, "digest": sha256(b"x"), "size": size} for size in (1, 2)]
    roots = [
        shelf.index(*[child, {**child, "size": 5}][::order]),
        shelf.index(*[child, shelf.index({**child, "size": 5})][::order]),
        shelf.add({"layers": blobs[::order]}, OCI_MANIFEST),
        shelf.index(*[shelf.add({"layers": [one]}, OCI_MANIFEST) for one in blobs][::order]),
    ]
    for root in roots:
        with pytest.raises(ContentError):
            walked(shelf, root)


def test_one_digest_as_a_manifest_and_as_a_blob() -> None:
    """Registries keep the two in different places, so both are visited."""
    shelf = Shelf()
    child = shelf.image("layer")
    walker = walked(shelf, shelf.index({**child, "mediaType": LAYER}, child))
    assert child["digest"] in walker.after
    assert child["digest"] in walker.blobs


def test_what_arrives_at_once_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large manifests arrive a few at a time."""
    monkeypatch.setattr(module, "_ARRIVING_BYTES", 25_000)
    shelf, arriving, most = Shelf(), 0, 0
    plain = shelf.manifest

    async def slow(wanted: str, most_bytes: int | None = None) -> Manifest:
        nonlocal arriving, most
        arriving += len(shelf.content[wanted])
        most = max(most, arriving)
        found = await plain(wanted, most_bytes)
        arriving -= len(shelf.content[wanted])
        return found

    monkeypatch.setattr(shelf, "manifest", slow)
    walked(shelf, shelf.index(*(shelf.image(number, x="y" * 10_000) for number in range(30))))
    assert 20_000 < most <= 25_000


@pytest.mark.parametrize("roots", [1, 3])
def test_a_failure_ends_everything(roots: int) -> None:
    """One visit that fails is the error of the walk, and of nothing else that was on its way then."""
    shelf, ended = Shelf(), []

    async def blob(place: Place) -> None:
        if place.digest == sha256(b"bad"):
            await asyncio.sleep(0)
            raise ContentError("bad it is")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(place.digest)

    shared = shelf.index(shelf.image(1, 2, 3), shelf.image("bad"))
    walker = Walker(shelf, blob)
    with pytest.raises(ContentError, match="bad it is"):
        asyncio.run(walker.go(*(shelf.index(shelf.image("own", number), shared, n=number) for number in range(roots))))
    assert len(ended) >= 3
    assert not walker.walk._running


def test_given_up() -> None:
    """Who is cancelled leaves nothing running."""
    shelf = Shelf()

    async def main() -> set[asyncio.Task[Any]]:
        begun = asyncio.Event()

        async def stuck(place: Place) -> None:
            begun.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(Walker(shelf, stuck).go(shelf.index(*(shelf.image(n) for n in range(5)))))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return {other for other in asyncio.all_tasks() if other is not asyncio.current_task()}

    assert asyncio.run(main()) == set()


def test_blobs_are_passed_over_where_nobody_asks() -> None:
    """A walk that is about manifests alone visits no blob."""
    shelf = Shelf()
    root = shelf.index(shelf.image(1, 2))
    seen: list[bool] = []

    async def main() -> None:
        async def manifest(place: Place) -> None:
            seen.append(place.is_blob)
            await walk.below(await walk.read(cast(Store, shelf), place), place)

        async with Walk(manifest) as walk:
            await walk.visit(Descriptor(OCI_INDEX, root["digest"], root["size"]))

    asyncio.run(main())
    assert seen == [False, False]


def test_what_leads_back() -> None:
    """Manifests that lead to each other by more than their content are visited once each, and the walk ends."""
    shelf = Shelf()
    entries = [shelf.image(number) for number in range(200)]
    targets = [Descriptor(entry["mediaType"], entry["digest"], entry["size"]) for entry in entries]
    seen: list[str] = []

    async def main() -> None:
        async def visit(place: Place) -> None:
            seen.append(place.digest)
            await asyncio.sleep(0)
            await walk.on(place, targets)

        async with Walk(visit, at_once=3) as walk:
            await walk.visit(targets[0])

    asyncio.run(asyncio.wait_for(main(), 30))
    assert sorted(seen) == sorted(target.digest for target in targets)
