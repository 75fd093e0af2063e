"""The warm segments: older rows in encrypted Parquet, each file under a key of its own."""

import os
from collections.abc import Sequence
from pathlib import Path

from sealgate.adapters.durable import sync_directory
from sealgate.adapters.evidence import tables
from sealgate.adapters.evidence.engine import Engine
from sealgate.adapters.evidence.hot import Hot
from sealgate.adapters.evidence.places import WARM, key_name, relation


class Segments:
    """The warm segments of a store. Whoever calls holds the store's lock for writing."""

    def __init__(self, directory: Path, engine: Engine, hot: Hot, rows: int) -> None:
        self._directory = directory
        self._engine = engine
        self._hot = hot
        self._rows = rows

    def roll(self, *, everything: bool = False) -> int:
        """Move the oldest rows into a warm segment when there are enough; return how many segments were made."""
        made = 0
        while (bound := self._roll_bound(everything=everything)) is not None:
            where = f"FROM {self._hot.database}.rows WHERE journal_index <= {bound}"
            self.move([], f"SELECT {tables.NAMES} {where}", f"DELETE {where}")
            made += 1
        if made:
            self._compact()
            self._hot.renew()
        return made

    def _roll_bound(self, *, everything: bool) -> int | None:
        """Return the last index of the next segment, or None when nothing is to be rolled."""
        months = self._hot.months()
        count = months.total()
        if not count:
            return None
        rows = f"FROM {self._hot.database}.rows"
        if count >= 2 * self._rows or (everything and count > self._rows):
            sql = f"SELECT journal_index {rows} ORDER BY 1 LIMIT 1 OFFSET {self._rows - 1}"
            return int(self._engine.execute(sql)[0][0])
        if everything:
            return int(self._engine.execute(f"SELECT max(journal_index) {rows}")[0][0])
        newest = max(months)
        if count - months[newest] < max(1, self._rows // 20):
            return None
        bound = self._engine.execute(f"SELECT max(journal_index) {rows} WHERE time < CAST(? AS DATE)", [f"{newest}-01"])
        return None if bound[0][0] is None else int(bound[0][0])

    def _compact(self) -> None:
        """Join neighbouring segments that are small."""
        listed = self._engine.execute(f"SELECT name, rows FROM {self._hot.database}.segments ORDER BY low")
        group: list[str] = []
        size = 0
        for name, rows in [*listed, (None, self._rows)]:
            if size + rows <= self._rows:
                group, size = [*group, name], size + rows
                continue
            if len(group) > 1:
                select = " UNION ALL ".join(f"SELECT * FROM {self.parquet(part)}" for part in group)
                self.move(group, f"SELECT * FROM ({select})", None)
            group, size = [name], rows

    def move(self, old: Sequence[str], select: str, delete: str | None) -> None:
        """Make one segment of ``select`` in the place of segments ``old`` and of the rows that ``delete`` removes."""
        serial = self._engine.execute(f"SELECT serial FROM {self._hot.database}.state")[0][0] + 1
        name, key = f"{serial:08d}.parquet", os.urandom(32)
        self._engine.add_parquet_key(key_name(name), key)
        path = self._directory / WARM / name
        self._engine.write_parquet(f"{select} ORDER BY journal_index, position", path, key_name(name))
        _sync_file(path)
        sync_directory(path.parent)
        # If we die before the commit, the file is in no list: it is removed at the next start, its rows are where
        # they were.
        facts = (
            "count(*), min(journal_index), max(journal_index), min(time), max(time), "
            "min(id) FILTER (id <> record_id), max(id) FILTER (id <> record_id)"
        )
        rows, low, high, first, last, first_id, last_id = self._engine.execute(
            f"SELECT {facts} FROM {self.parquet(name)}"
        )[0]
        with self._hot.transaction() as execute:
            if delete is not None:
                execute(delete)
            if old:
                execute(f"DELETE FROM {self._hot.database}.segments WHERE name IN (SELECT unnest(?))", [list(old)])
            if rows:
                values = [name, key, low, high, rows, first, last, first_id, last_id]
                execute(f"INSERT INTO {self._hot.database}.segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
                execute(
                    f"DELETE FROM {self._hot.database}.chains WHERE high >= {low} AND low <= {high} AND high <= {high}"
                )
                execute(f"INSERT INTO {self._hot.database}.chains {tables.chains_of(self.parquet(name))} ORDER BY 1")
            execute(f"UPDATE {self._hot.database}.state SET serial = {serial}")

    def parquet(self, name: str) -> str:
        """Return a segment as a relation of SQL."""
        return relation(self._directory / WARM, name)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
