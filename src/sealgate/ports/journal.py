"""The journal: the one ordered, durable queue in the middle. Its append is the commit point of a record."""

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from sealgate.model.errors import JournalError


class JournalRecord(msgspec.Struct, frozen=True):
    """One record as it is stored: the signed statement and the sealed body that its commitment covers.

    What expired is empty. An archived body lies in a sealed group with others: then ``sealed_body`` says where in
    ``group`` (``encoding.sealed_group``), and many records share one ``group``.
    """

    statement: bytes
    sealed_body: bytes
    group: bytes | None = None


Completion = Callable[[int | JournalError], None]
"""Called once for each append: with the record's index when it is on stable storage, or with the error."""


class Journal(Protocol):
    """An append-only, gap-free, ordered list of records, indexed from 0.

    Order and durability: records get consecutive indexes in the order of their ``append`` calls, and a completion
    is given an index only after the record and all before it are on stable storage (write and fdatasync returned).
    A group of appends shares one fdatasync.

    Failure: after any failed write or sync the journal is ``failed``; every append that has not completed gets a
    JournalError, later appends too, and nothing is retried in place, because the page cache no longer tells the truth.
    ``heal`` starts anew behind the last durable record.

    One process owns a journal (exclusive lock). ``append`` is called from one thread; ``read`` from any.
    """

    def append(self, record: JournalRecord, completion: Completion, *, alone: bool = False) -> None:
        """Queue one record; returns at once. A full queue or failed journal completes with a JournalError.

        ``alone`` tells that no other append is under way: then the journal may make the record durable on the caller's
        thread and complete before it returns, as long as its storage has been quick lately.
        """

    def read(self, start: int, stop: int | None = None) -> Iterator[tuple[int, JournalRecord]]:
        """Yield (index, record) of durable records from ``start`` until ``stop`` or the durable end at the call.

        Raises:
            AlteredError: a stored record's checksum does not match; names the index.
        """

    def statements(self, start: int, stop: int) -> list[bytes]:
        """Return the statements of the durable records from ``start`` until ``stop``, without their bodies.

        What the ledger reads of each record, once and in order. Same errors as ``read``.
        """

    @property
    def size(self) -> int:
        """The number of durable records."""

    @property
    def failure(self) -> str | None:
        """Why the journal cannot record now, in words for the operator; None when it can."""

    @property
    def syncs(self) -> int:
        """How many syncs have made records durable since the start; never more than the records appended."""

    def heal(self) -> None:
        """Try to record again after a failure: verify the durable tail from storage and open a new segment.

        Raises:
            JournalError: it still cannot; the state is unchanged and the call may be repeated.
        """

    def close(self) -> None:
        """Complete what is queued, sync, release the lock. Idempotent."""
