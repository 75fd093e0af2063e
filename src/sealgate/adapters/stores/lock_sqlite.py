"""The lock database in SQLite: write-ahead log, ``synchronous=FULL``, one sync for each commit."""

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from sealgate.encoding.canonical import sha256
from sealgate.model.errors import ConfigurationError, ForkError, UnavailableError
from sealgate.ports.lock_database import Held

_SCHEMA: Final = """
CREATE TABLE checkpoints(
    log_id BLOB PRIMARY KEY,
    size   INTEGER NOT NULL,
    body   BLOB NOT NULL,
    fence  INTEGER NOT NULL,
    closed INTEGER NOT NULL
) STRICT
"""
_ADVANCE: Final = "UPDATE checkpoints SET body=?, size=? WHERE log_id=? AND body=? AND size<? AND fence=? AND closed=0"
_FREEZE: Final = "UPDATE checkpoints SET closed=1 WHERE log_id=? AND body=? AND fence=?"
_BUSY_S: Final = 5.0


class SqliteLock:
    """A ``ports.lock_database.LockDatabase`` in one file, for the log ``origin``.

    Raises:
        ConfigurationError: there is no such file, or it does not know the log. It is never made on the way.
        UnavailableError: it cannot be read.
    """

    def __init__(self, path: Path, origin: str) -> None:
        self._log_id = sha256(origin.encode())
        self._mutex = threading.Lock()
        if not path.is_file():
            raise ConfigurationError(
                f"the lock database `{path}` is missing",
                hint="never make a new one for an existing log: find the old one, or continue under a new origin",
            )
        try:
            self._db = _connect(path)
            # A commit whose sync failed may have been found in the write-ahead log: write it anew, and sync that.
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            found = self._db.execute(
                "UPDATE checkpoints SET fence=fence+1 WHERE log_id=? RETURNING fence", (self._log_id,)
            ).fetchall()
        except sqlite3.Error as error:
            raise UnavailableError(f"the lock database `{path}` cannot be used: {error}") from error
        if not found:
            self._db.close()
            raise ConfigurationError(
                f"the lock database `{path}` does not know the log `{origin}`", hint="check the origin"
            )
        self._fence = int(found[0][0])

    @classmethod
    def create(cls, path: Path, origin: str) -> None:
        """Make the lock of a new log, in a new file or beside others; part of ``sealgate init`` only.

        Raises:
            ConfigurationError: the log is already known there.
            UnavailableError: it cannot be written.
        """
        path.touch(mode=0o600)
        try:
            db = _connect(path)
            try:
                with suppress(sqlite3.OperationalError):  # the table exists: another log's lock is there
                    db.execute(_SCHEMA)
                db.execute("INSERT INTO checkpoints VALUES(?, 0, x'', 0, 0)", (sha256(origin.encode()),))
            finally:
                db.close()
        except sqlite3.IntegrityError as error:
            raise ConfigurationError(
                f"the lock of `{origin}` exists in `{path}`", hint="a log is made only once"
            ) from error
        except sqlite3.Error as error:
            raise UnavailableError(f"the lock database `{path}` cannot be made: {error}") from error

    def read(self) -> Held:
        """Return what is held."""
        with self._mutex:
            try:
                row = self._db.execute(
                    "SELECT body, size, closed FROM checkpoints WHERE log_id=?", (self._log_id,)
                ).fetchone()
            except sqlite3.Error as error:
                raise UnavailableError(f"the lock database cannot be read: {error}") from error
        if row is None:
            raise ConfigurationError("the lock database no longer knows the log")
        return Held(bytes(row[0]), int(row[1]), bool(row[2]))

    def advance(self, old: bytes, new: bytes, size: int) -> None:
        """Replace ``old`` by ``new``: the commit point."""
        self._swap(_ADVANCE, (new, size, self._log_id, old, size, self._fence))

    def freeze(self, body: bytes) -> None:
        """Close the log at ``body``."""
        self._swap(_FREEZE, (self._log_id, body, self._fence))

    def _swap(self, statement: str, parameters: tuple[object, ...]) -> None:
        with self._mutex:
            try:
                changed = self._db.execute(statement, parameters).rowcount
            except sqlite3.Error as error:
                raise UnavailableError(f"the lock database cannot be written: {error}") from error
        if changed != 1:
            raise ForkError(
                "the lock holds another checkpoint than ours, or another process took over, or the log is closed",
                hint="stop every other process of this log; then start again, which compares lock and log",
            )

    def close(self) -> None:
        """Close the file."""
        with self._mutex:
            self._db.close()


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_S
    )
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    return db
