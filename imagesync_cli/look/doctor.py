"""What stands between the user and a sync, found out step by step; nothing is left changed.

Each step has an outcome, what was seen, and for a failure a sentence that says what to do next. A step that cannot be
tried because an earlier one failed is left out. Nothing in a diagnosis is secret.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from imagesync_cli.stores import Stores, Untagged
from imagesync_cli.values.errors import Denied, ImagesyncError, NotFound, Unavailable
from imagesync_cli.values.hosts import AMAZON
from imagesync_cli.values.reference import ArchiveReference, LayoutReference, Reference, RegistryReference
from imagesync_cli.values.secret import redacted


@dataclass(frozen=True)
class Step:
    """``outcome`` is "ok", "no" (it does not work) or "-" (it does not matter, or cannot be told)."""

    name: str
    outcome: str
    seen: str
    advice: str = ""


@dataclass
class Diagnosis:
    """The steps for one reference; ``exit_code`` is 0 where it can be read or pushed to."""

    reference: str
    steps: list[Step] = field(default_factory=list)
    exit_code: int = 0


async def diagnose(stores: Stores, reference: Reference) -> Diagnosis:
    """Try everything that a sync from or to this reference, and a delete, would need."""
    diagnosis = Diagnosis(str(reference))
    if isinstance(reference, LayoutReference):
        diagnosis.steps.append(Step("name", "ok", f"a folder on this machine: {reference.folder}"))
        return diagnosis
    if isinstance(reference, ArchiveReference):
        diagnosis.steps.append(Step("name", "ok", f"a file on this machine: {reference.file}"))
        return diagnosis
    await _Examination(stores, reference, diagnosis).run()
    return diagnosis


class _Examination:
    def __init__(self, stores: Stores, reference: RegistryReference, diagnosis: Diagnosis) -> None:
        self._reference = reference
        self._diagnosis = diagnosis
        self._probe = stores.probe(reference)
        self._failed: dict[str, ImagesyncError] = {}

    async def run(self) -> None:
        where = self._reference
        self._add("name", f"registry {where.registry}, repository {where.location[1]}, {where.wanted}")
        if not await self._try("dns", self._dns) or not await self._try("connect", self._connect):
            self._diagnosis.exit_code = Unavailable.exit_code
            return
        login_comes_here = len(self._diagnosis.steps)
        await self._try("read", self._read)
        await self._try("list", self._list)
        await self._try("push", self._push)
        if "push" not in self._failed:
            await self._try("mount", self._mount)
        await self._try("delete", self._delete)
        await self._try("referrers", self._referrers)
        self._diagnosis.steps.insert(login_comes_here, self._login())
        if {"read", "push"} <= self._failed.keys():
            self._diagnosis.exit_code = self._failed["read"].exit_code

    async def _try(self, name: str, step: Callable[[], Awaitable[str]]) -> bool:
        try:
            self._add(name, await step())
        except ImagesyncError as error:
            self._failed[name] = error
            self._diagnosis.steps.append(Step(name, "no", error.message, self._advice(name, error)))
        return name not in self._failed

    def _add(self, name: str, seen: str) -> None:
        self._diagnosis.steps.append(Step(name, "ok", redacted(seen)))

    async def _dns(self) -> str:
        return ", ".join(await self._probe.addresses())

    async def _connect(self) -> str:
        what = await self._probe.greet()
        return f"{self._probe.url}{f' ({what})' if what else ''}"

    def _login(self) -> Step:
        source = self._probe.login()
        if source:
            granted = "; ".join(
                filter(None, (self._probe.granted(a) for a in ("pull", "pull,push", "pull,push,delete")))
            )
            return Step("login", "ok", f"from {source}{f', granted {granted}' if granted else ''}")
        advice = self._probe.advice()
        return Step("login", "-", "none is known" if advice else "the registry does not ask for one", advice)

    async def _read(self) -> str:
        return "there is an image" if await self._probe.read() else "allowed; there is no such image yet"

    async def _list(self) -> str:
        try:
            await self._probe.tags()
        except NotFound:
            return "allowed; there is no such repository yet"
        return "tags are listed"

    async def _push(self) -> str:
        await self._probe.push()
        return "an upload was opened and cancelled"

    async def _mount(self) -> str:
        return (
            "blobs are mounted from other repositories" if await self._probe.mounts() else "not offered: blobs are sent"
        )

    async def _delete(self) -> str:
        offer = await self._probe.untags()
        return "tags are deleted" if offer is Untagged.DONE else offer.value

    async def _referrers(self) -> str:
        return "by the API" if await self._probe.has_referrers_api() else "by tag: this registry has no API for them"

    def _advice(self, name: str, error: ImagesyncError) -> str:
        registry, repository = self._reference.location
        if isinstance(error, NotFound) and (advice := ecr_advice(registry, repository)):
            return advice
        if isinstance(error, Denied) and name in ("push", "mount", "delete") and "read" not in self._failed:
            verb = "delete from" if name == "delete" else "push to"
            return f"this login may read and not {verb} {repository}: fine for a source; else give it that right"
        return error.hint or _ADVICE.get(name, "")


_ADVICE = {
    "read": "log in, or ask who runs the registry for the right to pull",
    "list": "imagesync delete needs the list of tags to know what is in use",
    "push": "ask who runs the registry for the right to push",
    "delete": 'with on_destroy = "keep" nothing has to be deleted',
}


def ecr_advice(registry: str, repository: str) -> str:
    """The Terraform resource that is missing, where ECR does not know a repository."""
    if not AMAZON.match(registry):
        return ""
    label = re.sub(r"[^a-z0-9]+", "_", repository)
    resource = f'resource "aws_ecr_repository" "{label}" {{ name = "{repository}" }}'
    return f"ECR makes no repositories by itself; add: {resource}"
