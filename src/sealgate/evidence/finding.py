"""Finds rows by a name: a record's or item's id, and what belongs to a chain."""

import re
from typing import Any, Final

from sealgate.evidence import filters, reading
from sealgate.evidence.columns import NUMBER_OF
from sealgate.model.records import Kind
from sealgate.ports.evidence import Session

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_MAX_TRACES: Final = 64
_HEX: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)

Values = tuple[Any, ...]
"""All columns of one row."""


def column(row: Values, name: str) -> Any:
    """Return one column of a row."""
    return row[NUMBER_OF[name]]


def by_id(session: Session, text: str) -> Values | None:
    """Return the row of a record or item, or the first item of a batch record; None where there is none."""
    if not _UUID.fullmatch(text):
        return None
    for name in ("id", "record_id"):
        for part in session.parts:
            if part.low is None:
                continue
            sql = f"SELECT journal_index, position FROM {part.relation} WHERE {name} = CAST(? AS UUID)"
            found = session.fetch(f"{sql} ORDER BY 1, 2 LIMIT 1", [text])
            if found:
                key = found[0][0], found[0][1]
                return reading.wide_rows(session, [part], [key]).get(key)
    return None


def referring(session: Session, ids: list[str], limit: int) -> list[Values]:
    """Return the rows that refer to one of these records: outcomes, redeemed permits, approvals."""
    return _where(session, [f"r{name}" for name in ids], _among("refers_to", ids), [], limit)


def of_chain(session: Session, name: str, limit: int) -> list[Values]:
    """Return the rows of the task, session or trace of this name."""
    conditions, values, chains = ["task_id = ?", "session_id = ?"], [name, name], [f"t{name}", f"s{name}"]
    if _HEX.fullmatch(name) and name.strip("0"):
        conditions.append("trace_id = CAST(? AS UUID)")
        values.append(name)
        chains.append("w" + filters.uuid_form(name))
    return _where(session, chains, " OR ".join(conditions), values, limit)


def around(session: Session, rows: list[Values], limit: int) -> list[Values]:
    """Return the rows with what belongs to them by another name, in their order.

    That is: what refers to their decisions and calls, and what was captured in the same traces without naming a task;
    never what names another task.
    """
    ids = [column(row, "id") for row in rows if column(row, "kind") in {Kind.DECISION, Kind.TOOL_CALL}]
    traces = list(dict.fromkeys(found for row in rows if (found := column(row, "trace_id")) is not None))[:_MAX_TRACES]
    tasks = list({found for row in rows if (found := column(row, "task_id")) is not None})
    where: list[str] = []
    values: list[Any] = []
    if ids:
        where.append(_among("refers_to", ids))
    if traces:
        where.append(f"({_among('trace_id', traces)} AND (task_id IS NULL OR list_contains(?, task_id)))")
        values.append(tasks)
    if where and len(rows) < limit:
        chains = [*(f"r{name}" for name in ids), *(f"w{trace}" for trace in traces)]
        rows = [*rows, *_where(session, chains, " OR ".join(where), values, limit)]
    unique = {row[:2]: row for row in rows}
    return [unique[key] for key in sorted(unique)][:limit]


def _among(name: str, ids: list[str]) -> str:
    """Return a condition in constants, which the store's statistics can exclude; only what is a UUID is in it."""
    constants = ", ".join(f"CAST('{text}' AS UUID)" for text in ids if _UUID.fullmatch(text))
    return f"{name} IN ({constants})" if constants else "false"


def _where(session: Session, chains: list[str], where: str, values: list[Any], limit: int) -> list[Values]:
    ranges = session.ranges(chains) if chains else []
    return reading.rows_where(session, ranges, where, values, limit) if ranges else []
