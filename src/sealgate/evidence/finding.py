"""Finds rows by a name: a record's or item's id, and what belongs to a chain."""

import re
from typing import Any, Final

from sealgate.evidence import filters, reading
from sealgate.evidence.columns import NUMBER_OF
from sealgate.ports.evidence import Session

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
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
    ranges = session.ranges([f"r{name}" for name in ids])
    where = "refers_to IN (SELECT unnest(CAST(? AS UUID[])))"
    return reading.rows_where(session, ranges, where, [ids], limit) if ranges else []


def of_chain(session: Session, name: str, limit: int) -> list[Values]:
    """Return the rows of the task, session or trace of this name, with those of the traces that they belong to."""
    conditions, values, chains = ["task_id = ?", "session_id = ?"], [name, name], [f"t{name}", f"s{name}"]
    if _HEX.fullmatch(name) and name.strip("0"):
        conditions.append("trace_id = CAST(? AS UUID)")
        values.append(name)
        chains.append("w" + filters.uuid_form(name))
    rows = _where(session, chains, " OR ".join(conditions), values, limit)
    traces = list(dict.fromkeys(found for row in rows if (found := column(row, "trace_id")) is not None))[:64]
    if traces and len(rows) < limit:
        tasks = list({found for row in rows if (found := column(row, "task_id")) is not None})
        # What was captured without naming the task, in the same trace; never what names another task.
        same = "trace_id IN (SELECT unnest(CAST(? AS UUID[]))) AND (task_id IS NULL OR list_contains(?, task_id))"
        rows += _where(session, [f"w{trace}" for trace in traces], same, [traces, tasks], limit)
    unique = {row[:2]: row for row in rows}
    return [unique[key] for key in sorted(unique)][:limit]


def _where(session: Session, chains: list[str], where: str, values: list[Any], limit: int) -> list[Values]:
    ranges = session.ranges(chains)
    return reading.rows_where(session, ranges, where, values, limit) if ranges else []
