"""Data keys in SQLite, each wrapped by the key-encryption key (ports.datakeys.DataKeys).

Erasure destroys a row so that no page keeps it: ``secure_delete`` zeroes the cell, VACUUM rewrites the file, a
truncating checkpoint empties the write-ahead log. What the file system or the medium below keeps is out of reach; there
it is a wrapped key, useless without the key-encryption key.

Trusted: whoever has this database and the key-encryption key reads every body. Whoever deletes it erases every body.
Keep its backups few and short-lived: a restored backup undoes erasures.
"""

import os
import sqlite3
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealgate.model.errors import ConfigurationError, UnavailableError
from sealgate.model.limits import KEY_ID_BYTES
from sealgate.ports.datakeys import DataKey
from sealgate.ports.wrapping import WrappingKey

MAX_USES: Final = 1 << 32
"""Records under one key with random 96-bit nonces (NIST SP 800-38D section 8.3)."""

USES_PER_RESERVATION: Final = 1 << 24
"""Uses that are set aside in the database at a time, so that a restart forgets at most this many, never too few."""

_MAX_CACHED: Final = 4096
"""Opened keys kept in memory; the oldest goes first."""

_SCHEMA: Final = """
CREATE TABLE data_keys(
    key_id BLOB PRIMARY KEY,
    scope TEXT NOT NULL,
    month INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    reserved INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX by_scope ON data_keys(scope, month);
PRAGMA user_version = 1;
"""


@dataclass(slots=True)
class _InUse:
    """The key for new bodies of one scope. Owned by the lock of its store."""

    key: DataKey
    until_ms: int
    uses_left: int


