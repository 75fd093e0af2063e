"""The journal's in-memory twin: same contract, nothing durable. For tests and trials of services above it."""

from collections.abc import Iterator
from itertools import islice

from sealgate.model.errors import JournalError
from sealgate.ports.journal import Completion, JournalRecord


class MemoryJournal:
    """A ``ports.journal.Journal`` that completes each append at once and keeps records in a list.

    ``fail`` makes it behave as a journal whose disk refuses.
    """

    def __init__(self) -> None:
        self._records: list[JournalRecord] = []
        self._failure: str | None = None
        self._broken = False
        self._closed = False

    def append(self, record: JournalRecord, completion: Completion, *, alone: bool = False) -> None:
        """Record at once, or complete with the failure."""
        del alone  # it is always at once
        if self._closed or self._failure is not None:
            completion(JournalError(self._failure or "the journal is closed"))
            return
        self._records.append(record)
        completion(len(self._records) - 1)

    def read(self, start: int, stop: int | None = None) -> Iterator[tuple[int, JournalRecord]]:
        """Yield (index, record)."""
        end = len(self._records) if stop is None else min(stop, len(self._records))
        yield from enumerate(islice(self._records, start, end), start)

    def statements(self, start: int, stop: int) -> list[bytes]:
        """Return the statements of a range."""
        return [record.statement for record in self._records[start:stop]]

    @property
    def size(self) -> int:
        """The number of records."""
        return len(self._records)

    @property
    def failure(self) -> str | None:
        """Why it refuses now."""
        return self._failure

    @property
    def syncs(self) -> int:
        """How many: memory needs none."""
        return 0

    def fail(self, reason: str, *, until_repaired: bool = False) -> None:
        """Refuse from now on; ``until_repaired`` makes ``heal`` refuse too until ``repair``."""
        self._failure, self._broken = reason, until_repaired

    def repair(self) -> None:
        """Let ``heal`` succeed again."""
        self._broken = False

    def heal(self) -> None:
        """Record again."""
        if self._broken:
            raise JournalError(f"the journal cannot be healed: {self._failure}")
        self._failure = None

    def close(self) -> None:
        """Refuse appends from now on."""
        self._closed = True
