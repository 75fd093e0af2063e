"""What the evidence service needs from outside: a store of rows to read and write, records to follow."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from sealgate.ports.journal import JournalRecord


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the store: ``relation`` stands in a FROM clause. Bounds are inclusive; None where it has no rows."""

    relation: str
    low: int | None
    high: int | None
    first_time: str | None = None
    last_time: str | None = None


class Session(Protocol):
    """One consistent view of all rows, newest part first. Parts never overlap in journal indexes."""

    @property
    def parts(self) -> Sequence[Part]:
        """The parts of the store in this view."""

    def ranges(self, names: Sequence[str]) -> list[tuple[int, int]]:
        """Return ranges of journal indexes that hold all rows of these tasks, sessions, traces or calls."""

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement that only reads.

        Raises:
            UnavailableError: it took too long, needs more memory than allowed, or its question was told to stop.
        """


class EvidenceStore(Protocol):
    """Rows by journal index and position, each once. One writer; any number of readers."""

    @property
    def next_index(self) -> int:
        """The index of the first record that is not in the store. Durable."""

    def append(self, rows: Sequence[tuple[Any, ...]], next_index: int, erasures: Sequence["Erasure"] = ()) -> None:
        """Take in rows in order of their index, and the next index, in one durable step.

        An item whose id is there already is left out. Erasures are remembered with them and carried out by ``forget``.
        """

    def pending(self) -> bool:
        """Tell whether erasures are remembered that were not carried out."""

    def forget(self, remains: "Remains") -> int:
        """Carry out remembered erasures: their rows, and the bytes they had, are gone on return. Return how many rows.

        A crash at any point leaves them remembered; the next start goes on.
        """

    def session(self) -> AbstractContextManager[Session]:
        """Open a view; what is erased meanwhile waits until it is closed, so close it soon."""

    def counts(self) -> tuple[int, int]:
        """Return how many rows are in the hot and in the warm part."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What must go: bodies under ``key_ids``, the records that ``indexes`` names (``evidence.expiry.named``).

    And of the rows in the range (where no indexes are named) or of the subject, those that have no body any more.
    ``certain``: every body under these keys is gone. Otherwise some may be held, under another key.
    """

    index: int
    key_ids: tuple[str, ...]
    certain: bool = True
    from_index: int | None = None
    to_index: int | None = None
    indexes: str | None = None
    retention_class: str | None = None
    subject: str | None = None


class Remains(Protocol):
    """Tells under which key the body of a record can still be opened."""

    def __call__(self, index: int) -> str | None:
        """Return the key's id, hex, or None when the body is gone."""


class FollowedJournal(Protocol):
    """The journal, read while another process writes it, never beyond what its log published."""

    def published(self) -> int:
        """Return the size of the newest published checkpoint, its signature verified; 0 before the first.

        Raises:
            AlteredError, NotProvenError: the checkpoint is not the log's.
        """

    def read(self, start: int, stop: int) -> Iterator[tuple[int, JournalRecord]]:
        """Yield records of published indexes; a body that expired is empty.

        Raises:
            AlteredError: a stored record's checksum does not match, or a segment is missing.
        """
