"""The rows of the evidence service: hot in an encrypted DuckDB file, warm in encrypted Parquet segments.

::

    evidence.key          generation and wrapped key of the hot database that counts
    hot-<n>.duckdb        newest rows, chains, the list and keys of segments, the cursor, erasures not yet carried out
    warm/<n>.parquet      older rows in order of their journal index, each file under a key of its own

The cursor is stored in the transaction that stores the rows, so no crash loses or doubles one. A segment counts from
the transaction that takes its rows out of the hot part on; a file that no list names is removed at the next start.
"""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sealgate.adapters.durable import sync_directory
from sealgate.adapters.evidence import conditions, keyfile, tables
from sealgate.adapters.evidence.engine import Engine, ReadingConnection, quoted
from sealgate.adapters.evidence.keyfile import HotKey
from sealgate.adapters.evidence.turnstile import Turnstile
from sealgate.evidence import expiry
from sealgate.model.errors import ConfigurationError, UnavailableError
from sealgate.ports.evidence import Erasure, Part, Remains
from sealgate.ports.evidence import Session as SessionPort
from sealgate.ports.wrapping import WrappingKey

DEFAULT_SEGMENT_ROWS: Final = 1_000_000
"""Rows of a warm segment; the hot part holds up to twice as many."""

_WARM: Final = "warm"
_BY_INDEX: Final = "(journal_index IN (SELECT record FROM gone))"
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
        self._wrapping = wrapping
        self._segment_rows = segment_rows
        self._timeout_s = query_timeout_s
        self._turnstile = Turnstile()
        self._writing = threading.Lock()
        for folder in (self.directory, self.directory / _WARM, self.directory / "tmp"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(self.directory)
        try:
            self._engine = Engine(self.directory, memory_mb=memory_mb, threads=threads)
            self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self) -> None:
        found = keyfile.read(self.directory, self._wrapping)
        self._hot = found or HotKey.fresh(0)
        self._forget_files(keep=None if found is None else found.file_name)
        self._attach(self._hot)
        if found is None:
            for statement in tables.statements(self.database):
                self._engine.execute(statement)
            self._engine.execute(f"CHECKPOINT {self.database}")
            keyfile.write(self.directory, self._hot, self._wrapping)
        version = self._engine.execute(f"SELECT version FROM {self.database}.state")[0][0]
        if version != tables.SCHEMA_VERSION:
            hint = "remove the folder; it is rebuilt from the journal"
            raise ConfigurationError(f"the evidence store has version {version}", hint=hint)
        for name, key in self._engine.execute(f"SELECT name, key FROM {self.database}.segments"):
            self._engine.add_parquet_key(_key_name(name), key)
        self._forget_segments()

    @property
    def database(self) -> str:
        """The hot database's name in SQL."""
        return f"hot{self._hot.generation}"

    def _attach(self, hot: HotKey) -> None:
        self._engine.attach(self.directory / hot.file_name, f"hot{hot.generation}", hot.key)

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
                yield _View(connection, self.database, self.directory / _WARM, self._timeout_s)
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
        with self._writing, self._transaction() as execute:
            if rows:
                fresh = self._without_known(rows)
                self._engine.register(tables.INCOMING, tables.table(fresh))
                try:
                    execute(f"INSERT INTO {self.database}.rows SELECT {tables.CAST} FROM {tables.INCOMING}")
                    chains = tables.chains_of(f"(SELECT {tables.CAST} FROM {tables.INCOMING})")
                    execute(f"INSERT INTO {self.database}.chains {chains}")
                finally:
                    self._engine.unregister(tables.INCOMING)
            for erasure in erasures:
                execute(f"INSERT INTO {self.database}.pending VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _values(erasure))
            execute(f"UPDATE {self.database}.state SET next_index = ?", [next_index])

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
        relations += [self._parquet(name) for (name,) in self._engine.execute(overlapping, [ids[0], ids[-1]])]
        # As a table: each value of a list of parameters costs the engine's binding more than the question does.
        self._engine.register("wanted", tables.column("id", ids))
        try:
            wanted = "id IN (SELECT CAST(id AS UUID) FROM wanted)"
            asked = [f"SELECT id FROM {relation} WHERE id {between} AND {wanted}" for relation in relations]
            return [row for sql in asked for row in self._engine.execute(sql, [ids[0], ids[-1]])]
        finally:
            self._engine.unregister("wanted")

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        self._engine.execute("BEGIN TRANSACTION")
        try:
            yield self._engine.execute
            self._engine.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(UnavailableError):  # a failed commit has rolled back already
                self._engine.execute("ROLLBACK")
            raise

    # -- rolling over ------------------------------------------------------------------------------------------------

    def roll(self, *, everything: bool = False) -> int:
        """Move the oldest rows into a warm segment when there are enough; return how many segments were made."""
        with self._writing:
            made = 0
            while (bound := self._roll_bound(everything=everything)) is not None:
                where = f"FROM {self.database}.rows WHERE journal_index <= {bound}"
                self._move([], f"SELECT {tables.NAMES} {where}", f"DELETE {where}")
                made += 1
            if made:
                self._compact()
                self._renew()
            return made

    def _roll_bound(self, *, everything: bool) -> int | None:
        """Return the last index of the next segment, or None when nothing is to be rolled."""
        sql = f"SELECT count(*), max(journal_index), max(date_trunc('month', time)) FROM {self.database}.rows"
        count, last, month = self._engine.execute(sql)[0]
        if not count:
            return None
        if count >= 2 * self._segment_rows or (everything and count > self._segment_rows):
            sql = f"SELECT journal_index FROM {self.database}.rows ORDER BY 1 LIMIT 1 OFFSET {self._segment_rows - 1}"
            return int(self._engine.execute(sql)[0][0])
        if everything:
            return int(last)
        sql = f"SELECT max(journal_index), count(*) FROM {self.database}.rows WHERE time < ?"
        bound, older = self._engine.execute(sql, [month])[0]
        return int(bound) if older >= self._segment_rows // 20 else None

    def _compact(self) -> None:
        """Join neighbouring segments that are small."""
        listed = self._engine.execute(f"SELECT name, rows FROM {self.database}.segments ORDER BY low")
        group: list[str] = []
        size = 0
        for name, rows in [*listed, (None, self._segment_rows)]:
            if size + rows <= self._segment_rows:
                group, size = [*group, name], size + rows
                continue
            if len(group) > 1:
                select = " UNION ALL ".join(f"SELECT * FROM {self._parquet(part)}" for part in group)
                self._move(group, f"SELECT * FROM ({select})", None)
            group, size = [name], rows

    def _move(self, old: Sequence[str], select: str, delete: str | None) -> None:
        """Make one segment of ``select`` in the place of segments ``old`` and of the rows that ``delete`` removes."""
        serial = self._engine.execute(f"SELECT serial FROM {self.database}.state")[0][0] + 1
        name, key = f"{serial:08d}.parquet", os.urandom(32)
        self._engine.add_parquet_key(_key_name(name), key)
        path = self.directory / _WARM / name
        self._engine.write_parquet(f"{select} ORDER BY journal_index, position", path, _key_name(name))
        _sync_file(path)
        sync_directory(path.parent)
        # If we die before the commit, the file is in no list: it is removed at the next start, its rows are where
        # they were.
        facts = (
            "count(*), min(journal_index), max(journal_index), min(time), max(time), "
            "min(id) FILTER (id <> record_id), max(id) FILTER (id <> record_id)"
        )
        rows, low, high, first, last, first_id, last_id = self._engine.execute(
            f"SELECT {facts} FROM {self._parquet(name)}"
        )[0]
        with self._transaction() as execute:
            if delete is not None:
                execute(delete)
            if old:
                execute(f"DELETE FROM {self.database}.segments WHERE name IN (SELECT unnest(?))", [list(old)])
            if rows:
                values = [name, key, low, high, rows, first, last, first_id, last_id]
                execute(f"INSERT INTO {self.database}.segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
                execute(f"DELETE FROM {self.database}.chains WHERE high >= {low} AND low <= {high} AND high <= {high}")
                execute(f"INSERT INTO {self.database}.chains {tables.chains_of(self._parquet(name))} ORDER BY 1")
            execute(f"UPDATE {self.database}.state SET serial = {serial}")

    def _parquet(self, name: str) -> str:
        return _relation(self.directory / _WARM, name)

    # -- forgetting --------------------------------------------------------------------------------------------------

    def pending(self) -> bool:
        """Tell whether erasures wait to be carried out."""
        with self._writing:
            return bool(self._engine.execute(f"SELECT 1 FROM {self.database}.pending LIMIT 1"))

    def forget(self, remains: Remains) -> int:
        """Carry out remembered erasures; on return neither rows nor their bytes are there."""
        with self._writing:
            pending = self._engine.execute(f"SELECT * FROM {self.database}.pending ORDER BY record")
            if not pending:
                return 0
            gone = sum(self._carry_out(Erasure(record, tuple(keys), *rest), remains) for record, keys, *rest in pending)
            self._renew(done=True)
            return gone

    def _carry_out(self, erasure: Erasure, remains: Remains) -> int:
        by_key, others = conditions.of_keys(erasure.key_ids), conditions.of_others(erasure)
        self._engine.execute("CREATE OR REPLACE TEMP TABLE gone(record BIGINT)")
        if erasure.indexes is not None and erasure.from_index is not None:
            indexes = list(expiry.named(erasure.indexes, erasure.from_index))
            self._engine.register("wanted", tables.column("record", indexes))
            self._engine.execute("INSERT INTO gone SELECT record FROM wanted")
            self._engine.unregister("wanted")
        segments = self._engine.execute(f"SELECT name FROM {self.database}.segments")
        parts = [(f"{self.database}.rows", None), *((self._parquet(name), name) for (name,) in segments)]
        return sum(self._forget_in(*part, erasure, (by_key, others), remains) for part in parts)

    def _forget_in(
        self, relation: str, name: str | None, erasure: Erasure, where: tuple[str, str], remains: Remains
    ) -> int:
        by_key, others = where
        sql = (
            f"SELECT journal_index, CAST(any_value(key_id) AS VARCHAR), count(*), {_BY_INDEX}, bool_and({by_key}) "
            f"FROM {relation} WHERE {_BY_INDEX} OR ({by_key}) OR ({others}) GROUP BY ALL"
        )
        dead: list[int] = []
        moved: dict[int, str] = {}
        count = 0
        for index, key_id, rows, named, keyed in self._engine.execute(sql):
            key = None if named or (keyed and erasure.certain) else remains(index)
            if key is None:
                dead.append(index)
                count += rows
            elif key != (key_id or "").replace("-", ""):
                moved[index] = key  # a held body lives on under another key: its rows stay
        if dead or moved:
            self._rewrite(relation, name, dead, moved)
        return count

    def _rewrite(self, relation: str, name: str | None, dead: list[int], moved: dict[int, str]) -> None:
        self._engine.execute("CREATE OR REPLACE TEMP TABLE changed(record BIGINT, new_key UUID)")
        numbers, keys = [*dead, *moved], [*([None] * len(dead)), *moved.values()]
        self._engine.register("wanted", tables.column("record", numbers).append_column("new_key", [keys]))
        self._engine.execute("INSERT INTO changed SELECT record, CAST(new_key AS UUID) FROM wanted")
        self._engine.unregister("wanted")
        if name is None:
            set_key = f"UPDATE {relation} SET key_id = new_key FROM changed WHERE journal_index = record"
            with self._transaction() as execute:
                execute(f"{set_key} AND new_key IS NOT NULL")
                gone = "SELECT record FROM changed WHERE new_key IS NULL"
                execute(f"DELETE FROM {relation} WHERE journal_index IN ({gone})")
            return
        kept = tables.NAMES.replace('"key_id"', "coalesce(new_key, key_id) AS key_id")
        joined = f"{relation} LEFT JOIN changed ON record = journal_index"
        self._move([name], f"SELECT {kept} FROM {joined} WHERE record IS NULL OR new_key IS NOT NULL", None)

    def _renew(self, *, done: bool = False) -> None:
        """Write the hot database anew under a new key: what was deleted has no bytes and no key any more.

        ``done``: the remembered erasures were carried out. The new key file is the commit: a crash before it leaves the
        old database with its erasures, which are then carried out again.
        """
        new = HotKey.fresh(self._hot.generation + 1)
        former = self.database
        path = self.directory / new.file_name
        path.unlink(missing_ok=True)
        self._attach(new)
        name = f"hot{new.generation}"
        for statement in tables.statements(name)[:-1]:
            self._engine.execute(statement)
        for table in tables.TABLES:
            if not (done and table == "pending"):
                order = " ORDER BY journal_index, position" if table == "rows" else ""
                self._engine.execute(f"INSERT INTO {name}.{table} SELECT * FROM {former}.{table}{order}")
        self._engine.execute(f"CHECKPOINT {name}")
        with self._turnstile.exclusive():
            keyfile.write(self.directory, new, self._wrapping)
            self._hot = new
            self._engine.execute(f"DETACH {former}")
            self._forget_files(keep=new.file_name)
            self._forget_segments()

    def _forget_files(self, *, keep: str | None) -> None:
        for path in self.directory.glob("hot-*"):
            if keep is None or not path.name.startswith(keep):
                path.unlink()
        for path in (self.directory / "tmp").iterdir():
            if path.is_file():
                path.unlink()
        sync_directory(self.directory)

    def _forget_segments(self) -> None:
        listed = {name for (name,) in self._engine.execute(f"SELECT name FROM {self.database}.segments")}
        for path in (self.directory / _WARM).iterdir():
            if path.name not in listed:
                path.unlink()
        sync_directory(self.directory / _WARM)

    def close(self) -> None:
        """Close the store. Idempotent."""
        with self._writing, self._turnstile.exclusive():
            self._engine.close()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1


class _View:
    """A ``ports.evidence.Session``."""

    def __init__(self, connection: ReadingConnection, database: str, warm: Path, timeout_s: float) -> None:
        self._connection = connection
        self._database = database
        self._timeout_s = timeout_s
        hot = f"{database}.rows"
        bounds = f"SELECT min(journal_index), max(journal_index), min(time), max(time) FROM {hot}"
        low, high, first, last = connection.fetch(bounds)[0]
        self.parts = [Part(hot, low, high, _text(first), _text(last))]
        listed = f"SELECT name, low, high, first_time, last_time FROM {database}.segments ORDER BY low DESC"
        for name, low, high, first, last in connection.fetch(listed):
            self.parts.append(Part(_relation(warm, name), low, high, _text(first), _text(last)))

    def ranges(self, names: Sequence[str]) -> list[tuple[int, int]]:
        """Return ranges of indexes that hold all rows of these chains."""
        keys = ", ".join(["md5_number_lower(?)"] * len(names))
        sql = f"SELECT low, high FROM {self._database}.chains WHERE key IN ({keys}) ORDER BY 1"
        return [(low, high) for low, high in self.fetch(sql, list(names))]

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement that only reads."""
        return self._connection.fetch(sql, parameters, timeout_s=self._timeout_s)


def _relation(warm: Path, name: str) -> str:
    return f"read_parquet({quoted(str(warm / name))}, encryption_config={{footer_key: '{_key_name(name)}'}})"


def _key_name(name: str) -> str:
    return "s" + name.partition(".")[0]


def _text(time: object) -> str | None:
    return None if time is None else str(time)


def _values(erasure: Erasure) -> list[Any]:
    within = [erasure.from_index, erasure.to_index, erasure.indexes]
    return [erasure.index, list(erasure.key_ids), erasure.certain, *within, erasure.retention_class, erasure.subject]


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