class SqliteDataKeys:
    """The store of wrapped data keys in one file, one process at a time.

    Any thread may call it. ``current`` writes to disk only for a new scope, a new month, and once per 2^24 records.
    """

    def __init__(self, path: Path, wrapping_key: WrappingKey) -> None:
        self._path = path
        self._wrapping_key = wrapping_key
        self._lock = threading.Lock()
        self._in_use: dict[str, _InUse] = {}
        self._opened: dict[bytes, DataKey] = {}
        self._database = _open(path)

    @staticmethod
    def create(path: Path) -> None:
        """Make a new empty database of mode 0600, durable on return.

        Raises:
            ConfigurationError: it exists.
        """
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError as error:
            raise ConfigurationError(f"data key database `{path}` exists", hint="it is never overwritten") from error
        database = _connect(path)
        database.executescript(_SCHEMA)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()

    def current(self, scope: str, unix_ms: int) -> DataKey:
        """Return the key for new bodies of ``scope`` in this month, making it if new.

        Raises:
            UnavailableError: the store or the wrapping key cannot be used.
        """
        with self._lock:
            found = self._in_use.get(scope)
            if found is None or unix_ms >= found.until_ms or not found.uses_left:
                found = self._next(scope, unix_ms)
            found.uses_left -= 1
            return found.key

    def find(self, key_id: bytes) -> DataKey | None:
        """Return the key, or None when it was destroyed or never existed.

        Raises:
            AlteredError: the row was changed, or another key-encryption key wrapped it.
            UnavailableError: the store or the wrapping key cannot be used.
        """
        with self._lock:
            key = self._opened.get(key_id)
            if key is None:
                row = self._rows("SELECT wrapped FROM data_keys WHERE key_id=?", key_id)
                key = self._remember(key_id, self._wrapping_key.unwrap(row[0][0])) if row else None
            return key

    def key_ids(self, scope: str) -> list[bytes]:
        """Return the ids of all keys of a scope: what an erasure of it has to destroy."""
        with self._lock:
            return [row[0] for row in self._rows("SELECT key_id FROM data_keys WHERE scope=? ORDER BY 1", scope)]

    def destroy(self, key_id: bytes) -> bool:
        """Remove the wrapped key so that no free page keeps it; tell whether it existed. Durable on return.

        A crash after the deletion commits and before the file is rewritten leaves the key gone, but perhaps a copy of
        its wrapped form in the write-ahead log; opening the store again rewrites it.

        Raises:
            UnavailableError: the store cannot be written, or a reader keeps its old pages; call again.
        """
        with self._lock:
            self._opened.pop(key_id, None)
            self._in_use = {scope: use for scope, use in self._in_use.items() if use.key.key_id != key_id}
            existed = bool(self._rows("DELETE FROM data_keys WHERE key_id=? RETURNING 1", key_id))
            _scrub(self._database, self._path)
            return existed

    def close(self) -> None:
        """Close the database. Idempotent."""
        with self._lock:
            self._in_use.clear()
            self._opened.clear()
            self._database.close()

    def _next(self, scope: str, unix_ms: int) -> _InUse:
        month, until_ms = _month(unix_ms)
        reserve = "SELECT key_id, wrapped, reserved FROM data_keys WHERE scope=? AND month=? AND reserved<=?"
        row = self._rows(reserve + " LIMIT 1", scope, month, MAX_USES - USES_PER_RESERVATION)
        if row:
            key_id, wrapped, _ = row[0]
            key = self._opened.get(key_id) or self._remember(key_id, self._wrapping_key.unwrap(wrapped))
            self._rows("UPDATE data_keys SET reserved=reserved+? WHERE key_id=?", USES_PER_RESERVATION, key_id)
        else:
            key_id, secret = os.urandom(KEY_ID_BYTES), os.urandom(32)
            wrapped = self._wrapping_key.wrap(secret)
            # Durable when this returns (synchronous=FULL). If we die before, no body was sealed under the key.
            insert = "INSERT INTO data_keys(key_id, scope, month, wrapped, reserved) VALUES(?,?,?,?,?)"
            self._rows(insert, key_id, scope, month, wrapped, USES_PER_RESERVATION)
            key = self._remember(key_id, secret)
        if len(self._in_use) >= _MAX_CACHED:  # what was reserved for the oldest scope is forfeited
            del self._in_use[next(iter(self._in_use))]
        self._in_use[scope] = _InUse(key, until_ms, USES_PER_RESERVATION)
        return self._in_use[scope]

    def _remember(self, key_id: bytes, secret: bytes) -> DataKey:
        if len(self._opened) >= _MAX_CACHED:
            del self._opened[next(iter(self._opened))]
        return self._opened.setdefault(key_id, DataKey(key_id, AESGCM(secret)))

    def _rows(self, sql: str, *arguments: bytes | str | int) -> list[tuple[bytes, ...]]:
        try:
            return self._database.execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            raise UnavailableError(f"data key database cannot be used: {error}") from error


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise ConfigurationError(f"data key database `{path}` does not exist", hint="`sealgate init` creates it")
    database = _connect(path)
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version != 1:
        database.close()
        raise ConfigurationError(
            f"data key database `{path}` has version {version}", hint="this program knows version 1"
        )
    _scrub(database, path)  # finish a destruction that a crash interrupted
    return database


def _connect(path: Path) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "temp_store=MEMORY"):
            database.execute(f"PRAGMA {pragma}")
    except sqlite3.Error as error:
        raise UnavailableError(f"data key database `{path}` cannot be opened: {error}") from error
    return database


def _scrub(database: sqlite3.Connection, path: Path) -> None:
    """Rewrite the file without free pages, then empty the write-ahead log, which held the old pages."""
    try:
        database.execute("VACUUM")
        busy = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.Error as error:
        raise UnavailableError(f"data key database cannot be rewritten: {error}") from error
    if busy or path.with_name(path.name + "-wal").stat().st_size:
        raise UnavailableError("data key database has a reader that keeps old pages", hint="close it and try again")


def _month(unix_ms: int) -> tuple[int, int]:
    """Return year * 12 + month (from 0) in UTC and when the next one begins, in Unix milliseconds."""
    time = datetime.fromtimestamp(unix_ms / 1000, UTC)
    month = time.year * 12 + time.month - 1
    year, index = divmod(month + 1, 12)
    return month, int(datetime(year, index + 1, 1, tzinfo=UTC).timestamp() * 1000)
