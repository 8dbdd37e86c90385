"""What stands between the user and a sync, found out step by step; nothing is changed.

Each step has an outcome, what was seen, and for a failure a sentence that says what to do next. A step that cannot be
tried because an earlier one failed is left out. Nothing in a diagnosis is secret.

An upload is opened, and cancelled, only in a repository that exists: to open one may make the repository.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from imagesync_cli.stores import Side, Stores, Untagged
from imagesync_cli.values.errors import Denied, ImagesyncError, NotFound, Unavailable
from imagesync_cli.values.hosts import AMAZON, HOW_TO_REACH
from imagesync_cli.values.reference import LayoutReference, Reference, RegistryReference
from imagesync_cli.values.secret import redacted


class Role(enum.Enum):
    """What the reference is to be: it decides which steps are tried, and which failure counts."""

    SOURCE = "source"
    DESTINATION = "destination"
    EITHER = ""


@dataclass(frozen=True)
class Step:
    """``outcome`` is "ok", "no" (it does not work) or "-" (it does not matter, or cannot be told)."""

    name: str
    outcome: str
    seen: str
    advice: str = ""


@dataclass
class Diagnosis:
    """The steps for one reference; ``exit_code`` is 0 where it can serve in its role, or in one of both."""

    reference: str
    role: str = ""
    steps: list[Step] = field(default_factory=list)
    exit_code: int = 0


async def diagnose(stores: Stores, reference: Reference, role: Role = Role.EITHER) -> Diagnosis:
    """Try everything that a sync in this role would need, and for a destination what a delete would."""
    diagnosis = Diagnosis(str(reference), role.value)
    if isinstance(reference, RegistryReference):
        await _Examination(stores, reference, role, diagnosis).run()
    else:
        await _look_at_file(stores, reference, role, diagnosis)
    return diagnosis


async def _look_at_file(stores: Stores, reference: Reference, role: Role, diagnosis: Diagnosis) -> None:
    what = "folder" if isinstance(reference, LayoutReference) else "file"
    diagnosis.steps.append(Step("name", "ok", f"a {what} on this machine: {reference.name.partition(':')[2]}"))
    step = "write" if role is Role.DESTINATION else "read"
    try:
        if role is Role.DESTINATION:
            stores.check_place(reference)
            seen = "allowed; nothing was written"
        else:
            seen = f"there is an image: {(await stores.open(reference).head(reference.wanted)).digest}"
    except ImagesyncError as error:
        matters = role is not Role.EITHER or not isinstance(error, NotFound)
        diagnosis.steps.append(Step(step, "no" if matters else "-", error.message, error.hint))
        diagnosis.exit_code = error.exit_code if matters else 0
    else:
        diagnosis.steps.append(Step(step, "ok", seen))


class _Examination:
    def __init__(self, stores: Stores, reference: RegistryReference, role: Role, diagnosis: Diagnosis) -> None:
        self._reference = reference
        self._role = role
        self._diagnosis = diagnosis
        self._probe = stores.probe(reference, Side.DESTINATION if role is Role.DESTINATION else Side.SOURCE)
        self._failed: dict[str, ImagesyncError] = {}
        self._exists = False  # the repository, as far as is known

    async def run(self) -> None:
        where = self._reference
        self._add("name", f"registry {where.registry}, repository {where.location[1]}, {where.wanted}")
        if not await self._try("dns", self._dns) or not await self._try("connect", self._connect):
            self._diagnosis.exit_code = Unavailable.exit_code
            return
        login_comes_here = len(self._diagnosis.steps)
        if (refused := await self._probe.refused_login()) is not None:
            self._no("login", refused)
            self._diagnosis.exit_code = refused.exit_code
            return
        await self._try("read", self._read)
        await self._try("list", self._list)
        if self._role is not Role.SOURCE:
            await self._try("push", self._push)
            if self._exists and "push" not in self._failed:
                await self._try("mount", self._mount)
            await self._try("delete", self._delete)
        await self._try("referrers", self._referrers)
        self._diagnosis.steps.extend(self._limit())
        self._diagnosis.steps.insert(login_comes_here, self._login())
        self._diagnosis.exit_code = self._exit_code()

    def _exit_code(self) -> int:
        read, push = self._failed.get("read"), self._failed.get("push")
        pushes = any(step.name == "push" and step.outcome == "ok" for step in self._diagnosis.steps)
        wrong = {
            Role.SOURCE: read,
            Role.DESTINATION: push or read,  # a sync reads the tag there first
            Role.EITHER: None if pushes else read,
        }[self._role]
        return wrong.exit_code if wrong else 0

    async def _try(self, name: str, step: Callable[[], Awaitable[str | Step]]) -> bool:
        try:
            seen = await step()
        except ImagesyncError as error:
            self._failed[name] = error
            self._no(name, error)
        else:
            self._diagnosis.steps.append(seen) if isinstance(seen, Step) else self._add(name, seen)
        return name not in self._failed

    def _add(self, name: str, seen: str) -> None:
        self._diagnosis.steps.append(Step(name, "ok", redacted(seen)))

    def _no(self, name: str, error: ImagesyncError) -> None:
        self._diagnosis.steps.append(Step(name, "no", error.message, self._advice(name, error)))

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

    async def _read(self) -> str | Step:
        if await self._probe.read():
            self._exists = True
            return "there is an image"
        if self._role is Role.SOURCE:
            raise NotFound(f"there is no {self._reference.wanted} in {self._reference.name}", hint=self._look_for())
        if self._role is Role.DESTINATION:
            return "allowed; there is no such image yet"
        advice = f"that is fine for a destination; for a source, {self._look_for()}"
        return Step("read", "-", "allowed; there is no such image", advice)

    def _look_for(self) -> str:
        return f"look what there is: imagesync tags {self._reference.name}"

    async def _list(self) -> str | Step:
        try:
            await self._probe.tags()
        except NotFound:
            return Step("list", "-", "allowed; there is no such repository yet", self._ecr_advice())
        self._exists = True
        return "tags are listed"

    async def _push(self) -> str | Step:
        if self._exists:
            await self._probe.push()
            return "an upload was opened and cancelled"
        granted = await self._probe.grants_push()
        why = "not tried, since an upload may make the repository"
        return f"the token allows it; {why}" if granted else Step("push", "-", why)

    async def _mount(self) -> str:
        # With a blob that nobody has: whether one that is there would be mounted cannot be seen.
        return "understood: blobs may be mounted" if await self._probe.mounts() else "not offered: blobs are sent"

    async def _delete(self) -> str | Step:
        offer = await self._probe.untags(repository_exists=self._exists)
        if offer is None:
            return Step("delete", "-", "by an API of this host's own, which cannot be tried without deleting something")
        return "tags are deleted" if offer is Untagged.DONE else f"manifests are deleted; {offer.value}"

    async def _referrers(self) -> str:
        return "by the API" if await self._probe.has_referrers_api() else "by tag: this registry has no API for them"

    def _limit(self) -> list[Step]:
        """What the answers to the other steps said of pulls, if anything; reading was one."""
        limit = self._probe.pull_limit()
        if limit is None:
            return []
        source = f", counted for this {limit.source}" if limit.source else ""
        advice = "" if limit.left else "log in, which may allow more, or wait: imagesync sync --file … --wait-for-limit"
        return [Step("pulls", "ok" if limit.left else "-", f"{limit.text}{source}", advice)]

    def _ecr_advice(self) -> str:
        return ecr_advice(*self._reference.location) if self._role is not Role.SOURCE else ""

    def _advice(self, name: str, error: ImagesyncError) -> str:
        repository = self._reference.location[1]
        if name == "push" and isinstance(error, NotFound) and (advice := self._ecr_advice()):
            return advice
        if isinstance(error, Denied) and name in ("push", "mount", "delete") and "read" not in self._failed:
            verb = "delete from" if name == "delete" else "push to"
            fine = "fine for a source; else " if self._role is Role.EITHER else ""
            return f"this login may read and not {verb} {repository}: {fine}give it that right"
        return error.hint or _ADVICE.get(name, "")


_ADVICE = {
    "dns": "check the name, and the DNS of this machine",
    "connect": HOW_TO_REACH,
    "login": "log in again: imagesync login --username NAME HOST",
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
    return f"unless a creation template makes it (CREATE_ON_PUSH), add: {resource}"
