"""Removals that processes of one run want: what meets is done together, with one reading of each repository.

1. The process that leads (wishes.py) takes its own order and all that others leave, and answers each.
2. What is for one repository waits a moment for its like, then goes as one removal; others go meanwhile.
3. Who relies on an image that somebody else's entry wants removed, or is to copy it, keeps it (claims.py).
4. The leader stays for as long as others came lately: they are as many as Terraform does at once, and the next ones
   begin as these end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import cast

from imagesync_cli.delete.delete import Policy, delete
from imagesync_cli.delete.delete_report import DeleteReport
from imagesync_cli.delete.kept import remove_old_kept
from imagesync_cli.delete.remembered import RememberingStores
from imagesync_cli.stores import Access, Side, Stores
from imagesync_cli.stores.files.runs.claimed import Claim, Claimant, Claimed, claim_of
from imagesync_cli.stores.files.runs.claims import Claims
from imagesync_cli.stores.places import may_be_one_registry, repository_of
from imagesync_cli.values.errors import ImagesyncError, Refused
from imagesync_cli.values.progress import Progress
from imagesync_cli.values.reference import Reference, RegistryReference, parse_reference
from imagesync_cli.values.tags.replacing import Replacing

_LOOK_AFTER_S = 0.02
# Since the last of several came, until they are done together; and at most so many times that. A machine that is busy
# takes longer to start the next, as it did with this process.
_GATHER_S, _GATHER_FACTOR = 0.1, 5
# Until those who begin when the last ones end have come: Terraform's bookkeeping, and as many starts of Python as it
# does at once. A machine that is busy takes longer, as it did with this process.
_STAY_S = 0.75
_STAY_FACTOR = 2


@dataclass(frozen=True)
class Order:
    """One reference to remove for an entry, which has put ``policy.expect`` there, as ``args`` have asked."""

    reference: Reference
    claimant: Claimant
    policy: Policy
    as_json: bool = False
    quiet: bool = False
    args: tuple[str, ...] = ()

    @cached_property
    def claim(self) -> Claim:
        """What the entry has relied on."""
        return claim_of(self.reference, self.policy.expect)


Outcome = DeleteReport | ImagesyncError
Answering = Callable[[Outcome], None]
Collecting = Callable[[], Iterable[tuple[Order, Answering]]]


@dataclass
class _Queue:
    """What is to be removed from one repository, with what takes the outcome of each."""

    orders: list[tuple[Order, Answering]] = field(default_factory=list)
    last_came: float = 0.0
    task: asyncio.Task[None] | None = None


class Together:
    """The work of the process that leads, or of one that is alone: ``collect`` gives what others want of it."""

    def __init__(
        self,
        stores: Stores,
        claims: Claims,
        progress: Progress,
        collect: Collecting,
        started_within_s: float,
        *,
        run: str = "",
        workspace: str = "",
    ) -> None:
        self._stores = RememberingStores(stores)
        self._claims = claims
        self._run = run, workspace
        self._progress = progress
        self._collect = collect
        self._queues: dict[str, _Queue] = {}
        self._answered: dict[str, int] = {}  # how many the last time, by repository
        self._has_company = False
        self._last_answer = 0.0
        self._stay_s = max(_STAY_S, _STAY_FACTOR * started_within_s)
        self._gather_s = max(_GATHER_S, started_within_s)

    async def carry_out(self, own: Order) -> DeleteReport:
        """Do what is asked, and what others ask meanwhile; gives what came of our own."""
        outcomes: list[Outcome] = []
        self._add(own, outcomes.append)
        try:
            while self._is_needed():
                self._take()
                await asyncio.sleep(_LOOK_AFTER_S)
        finally:
            tasks = [queue.task for queue in self._queues.values() if queue.task]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(outcomes[0], ImagesyncError):
            raise outcomes[0]
        return outcomes[0]

    def _is_needed(self) -> bool:
        for queue in self._queues.values():
            if queue.task and queue.task.done():
                queue.task.result()
        return bool(self._queues) or (self._has_company and time.monotonic() < self._last_answer + self._stay_s)

    def _take(self) -> None:
        """Take the orders of those who wait, and begin with what nobody works on."""
        for order, answering in self._collect():
            self._has_company = True
            self._add(order, answering)
        for repository, queue in self._queues.items():
            queue.task = queue.task or asyncio.create_task(self._serve(repository, queue))

    def _add(self, order: Order, answering: Answering) -> None:
        queue = self._queues.setdefault(repository_of(order.reference), _Queue())
        queue.orders.append((order, answering))
        queue.last_came = time.monotonic()

    async def _serve(self, repository: str, queue: _Queue) -> None:
        while queue.orders:
            await self._gather(queue, self._answered.get(repository, 0))
            orders, queue.orders = queue.orders, []
            try:
                async with self._claims.removing(repository):
                    outcomes: list[Outcome] = [*await self._remove([order for order, _ in orders])]
            except ImagesyncError as error:
                outcomes = [error] * len(orders)
            for (_, answering), outcome in zip(orders, outcomes, strict=True):
                answering(outcome)
            self._answered[repository] = len(orders)
            self._last_answer = time.monotonic()
        del self._queues[repository]

    async def _gather(self, queue: _Queue, expected: int) -> None:
        """Wait for more of those who come together: as many as were answered the last time start at once."""
        latest = time.monotonic() + _GATHER_FACTOR * self._gather_s
        while self._has_company and not 0 < expected <= len(queue.orders):
            if time.monotonic() >= min(queue.last_came + self._gather_s, latest):
                return
            await asyncio.sleep(_LOOK_AFTER_S)

    async def _remove(self, orders: list[Order]) -> list[DeleteReport]:
        """One removal for all that have the same policy, but for what somebody else relies on."""
        # One alone asks everything anew, which costs next to nothing.
        seen = self._claims.seen().read(orders[0].claim.repository) if len(orders) > 1 else {}
        self._stores.trust(self._claims.copied_at(), seen)
        claimed = self._claims.read(*self._run)
        orders = [replace(order, claimant=claimed.as_here(order.claimant)) for order in orders]
        going = [(order.claimant, order.claim) for order in orders if not order.policy.dry_run]
        self._claims.release(going, only_sources=True)  # what goes itself needs no copy
        kept = dict[Order, DeleteReport]()
        for order in orders:
            if report := await self._kept(claimed, order):
                kept[order] = report
                if not order.policy.dry_run:  # of those who share an image, the last one removes it
                    claimed.drop(order.claimant, order.claim)
        self._claims.doubtful(*self._run).leave(one.args for one, its in kept.items() if not (its.dry_run or its.error))
        in_use = self._in_use(claimed, [order for order in orders if order not in kept])
        successors = frozenset((order.claim.tag, new) for order in orders for new in _successors(claimed, order))
        by_policy: dict[Policy, dict[Order, Reference]] = {}
        for order in orders:
            if order not in kept:
                wanted = order.reference.at(tag=order.reference.tag, digest=order.policy.expect)
                policy = replace(order.policy, expect="", successors=successors, in_use=in_use)
                by_policy.setdefault(policy, {})[order] = wanted
        removed = dict[Order, DeleteReport]()
        for policy, wished in by_policy.items():
            references = dict.fromkeys(wished.values())
            done = await delete(cast(Stores, self._stores), references, policy, self._progress)
            by_reference = dict(zip(references, done, strict=True))
            removed |= {
                order: replace(by_reference[at], reference=str(order.reference)) for order, at in wished.items()
            }
        for order, report in removed.items():
            await self._remove_old_kept(claimed, order, report)
        reports = kept | removed
        over = [order for order in orders if reports[order].error is None and not order.policy.dry_run]
        self._claims.release((order.claimant, order.claim) for order in over)
        return [reports[order] for order in orders]

    def _in_use(self, claimed: Claimed, orders: list[Order]) -> frozenset[str]:
        """The tags of this repository that stay: a signature may be an entry's own, and goes with that."""
        if not orders:
            return frozenset()
        going = {(order.claimant, order.claim) for order in orders if order.policy.on_destroy == "delete"}
        return claimed.tags_in(orders[0].claim.path, going)

    async def _remove_old_kept(self, claimed: Claimed, order: Order, report: DeleteReport) -> None:
        """Now that consumers have moved on, those of older images that tags of their own have kept long enough."""
        policy = order.policy
        if policy.keep_last is None or not report.has_moved or report.error is not None or report.dry_run:
            return
        replacing, stores = Replacing("always", policy.keep_as, policy.keep_last), cast(Stores, self._stores)
        try:
            for older in await remove_old_kept(
                stores, order.reference, replacing, self._progress, claimed.named(), referrers=policy.referrers
            ):
                report.add_later(older)
        except ImagesyncError as error:
            report.error = error

    async def _kept(self, claimed: Claimed, order: Order) -> DeleteReport | None:
        """The report where somebody relies on the image or the tag, or the entry has only moved to another place."""
        report = DeleteReport(str(order.reference), order.policy.dry_run)
        why = self._moved(claimed, order) or await self._taken_over(claimed, order)
        if why := why or await self._to_be_copied(claimed, order):
            report.add("tag", order.claim.tag, "kept", why)
        elif (comes := await self._to_come(claimed, order)) is None:
            return None
        elif comes.call != order.claimant.call or not claimed.is_applied(comes.call):
            why = f"another image of this configuration is to come here: {comes.key}"
            report.add("tag", order.claim.tag, "kept", why + self._unless_gone(claimed, order, comes))
        else:  # what stops an apply after a failed copy was left out by -target
            still = f"{order.reference} still points at {order.claim.digest}"
            report.error = Refused(
                f"{still}, for its new image was not copied: {comes.key}",
                hint=f"apply again; if nothing brings that any more, remove {self._claims.file_of(comes.call)} before",
            )
        return report

    def _moved(self, claimed: Claimed, order: Order) -> str:
        claim, now = order.claim, claimed.of(order.claimant)
        if now is None or (now.repository, now.tag) == (claim.repository, claim.tag):
            return ""
        where = now.repository
        if now.host == claim.host and isinstance(order.reference, RegistryReference):  # as it is spelled here
            where = f"{order.reference.registry}/{now.path}"
        return f"its entry is at {where}:{now.tag} now, and what was brought here before stays"

    async def _taken_over(self, claimed: Claimed, order: Order) -> str:
        claim, perhaps = order.claim, list[str]()
        for other, theirs in claimed.others(claim, order.claimant):
            if await may_be_one_registry(theirs.host, claim.host):
                why = f"another image of this configuration has taken it over: {other.key}"
                if workspace := claimed.other_workspace(order.claimant, other):
                    why = f"the workspace {workspace} relies on it: {other.key}"
                if theirs.host != claim.host:
                    why += f"; {theirs.host} may be the same registry"
                if not (unless := self._unless_gone(claimed, order, other, theirs)):
                    return why
                perhaps.append(why + unless)
        return "; ".join(perhaps)

    async def _to_be_copied(self, claimed: Claimed, order: Order) -> str:
        """Whose copy of this image is still to come: another call's, whose copies no order ties to removals."""
        for other, source, wanted in claimed.copies_of(order.claim):
            if not await may_be_one_registry(source.host, order.claim.host) or await self._has_come(order, wanted):
                continue
            if any(other == who for who, *_ in self._claims.read().copies_of(order.claim)):  # it does not go, too
                return f"{other.key} is yet to be copied from it{self._unless_gone(claimed, order, other)}"
        return ""

    def _unless_gone(self, claimed: Claimed, order: Order, other: Claimant, theirs: Claim | None = None) -> str:
        """The way out where nobody can tell whether somebody who keeps this image is there."""
        if not claimed.may_be_gone(order.claimant, other, theirs or claimed.of(other)):
            return ""
        return f"; if that is gone, remove {self._claims.file_of(other.call)} and delete this image"

    async def _to_come(self, claimed: Claimed, order: Order) -> Claimant | None:
        """Whose image comes under this tag, which still has the old one: without that the tag would lead nowhere."""
        claim, reference = order.claim, order.reference
        for other, theirs in claimed.successors(claim, order.claimant):
            if await may_be_one_registry(theirs.host, claim.host) and await self._is_there(order, reference, claim):
                return other
        return None

    async def _has_come(self, order: Order, wanted: Claim) -> bool:
        try:
            return await self._is_there(order, parse_reference(f"{wanted.repository}:{wanted.tag}"), wanted)
        except ImagesyncError:
            return False

    async def _is_there(self, order: Order, reference: Reference, claim: Claim) -> bool:
        access = Access.READ if order.policy.dry_run else Access.DELETE
        store = self._stores.open(reference, access, Side.DESTINATION)
        pointed = await store.tagged([claim.tag])
        return claim.tag in pointed and pointed[claim.tag].digest == claim.digest


def _successors(claimed: Claimed, order: Order) -> set[str]:
    """What entries put under its tag in its place: any other image there is somebody else's."""
    now = claimed.of(order.claimant)
    others = {theirs.digest for _, theirs in claimed.successors(order.claim, order.claimant)}
    return others | ({now.digest} if now else set()) - {order.claim.digest}
