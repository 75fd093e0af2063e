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
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sealgate.adapters.keys import datakeys_file
from sealgate.model.errors import UnavailableError
from sealgate.model.limits import KEY_ID_BYTES
from sealgate.model.scopes import Period, Scope
from sealgate.ports.datakeys import DataKey, KeyFact
from sealgate.ports.wrapping import WrappingKey

MAX_USES: Final = 1 << 32
"""Records under one key with random 96-bit nonces (NIST SP 800-38D section 8.3)."""

USES_PER_RESERVATION: Final = 1 << 24
"""Uses that are set aside in the database at a time, so that a restart forgets at most this many, never too few."""

_MAX_CACHED: Final = 16_384
"""Opened keys kept in memory; the oldest goes first."""

PeriodOf = Callable[[str], Period]
"""Says how long a key of a retention class is used."""


@dataclass(slots=True)
class _InUse:
    """The key for new bodies of one scope. Owned by the memory lock of its store."""

    key: DataKey
    until_ms: int
    uses_left: int


class SqliteDataKeys:
    """The store of wrapped data keys in one file, one writing process at a time.

    Any thread may call it. ``current`` writes to disk only for a new scope, a new period, and once per 2^24 records.
    While keys are being destroyed it still answers from memory: the database has a lock of its own, taken first.
    """

    def __init__(
        self, path: Path, wrapping_key: WrappingKey, *, period_of: PeriodOf = lambda _class: Period.MONTH
    ) -> None:
        self._path = path
        self._wrapping_key = wrapping_key
        self._period_of = period_of
        self._database_lock = threading.Lock()
        self._lock = threading.Lock()  # of the two caches; may be taken while holding the other, never the reverse
        self._in_use: dict[str, _InUse] = {}
        self._opened: dict[bytes, DataKey] = {}
        self._database = datakeys_file.open_file(path)

    @staticmethod
    def create(path: Path) -> None:
        """Make a new empty database of mode 0600, durable on return.

        Raises:
            ConfigurationError: it exists.
        """
        datakeys_file.create(path)

    def current(self, scope: str, unix_ms: int) -> DataKey:
        """Return the key for new bodies of ``scope`` in this period, making it if new.

        Raises:
            UnavailableError: the store or the wrapping key cannot be used.
        """
        with self._lock:
            key = self._use(scope, unix_ms)
        if key is not None:
            return key
        with self._database_lock:
            with self._lock:
                key = self._use(scope, unix_ms)  # another thread may have brought it meanwhile
            if key is not None:
                return key
            found = self._next(scope, unix_ms)
            with self._lock:
                if len(self._in_use) >= _MAX_CACHED:  # what was reserved for the oldest scope is forfeited
                    del self._in_use[next(iter(self._in_use))]
                self._in_use[scope] = found
                found.uses_left -= 1
            return found.key

    def find(self, key_id: bytes) -> DataKey | None:
        """Return the key, or None when it was destroyed or never existed.

        Raises:
            AlteredError: the row was changed, or another key-encryption key wrapped it.
            UnavailableError: the store or the wrapping key cannot be used.
        """
        key = self._opened.get(key_id)
        if key is not None:
            return key
        with self._database_lock:
            row = self._rows("SELECT wrapped FROM data_keys WHERE key_id=?", key_id)
            return self._remember(key_id, self._wrapping_key.unwrap(row[0][0])) if row else None

    def facts(self, prefix: str) -> list[KeyFact]:
        """Return all keys whose scope begins with ``prefix``, by scope and period."""
        select = "SELECT key_id, scope, from_ms, until_ms FROM data_keys WHERE scope>=? AND substr(scope,1,?)=?"
        with self._database_lock:
            rows = self._rows(select + " ORDER BY scope, from_ms, key_id", prefix, len(prefix), prefix)
        return [KeyFact(*row) for row in rows]

    def scopes(self, prefix: str) -> list[str]:
        """Return the scopes that begin with ``prefix``, sorted, each once."""
        return list(dict.fromkeys(fact.scope for fact in self.facts(prefix)))

    def key_ids(self, scope: str) -> list[bytes]:
        """Return the ids of all keys of exactly this scope."""
        with self._database_lock:
            return [row[0] for row in self._rows("SELECT key_id FROM data_keys WHERE scope=? ORDER BY 1", scope)]

    def destroy(self, key_id: bytes) -> bool:
        """Remove the wrapped key so that no free page keeps it; tell whether it existed. Raises as ``destroy_many``."""
        return self.destroy_many((key_id,)) == 1

    def destroy_many(self, key_ids: Iterable[bytes]) -> int:
        """Remove several keys in one durable step so that no free page keeps one; return how many existed.

        A crash after the deletion commits and before the file is rewritten leaves the keys gone, but perhaps copies of
        their wrapped form in the write-ahead log; opening the store again, or calling this again, rewrites it.

        Raises:
            UnavailableError: the store cannot be written, or a reader keeps its old pages; call again.
        """
        doomed = set(key_ids)
        with self._database_lock:
            self._forget(doomed)
            existed = 0
            self._rows("BEGIN IMMEDIATE")
            try:
                for key_id in sorted(doomed):
                    existed += len(self._rows("DELETE FROM data_keys WHERE key_id=? RETURNING 1", key_id))
                self._rows("COMMIT")
            except UnavailableError:
                if self._database.in_transaction:
                    self._database.rollback()
                raise
            datakeys_file.scrub(self._database, self._path)
            return existed

    def close(self) -> None:
        """Close the database. Idempotent."""
        with self._database_lock, self._lock:
            self._in_use.clear()
            self._opened.clear()
            self._database.close()

    def _use(self, scope: str, unix_ms: int) -> DataKey | None:
        found = self._in_use.get(scope)
        if found is None or unix_ms >= found.until_ms or not found.uses_left:
            return None
        found.uses_left -= 1
        return found.key

    def _next(self, scope: str, unix_ms: int) -> _InUse:
        from_ms, until_ms = self._period_of(Scope.parse(scope).retention_class).span(unix_ms)
        reserve = "SELECT key_id, wrapped FROM data_keys WHERE scope=? AND from_ms=? AND until_ms=? AND reserved<=?"
        row = self._rows(reserve + " LIMIT 1", scope, from_ms, until_ms, MAX_USES - USES_PER_RESERVATION)
        if row:
            key_id, wrapped = row[0]
            key = self._opened.get(key_id) or self._remember(key_id, self._wrapping_key.unwrap(wrapped))
            self._rows("UPDATE data_keys SET reserved=reserved+? WHERE key_id=?", USES_PER_RESERVATION, key_id)
        else:
            key_id, secret = os.urandom(KEY_ID_BYTES), os.urandom(32)
            wrapped = self._wrapping_key.wrap(secret)
            # Durable when this returns (synchronous=FULL). If we die before, no body was sealed under the key.
            insert = "INSERT INTO data_keys(key_id, scope, from_ms, until_ms, wrapped, reserved) VALUES(?,?,?,?,?,?)"
            self._rows(insert, key_id, scope, from_ms, until_ms, wrapped, USES_PER_RESERVATION)
            key = self._remember(key_id, secret)
        return _InUse(key, until_ms, USES_PER_RESERVATION)

    def _remember(self, key_id: bytes, secret: bytes) -> DataKey:
        with self._lock:
            if len(self._opened) >= _MAX_CACHED:
                del self._opened[next(iter(self._opened))]
            return self._opened.setdefault(key_id, DataKey.of(key_id, secret))

    def _forget(self, doomed: set[bytes]) -> None:
        """Drop keys from memory before they go from disk: whoever needs one of their scopes waits, then makes anew."""
        with self._lock:
            for key_id in doomed:
                self._opened.pop(key_id, None)
            self._in_use = {scope: use for scope, use in self._in_use.items() if use.key.key_id not in doomed}

    def _rows(self, sql: str, *arguments: bytes | str | int) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            raise UnavailableError(f"data key database cannot be used: {error}") from error
