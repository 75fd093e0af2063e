"""Keeps the store up with the journal: published records become rows, erasures take rows away."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from sealgate.evidence import expiry, projection
from sealgate.evidence.answers import Status
from sealgate.evidence.columns import NUMBER_OF
from sealgate.evidence.records import Records
from sealgate.ports.evidence import EvidenceStore

BATCH_RECORDS: Final = 20_000
BATCH_ROWS: Final = 50_000
"""Most of a transaction: bounds memory, and the time until what it holds can be found."""

_KIND: Final = NUMBER_OF["kind"]


class DroppableKeys(Protocol):
    """Reading keys that can be forgotten."""

    def drop(self, key_ids: Iterable[bytes] | None = None) -> None:
        """Forget these keys, or all of them."""


class RollingStore(EvidenceStore, Protocol):
    """A store with a warm part."""

    def roll(self, *, everything: bool = False) -> int:
        """Move old rows into the warm part when there are enough."""


class Consumer:
    """Follows one journal into one store. ``step`` is called from one thread, again and again."""

    def __init__(
        self,
        records: Records,
        keys: DroppableKeys,
        store: RollingStore,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = records
        self._keys = keys
        self._store = store
        self._now = monotonic_s
        self._caught_up_at = monotonic_s()
        self._published = 0
        self._projected = store.next_index

    def step(self, until: int | None = None) -> int:
        """Take in what was published since, up to record ``until``; return how many records.

        A crash at any point loses and doubles nothing.

        Raises:
            AlteredError: the journal was altered, or holds a record that is none; nothing of the batch is kept.
            NotProvenError: the published checkpoint is not the log's.
            UnavailableError: keys or store cannot be used now; call again.
        """
        self._carry_out()  # left by a crash
        self._published = self._records.published()
        start = self._projected
        rows: list[projection.Row] = []
        end = self._published if until is None else min(until, self._published)
        if start < end:
            stop = min(end, start + BATCH_RECORDS)
            taken = start
            for opened in self._records.read(start, stop):
                if opened.body is not None:
                    rows += projection.rows(opened.body, opened.index, opened.key_id)
                taken = opened.index + 1
                if len(rows) >= BATCH_ROWS:
                    break
            self._store.append(rows, taken, [expiry.erasure(row) for row in rows if row[_KIND] in expiry.ERASING])
            self._projected = taken  # only now: whatever failed before is read again, and what is told can be found
        self._carry_out()
        self._store.roll()
        if self._projected >= self._published:
            self._caught_up_at = self._now()
        return self._projected - start

    def _carry_out(self) -> None:
        """Forget keys before rows: the store asks which bodies can still be opened."""
        if self._store.pending():
            self._keys.drop()
            self._records.forget()
            self._store.forget(self._records.key_of)

    def run(self, stop: threading.Event, *, idle_s: float = 0.25, failed: Callable[[Exception], float]) -> None:
        """Step until ``stop`` is set. ``failed`` is told of each error and says how long to wait before the next."""
        while not stop.is_set():
            try:
                wait_s = 0.0 if self.step() else idle_s
            except Exception as error:  # noqa: BLE001 - whatever it was, following goes on or says that it does not
                wait_s = failed(error)
            stop.wait(wait_s)

    def status(self) -> Status:
        """Tell how far the store follows."""
        hot, warm = self._store.counts()
        published = max(self._published, self._records.published())
        behind = max(0, published - self._projected)
        return Status(
            journal_size=published,
            projected=self._projected,
            behind_records=behind,
            behind_seconds=round(self._now() - self._caught_up_at, 3) if behind else 0.0,
            rows_hot=hot,
            rows_warm=warm,
        )
