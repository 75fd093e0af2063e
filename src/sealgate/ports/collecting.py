"""What the collector needs from outside: an authority that records, and what takes personal data out of items."""

from collections.abc import Sequence
from typing import Any, Protocol

from sealgate.model.batches import BatchRecorded, BatchRequest


class Destination(Protocol):
    """An authority that records batches."""

    async def record(self, batches: Sequence[BatchRequest]) -> list[BatchRecorded]:
        """Return once all batches are on stable storage, in their order. Repeating a batch gives its first answer.

        Raises:
            UnavailableError: it cannot be told whether they are recorded; send them again.
            InputError, NotPermittedError: the authority refuses them.
        """

    async def ready(self) -> str:
        """Return "ok", or why nothing can be recorded there now."""

    async def close(self) -> None:
        """Let go of connections."""


class Redactor(Protocol):
    """Takes out of an item what may not be kept. Pure: no network, no clock. Used in worker processes, so picklable."""

    def redact(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return the item as it may be kept, ``redactions`` and ``subjects`` brought up to date.

        Raises:
            SealgateError: it could not be redacted; the item is refused, never kept raw.
        """
