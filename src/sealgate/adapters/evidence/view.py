"""One consistent view of the rows, hot and warm."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sealgate.adapters.evidence.engine import ReadingConnection
from sealgate.adapters.evidence.places import relation
from sealgate.ports.evidence import Part


class View:
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
            self.parts.append(Part(relation(warm, name), low, high, _text(first), _text(last)))

    def ranges(self, names: Sequence[str]) -> list[tuple[int, int]]:
        """Return ranges of indexes that hold all rows of these chains."""
        keys = ", ".join(["md5_number_lower(?)"] * len(names))
        sql = f"SELECT low, high FROM {self._database}.chains WHERE key IN ({keys}) ORDER BY 1"
        return [(low, high) for low, high in self.fetch(sql, list(names))]

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement that only reads."""
        return self._connection.fetch(sql, parameters, timeout_s=self._timeout_s)


def _text(time: object) -> str | None:
    return None if time is None else str(time)
