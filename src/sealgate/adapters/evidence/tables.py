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
_CAST: Final = {
    column.name: f'TRY_CAST("{column.name}" AS {column.sql})' if column.transport else f'"{column.name}"'
    for column in COLUMNS
}

CHAIN_KEYS: Final = {
    "task_id": "'t' || task_id",
    "session_id": "'s' || session_id",
    "trace_id": "'w' || CAST(trace_id AS VARCHAR)",
    "refers_to": "'r' || CAST(refers_to AS VARCHAR)",
}
"""By column, what a chain is called."""


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
    """Return rows as an Arrow table of those columns that hold something: most kinds leave most columns empty."""
    fields, arrays = [], []
    for field, values in zip(_FIELDS, zip(*rows, strict=True), strict=True):
        if values.count(None) < len(values):
            fields.append(field)
            arrays.append(pa.array(values, field.type))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def cast(names: Iterable[str]) -> str:
    """Return these columns of incoming rows in the types of the store, as SQL."""
    return ", ".join(f'{_CAST[name]} AS "{name}"' for name in names)


def column(name: str, values: Sequence[Any]) -> pa.Table:
    """Return an Arrow table of one column."""
    return pa.table({name: list(values)})


def chains_of(relation: str, names: Iterable[str] = CHAIN_KEYS) -> str:
    """Return the query of (key, low, high) over rows that have these columns, one of CHAIN_KEYS among them."""
    made = (f"SELECT {CHAIN_KEYS[name]} AS name, journal_index FROM {relation}" for name in names if name in CHAIN_KEYS)
    return (
        f"SELECT md5_number_lower(name), min(journal_index), max(journal_index) FROM ({' UNION ALL '.join(made)}) "
        "WHERE name IS NOT NULL GROUP BY ALL"
    )
