"""Who may send telemetry when no key is asked for: processes of this machine, if the operator says so.

By default a key or a client certificate is asked for on every address. ``loopback`` lets callers without one in under a
name of their own and for named agents only; the configuration allows it on loopback addresses alone, and a key that is
sent must still be a good one.
"""

from collections.abc import Iterable
from typing import Final

from sealgate.model.evaluation import Identity
from sealgate.ports.identity import IdentityResolver, Peer

LOOPBACK_PRINCIPAL: Final = "otlp-loopback"
"""How records name a caller that proved nothing but where it is."""


class LoopbackAdmission:
    """Resolves as another resolver does, and admits who proves nothing. For receivers on loopback addresses only."""

    def __init__(self, resolver: IdentityResolver, agents: Iterable[str]) -> None:
        self._resolver = resolver
        self._local = Identity(
            principal=LOOPBACK_PRINCIPAL, proof="loopback", agents=frozenset(agents), roles=frozenset({"observe"})
        )

    def resolve(self, peer: Peer, authorization: str | None) -> Identity | None:
        """Return the proven caller; the local one where nothing was sent to prove anything."""
        if authorization is None and peer.certificate is None and peer.unix is None:
            return self._local
        return self._resolver.resolve(peer, authorization)
