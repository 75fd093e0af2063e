"""Rows out of a view: the wide rows of a few keys, in ranges, as answers."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from sealgate.evidence.answers import ProofState, Row
from sealgate.evidence.columns import NAMES, NUMBER_OF
from sealgate.ports.evidence import Part, Session

Key = tuple[int, int]
"""Journal index and position: the order of all rows, and the name of each."""

Proof = Callable[[int], ProofState]
"""How much is proved of the record at an index."""

_WIDE: Final = ", ".join(
    f'CAST("{name}" AS VARCHAR)' if name in {"id", "record_id", "trace_id", "refers_to"} else f'"{name}"'
    for name in NAMES
)
_SAME: Final = (
    "kind",
    "agent",
    "principal",
    "tool",
    "server",
    "outcome",
    "reason",
    "policy_version",
    "classification",
    "session_id",
    "task_id",
    "refers_to",
    "request_id",
    "model",
    "tokens_input",
    "tokens_output",
    "source",
    "region",
    "environment",
    "retention_class",
    "text",
)


def wide_rows(session: Session, parts: Sequence[Part], keys: Sequence[Key]) -> dict[Key, tuple[Any, ...]]:
    """Return all columns of the rows named by ``keys``."""
    found: dict[Key, tuple[Any, ...]] = {}
    for part in parts:
        if part.low is None or part.high is None:
            continue
        wanted = [key for key in keys if part.low <= key[0] <= part.high]
        if wanted:
            indexes = sorted({index for index, _ in wanted})
            named = set(wanted)
            sql = f"SELECT {_WIDE} FROM {part.relation} WHERE journal_index BETWEEN ? AND ?"
            sql += f" AND journal_index IN ({', '.join(str(int(index)) for index in indexes)})"
            for row in session.fetch(sql, [indexes[0], indexes[-1]]):
                if row[:2] in named:
                    found[row[0], row[1]] = row
    return found


def rows_where(
    session: Session, ranges: Sequence[tuple[int, int]], where: str, values: Sequence[Any], limit: int
) -> list[tuple[Any, ...]]:
    """Return all columns of the rows in these ranges of indexes that meet a condition, oldest first, up to a limit."""
    found: list[tuple[Any, ...]] = []
    for part in reversed(session.parts):
        if part.low is None or part.high is None:
            continue
        for low, high in merged(ranges):
            first, last = max(low, part.low), min(high, part.high)
            if first <= last and len(found) < limit:
                sql = f"SELECT {_WIDE} FROM {part.relation} WHERE journal_index BETWEEN ? AND ? AND ({where})"
                order = f" ORDER BY journal_index, position LIMIT {limit - len(found)}"
                found += session.fetch(sql + order, [first, last, *values])
    found.sort(key=lambda row: row[:2])
    return found


def merged(ranges: Sequence[tuple[int, int]], gap: int = 2048) -> list[tuple[int, int]]:
    """Return the ranges in order, those joined that overlap or nearly touch."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + gap:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return joined


def answer(values: Sequence[Any], proof: Proof) -> Row:
    """Return a row of all columns as it is answered."""

    def of(name: str) -> Any:
        return values[NUMBER_OF[name]]

    duration = of("duration_us")
    return Row(
        id=of("id"),
        record_id=of("record_id"),
        index=of("journal_index"),
        position=of("position"),
        time=rfc3339(of("time")),
        policies=of("policies") or [],
        subjects=of("subjects") or [],
        trace_id=None if of("trace_id") is None else of("trace_id").replace("-", ""),
        span_id=_span(of("span_id")),
        parent_span_id=_span(of("parent_span_id")),
        duration_ms=None if duration is None else duration / 1000,
        input_size_bytes=of("input_size"),
        output_size_bytes=of("output_size"),
        coverage=of("coverage") or "enforced",
        rest=orjson.loads(of("rest") or "{}"),
        proof_state=proof(of("journal_index")),
        **{name: of(name) for name in _SAME},
    )


def rfc3339(time: datetime | None) -> str:
    """Return a time of the store as RFC 3339 with milliseconds."""
    return "" if time is None else time.isoformat(timespec="milliseconds") + "Z"


def _span(number: int | None) -> str | None:
    return None if number is None else f"{number:016x}"
