"""Carries out erasures and expiries: rows that nothing keeps go, rows of held bodies follow these to other keys."""

from typing import Final

from sealgate.adapters.evidence import conditions, tables
from sealgate.adapters.evidence.engine import Engine
from sealgate.adapters.evidence.hot import Hot
from sealgate.adapters.evidence.segments import Segments
from sealgate.evidence import expiry
from sealgate.ports.evidence import Erasure, Remains

_BY_INDEX: Final = "(journal_index IN (SELECT record FROM gone))"


class Forgetting:
    """Forgets rows of a store. Whoever calls holds the store's lock for writing."""

    def __init__(self, engine: Engine, hot: Hot, segments: Segments) -> None:
        self._engine = engine
        self._hot = hot
        self._segments = segments

    def carry_out(self, erasure: Erasure, remains: Remains) -> int:
        """Remove what an erasure is about; return how many rows. Their bytes go with the hot database's renewal."""
        by_key, others = conditions.of_keys(erasure.key_ids), conditions.of_others(erasure)
        self._engine.execute("CREATE OR REPLACE TEMP TABLE gone(record BIGINT)")
        if erasure.indexes is not None and erasure.from_index is not None:
            indexes = list(expiry.named(erasure.indexes, erasure.from_index))
            self._engine.register("wanted", tables.column("record", indexes))
            self._engine.execute("INSERT INTO gone SELECT record FROM wanted")
            self._engine.unregister("wanted")
        segments = self._engine.execute(f"SELECT name FROM {self._hot.database}.segments")
        parts = [(f"{self._hot.database}.rows", None), *((self._segments.parquet(name), name) for (name,) in segments)]
        return sum(self._forget_in(*part, erasure, (by_key, others), remains) for part in parts)

    def _forget_in(
        self, relation: str, name: str | None, erasure: Erasure, where: tuple[str, str], remains: Remains
    ) -> int:
        by_key, others = where
        sql = (
            f"SELECT journal_index, CAST(any_value(key_id) AS VARCHAR), count(*), {_BY_INDEX}, bool_and({by_key}) "
            f"FROM {relation} WHERE {_BY_INDEX} OR ({by_key}) OR ({others}) GROUP BY ALL"
        )
        dead: list[int] = []
        moved: dict[int, str] = {}
        count = 0
        for index, key_id, rows, named, keyed in self._engine.execute(sql):
            key = None if named or (keyed and erasure.certain) else remains(index)
            if key is None:
                dead.append(index)
                count += rows
            elif key != (key_id or "").replace("-", ""):
                moved[index] = key  # a held body lives on under another key: its rows stay
        if dead or moved:
            self._rewrite(relation, name, dead, moved)
        return count

    def _rewrite(self, relation: str, name: str | None, dead: list[int], moved: dict[int, str]) -> None:
        self._engine.execute("CREATE OR REPLACE TEMP TABLE changed(record BIGINT, new_key UUID)")
        numbers, keys = [*dead, *moved], [*([None] * len(dead)), *moved.values()]
        self._engine.register("wanted", tables.column("record", numbers).append_column("new_key", [keys]))
        self._engine.execute("INSERT INTO changed SELECT record, CAST(new_key AS UUID) FROM wanted")
        self._engine.unregister("wanted")
        if name is None:
            set_key = f"UPDATE {relation} SET key_id = new_key FROM changed WHERE journal_index = record"
            with self._hot.transaction() as execute:
                execute(f"{set_key} AND new_key IS NOT NULL")
                gone = "SELECT record FROM changed WHERE new_key IS NULL"
                execute(f"DELETE FROM {relation} WHERE journal_index IN ({gone})")
            return
        kept = tables.NAMES.replace('"key_id"', "coalesce(new_key, key_id) AS key_id")
        joined = f"{relation} LEFT JOIN changed ON record = journal_index"
        self._segments.move([name], f"SELECT {kept} FROM {joined} WHERE record IS NULL OR new_key IS NOT NULL", None)
