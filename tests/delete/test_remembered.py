"""Removals of one run that ask less than each alone: by what they remember, and by what their plan has seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from imagesync_cli.delete.delete import Policy
from imagesync_cli.delete.remembered import TRUSTED_S
from imagesync_cli.delete.together import Order, Together
from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from imagesync_cli.stores.files.runs.claimed import Claimant
from imagesync_cli.stores.files.runs.claims import Claims
from imagesync_cli.stores.places import repository_of
from imagesync_cli.values.progress import Progress
from imagesync_cli.values.reference import parse_reference
from tests.command import imagesync
from tests.delete.test_short_lists import without
from tests.embedded_registry import MANNERS, EmbeddedRegistry
from tests.embedded_registry.images import image

REPOSITORY = "team/app"
RUN = "20261102080000"
TAGS = [f"tag-{number:02}" for number in range(20)]
GOING, STAYING = TAGS[:2], TAGS[2]


@pytest.fixture
def registry() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry(MANNERS["distribution-3"]) as registry:
        yield registry


@pytest.fixture
def digests(registry: EmbeddedRegistry) -> dict[str, str]:
    return {tag: image(tag).seed(registry.repository(REPOSITORY), tag) for tag in TAGS}


class Run:
    """A call of a module whose entries have one image each, named as its tag."""

    def __init__(self, registry: EmbeddedRegistry, folder: Path, digests: Mapping[str, str]) -> None:
        self.name, self.digests = f"{registry.host}/{REPOSITORY}", digests
        self.folder = folder / "imagesync"
        self.claims = Claims(self.folder)
        self._registry, self._environ = registry, {"TF_DATA_DIR": str(folder)}

    def plan(self) -> None:
        """Read the destinations as the modules do."""
        images = {
            tag: {"reference": f"{self.name}:{tag}", "copy": {"source": f"{self.name}:{tag}", "digest": digest}}
            for tag, digest in self.digests.items()
        }
        query = {"call": "call", "run": RUN, "images": json.dumps(images), "brief": "true"}
        assert imagesync("external", stdin=json.dumps(query), environ=self._environ).code == 0
        self._registry.clear_requests()

    def remove(self, *waves: list[str]) -> None:
        """Let one process remove these, each wave when the one before it is answered."""
        (own, *rest), *later = waves
        answered = list[object]()

        def waiting() -> Iterator[list[str]]:
            yield rest
            for number, wave in enumerate(later, start=1):
                while len(answered) < sum(map(len, waves[:number])) - 1:
                    yield []
                yield wave

        coming = waiting()

        async def main() -> None:
            stores = Stores(Settings())
            try:
                collect = lambda: [(self._order(tag), answered.append) for tag in next(coming, [])]  # noqa: E731
                await Together(stores, self.claims, Progress(), collect, 0).carry_out(self._order(own))
            finally:
                await stores.aclose()

        asyncio.run(main())

    def _order(self, tag: str) -> Order:
        return Order(parse_reference(f"{self.name}:{tag}"), Claimant("call", tag), Policy(self.digests[tag]))

    def asked(self) -> set[str]:
        """The tags of which a reading has asked what they point at; those that go are looked for in any case."""
        heads = (request.path for request in self._registry.requests if request.method == "HEAD")
        return {tag for tag in (path.rpartition("/")[2] for path in heads) if tag in self.digests} - {*GOING}


@pytest.fixture
def run(registry: EmbeddedRegistry, tmp_path: Path, digests: dict[str, str]) -> Run:
    return Run(registry, tmp_path, digests)


def test_a_destroy_does_not_ask_what_its_plan_has_seen(
    run: Run, registry: EmbeddedRegistry, digests: dict[str, str]
) -> None:
    """It asks for tags that nobody has planned, and for those that had another image, and removes what it is for."""
    repository = registry.repository(REPOSITORY)
    foreign = image("foreign").seed(repository, "foreign")
    repository.tags[STAYING] = foreign
    run.digests = {**digests, "foreign": image("absent").digest}
    run.plan()
    run.remove(GOING)
    assert run.asked() == {STAYING, "foreign"}
    assert set(repository.tags) == {*TAGS, "foreign"} - {*GOING}
    assert repository.manifests.keys() == {*digests.values(), foreign} - {digests[tag] for tag in GOING}


def edited(change: Callable[[dict[str, object]], None]) -> Callable[[Run], object]:
    """Change what the plan has noted."""

    def edit(run: Run) -> None:
        (file,) = (run.folder / "seen").glob("*.json")
        document = json.loads(file.read_text())
        change(document)
        file.write_text(json.dumps(document))

    return edit


def copy(run: Run) -> None:
    """Copy something into the repository, as an apply does before it removes."""

    async def copying() -> None:
        async with run.claims.copying([repository_of(parse_reference(run.name))]):
            pass

    asyncio.run(copying())


def since(*seconds: float) -> Callable[[Run], object]:
    """Let the plan be older by so much, by each of the two clocks."""

    def change(document: dict[str, object]) -> None:
        then = document["since"]
        assert isinstance(then, list)
        document["since"] = [at - older for at, older in zip(then, seconds, strict=True)]

    return edited(change)


@pytest.mark.parametrize(
    "meanwhile",
    [
        copy,
        since(TRUSTED_S, 0),
        since(0, TRUSTED_S),
        since(-3600, 0),
        since(0, -3600),
        edited(lambda document: document.update(at=None)),
        edited(lambda document: document.update(at=[["x"]])),
        edited(dict.clear),
    ],
    ids=["copied", "old", "slept", "set-back", "started-anew", "nothing", "damaged", "empty"],
)
def test_what_a_plan_has_seen_counts_for_a_moment(
    meanwhile: Callable[[Run], object], run: Run, registry: EmbeddedRegistry, digests: dict[str, str]
) -> None:
    """Then all is asked anew: a tag that somebody has moved to an image which is to go keeps that image."""
    run.plan()
    meanwhile(run)
    registry.repository(REPOSITORY).tags[STAYING] = digests[GOING[1]]
    run.remove(GOING)
    assert run.asked() == {*TAGS} - {*GOING}
    assert digests[GOING[1]] in registry.repository(REPOSITORY).manifests


def test_one_alone_asks_everything(run: Run, registry: EmbeddedRegistry, digests: dict[str, str]) -> None:
    """A single removal believes no plan, however young: it costs next to nothing."""
    run.plan()
    registry.repository(REPOSITORY).tags[STAYING] = digests[GOING[0]]
    run.remove(GOING[:1])
    assert run.asked() == {*TAGS} - {*GOING}
    assert digests[GOING[0]] in registry.repository(REPOSITORY).manifests


def test_few_tags_are_asked_anew(run: Run, registry: EmbeddedRegistry, digests: dict[str, str]) -> None:
    """Of a small repository no plan is believed: what somebody has moved since keeps its image."""
    repository = registry.repository(REPOSITORY)
    for tag in TAGS[12:]:
        del repository.tags[tag]
    run.plan()
    repository.tags[STAYING] = digests[GOING[1]]
    run.remove(GOING)
    assert repository.tags == {STAYING: digests[GOING[1]]} | {tag: digests[tag] for tag in TAGS[3:12]}
    assert digests[GOING[1]] in repository.manifests
    assert digests[GOING[0]] not in repository.manifests


@pytest.mark.parametrize("planned", [False, True])
def test_later_removals_list_the_tags_once_less(run: Run, registry: EmbeddedRegistry, planned: bool) -> None:
    """What came while many tags were asked is listed once more only where many were asked."""
    if planned:
        run.plan()
    run.remove(TAGS[:2], TAGS[2:3])
    lists = [request for request in registry.requests if request.path.endswith("/tags/list")]
    assert len(lists) == (3 if planned else 4) + 3
    assert set(registry.repository(REPOSITORY).tags) == {*TAGS[3:]}


def test_a_list_without_a_tag_that_is_remembered(run: Run, registry: EmbeddedRegistry, digests: dict[str, str]) -> None:
    """A later list that lacks a tag which an earlier one had tells nothing: what that tag leads to stays."""
    repository = registry.repository(REPOSITORY)
    repository.tags["sibling"] = digests[TAGS[2]]
    without(registry, "sibling", range(4, 100))
    run.remove(TAGS[:2], TAGS[2:3])
    assert digests[TAGS[2]] in repository.manifests
    assert repository.tags["sibling"] == digests[TAGS[2]]
