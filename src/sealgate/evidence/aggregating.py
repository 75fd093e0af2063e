"""Aggregates: groups of rows and what is counted or measured of them."""

from typing import Any, Final

from sealgate.evidence import filters
from sealgate.evidence.answers import Filter, Table
from sealgate.evidence.columns import GROUPABLE
from sealgate.evidence.reading import rfc3339
from sealgate.model.errors import InputError
from sealgate.ports.evidence import EvidenceStore

MAX_GROUPS: Final = 10_000
MAX_GROUP_BY: Final = 4

_TIMES: Final = ("minute", "hour", "day", "week", "month")
_LISTS: Final = {"policy": "policies", "subject": "subjects"}
MEASURES: Final = {
    "count": "count(*)",
    "agents": "count(DISTINCT agent)",
    "tools": "count(DISTINCT tool)",
    "tasks": "count(DISTINCT task_id)",
    "sessions": "count(DISTINCT session_id)",
    "traces": "count(DISTINCT trace_id)",
    "avg_ms": "avg(duration_us) / 1000",
    "max_ms": "max(duration_us) / 1000",
    "p50_ms": "quantile_cont(duration_us, 0.5) / 1000",
    "p90_ms": "quantile_cont(duration_us, 0.9) / 1000",
    "p95_ms": "quantile_cont(duration_us, 0.95) / 1000",
    "p99_ms": "quantile_cont(duration_us, 0.99) / 1000",
    "input_bytes": "coalesce(sum(input_size), 0)::HUGEINT::DOUBLE",
    "output_bytes": "coalesce(sum(output_size), 0)::HUGEINT::DOUBLE",
    "tokens_input": "coalesce(sum(tokens_input), 0)::HUGEINT::DOUBLE",
    "tokens_output": "coalesce(sum(tokens_output), 0)::HUGEINT::DOUBLE",
}
"""What may be measured of a group."""


def aggregate(store: EvidenceStore, asked: Filter, *, group_by: tuple[str, ...], measure: str, limit: int) -> Table:
    """Return the groups, largest measure first (times in their order).

    Raises:
        InputError: a group, the measure or the limit is not known.
        UnavailableError: it took too long.
    """
    if measure not in MEASURES:
        raise InputError(f"measure `{measure[:64]}` is unknown", hint=f"one of {', '.join(MEASURES)}")
    if not 1 <= limit <= MAX_GROUPS or len(group_by) > MAX_GROUP_BY or len(set(group_by)) != len(group_by):
        raise InputError(
            "too many groups", hint=f"up to {MAX_GROUP_BY} different ones, and a limit of 1 to {MAX_GROUPS}"
        )
    groups = [_group(name) for name in group_by]
    where, values = filters.condition(asked)
    with store.session() as session:
        parts = filters.parts_within(session.parts, asked)
        if not parts:
            return Table(columns=[*group_by, measure], rows=[] if group_by else [[_nothing(measure)]])
        union = " UNION ALL ".join(f"SELECT * FROM {part.relation} WHERE {where}" for part in parts)
        selected = "".join(f"{group} AS g{number}, " for number, group in enumerate(groups))
        names = ", ".join(f"g{number}" for number in range(len(groups)))
        sql = f"SELECT {selected}{MEASURES[measure]} AS measured FROM ({union})"
        if any(name in _LISTS for name in group_by):  # a list makes one row for each of its values before it is grouped
            sql = f"SELECT {names}, {MEASURES[measure]} AS measured FROM (SELECT *, {selected[:-2]} FROM ({union}))"
        if names:
            order = "g0, measured DESC" if group_by[0] in _TIMES else "measured DESC NULLS LAST"
            sql += f" GROUP BY {names} ORDER BY {order}, {names} LIMIT {limit + 1}"
        rows = session.fetch(sql, values * len(parts))
    shown = [[_value(name, value) for name, value in zip((*group_by, measure), row, strict=True)] for row in rows]
    return Table(columns=[*group_by, measure], rows=shown[:limit], truncated=len(shown) > limit)


def _group(name: str) -> str:
    if name in GROUPABLE:
        return f'"{name}"'
    if name in _TIMES:
        return f"date_trunc('{name}', time)"
    if name in _LISTS:
        return f"unnest({_LISTS[name]})"
    known = sorted({*GROUPABLE, *_TIMES, *_LISTS})
    raise InputError(f"nothing is grouped by `{name[:64]}`", hint=f"one of {', '.join(known)}")


def _nothing(measure: str) -> Any:
    return None if measure.endswith("_ms") else 0


def _value(name: str, value: Any) -> Any:
    if name in _TIMES and value is not None:
        return rfc3339(value) if hasattr(value, "hour") else f"{value.isoformat()}T00:00:00.000Z"
    if isinstance(value, float):
        return int(value) if value.is_integer() and not name.endswith("_ms") else round(value, 3)
    return value
