"""What a witness must never forget: for each log the last checkpoint that it cosigned. SQLite, synchronous=FULL.

The database is born together with the key, by ``create``, and is never made anew for an old key: a witness that lost
its state could cosign a second history. Losing the file means retiring the key.

Trusted: whoever can change this file can make the witness cosign a fork.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sealgate.model.errors import ConfigurationError, UnavailableError

_SCHEMA: Final = """
CREATE TABLE witness (id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL, public_key BLOB NOT NULL) STRICT;
CREATE TABLE logs (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL) STRICT;
"""
_BUSY_S: Final = 10.0

Stored = tuple[int, bytes, bytes]
"""(size, root, cosigned note)."""


def create(path: Path, name: str, public_key: bytes) -> None:
    """Make the database of a new witness. Durable on return.

    Raises:
        ConfigurationError: the file exists.
    """
    if path.exists():
        raise ConfigurationError(f"witness database `{path}` exists", hint="a witness is initialized once")
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        connection.execute("INSERT INTO witness VALUES (1, ?, ?)", (name, public_key))
    finally:
        connection.close()


class State:
    """The open database. Several threads and processes may hold it; each change is one immediate transaction."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ConfigurationError(
                f"witness database `{path}` is missing",
                hint="restore it, or retire this witness's key and initialize a new witness",
            )
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=rw",
                uri=True,
                isolation_level=None,
                timeout=_BUSY_S,
                check_same_thread=False,
            )
            self._connection.execute("PRAGMA synchronous=FULL")
            row = self._connection.execute("SELECT name, public_key FROM witness").fetchone()
        except sqlite3.Error as error:
            raise ConfigurationError(f"witness database `{path}` cannot be opened: {error}") from error
        if row is None:
            raise ConfigurationError(f"witness database `{path}` was not initialized completely")
        self.name: str = row[0]
        self.public_key: bytes = row[1]

    def latest(self, origin: str) -> Stored | None:
        """Return what was cosigned last for ``origin``."""
        with self._guard():
            return self._read(origin)

    def advance(self, origin: str, decide: Callable[[Stored | None], Stored]) -> Stored:
        """Replace what is stored by what ``decide`` returns for it, as one atomic and durable step.

        ``decide`` may raise to change nothing. If we die before the commit, nothing happened and nothing was answered;
        if after it, the client asks again from the stored size and gets the cosignature of the same tree.

        Raises:
            UnavailableError: the database cannot be written; nothing may be answered.
        """
        with self._guard():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                stored = decide(self._read(origin))
                self._connection.execute(
                    "INSERT INTO logs VALUES (?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE"
                    " SET size = excluded.size, root = excluded.root, note = excluded.note",
                    (origin, *stored),
                )
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._commit()
            return stored

    def _commit(self) -> None:
        self._connection.execute("COMMIT")

    def _read(self, origin: str) -> Stored | None:
        row = self._connection.execute("SELECT size, root, note FROM logs WHERE origin = ?", (origin,)).fetchone()
        return None if row is None else (int(row[0]), bytes(row[1]), bytes(row[2]))

    @contextmanager
    def _guard(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                if self._connection.in_transaction:
                    self._connection.rollback()
                raise UnavailableError(f"witness database cannot be used: {error}") from error

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()
