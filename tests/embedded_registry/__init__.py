"""A small OCI registry (distribution-spec v1.1) on a real loopback socket, to test against.

It keeps everything in memory and behaves as its Manner says; presets.py has a manner for each kind of
registry in use. Each of those is a *double*, made from measurements and documentation, not the product
itself; those of distribution 2.8, distribution 3, go-containerregistry and Pulp are held to the real programs by
tests/contract. TLS is not served.

    with EmbeddedRegistry(manner=MANNERS["distribution-2.8"]) as registry:
        push(f"{registry.host}/team/app:1")
        assert registry.state.repositories["team/app"].tags == {"1": "sha256:…"}
"""

from __future__ import annotations

from tests.embedded_registry.faults import Fault
from tests.embedded_registry.manner import Authentication, Manner, Refusal, without_deletes
from tests.embedded_registry.presets import MANNERS
from tests.embedded_registry.registry import EmbeddedRegistry
from tests.embedded_registry.state import Manifest, Repository, State
from tests.embedded_registry.wire import Request, Response

__all__ = [
    "MANNERS",
    "Authentication",
    "EmbeddedRegistry",
    "Fault",
    "Manifest",
    "Manner",
    "Refusal",
    "Repository",
    "Request",
    "Response",
    "State",
    "without_deletes",
]
