"""A witness outside that may cosign our checkpoints."""

from collections.abc import Callable
from typing import Protocol

from sealgate.proofs.notes import SignatureLine, VerifierKey
from sealgate.proofs.quorum import VerifiedCheckpoint

Prove = Callable[[int, int], list[bytes]]
"""(old size, new size) → consistency proof; called with 1 <= old < new."""


class WitnessPort(Protocol):
    """One witness; used by one thread at a time, blocks for at most its configured timeout."""

    @property
    def key(self) -> VerifierKey:
        """The key it signs with, from our own configuration."""

    def cosign(self, checkpoint: bytes, prove: Prove) -> SignatureLine:
        """Return the witness's verified signature line for the log's newest ``checkpoint``.

        Raises:
            ForkError: the witness holds another history of this log, or a larger tree. Final: the sequencer halts.
            UnavailableError: no cosignature now.
        """

    def latest(self, log: VerifierKey, origin: str | None = None) -> VerifiedCheckpoint | None:
        """Return the newest checkpoint of ``log`` that the witness cosigned, verified; None where it has none.

        Raises:
            UnavailableError: the witness cannot be reached or answers outside its protocol.
        """
