"""The tables of the hot database, and rows on their way into it.

``chains`` says in which range of journal indexes a task, session, trace or call lies, so that one of them is found in
ten million rows without looking at all of them. Its key is a digest: 8 bytes, never shown, collisions only cost time.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import pyarrow as pa

from sealgate.evidence.columns import COLUMNS

SCHEMA_VERSION: Final = 1
NAMES: Final = ", ".join(f'"{column.name}"' for column in COLUMNS)
INCOMING: Final = "incoming"

_ARROW: Final = {
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "UBIGINT": pa.uint64(),
    "VARCHAR": pa.string(),
    "VARCHAR[]": pa.list_(pa.string()),
}
_FIELDS: Final = pa.schema([(column.name, _ARROW[column.transport or column.sql]) for column in COLUMNS])
CAST: Final = ", ".join(
    f'TRY_CAST("{column.name}" AS {column.sql}) AS "{column.name}"' if column.transport else f'"{column.name}"'
    for column in COLUMNS
)
"""The columns of incoming rows in the types of the store."""

CHAIN_KEYS: Final = (
    "'t' || task_id",
    "'s' || session_id",
    "'w' || CAST(trace_id AS VARCHAR)",
    "'r' || CAST(refers_to AS VARCHAR)",
)


_SEGMENTS: Final = (
    "name VARCHAR, key BLOB, low BIGINT, high BIGINT, rows BIGINT, "
    "first_time TIMESTAMP, last_time TIMESTAMP, first_id UUID, last_id UUID"
)
_PENDING: Final = (
    "record BIGINT, key_ids VARCHAR[], certain BOOLEAN, low BIGINT, high BIGINT, indexes VARCHAR, "
    "class VARCHAR, subject VARCHAR"
)


def statements(database: str) -> list[str]:
    """Return what makes the tables of a new database."""
    columns = ", ".join(f'"{column.name}" {column.sql}' for column in COLUMNS)
    return [
        f"CREATE TABLE {database}.rows({columns})",
        f"CREATE TABLE {database}.chains(key UBIGINT, low BIGINT, high BIGINT)",
        f"CREATE TABLE {database}.segments({_SEGMENTS})",
        f"CREATE TABLE {database}.pending({_PENDING})",
        f"CREATE TABLE {database}.state(version INTEGER, next_index BIGINT, serial BIGINT)",
        f"INSERT INTO {database}.state VALUES ({SCHEMA_VERSION}, 0, 0)",
    ]


TABLES: Final = ("rows", "chains", "segments", "pending", "state")


def table(rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Return rows as an Arrow table."""
    columns: Iterable[tuple[Any, ...]] = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, _FIELDS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=_FIELDS)


def column(name: str, values: Sequence[Any]) -> pa.Table:
    """Return an Arrow table of one column."""
    return pa.table({name: list(values)})


def chains_of(relation: str) -> str:
    """Return the query of (key, low, high) over rows."""
    keys = " UNION ALL ".join(f"SELECT {key} AS name, journal_index FROM {relation}" for key in CHAIN_KEYS)
    return (
        f"SELECT md5_number_lower(name), min(journal_index), max(journal_index) FROM ({keys}) "
        "WHERE name IS NOT NULL GROUP BY ALL"
    )
