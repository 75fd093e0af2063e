"""The hot database: newest rows, and what is known about everything else. Its key file says which one counts."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sealgate.adapters.durable import sync_directory
from sealgate.adapters.evidence import keyfile, tables
from sealgate.adapters.evidence.engine import Engine
from sealgate.adapters.evidence.keyfile import HotKey
from sealgate.adapters.evidence.places import WARM, key_name
from sealgate.adapters.evidence.turnstile import Turnstile
from sealgate.evidence.columns import NUMBER_OF
from sealgate.model.errors import ConfigurationError, UnavailableError
from sealgate.ports.wrapping import WrappingKey

_TIME: Final = NUMBER_OF["time"]
_MONTH_CHARS: Final = len("2026-09")


class Hot:
    """The hot database of a store. Whoever calls holds the store's lock for writing."""

    def __init__(self, directory: Path, wrapping: WrappingKey, engine: Engine, turnstile: Turnstile) -> None:
        self._directory = directory
        self._wrapping = wrapping
        self._engine = engine
        self._turnstile = turnstile
        self._months: Counter[str] | None = None

    def open(self) -> None:
        """Open the database that counts, or make one; remove what a crash left over."""
        found = keyfile.read(self._directory, self._wrapping)
        self._hot = found or HotKey.fresh(0)
        self._forget_files(keep=None if found is None else found.file_name)
        self._attach(self._hot)
        if found is None:
            for statement in tables.statements(self.database):
                self._engine.execute(statement)
            self._engine.execute(f"CHECKPOINT {self.database}")
            keyfile.write(self._directory, self._hot, self._wrapping)
        version = self._engine.execute(f"SELECT version FROM {self.database}.state")[0][0]
        if version != tables.SCHEMA_VERSION:
            hint = "remove the folder; it is rebuilt from the journal"
            raise ConfigurationError(f"the evidence store has version {version}", hint=hint)
        for name, key in self._engine.execute(f"SELECT name, key FROM {self.database}.segments"):
            self._engine.add_parquet_key(key_name(name), key)
        self._forget_segments()

    @property
    def database(self) -> str:
        """The hot database's name in SQL."""
        return f"hot{self._hot.generation}"

    def _attach(self, hot: HotKey) -> None:
        self._engine.attach(self._directory / hot.file_name, f"hot{hot.generation}", hot.key)

    @contextmanager
    def transaction(self, *, adding: Sequence[tuple[Any, ...]] | None = None) -> Iterator[Any]:
        """Run statements together or not at all; they are durable afterwards.

        ``adding``: all that they do to the table of rows is to add these. Without it they may do anything.
        """
        known, self._months = self._months, None  # what a transaction that fails left is for the database to say
        self._engine.execute("BEGIN TRANSACTION")
        try:
            yield self._engine.execute
            self._engine.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(UnavailableError):  # a failed commit has rolled back already
                self._engine.execute("ROLLBACK")
            raise
        if known is not None and adding is not None:
            known.update(row[_TIME][:_MONTH_CHARS] for row in adding)
            self._months = known

    def months(self) -> Counter[str]:
        """Return how many rows are of each month (`2026-09`), by what happened when; rows without a time are of ``""``.

        Asked after each append: so the database counts once, and what is appended since is added in memory.
        """
        if self._months is None:
            sql = f"SELECT coalesce(strftime(time, '%Y-%m'), ''), count(*) FROM {self.database}.rows GROUP BY 1"
            self._months = Counter(dict(self._engine.execute(sql)))
        return self._months

    def renew(self, *, done: bool = False) -> None:
        """Write the hot database anew under a new key: what was deleted has no bytes and no key any more.

        ``done``: the remembered erasures were carried out. The new key file is the commit: a crash before it leaves the
        old database with its erasures, which are then carried out again.
        """
        new = HotKey.fresh(self._hot.generation + 1)
        former = self.database
        path = self._directory / new.file_name
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
            keyfile.write(self._directory, new, self._wrapping)
            self._hot = new
            self._engine.execute(f"DETACH {former}")
            self._forget_files(keep=new.file_name)
            self._forget_segments()

    def _forget_files(self, *, keep: str | None) -> None:
        for path in self._directory.glob("hot-*"):
            if keep is None or not path.name.startswith(keep):
                path.unlink()
        for path in (self._directory / "tmp").iterdir():
            if path.is_file():
                path.unlink()
        sync_directory(self._directory)

    def _forget_segments(self) -> None:
        listed = {name for (name,) in self._engine.execute(f"SELECT name FROM {self.database}.segments")}
        for path in (self._directory / WARM).iterdir():
            if path.name not in listed:
                path.unlink()
        sync_directory(self._directory / WARM)
