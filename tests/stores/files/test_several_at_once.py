"""Several images on their way into one archive within one process: none disturbs another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.concurrency import Crowd
from imagesync_cli.copy.present import Destination, Present
from imagesync_cli.settings import Settings
from imagesync_cli.stores import Access, Side, Store, Stores, Written
from imagesync_cli.stores.files import layout_index
from imagesync_cli.stores.files.new_archive import NewArchive
from imagesync_cli.values.documents import read_document
from imagesync_cli.values.errors import ContentError, Incomplete
from imagesync_cli.values.manifest import Descriptor, Manifest, parse_manifest
from imagesync_cli.values.reference import parse_reference
from tests.command import imagesync
from tests.embedded_registry.images import Image, image, index
from tests.stores.files.tars import blobs, layout_members, tags, whole, write_tar

A, B = image("a", layer_size_bytes=5000), image("b", layer_size_bytes=7000)


def parsed(made: Image) -> Manifest:
    return parse_manifest(made.root.content, made.root.media_type)


async def send(store: Store, made: Image, blob: Descriptor, go: asyncio.Event, *, fails: bool = False) -> None:
    """Write a blob in two halves, the second one when the event comes, or never."""
    content = made.blobs[blob.digest]

    async def halves() -> AsyncGenerator[bytes, None]:
        yield content[: len(content) // 2]
        await go.wait()
        if fails:
            raise ContentError("it broke off")
        yield content[len(content) // 2 :]

    await store.write_blob(blob, halves, store)


async def interleaved(archive: Path, *, fails: bool) -> None:
    stores = Stores(Settings())
    store = stores.open(parse_reference(f"oci-archive:{archive}:a"), Access.WRITE, Side.DESTINATION)
    try:
        now, later = asyncio.Event(), asyncio.Event()
        now.set()
        second = [asyncio.create_task(send(store, B, blob, later, fails=fails)) for blob in parsed(B).blobs]
        for blob in parsed(A).blobs:
            await send(store, A, blob, now)
        first = asyncio.create_task(store.put_manifest(parsed(A), "a"))
        await asyncio.sleep(0)
        later.set()
        results = await asyncio.gather(*second, return_exceptions=True)
        await first
        assert [isinstance(result, ContentError) for result in results] == [fails] * 2
        assert tags(archive) == {"a": A.digest}
        assert blobs(archive) == whole(A)
        for blob in parsed(B).blobs:
            await send(store, B, blob, now)
        await store.put_manifest(parsed(B), "b")
    finally:
        await stores.aclose()


@pytest.mark.parametrize("fails", [False, True])
def test_one_is_tagged_while_another_arrives(tmp_path: Path, fails: bool) -> None:
    """An image gets its tag although blobs of another are half written, and even if those never come whole."""
    archive = tmp_path / "images.tar"
    asyncio.run(interleaved(archive, fails=fails))
    assert tags(archive) == {"a": A.digest, "b": B.digest}
    assert blobs(archive) == whole(A, B)
    assert [path.name for path in tmp_path.iterdir()] == ["images.tar"]


async def shared(archive: Path) -> list[Written]:
    """Put one image under two tags by a writer each, where the second one is done before the first one's tag is put."""
    stores, present, source = Stores(Settings()), Present(), ("registry.example.com", "app")
    references = [parse_reference(f"oci-archive:{archive}:{tag}") for tag in "ab"]
    writers = [stores.open(each, Access.WRITE, Side.DESTINATION) for each in references]
    done = []

    async def content() -> AsyncGenerator[bytes, None]:
        yield A.blobs[blob.digest]

    try:
        for reference, writer in zip(references, writers, strict=True):
            for blob in parsed(A).blobs:
                place = Destination(present, reference.location, writer, source)
                write = partial(writer.write_blob, blob, content)
                done.append(await place.blob(blob, writer, lambda sibling: write(sibling or writer)))  # noqa: B023
        for tag, writer in reversed([*zip("ab", writers, strict=True)]):
            await writer.put_manifest(parsed(A), tag)
        return done
    finally:
        await stores.aclose()


