"""What happens after each published checkpoint: witnesses cosign it, a timestamp authority bounds its time.

Run on the publisher's thread. A witness that is away or slow costs its timeout and nothing else; one that proves a fork
stops the log for good.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from sealgate.ledger.log import Ledger
from sealgate.model.errors import ForkError, SealgateError, UnavailableError
from sealgate.ports.timestamps import TimestampAuthority
from sealgate.proofs import checkpoints
from sealgate.proofs.notes import SignatureLine

_LOG = logging.getLogger(__name__)
Prove = Callable[[int, int], list[bytes]]


class Cosigner(Protocol):
    """One witness (C2SP tlog-witness)."""

    def cosign(self, checkpoint: bytes, prove: Prove) -> SignatureLine:
        """Return the witness's verified line for the newest checkpoint.

        Raises:
            ForkError: the witness has seen another history.
            UnavailableError: it cannot be reached or refuses.
        """


class WitnessRound:
    """Asks every witness about the newest checkpoint, once for each size."""

    def __init__(self, ledger: Ledger, witnesses: Sequence[Cosigner]) -> None:
        self._ledger = ledger
        self._witnesses = tuple(witnesses)
        self._done: dict[int, int] = {}

    def __call__(self) -> None:
        """Collect what cosignatures can be had.

        Raises:
            ForkError: a witness has seen another history.
            UnavailableError: at least one witness did not answer; the others' lines are attached.
        """
        checkpoint = self._ledger.checkpoint()
        if checkpoint is None:
            return
        size = checkpoints.parse(checkpoint)[0].size
        missing: UnavailableError | None = None
        for number, witness in enumerate(self._witnesses):
            if self._done.get(number) == size:
                continue
            try:
                line = witness.cosign(checkpoint, self._ledger.consistency)
            except ForkError:
                raise
            except SealgateError as error:
                missing = UnavailableError(error.message, hint=error.hint)
                continue
            self._ledger.attach_cosignatures(size, [line])
            self._done[number] = size
        if missing is not None:
            raise missing


class TimestampRound:
    """Asks the timestamp authority about the newest checkpoint every ``interval_s`` seconds."""

    def __init__(self, ledger: Ledger, authority: TimestampAuthority, interval_s: float) -> None:
        self._ledger = ledger
        self._authority = authority
        self._interval_s = interval_s
        self._next = 0.0
        self._size = 0

    def __call__(self) -> None:
        """Timestamp when it is time and there is something new.

        Raises:
            UnavailableError: the authority did not answer; tried again at the next checkpoint.
        """
        now = time.monotonic()
        checkpoint = self._ledger.checkpoint()
        if checkpoint is None or now < self._next:
            return
        head, note = checkpoints.parse(checkpoint)
        if head.size == self._size:
            return
        self._ledger.attach_timestamp(head.size, self._authority.timestamp(note.text.encode()))
        self._next, self._size = now + self._interval_s, head.size
