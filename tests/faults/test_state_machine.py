"""Any sequence of syncs, deletes, new tags, collections of garbage and crashes, against a model of what must be there.

A crash is a process that is gone at one of its requests: whatever it still tries to send never leaves it. hypothesis
looks for the shortest sequence that breaks a tag; how operations of several processes interleave is not asked here but
in tests/delete/test_interleavings.py.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from imagesync_cli.copy.sync import sync
from imagesync_cli.delete.delete import Policy, delete
from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from imagesync_cli.values.reference import parse_reference
from tests.delete.inline import InlineHttp, InlineStores, Schedule
from tests.delete.world import IMAGES, TAGS
from tests.embedded_registry import MANNERS, EmbeddedRegistry
from tests.faults.mirror import lacking

REPOSITORY = "team/app"
_TAG = strategies.sampled_from(TAGS)
_IMAGE = strategies.sampled_from(sorted(IMAGES))
# After how many requests the process dies; none of these operations needs forty.
_CRASH = strategies.integers(min_value=0, max_value=40)
_EXAMPLES = 25
# Those that delete tags, guard children, share blobs, or delete no tags at all.
_KINDS = ("oci-1.1", "zot", "google", "distribution-2.8")


class Dead(BaseException):
    """The process is gone: no handler of errors may see this as one."""


class MortalHttp(InlineHttp):
    """Sends so many requests; the next one reaches the registry or not, and nothing after it."""

    def __init__(self, lives: int, reached: bool, *registries: EmbeddedRegistry) -> None:
        super().__init__(Schedule(), *registries)
        self._lives, self._reached = lives, reached

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, while there is anybody to hear it."""
        self._lives -= 1
        if self._lives < -1 or (self._lives == -1 and not self._reached):
            raise Dead
        response = await super().handle_async_request(request)
        if self._lives == -1:
            raise Dead
        return response


class Mirroring(RuleBasedStateMachine):
    """One repository, used by one process after the other."""

    manner = "oci-1.1"

    def __init__(self) -> None:
        super().__init__()
        self.upstream = EmbeddedRegistry()
        # zot itself drops, at a PUT, an old image that the new one lists. A process that dies before it has put that
        # back leaves what no order of requests could avoid (docs/reliability.md, "What remains").
        self.registry = EmbeddedRegistry(replace(MANNERS[self.manner], collects_untagged=False))
        self.repository = self.registry.repository(REPOSITORY)
        for name, pushed in IMAGES.items():
            pushed.seed(self.upstream.repository(name), "1")
        self.model: dict[str, str] = {}
        self._documents: dict[str, dict[str, Any]] = {}
        self.unfinished: tuple[str, str, Callable[[Stores], Awaitable[Any]]] | None = None

    def teardown(self) -> None:
        for registry in (self.upstream, self.registry):
            registry.close()

    def _do(self, tag: str, becomes: str, work: Callable[[Stores], Awaitable[Any]], crash: int, reached: bool) -> None:
        """Do the work; ``becomes`` is what the tag is then, "" for gone. A crash leaves what was there, or that."""
        http = MortalHttp(crash, reached, self.registry, self.upstream)
        before = self.model.get(tag, "")
        self.unfinished = None
        try:
            asyncio.run(_quietly(work(InlineStores(Settings(), http))))
        except Dead:
            found = self.repository.tags.get(tag, "")
            assert found in (before, becomes) or self._said_by(found) == self._said_by(before), f"{tag} is {found}"
            becomes, self.unfinished = found, (tag, becomes, work)
        self.model.pop(tag, None)
        if becomes:
            self.model[tag] = becomes

    def _name(self, tag: str) -> Any:
        return parse_reference(f"{self.registry.host}/{REPOSITORY}:{tag}")

    @rule(tag=_TAG, image=_IMAGE, crash=_CRASH, reached=strategies.booleans())
    def sync(self, tag: str, image: str, crash: int, reached: bool) -> None:
        source = parse_reference(f"{self.upstream.host}/{image}:1")
        self._do(tag, IMAGES[image].digest, lambda stores: sync(stores, source, self._name(tag)), crash, reached)

    @rule(tag=_TAG, other=_TAG, crash=_CRASH, reached=strategies.booleans())
    def retag(self, tag: str, other: str, crash: int, reached: bool) -> None:
        if digest := self.model.get(other):
            self._do(tag, digest, lambda stores: sync(stores, self._name(other), self._name(tag)), crash, reached)

    @rule(tag=_TAG, crash=_CRASH, reached=strategies.booleans())
    def delete(self, tag: str, crash: int, reached: bool) -> None:
        async def work(stores: Stores) -> None:
            (report,) = await delete(stores, [self._name(tag)], Policy())
            assert report.error is None, report.error

        self._do(tag, "", work, crash, reached)

    @precondition(lambda self: self.unfinished is not None)
    @rule()
    def again(self) -> None:
        """The next run of what has crashed ends well."""
        assert self.unfinished is not None
        tag, becomes, work = self.unfinished
        self._do(tag, becomes, work, 1000, True)

    @rule()
    def collect_garbage(self) -> None:
        """What no tag leads to goes, as registries do it at night."""
        manifests, blobs = set(), set()
        waiting = list(self.repository.tags.values())
        while waiting:
            if (found := self.repository.manifests.get(waiting.pop())) is not None:
                manifests.add(found.digest)
                blobs.update(found.blobs)
                waiting += found.children
        self.repository.manifests = {d: m for d, m in self.repository.manifests.items() if d in manifests}
        self.repository.blobs = {digest: blob for digest, blob in self.repository.blobs.items() if digest in blobs}

    @invariant()
    def every_tag_is_there_and_whole(self) -> None:
        assert self.repository.tags == self.model
        for tag, digest in self.repository.tags.items():
            self._said_by(digest)
            assert list(lacking(self.repository, digest)) == [], tag

    def _said_by(self, digest: str) -> dict[str, Any]:
        """What a manifest says but for annotations: a delete on distribution 2.x that crashes may have added one."""
        if found := self.repository.manifests.get(digest):
            self._documents[digest] = {**found.document, "annotations": None}
        return self._documents.get(digest, {})


async def _quietly(work: Awaitable[Any]) -> None:
    """Await it; tasks that died with the process have nobody to tell."""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    await work


@pytest.mark.parametrize("manner", _KINDS)
def test_state_machine(manner: str) -> None:
    """Whatever is done and wherever it crashes: tags are what was asked for, whole, and none is lost."""
    _run(manner, _EXAMPLES, derandomize=True)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("manner", _KINDS)
def test_state_machine_for_long(manner: str) -> None:
    """The same, thousands of times, and each time others."""
    _run(manner, int(os.environ.get("IMAGESYNC_SOAK_RUNS", "10000")) // len(_KINDS), derandomize=False)


def _run(manner: str, examples: int, *, derandomize: bool) -> None:
    machine = type("Machine", (Mirroring,), {"manner": manner}).TestCase  # type: ignore[attr-defined]
    machine.settings = settings(
        max_examples=examples,
        stateful_step_count=20,
        deadline=None,
        derandomize=derandomize,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    machine().runTest()
