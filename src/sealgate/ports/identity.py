"""Who is calling: what a connection proves, and the port that turns it into an identity."""

from dataclasses import dataclass
from typing import Protocol

from sealgate.model.evaluation import Identity


@dataclass(frozen=True, slots=True)
class UnixPeer:
    """The process at the other end of a Unix socket when it connected, as the kernel reports it (SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Peer:
    """What a connection proves by itself; made once for each connection, so that it also stands for the connection.

    ``certificate`` is the client's, DER, already verified by the TLS stack against the configured authorities;
    ``chain`` the verified chain from it to the authority, DER, where the TLS stack tells it.
    """

    unix: UnixPeer | None = None
    certificate: bytes | None = None
    chain: tuple[bytes, ...] = ()


class IdentityResolver(Protocol):
    """Turns what a caller proves into an identity. Called on the event loop for every request: answers from memory.

    A present ``authorization`` is decisive: if it proves nothing the answer is None, never the peer's own identity.
    """

    def resolve(self, peer: Peer, authorization: str | None) -> Identity | None:
        """Return the proven caller, or None when nothing is proved.

        Args:
            peer: what the connection proves.
            authorization: the ``Authorization`` header as it came, if any.
        """
