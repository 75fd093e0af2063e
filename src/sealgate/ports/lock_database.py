"""The lock: the one place that says which checkpoint of a log is the newest that was ever signed.

It lives apart from the log's files and is never restored with them: that is how an older log is recognised.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Held:
    """The newest committed checkpoint: the signed note's bytes (empty before the first) and its size.

    ``closed`` is set when the log has its last leaf.
    """

    body: bytes
    size: int
    closed: bool


class LockDatabase(Protocol):
    """Compare-and-swap over one log's newest checkpoint. Opening takes a fence: older openers can no longer write.

    It is made once, on purpose, when the log is made; opening where there is none is refused.
    """

    def read(self) -> Held:
        """Return what is held.

        Raises:
            UnavailableError: it cannot be read.
        """

    def advance(self, old: bytes, new: bytes, size: int) -> None:
        """Replace ``old`` by ``new``, durable on return: the commit point of a checkpoint.

        Raises:
            ForkError: something else is held, the size does not grow, a newer opener is at work, or the log is closed.
            UnavailableError: the outcome is unknown; read again before anything else.
        """

    def freeze(self, body: bytes) -> None:
        """Close the log: ``body`` stays its last checkpoint. Same errors as ``advance``. Idempotent."""

    def close(self) -> None:
        """Release. Idempotent."""
