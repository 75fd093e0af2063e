"""The vault's database: SQLite with encrypted pages (SQLCipher, AES-256), durable commits; what is gone is gone.

Trusted: whoever has the file and the database key sees tokens and keyed digests, and needs the wrapping key for values.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlcipher3 import dbapi2

from sealgate.model.errors import ConfigurationError, UnavailableError
from sealgate.ports.vault import StoredLookup, StoredSubject, StoredValue

VERSION: Final = 1

_SCHEMA: Final = f"""
CREATE TABLE subjects(
    token TEXT PRIMARY KEY, key BLOB, state TEXT NOT NULL, created_ms INTEGER NOT NULL, erasure BLOB
) STRICT;
CREATE TABLE stored(
    token TEXT PRIMARY KEY, lookup BLOB NOT NULL, subject TEXT NOT NULL REFERENCES subjects(token),
    kind TEXT NOT NULL, sealed BLOB NOT NULL, known INTEGER NOT NULL, UNIQUE(lookup, subject)
) STRICT;
CREATE INDEX by_subject ON stored(subject);
CREATE TABLE lookups(
    lookup_id TEXT PRIMARY KEY, token TEXT NOT NULL, requester TEXT NOT NULL, reason TEXT NOT NULL,
    state TEXT NOT NULL, expires_ms INTEGER NOT NULL, decided_by TEXT
) STRICT;
CREATE INDEX by_state ON lookups(state, expires_ms);
CREATE TABLE version(number INTEGER NOT NULL) STRICT;
INSERT INTO version VALUES(1);
PRAGMA user_version = {VERSION};
"""
_VALUE: Final = "SELECT token, lookup, subject, kind, sealed, known FROM stored"
_SUBJECT: Final = "SELECT token, key, state, created_ms, erasure FROM subjects"
_LOOKUP: Final = "SELECT lookup_id, token, requester, reason, state, expires_ms, decided_by FROM lookups"


class SqlcipherVault:
    """The store (ports.vault.VaultStore) of the one vault process."""

    def __init__(self, path: Path, key: bytes) -> None:
        if not path.is_file():
            raise ConfigurationError(f"vault database `{path}` does not exist", hint="`sealgate vault init` creates it")
        self._path = path
        self._lock = threading.Lock()
        self._database = _connect(path, key)
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            self._database.close()
            hint = f"this program knows version {VERSION}"
            raise ConfigurationError(f"vault database `{path}` has version {version}", hint=hint)
        self.scrub()  # finish a removal that a crash interrupted

    @staticmethod
    def create(path: Path, key: bytes) -> None:
        """Make a new empty database of mode 0600, durable on return.

        Raises:
            ConfigurationError: it exists.
        """
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError as error:
            raise ConfigurationError(f"vault database `{path}` exists", hint="it is never overwritten") from error
        database = _connect(path, key)
        database.executescript(_SCHEMA)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Begin; commit durably at the end, or undo everything when an error leaves it."""
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield
                self._database.execute("COMMIT")
            except dbapi2.Error as error:
                raise UnavailableError(f"vault database cannot be used: {error}") from error
            finally:
                if self._database.in_transaction:
                    self._database.rollback()

    def add_subject(self, subject: StoredSubject) -> None:
        """Add a new subject."""
        row = (subject.token, subject.key, subject.state, subject.created_ms, subject.erasure)
        self._rows("INSERT INTO subjects VALUES(?,?,?,?,?)", *row)

    def subject(self, token: str) -> StoredSubject | None:
        """Return a subject, or None."""
        rows = self._rows(f"{_SUBJECT} WHERE token=?", token)
        return StoredSubject(*rows[0]) if rows else None

    def subjects_in(self, *states: str) -> list[StoredSubject]:
        """Return the subjects in one of these states."""
        return [StoredSubject(*row) for state in states for row in self._rows(f"{_SUBJECT} WHERE state=?", state)]

    def change_subject(self, subject: StoredSubject) -> None:
        """Replace state, key and erasure of a subject."""
        change = "UPDATE subjects SET key=?, state=?, erasure=? WHERE token=?"
        self._rows(change, subject.key, subject.state, subject.erasure, subject.token)

    def add_value(self, value: StoredValue) -> None:
        """Add a new value."""
        row = (value.token, value.lookup, value.subject, value.kind, value.sealed, int(value.known))
        self._rows("INSERT INTO stored VALUES(?,?,?,?,?,?)", *row)

    def by_lookup(self, lookup: bytes) -> list[StoredValue]:
        """Return what is stored of a value, oldest first."""
        return [_value(row) for row in self._rows(f"{_VALUE} WHERE lookup=? ORDER BY rowid", lookup)]

    def by_token(self, token: str) -> StoredValue | None:
        """Return the value of a token, or None."""
        rows = self._rows(f"{_VALUE} WHERE token=?", token)
        return _value(rows[0]) if rows else None

    def values_of(self, subject: str) -> list[StoredValue]:
        """Return all values of a subject, oldest first."""
        return [_value(row) for row in self._rows(f"{_VALUE} WHERE subject=? ORDER BY rowid", subject)]

    def known_values(self) -> Iterator[StoredValue]:
        """Yield the values that are matched in texts."""
        yield from (_value(row) for row in self._rows(f"{_VALUE} WHERE known=1 ORDER BY rowid"))

    def mark_known(self, token: str) -> None:
        """Match this value in texts from now on."""
        self._rows("UPDATE stored SET known=1 WHERE token=?", token)

    def remove_values(self, subject: str) -> int:
        """Remove all values of a subject and the look-ups of their tokens; return how many values."""
        self._rows("DELETE FROM lookups WHERE token IN (SELECT token FROM stored WHERE subject=?)", subject)
        return len(self._rows("DELETE FROM stored WHERE subject=? RETURNING 1", subject))

    def save_lookup(self, lookup: StoredLookup) -> None:
        """Add or replace a look-up."""
        wish = (lookup.lookup_id, lookup.token, lookup.requester, lookup.reason)
        row = (*wish, lookup.state, lookup.expires_ms, lookup.decided_by)
        self._rows("INSERT OR REPLACE INTO lookups VALUES(?,?,?,?,?,?,?)", *row)

    def lookup(self, lookup_id: str) -> StoredLookup | None:
        """Return a look-up, or None."""
        rows = self._rows(f"{_LOOKUP} WHERE lookup_id=?", lookup_id)
        return StoredLookup(*rows[0]) if rows else None

    def lookups_in(self, state: str) -> list[StoredLookup]:
        """Return the look-ups in a state, oldest first."""
        return [StoredLookup(*row) for row in self._rows(f"{_LOOKUP} WHERE state=? ORDER BY expires_ms", state)]

    def version(self) -> int:
        """Return a number that grows whenever the known values change."""
        return int(self._rows("SELECT number FROM version")[0][0])

    def bump_version(self) -> None:
        """Let ``version`` grow."""
        self._rows("UPDATE version SET number=number+1")

    def scrub(self) -> None:
        """Rewrite the file without free pages, then empty the write-ahead log, which held the old pages."""
        with self._lock:
            try:
                self._database.execute("VACUUM")
                busy = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except dbapi2.Error as error:
                raise UnavailableError(f"vault database cannot be rewritten: {error}") from error
        if busy:
            raise UnavailableError("vault database has another reader", hint="close it; one process owns the vault")

    def close(self) -> None:
        """Close the database. Idempotent."""
        with self._lock:
            self._database.close()

    def _rows(self, sql: str, *arguments: bytes | str | int | None) -> list[Any]:
        return list(self._database.execute(sql, arguments).fetchall())


def _connect(path: Path, key: bytes) -> Any:
    try:
        database = dbapi2.connect(str(path), isolation_level=None, check_same_thread=False, timeout=5)
        # The raw key, no derivation. It goes through SQL text in memory only: tracing is never switched on here.
        database.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "temp_store=MEMORY"):
            database.execute(f"PRAGMA {pragma}")
    except dbapi2.OperationalError as error:
        raise UnavailableError(f"vault database `{path}` cannot be opened: {error}") from error
    except dbapi2.DatabaseError as error:
        hint = "is it the key that was made with it?"
        raise ConfigurationError(f"vault database `{path}` does not open with its key", hint=hint) from error
    return database


def _value(row: tuple[Any, ...]) -> StoredValue:
    token, lookup, subject, kind, sealed, known = row
    return StoredValue(token, lookup, subject, kind, sealed, bool(known))
