"""The database file of data keys: its schema, opening and migrating it, and rewriting it so that nothing old is left.

Version 1 knew months only; version 2 has the span of each key's period, and is made of it in one transaction.
"""

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sealgate.model.errors import ConfigurationError, UnavailableError
from sealgate.model.scopes import Period

VERSION: Final = 2

_TABLE: Final = """
CREATE TABLE data_keys(
    key_id BLOB PRIMARY KEY,
    scope TEXT NOT NULL,
    from_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    reserved INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX by_scope ON data_keys(scope, from_ms);
"""


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
    database.executescript(f"{_TABLE}PRAGMA user_version = {VERSION};")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def open_file(path: Path) -> sqlite3.Connection:
    """Open the database for the one process that writes it; finish what a crash interrupted.

    Raises:
        ConfigurationError: it does not exist, or a newer program made it.
        UnavailableError: it cannot be read or written.
    """
    if not path.is_file():
        raise ConfigurationError(f"data key database `{path}` does not exist", hint="`sealgate init` creates it")
    database = _connect(path)
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version == 1:
        _migrate(database)
    elif version != VERSION:
        database.close()
        hint = f"this program knows versions 1 and {VERSION}"
        raise ConfigurationError(f"data key database `{path}` has version {version}", hint=hint)
    scrub(database, path)  # finish a destruction that a crash interrupted
    return database


def open_reading(path: Path) -> sqlite3.Connection:
    """Open the database to read a few rows; close it at once, because the writer's ``scrub`` waits for readers.

    Raises:
        ConfigurationError: it does not exist, or is of another version.
        UnavailableError: it cannot be read now.
    """
    if not path.is_file():
        raise ConfigurationError(f"data key database `{path}` does not exist", hint="`sealgate init` creates it")
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5)
        version = database.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        raise UnavailableError(f"data key database `{path}` cannot be read: {error}") from error
    if version != VERSION:
        database.close()
        hint = "start the authority once: it brings the file up to date"
        raise ConfigurationError(f"data key database `{path}` has version {version}", hint=hint)
    return database


def _connect(path: Path) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "temp_store=MEMORY"):
            database.execute(f"PRAGMA {pragma}")
    except sqlite3.Error as error:
        raise UnavailableError(f"data key database `{path}` cannot be opened: {error}") from error
    return database


def _migrate(database: sqlite3.Connection) -> None:
    """Bring version 1 to 2, all or nothing: if we die before the commit, the next start finds version 1 again."""
    try:
        database.execute("BEGIN IMMEDIATE")
        old = database.execute("SELECT key_id, scope, month, wrapped, reserved FROM data_keys").fetchall()
        database.execute("DROP TABLE data_keys")
        for statement in _TABLE.split(";\n"):
            database.execute(statement)
        rows = [(key_id, scope, *_span_of(month), wrapped, reserved) for key_id, scope, month, wrapped, reserved in old]
        database.executemany("INSERT INTO data_keys VALUES(?,?,?,?,?,?)", rows)
        database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("COMMIT")
    except sqlite3.Error as error:
        raise UnavailableError(f"data key database cannot be migrated: {error}") from error


def _span_of(month: int) -> tuple[int, int]:
    year, index = divmod(month, 12)
    return Period.MONTH.span(int(datetime(year, index + 1, 1, tzinfo=UTC).timestamp()) * 1000)


def scrub(database: sqlite3.Connection, path: Path) -> None:
    """Rewrite the file without free pages, then empty the write-ahead log, which held the old pages.

    Raises:
        UnavailableError: it cannot be written, or a reader keeps old pages.
    """
    try:
        database.execute("VACUUM")
        busy = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.Error as error:
        raise UnavailableError(f"data key database cannot be rewritten: {error}") from error
    if busy or path.with_name(path.name + "-wal").stat().st_size:
        raise UnavailableError("data key database has a reader that keeps old pages", hint="close it and try again")
