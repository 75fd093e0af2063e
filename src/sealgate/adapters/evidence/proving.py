"""How much is proved of a record, by the notes that the log has published."""

import time
from collections.abc import Callable
from typing import Final

from sealgate.evidence.answers import ProofState
from sealgate.model.errors import EvidenceError, InputError
from sealgate.ports.public_log import PublicLog
from sealgate.proofs.notes import VerifierKey
from sealgate.proofs.quorum import verify_checkpoint

_NOTES: Final[tuple[tuple[str, ProofState], ...]] = (
    ("checkpoint.timestamped", "timestamped"),
    ("checkpoint.witnessed", "witnessed"),
    ("checkpoint", "included"),
)
_KEEP_S: Final = 1.0


class PublishedProofs:
    """Answers from the log's notes, each signed by the log's key; read again at most once a second.

    The ledger writes ``checkpoint.witnessed`` at its quorum only. Cosignatures and time stamps are checked by
    verifiers, who know whom they trust; a state here is what the log says of itself.
    """

    def __init__(self, public: PublicLog, log: VerifierKey, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._public = public
        self._log = log
        self._now = monotonic_s
        self._sizes: tuple[tuple[int, ProofState], ...] = ()
        self._read_at = -_KEEP_S

    def __call__(self, index: int) -> ProofState:
        """Return the most that is proved of the record at ``index``."""
        if self._now() - self._read_at >= _KEEP_S:
            self._sizes = tuple((self._size(name), state) for name, state in _NOTES)
            self._read_at = self._now()
        return next((state for size, state in self._sizes if index < size), "signed")

    def _size(self, name: str) -> int:
        note = self._public.read(name)
        try:
            return 0 if note is None else verify_checkpoint(note, log=self._log).size
        except (EvidenceError, InputError):
            return 0
