"""DuckDB as the evidence service uses it: encrypted, confined to one directory, its settings locked.

Encryption by the httpfs extension (OpenSSL), loaded from its installed package: nothing is copied to a home directory
or fetched (ADR 0130). Temporary files are encrypted too. Files outside of the store's directory cannot be named.
"""

import base64
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import duckdb_extension_httpfs

from sealgate.evidence import stopping
from sealgate.model.errors import ConfigurationError, UnavailableError

_EXTENSION: Final = "extensions/v{version}/httpfs.duckdb_extension"
_PARQUET: Final = (
    "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {level}, PARQUET_VERSION V2, ROW_GROUP_SIZE 16384"
)
_ROW_GROUP: Final = 30_720
"""Rows of a group in the hot database, a multiple of 2048. Each checkpoint of DuckDB writes the last, unfinished group
anew: with its usual 122,880 rows, each row was compressed three to four times (ADR 0200)."""


class Engine:
    """One DuckDB instance. ``execute`` is for the one writer; ``reader`` gives each reader its own connection."""

    def __init__(self, directory: Path, *, memory_mb: int, threads: int) -> None:
        self._connection = duckdb.connect(
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "extension_directory": str(directory / "tmp"),
                "home_directory": str(directory / "tmp"),
                "temp_directory": str(directory / "tmp"),
                "memory_limit": f"{memory_mb}MB",
                "threads": str(threads),
                "preserve_insertion_order": "true",
            }
        )
        self._connection.execute(f"LOAD {quoted(str(_extension()))}")
        self._connection.execute("SET temp_file_encryption=true")
        self._connection.execute(f"SET allowed_directories=[{quoted(str(directory) + '/')}]")
        self._connection.execute("SET enable_external_access=false")
        self._connection.execute("SET lock_configuration=true")

    def attach(self, path: Path, name: str, key: bytes) -> None:
        """Open or make an encrypted database under ``name``.

        Raises:
            UnavailableError: it does not open with the key; the message holds neither key nor SQL.
        """
        secret = base64.b64encode(key).decode()
        options = f"ENCRYPTION_KEY '{secret}', ENCRYPTION_CIPHER 'GCM', ROW_GROUP_SIZE {_ROW_GROUP}"
        try:
            self._connection.execute(f"ATTACH {quoted(str(path))} AS {name} ({options})")
        except duckdb.Error:
            hint = "its key file may be of another copy; the store can be rebuilt from the journal"
            raise UnavailableError(f"evidence database `{path.name}` does not open", hint=hint) from None

    def add_parquet_key(self, name: str, key: bytes) -> None:
        """Make a key known for encrypted Parquet files."""
        try:
            self._connection.execute(f"PRAGMA add_parquet_key('{name}', '{base64.b64encode(key).decode()}')")
        except duckdb.Error:
            raise UnavailableError("the key of a Parquet segment cannot be used") from None

    def write_parquet(self, select: str, path: Path, key_name: str, level: int = 9) -> None:
        """Write the rows of a query into a new encrypted file; not synced yet."""
        options = f"{_PARQUET.format(level=level)}, ENCRYPTION_CONFIG {{footer_key: '{key_name}'}}"
        self.execute(f"COPY ({select}) TO {quoted(str(path))} ({options})")

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement of ours on the writer's connection.

        Raises:
            UnavailableError: disk or memory failed.
        """
        return _run(self._connection, sql, parameters)

    def register(self, name: str, table: object) -> None:
        """Show an Arrow table as a view to the writer's connection."""
        self._connection.register(name, table)

    def unregister(self, name: str) -> None:
        """Take the view away."""
        self._connection.unregister(name)

    def reader(self) -> "ReadingConnection":
        """Return a connection of its own."""
        return ReadingConnection(self._connection.cursor())

    def close(self) -> None:
        """Close the instance. Idempotent."""
        self._connection.close()


class ReadingConnection:
    """One reader's connection, with a transaction as long as its view and a deadline for each statement."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        _run(connection, "BEGIN TRANSACTION READ ONLY", ())

    def fetch(self, sql: str, parameters: Sequence[Any] = (), *, timeout_s: float = 60.0) -> list[tuple[Any, ...]]:
        """Run one statement; interrupted after ``timeout_s``, and when its question is told to stop.

        Raises:
            UnavailableError: too slow, too large, told to stop, or the disk failed.
        """
        timer = threading.Timer(timeout_s, self._connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            with stopping.stoppable(self._connection.interrupt):
                return _run(self._connection, sql, parameters)
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the view."""
        self._connection.close()


def quoted(text: str) -> str:
    """Return an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _extension() -> Path:
    package = Path(duckdb_extension_httpfs.__file__).parent
    path = package / _EXTENSION.format(version=duckdb.__version__)
    if not path.is_file():
        raise ConfigurationError(
            f"there is no DuckDB extension for version {duckdb.__version__}",
            hint="install the extra `evidence` with its locked versions",
        )
    return path


def _run(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    try:
        return connection.execute(sql, list(parameters)).fetchall()
    except duckdb.InterruptException:
        raise UnavailableError("the query took too long", hint="narrow it: a time range, an agent") from None
    except duckdb.OutOfMemoryException:
        raise UnavailableError("the query needs too much memory", hint="narrow it: a time range, an agent") from None
    except duckdb.Error as error:
        first = str(error).split("\n", 1)[0]
        raise UnavailableError(f"the evidence database failed: {first[:200]}") from None
