"""Several workers on one repository, each doing one thing after the other: what they may do, and what must hold.

The images share children, the tags are few, the blobs are all there: whatever can go wrong between manifests does.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import httpx

from imagesync_cli.copy.sync import SyncOptions, sync
from imagesync_cli.delete.delete import Policy, delete
from imagesync_cli.look.selection import Selection
from imagesync_cli.stores import Stores
from imagesync_cli.values.errors import ImagesyncError
from imagesync_cli.values.reference import parse_reference
from tests.embedded_registry.images import Image, image, index_of, referrer
from tests.embedded_registry.state import Repository
from tests.referrers.artifacts import Upstream, about, cosign

REPOSITORY = "team/app"
TAGS = ("1", "2", "latest", "stable")
_PARTS = {name: image(name) for name in ("x", "y", "z")}
IMAGES = {
    "xy": index_of({"linux/amd64": _PARTS["x"], "linux/arm64": _PARTS["y"]}),
    "xz": index_of({"linux/amd64": _PARTS["x"], "linux/s390x": _PARTS["z"]}),
    "yz": index_of({"linux/arm64": _PARTS["y"], "linux/s390x": _PARTS["z"]}),
    "x": _PARTS["x"],
}
# What is attached to them upstream, for worlds in which that counts: by a subject, and by cosign's tags.
ATTACHED = {
    "xy": Upstream(
        IMAGES["xy"],
        [(IMAGES["xy"], referrer(IMAGES["xy"])), (_PARTS["x"], referrer(_PARTS["x"]))],
        {about(IMAGES["xy"], ".sig"): cosign(IMAGES["xy"])},
    ),
    "xz": Upstream(IMAGES["xz"], [(_PARTS["x"], referrer(_PARTS["x"]))], {}),
    "yz": Upstream(IMAGES["yz"], [], {about(_PARTS["y"], ".att"): cosign(_PARTS["y"])}),
    "x": Upstream(_PARTS["x"], [(_PARTS["x"], referrer(_PARTS["x"]))], {}),
}
# A registry answers these to a push of a manifest whose children are not there.
_PUSHES = 3


@dataclass
class Step:
    """One thing that a worker does: sync, push or retag an image, or delete a tag."""

    verb: str
    tag: str
    image: str = ""
    started: int = -1
    ended: int = -1
    error: str = ""

    @property
    def writes(self) -> bool:
        return self.verb != "delete"


@dataclass
class World:
    """``open_stores`` gives what a process of its own would have, ``send`` is a foreign client's request.

    ``revives`` is for a registry whose tags dangle when their manifest goes, and lead somewhere again when it comes
    back under any tag. ``others_push`` lets other tools push, too; where they may not, that image is synced. With
    ``referrers``, sync and delete take what is attached along.
    """

    host: str
    upstream: str
    open_stores: Callable[[], Stores]
    send: Callable[[httpx.Request], Awaitable[httpx.Response]]
    revives: bool = False
    others_push: bool = True
    referrers: bool = False
    steps: list[Step] = field(default_factory=list)
    _clock: int = 0

    def plan(self, seed: int, workers: int = 3, steps: int = 3) -> list[list[Step]]:
        """What each worker will do, from the seed."""
        choose = random.Random(seed)  # noqa: S311
        return [[_step(choose) for _ in range(choose.randint(1, steps))] for _ in range(workers)]

    async def work(self, steps: list[Step]) -> None:
        """Do one worker's steps; what fails says so and the next one follows, as people do."""
        for step in steps:
            self.steps.append(step)
            step.started = self._tick()
            try:
                await self._do(step)
            except ImagesyncError as error:
                step.error = str(error) or type(error).__name__
            step.ended = self._tick()

    async def clear(self) -> list[str]:
        """Delete every tag in one call; gives the errors."""
        steps = [Step("delete", tag, started=self._tick()) for tag in TAGS]
        names = [parse_reference(f"{self.host}/{REPOSITORY}:{tag}") for tag in TAGS]
        for step, report in zip(
            steps, await delete(self.open_stores(), names, Policy(referrers=self.referrers)), strict=True
        ):
            step.error, step.ended = str(report.error or ""), self._tick()
        self.steps.extend(steps)
        return [step.error for step in steps if step.error]

    async def _do(self, step: Step) -> None:
        tag = parse_reference(f"{self.host}/{REPOSITORY}:{step.tag}")
        if step.verb == "push" and self.others_push:
            await self._push(IMAGES[step.image], step.tag)
        elif step.verb == "delete":
            expect = IMAGES[step.image].digest if step.image else ""
            for report in await delete(self.open_stores(), [tag], Policy(expect=expect, referrers=self.referrers)):
                if report.error:
                    raise report.error
        else:
            name = (
                f"{self.host}/{REPOSITORY}:{step.image}" if step.verb == "retag" else f"{self.upstream}/{step.image}:1"
            )
            selection = Selection(referrers=self.referrers)
            await sync(self.open_stores(), parse_reference(name), tag, SyncOptions(selection=selection))

    async def _push(self, pushed: Image, tag: str) -> None:
        """Push as docker and crane do: children that are there are skipped, and nobody looks again."""
        for _ in range(_PUSHES):
            for child in pushed.children:
                if (await self._request("HEAD", child)).status_code != 200:
                    await self._request("PUT", child, pushed.manifests[child].content)
            if (await self._request("PUT", tag, pushed.root.content)).status_code == 201:
                return
        raise ImagesyncError("gave up pushing")

    async def _request(self, method: str, target: str, content: bytes = b"") -> httpx.Response:
        headers = {"Accept": _ACCEPT}
        if content:
            headers["Content-Type"] = next(
                found.media_type
                for pushed in IMAGES.values()
                for found in pushed.manifests.values()
                if found.content == content
            )
        url = f"http://{self.host}/v2/{REPOSITORY}/manifests/{target}"
        return await self.send(httpx.Request(method, url, headers=headers, content=content or None))

    def _tick(self) -> int:
        self._clock += 1
        return self._clock

    def must_be_gone(self, tag: str) -> bool:
        """Whether a delete of the tag succeeded that nobody's writing followed or overlapped."""
        steps = [step for step in self.steps if step.tag == tag]
        deleted = [step.started for step in steps if step.verb == "delete" and not step.error and not step.image]
        return bool(deleted) and not any(step.writes and step.ended > max(deleted) for step in steps)

    def may_be_gone(self, tag: str) -> bool:
        """Whether a delete of the tag succeeded, if only of the digest it was on, and nobody wrote to it after that."""
        steps = [step for step in self.steps if step.tag == tag]
        deleted = [step.ended for step in steps if step.verb == "delete" and not step.error]
        return bool(deleted) and not any(
            step.writes and not step.error and step.started > max(deleted) for step in steps
        )

    def broken(self, repository: Repository) -> Iterator[str]:
        """What must not be: a tag that leads nowhere or misses a child, or that a delete reported as gone."""
        for tag, digest in repository.tags.items():
            found = repository.find(tag)
            if self.must_be_gone(tag):
                if found is not None and not self.revives:
                    yield f"{tag} was reported as removed and is there"
            elif digest not in repository.manifests:
                # Where tags dangle, those that were about an image dangle after it has gone.
                if not self.may_be_gone(tag) and not (self.revives and tag not in TAGS):
                    yield f"{tag} leads to {digest}, which is not there"
            elif found is not None:
                yield from (f"{tag} misses {child}" for child in found.children if child not in repository.manifests)

    def unattached(self, repository: Repository) -> Iterator[str]:
        """What a tag misses that was attached to its image upstream, where nobody wrote to it after a sync."""
        for tag in TAGS:
            steps = [step for step in self.steps if step.tag == tag and not (step.error and step.verb == "push")]
            last = max(steps, key=lambda step: step.ended, default=None)
            if (
                last is None
                or last.verb != "sync"
                or last.error
                or any(s.ended > last.started for s in steps if s is not last)
            ):
                continue
            upstream = ATTACHED[last.image]
            if repository.tags.get(tag) == upstream.image.digest:
                yield from (f"{tag} misses {digest}" for digest in upstream.referrers - repository.manifests.keys())
                yield from (f"{tag} misses {name}" for name in upstream.tagged.keys() - repository.tags.keys())


_ACCEPT = ", ".join({manifest.media_type for pushed in IMAGES.values() for manifest in pushed.manifests.values()})


def _step(choose: random.Random) -> Step:
    verb = choose.choice(("sync", "delete", "delete", "retag", "push"))
    tag, pushed = choose.choice(TAGS), choose.choice(tuple(IMAGES))
    if verb == "retag":
        return Step(verb, tag, choose.choice(TAGS))
    if verb == "delete":
        return Step(verb, tag, choose.choice(("", "", pushed)))
    return Step(verb, tag, pushed)
