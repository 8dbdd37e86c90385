"""Whether an image is signed as its rule demands.

An image counts as signed by its own digest; or, where platforms were chosen, by that of the image which they were
chosen from; or by each entry of its index, for a stranger's index may list an image as an attestation of a signed one,
or under a media type of its own. What is verified is always a digest, and it is the one that is copied.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from imagesync_cli.concurrency import gather
from imagesync_cli.look.selection import Selection, Wanted, find_wanted
from imagesync_cli.look.trust.extra import check_installed
from imagesync_cli.look.trust.rules import KeySigner, Signer, Trust, TrustRule
from imagesync_cli.look.trust.signatures import Budget, Signature, Signatures
from imagesync_cli.look.trust.statements import Claim, NotGood, SignedBy
from imagesync_cli.stores import Store, Stores
from imagesync_cli.values.errors import ImagesyncError, Refused, first_few
from imagesync_cli.values.reference import Reference

if TYPE_CHECKING:
    from imagesync_cli.look.trust.keyless import Keyless
    from imagesync_cli.look.trust.keys import Key

_MOST_ENTRIES = 100
_MOST_CHARACTERS = 200


@dataclass
class _Outcome:
    """What was found at one digest: who has signed it, and why the other signatures do not count."""

    is_enough: bool = False
    signed: list[SignedBy] = field(default_factory=list)
    not_good: list[str] = field(default_factory=list)
    left: str = ""

    @property
    def why(self) -> str:
        reasons = first_few(self.not_good, between="; ")
        found = f"no signature counts: {reasons}" if reasons else "it has no signature"
        alone = ", ".join(dict.fromkeys(each.signer for each in self.signed))
        return "; ".join(filter(None, [f"it is signed by {alone} alone" if alone else found, self.left]))


@dataclass(frozen=True)
class _Search:
    """Where signatures of one image, and of those in its index, are looked for, by what rule, and how many."""

    store: Store
    rule: TrustRule
    budget: Budget = field(default_factory=Budget)


class Judge:
    """Answers for all images of a run; keys and authorities are loaded once, and only if a rule needs them."""

    def __init__(self, trust: Trust) -> None:
        self.trust = trust
        self._keys: dict[KeySigner, Key] = {}
        self._keyless: dict[str, Keyless] = {}  # by the trusted_root
        # What is wrong with a key, or not installed, is told before any registry is asked.
        for signer in {signer for rule in trust.rules for signer in rule.signers}:
            if isinstance(signer, KeySigner):
                from imagesync_cli.look.trust.keys import Key

                self._keys[signer] = Key(signer)
            else:
                check_installed("sigstore")

    async def judge(self, store: Store, source: Reference, wanted: Wanted) -> tuple[SignedBy, ...]:
        """Who has signed it, nobody where no rule names the source and ``default`` accepts it; Refused if not enough.

        What cannot be read is an error of errors.py.
        """
        rule = self.trust.rule_for(source)
        name = f"{source.name}@{wanted.descriptor.digest}"
        if rule is None:
            if self.trust.accepts:
                return ()
            raise Refused(f"trust: no rule names {name}", hint="add one, or default: accept")
        outcomes, search = list[_Outcome](), _Search(store, rule)
        made = [] if wanted.is_new else [wanted.descriptor.digest]
        for digest in dict.fromkeys([*made, wanted.source_digest]):
            outcomes.append(await self._at(search, digest))
            if outcomes[-1].is_enough:
                return tuple(outcomes[-1].signed)
        return await self._children(search, name, wanted, outcomes)

    async def _children(
        self, search: _Search, name: str, wanted: Wanted, outcomes: list[_Outcome]
    ) -> tuple[SignedBy, ...]:
        """Each entry of the index by itself, until one is not signed."""
        root = wanted.root or await search.store.manifest(wanted.descriptor.digest)
        listed = (*root.manifests, *root.blobs) if root.descriptor.is_index else ()
        entries = list(dict.fromkeys(entry.digest for entry in listed))
        below: list[_Outcome] = []
        for digest in entries if len(entries) <= _MOST_ENTRIES else ():
            below.append(await self._at(search, digest))
            if not below[-1].is_enough:
                break
        if below and below[-1].is_enough:
            return tuple(dict.fromkeys(each for outcome in below for each in outcome.signed))
        lacking = [each for each in (*outcomes, *below) if not each.is_enough]
        told = next((each for each in lacking if each.signed or each.not_good or each.left), lacking[0])
        some = f"; {len(below) - 1} of the {len(entries)} entries of its index are signed" if len(below) > 1 else ""
        if len(entries) > _MOST_ENTRIES:
            some = f"; its index has {len(entries)} entries, and more than {_MOST_ENTRIES} are not looked at one by one"
        raise Refused(f"trust: {name}: {told.why}{some}", hint=f"wanted is {search.rule}")

    async def _at(self, search: _Search, digest: str) -> _Outcome:
        """What the signatures of one digest come to; no more are read than it takes."""
        rule, outcome = search.rule, _Outcome()
        signatures = Signatures(search.store, digest, search.budget, attested=bool(rule.attested))
        met: set[tuple[int, Signer]] = set()  # what is demanded, by its number, and by whom it is met
        async with contextlib.aclosing(signatures.read()) as found:
            async for signature in found:
                for claim, signer in self._claims(signature, rule, digest, outcome):
                    met |= {(number, signer) for number in self._met(claim, rule, outcome)}
                outcome.is_enough = _is_enough(met, rule)
                if outcome.is_enough:
                    break
        outcome.signed = list(dict.fromkeys(outcome.signed))
        outcome.left = signatures.left
        return outcome

    def _claims(
        self, signature: Signature, rule: TrustRule, digest: str, outcome: _Outcome
    ) -> Iterator[tuple[Claim, Signer]]:
        """What one signature says, by each signer of the rule that it is by; why not, where it is by none of them."""
        reasons = []
        for signer in rule.signers:
            try:
                yield self._claim(signature, signer, digest, rule.trusted_root), signer
            except NotGood as error:  # noqa: PERF203
                reasons.append(f"one by {error.identity}: {error}" if error.identity else f"one: {error}")
        if len(reasons) == len(rule.signers):
            outcome.not_good += dict.fromkeys(reasons)

    def _claim(self, signature: Signature, signer: Signer, digest: str, root: str) -> Claim:
        if isinstance(signer, KeySigner):
            return self._keys[signer].claim(signature, digest)
        if root not in self._keyless:
            from imagesync_cli.look.trust.keyless import Keyless

            self._keyless[root] = Keyless(root, refreshed=self.trust.refreshed)
        return self._keyless[root].claim(signature, signer, digest)

    def _met(self, claim: Claim, rule: TrustRule, outcome: _Outcome) -> list[int]:
        """The numbers of what is demanded that a good claim meets."""
        met = [number for number, demand in enumerate(rule.demands) if demand.is_met_by(claim)]
        if met:
            outcome.signed.append(SignedBy(claim.signer, claim.time))
        else:
            outcome.not_good.append(f"one by {claim.signer} is an attestation {claim.type[:_MOST_CHARACTERS]}")
        return met


def _is_enough(met: set[tuple[int, Signer]], rule: TrustRule) -> bool:
    enough = all if rule.all else any
    return all(enough((number, signer) in met for signer in rule.signers) for number in range(len(rule.demands)))


@dataclass(frozen=True)
class Verification:
    """``signed`` is who has signed an image, nobody where no rule names it; ``error`` is why that is not enough."""

    reference: str
    digest: str = ""
    signed: tuple[SignedBy, ...] = ()
    error: ImagesyncError | None = None


async def verify_images(
    stores: Stores, references: Sequence[Reference], trust: Trust, selection: Selection
) -> list[Verification]:
    """Each image against the rule that names it, in their order; one that fails hides no other."""
    judge = Judge(trust)

    async def verified(reference: Reference) -> Verification:
        digest = ""
        try:
            store = stores.open(reference)
            wanted = await find_wanted(store, reference, selection)
            digest = wanted.descriptor.digest
            return Verification(str(reference), digest, await judge.judge(store, reference, wanted))
        except ImagesyncError as error:
            return Verification(str(reference), digest, error=error.alone())

    return await gather(stores.crowd.run(partial(verified, reference)) for reference in references)
