"""The rows of the evidence service: hot in an encrypted DuckDB file, warm in encrypted Parquet segments.

::

    evidence.key          generation and wrapped key of the hot database that counts
    hot-<n>.duckdb        newest rows, chains, the list and keys of segments, the cursor, erasures not yet carried out
    warm/<n>.parquet      older rows in order of their journal index, each file under a key of its own

The cursor is stored in the transaction that stores the rows, so no crash loses or doubles one. A segment counts from
the transaction that takes its rows out of the hot part on; a file that no list names is removed at the next start.
"""

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sealgate.adapters.evidence import tables
from sealgate.adapters.evidence.engine import Engine
from sealgate.adapters.evidence.forgetting import Forgetting
from sealgate.adapters.evidence.hot import Hot
from sealgate.adapters.evidence.places import WARM
from sealgate.adapters.evidence.segments import Segments
from sealgate.adapters.evidence.turnstile import Turnstile
from sealgate.adapters.evidence.view import View
from sealgate.model.errors import ConfigurationError
from sealgate.ports.evidence import Erasure, Remains
from sealgate.ports.evidence import Session as SessionPort
from sealgate.ports.wrapping import WrappingKey

DEFAULT_SEGMENT_ROWS: Final = 1_000_000
"""Rows of a warm segment; the hot part holds up to twice as many."""

_ID, _RECORD_ID = 2, 3


class DuckStore:
    """A ``ports.evidence.EvidenceStore`` in one directory, owned by one process.

    Raises:
        ConfigurationError: another process owns it, or its key file is malformed.
        AlteredError, UnavailableError: it does not open with the key-encryption key.
    """

    def __init__(
        self,
        directory: Path,
        wrapping: WrappingKey,
        *,
        memory_mb: int = 1024,
        threads: int = 2,
        segment_rows: int = DEFAULT_SEGMENT_ROWS,
        query_timeout_s: float = 60.0,
    ) -> None:
        self.directory = directory.absolute()
        self._timeout_s = query_timeout_s
        self._turnstile = Turnstile()
        self._writing = threading.Lock()
        for folder in (self.directory, self.directory / WARM, self.directory / "tmp"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(self.directory)
        try:
            self._engine = Engine(self.directory, memory_mb=memory_mb, threads=threads)
            self._hot = Hot(self.directory, wrapping, self._engine, self._turnstile)
            self._hot.open()
        except BaseException:
            os.close(self._lock)
            raise
        self._segments = Segments(self.directory, self._engine, self._hot, segment_rows)
        self._forgetting = Forgetting(self._engine, self._hot, self._segments)
        self._pending = bool(self._engine.execute(f"SELECT 1 FROM {self.database}.pending LIMIT 1"))

    @property
    def database(self) -> str:
        """The hot database's name in SQL."""
        return self._hot.database

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def next_index(self) -> int:
        """The index of the first record that is not in the store."""
        with self._writing:
            return int(self._engine.execute(f"SELECT next_index FROM {self.database}.state")[0][0])

    @contextmanager
    def session(self) -> Iterator[SessionPort]:
        """Open a consistent view."""
        with self._turnstile.shared():
            connection = self._engine.reader()
            try:
                yield View(connection, self.database, self.directory / WARM, self._timeout_s)
            finally:
                connection.close()

    def counts(self) -> tuple[int, int]:
        """Return how many rows are hot and warm."""
        with self.session() as view:
            hot = view.fetch(f"SELECT count(*) FROM {self.database}.rows")[0][0]
            warm = view.fetch(f"SELECT coalesce(sum(rows), 0) FROM {self.database}.segments")[0][0]
        return int(hot), int(warm)

    # -- writing -----------------------------------------------------------------------------------------------------

    def append(self, rows: Sequence[tuple[Any, ...]], next_index: int, erasures: Sequence[Erasure] = ()) -> None:
        """Take in rows and the next index in one transaction, durable on return."""
        with self._writing:
            self._pending = self._pending or bool(erasures)  # before they are there: too early does no harm
            fresh = self._without_known(rows)
            with self._hot.transaction(adding=fresh) as execute:
                if fresh:
                    self._insert(fresh)
                for erasure in erasures:
                    execute(f"INSERT INTO {self.database}.pending VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _values(erasure))
                execute(f"UPDATE {self.database}.state SET next_index = ?", [next_index])

    def _insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        table = tables.table(rows)
        names = table.column_names
        incoming = f"SELECT {tables.cast(names)} FROM {tables.INCOMING}"
        self._engine.register(tables.INCOMING, table)
        try:
            self._engine.execute(f"INSERT INTO {self.database}.rows BY NAME {incoming}")
            if not tables.CHAIN_KEYS.keys().isdisjoint(names):
                self._engine.execute(f"INSERT INTO {self.database}.chains {tables.chains_of(f'({incoming})', names)}")
        finally:
            self._engine.unregister(tables.INCOMING)

    def _without_known(self, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Return the rows without items that are here already, or came earlier among them."""
        fresh: dict[str, tuple[Any, ...]] = {}
        for row in rows:
            fresh.setdefault(row[_ID], row)
        items = sorted(row[_ID] for row in fresh.values() if row[_ID] != row[_RECORD_ID])
        if items:
            for (known,) in self._known(items):
                fresh.pop(str(known), None)
        return list(fresh.values())

    def _known(self, ids: list[str]) -> list[tuple[Any, ...]]:
        between = "BETWEEN CAST(? AS UUID) AND CAST(? AS UUID)"
        relations = [f"{self.database}.rows"]
        overlapping = f"SELECT name FROM {self.database}.segments WHERE last_id >= ? AND first_id <= ?"
        relations += [self._segments.parquet(name) for (name,) in self._engine.execute(overlapping, [ids[0], ids[-1]])]
        # As a table: each value of a list of parameters costs the engine's binding more than the question does.
        self._engine.register("wanted", tables.column("id", ids))
        try:
            wanted = "id IN (SELECT CAST(id AS UUID) FROM wanted)"
            asked = [f"SELECT id FROM {relation} WHERE id {between} AND {wanted}" for relation in relations]
            return [row for sql in asked for row in self._engine.execute(sql, [ids[0], ids[-1]])]
        finally:
            self._engine.unregister("wanted")

    def roll(self, *, everything: bool = False) -> int:
        """Move the oldest rows into a warm segment when there are enough; return how many segments were made."""
        with self._writing:
            return self._segments.roll(everything=everything)

    def pending(self) -> bool:
        """Tell whether erasures wait to be carried out."""
        with self._writing:
            return self._pending

    def forget(self, remains: Remains) -> int:
        """Carry out remembered erasures; on return neither rows nor their bytes are there."""
        with self._writing:
            pending = self._engine.execute(f"SELECT * FROM {self.database}.pending ORDER BY record")
            if not pending:
                self._pending = False
                return 0
            gone = sum(
                self._forgetting.carry_out(Erasure(record, tuple(keys), *rest), remains)
                for record, keys, *rest in pending
            )
            self._hot.renew(done=True)
            self._pending = False
            return gone

    def close(self) -> None:
        """Close the store. Idempotent."""
        with self._writing, self._turnstile.exclusive():
            self._engine.close()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1


def _values(erasure: Erasure) -> list[Any]:
    within = [erasure.from_index, erasure.to_index, erasure.indexes]
    return [erasure.index, list(erasure.key_ids), erasure.certain, *within, erasure.retention_class, erasure.subject]


def _lock(directory: Path) -> int:
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigurationError(
            f"another process owns the evidence store in `{directory}`", hint="stop it first, or ask it"
        ) from None
    return descriptor
