"""What could not be recorded: counted, until a gap record can say so."""

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Missed:
    """What could not be recorded since the journal or the clock failed."""

    reason: str
    since: str
    count: int = 0
    seq_from: int | None = None
    seq_to: int | None = None

    def note(self, seq: int | None) -> None:
        """Count one more, with the sequence number it used, if any."""
        self.count += 1
        self._take(seq)

    def join(self, newer: "Missed") -> None:
        """Take over what was missed later: the gap record that was to tell of this one was lost itself.

        It is counted there, and nobody asked for it.
        """
        self.count += newer.count - 1
        self._take(newer.seq_from)
        self._take(newer.seq_to)

    def _take(self, seq: int | None) -> None:
        if seq is not None:
            self.seq_from = seq if self.seq_from is None else min(self.seq_from, seq)
            self.seq_to = seq if self.seq_to is None else max(self.seq_to, seq)

    def members(self, epoch: str) -> dict[str, Any]:
        """Return the members of the gap record."""
        return {
            "gap_epoch": epoch,
            "seq_from": self.seq_from,
            "seq_to": self.seq_to,
            "missed": self.count,
            "reason": self.reason,
            "since": self.since,
        }