def test_what_another_image_has_brought(tmp_path: Path) -> None:
    """What two images have in common is read once, and neither counts on what waits for the other one's tag."""
    done = asyncio.run(shared(archive := tmp_path / "images.tar"))
    assert done == [Written.SENT, Written.SENT, Written.MOUNTED, Written.MOUNTED]
    assert tags(archive) == {"a": A.digest, "b": A.digest}
    assert blobs(archive) == whole(A)


def former(archive: Path) -> list[str]:
    """The files that were this archive and are still open."""
    opened = [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return [name for name in opened if name.startswith(str(archive)) and name.endswith("(deleted)")]


async def write(stores: Stores, archive: Path, name: str, made: Image, *, form: str = "oci-archive") -> None:
    """Write an image by a writer of its own, which then looks what is there."""
    store = stores.open(parse_reference(f"{form}:{archive}:{name}"), Access.WRITE, Side.DESTINATION)
    go = asyncio.Event()
    go.set()
    for part in (*(made.manifests[child] for child in made.children), made.root):
        manifest = parse_manifest(part.content, part.media_type)
        for blob in manifest.blobs:
            await send(store, made, blob, go)
        await store.put_manifest(manifest, name if part is made.root else "")
    await store.tags()


async def one_after_the_other(archive: Path) -> list[str]:
    """Write two images; what is left open of former archives."""
    stores = Stores(Settings())
    try:
        for name, made in (("a", A), ("b", B)):
            await write(stores, archive, name, made)
        return former(archive)
    finally:
        await stores.aclose()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux tells which files are open")
def test_an_archive_that_was_replaced_takes_no_room(tmp_path: Path) -> None:
    """Of many images, each of which replaces the archive, the disk holds one archive and what is being written."""
    assert asyncio.run(one_after_the_other(tmp_path / "images.tar")) == []


async def among_many(archive: Path) -> int:
    """How often a work begins that writes into an archive with a large image, and may hold less than that six times."""
    stores, begun = Stores(Settings()), 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        for number in range(6):
            await write(stores, archive, f"number{number}", A)

    try:
        await write(stores, archive, "large", index("large", platforms=[f"linux/arm/v{each}" for each in range(60)]))
        await Crowd(700_000).run(work)
    finally:
        await stores.aclose()
    return begun


def test_what_is_there_already_takes_no_room(tmp_path: Path) -> None:
    """An image is sent once, however much of other images is read in the archive when it is written."""
    assert asyncio.run(among_many(tmp_path / "images.tar")) == 1


def test_an_index_is_read_once_for_many_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of many images looks its tag up on both sides: what it takes does not grow with the number of the others."""
    parsed_indexes = list[bytes]()

    def noted(content: bytes) -> Any:
        parsed_indexes.append(content)
        return read_document(content)

    monkeypatch.setattr(layout_index, "read_document", noted)

    async def looked_up() -> None:
        stores = Stores(Settings())
        try:
            images = [(form, name) for name in ("a", "b", "c") for form in ("oci", "oci-archive")]
            for form, name in images:
                await write(stores, tmp_path / form, name, A if form == "oci" else B, form=form)
            parsed_indexes.clear()
            for form, name in images:
                place = parse_reference(f"{form}:{tmp_path}/{form}:{name}")
                head = await stores.open(place, Access.WRITE, Side.DESTINATION).head(name)
                assert head.digest == (A if form == "oci" else B).digest
        finally:
            await stores.aclose()

    asyncio.run(looked_up())
    assert len([each for each in parsed_indexes if b"imageLayoutVersion" not in each]) <= 2


async def at_once(archive: Path, *, lacking: Image | None = None, cancelled: bool = False) -> list[object]:
    """Put the tags of six images at once, each by a writer of its own; what each comes to, None for done."""
    stores, go = Stores(Settings()), asyncio.Event()
    go.set()
    many = [image(f"{number}") for number in range(6)]
    try:
        await write(stores, archive, "there", B)
        tasks = []
        for number, made in enumerate([*many, *filter(None, [lacking])]):
            store = stores.open(parse_reference(f"oci-archive:{archive}:t{number}"), Access.WRITE, Side.DESTINATION)
            for blob in parsed(made).blobs if made is not lacking else ():
                await send(store, made, blob, go)
            tasks.append(asyncio.create_task(store.put_manifest(parsed(made), f"t{number}")))
        await asyncio.sleep(0)
        if cancelled:
            tasks[0].cancel()
        return [result or None for result in await asyncio.gather(*tasks, return_exceptions=True)]
    finally:
        await stores.aclose()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[NewArchive]:
    """The archives that took the place of the one before."""
    archives, publish = list[NewArchive](), NewArchive.publish

    def noted(self: NewArchive) -> None:
        archives.append(self)
        publish(self)

    monkeypatch.setattr(NewArchive, "publish", noted)
    return archives


def test_tags_at_once_take_one_file(tmp_path: Path, written: list[NewArchive]) -> None:
    """Images that are ready while the archive is written wait for one more file, not for one each."""
    assert asyncio.run(at_once(archive := tmp_path / "images.tar")) == [None] * 6
    assert len(written) == 3  # the one that is there, the first of the six, and the others
    assert tags(archive) == {"there": B.digest, **{f"t{number}": image(f"{number}").digest for number in range(6)}}
    assert blobs(archive) == whole(B, *(image(f"{number}") for number in range(6)))
    assert [path.name for path in tmp_path.iterdir()] == ["images.tar"]


def test_one_that_lacks_something_fails_alone(tmp_path: Path) -> None:
    """Of images whose tags are put together, one that is not whole keeps no other one away."""
    *others, failed = asyncio.run(at_once(archive := tmp_path / "images.tar", lacking=A))
    assert isinstance(failed, Incomplete)
    assert others == [None] * 6
    assert set(tags(archive)) == {"there", *(f"t{number}" for number in range(6))}


def test_one_that_is_given_up_keeps_no_other_away(tmp_path: Path) -> None:
    """Whoever writes the file for all may be interrupted: the others write one without it."""
    given_up, *others = asyncio.run(at_once(archive := tmp_path / "images.tar", cancelled=True))
    assert isinstance(given_up, asyncio.CancelledError)
    assert others == [None] * 5
    assert set(tags(archive)) == {"there", *(f"t{number}" for number in range(1, 6))}


@pytest.mark.parametrize("in_place", [False, True])
def test_what_another_program_writes_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_place: bool
) -> None:
    """A program that knows no lock of ours replaces the archive while images are written: its tag stays."""
    archive, take, other = tmp_path / "images.tar", NewArchive.take, image("other")
    for name, made in (("a", A), ("b", B)):
        made.write_layout(tmp_path / name, name)
    assert imagesync("sync", f"oci:{tmp_path}/a:a", f"oci-archive:{archive}:a").code == 0
    theirs = write_tar(tmp_path / "theirs.tar", layout_members({"other": other})).read_bytes()

    async def after_them(self: NewArchive, *of_member: Any) -> None:
        monkeypatch.setattr(NewArchive, "take", take)
        await take(self, *of_member)
        if not in_place:
            archive.unlink()
        archive.write_bytes(theirs)

    monkeypatch.setattr(NewArchive, "take", after_them)
    finished = imagesync("sync", f"oci:{tmp_path}/b:b", f"oci-archive:{archive}:b")
    assert finished.code == 0, finished.err
    assert tags(archive) == {"other": other.digest, "b": B.digest}
    assert blobs(archive) == whole(B, other)
