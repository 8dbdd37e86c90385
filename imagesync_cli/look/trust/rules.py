"""What a configuration demands of signatures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from imagesync_cli.look.trust.sources import is_among
from imagesync_cli.look.trust.statements import SIGNS, Claim
from imagesync_cli.values.reference import Reference


@dataclass(frozen=True)
class KeySigner:
    """Whoever has the private half of this public key, in PEM; ``name`` is what messages call it."""

    pem: str
    name: str

    def __str__(self) -> str:
        return f"the key {self.name}" if self.name else "a key"


@dataclass(frozen=True)
class IdentitySigner:
    """Whoever an ``issuer`` of OpenID Connect tokens calls this; as an expression, the whole identity must match."""

    identity: str
    issuer: str
    is_expression: bool = False
    matches: Callable[[str], bool] | None = field(default=None, compare=False)  # the expression

    def __str__(self) -> str:
        like = "/" if self.is_expression else ""
        return f"{like}{self.identity}{like} (issuer {self.issuer})"


Signer = KeySigner | IdentitySigner


@dataclass(frozen=True)
class Attested:
    """A signed statement of this predicate type, whose ``field`` (dotted, such as builder.id) has this ``value``."""

    type: str
    field: str = ""
    value: str = ""

    def is_met_by(self, claim: Claim) -> bool:
        """Whether a good claim is such a statement."""
        return claim.type == self.type and (not self.field or claim.has(self.field, self.value))

    def __str__(self) -> str:
        if self.type == SIGNS:
            return "a signature"
        return f"an attestation {self.type}" + (f" with {self.field} = {self.value}" if self.field else "")


@dataclass(frozen=True)
class TrustRule:
    """Who must have signed an image from ``sources``: one of the signers, or ``all`` of them.

    With attestations each of those must be there and signed so; without any, a signature of the image itself.
    ``trusted_root`` is the file with the keys and authorities of the Sigstore in which the rule's identities sign, ""
    for the public one.
    """

    sources: tuple[str, ...]
    signers: tuple[Signer, ...]
    all: bool = False
    attested: tuple[Attested, ...] = ()
    trusted_root: str = ""

    @property
    def demands(self) -> tuple[Attested, ...]:
        """What must be there, each signed so."""
        return self.attested or (Attested(SIGNS),)

    def __str__(self) -> str:
        signers = (" and " if self.all else " or ").join(map(str, self.signers))
        return f"{' and '.join(map(str, self.demands))} by {signers}"


@dataclass(frozen=True)
class Trust:
    """All rules, of which the first that names a source counts; ``accepts`` those that no rule names.

    The public Sigstore's keys may be ``refreshed`` over the network. ``always`` verifies images too that are not copied
    because they are in sync.
    """

    rules: tuple[TrustRule, ...]
    accepts: bool = False
    refreshed: bool = False
    always: bool = False

    def rule_for(self, source: Reference) -> TrustRule | None:
        """The first rule that names this source."""
        return next((rule for rule in self.rules if is_among(source, rule.sources, in_doubt=True)), None)
