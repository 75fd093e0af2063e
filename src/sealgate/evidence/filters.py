"""From a filter to SQL: a condition with parameters, never with the caller's text in it."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sealgate.evidence.answers import Filter
from sealgate.model.errors import InputError
from sealgate.ports.evidence import Part

_EQUAL: Final = (
    "agent",
    "tool",
    "outcome",
    "reason",
    "classification",
    "task_id",
    "session_id",
    "coverage",
    "region",
)
_IN_LIST: Final = {"policy": "policies", "subject": "subjects"}
_TRACE: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_CHAINS: Final = {"task_id": "t", "session_id": "s"}
_MAX_VALUE_CHARS: Final = 512


def condition(asked: Filter) -> tuple[str, list[Any]]:
    """Return the condition of a filter and its parameters.

    Raises:
        InputError: a time or trace id is malformed, or a value is too long.
    """
    parts, values = ["true"], list[Any]()
    for name in _EQUAL:
        if (value := _bounded(asked, name)) is not None:
            parts.append(f"{name} = ?")
            values.append(value)
    for name, column in _IN_LIST.items():
        if (value := _bounded(asked, name)) is not None:
            parts.append(f"list_contains({column}, ?)")
            values.append(value)
    if (kind := _bounded(asked, "kind")) is not None:
        prefix = kind.endswith("*")
        parts.append("starts_with(kind, ?)" if prefix else "kind = ?")
        values.append(kind.removesuffix("*"))
    if asked.trace_id is not None:
        parts.append("trace_id = CAST(? AS UUID)")
        values.append(trace_id(asked.trace_id))
    if (text := _bounded(asked, "text")) is not None:
        parts.append("contains(lower(text), lower(?))")
        values.append(text)
    for bound, part in _bounds(asked):
        parts.append(part)
        values.append(bound)
    return " AND ".join(parts), values


def _bounds(asked: Filter) -> Iterator[tuple[Any, str]]:
    """Yield each bound in time and in the log with its condition."""
    for time, operator in ((asked.since, ">="), (asked.until, "<")):
        if time is not None:
            yield timestamp(time), f"time {operator} CAST(? AS TIMESTAMP)"
    for index, operator in ((asked.from_index, ">="), (asked.to_index, "<")):
        if index is not None:
            yield index, f"journal_index {operator} ?"


def trace_id(text: str) -> str:
    """Return a W3C trace id that is one. Raises InputError otherwise."""
    if not _TRACE.fullmatch(text):
        raise InputError(f"trace id `{text[:64]}` is not 32 lower-case hexadecimal digits")
    return text


def timestamp(text: str) -> str:
    """Return an RFC 3339 time as the store has it. Raises InputError for any other text."""
    try:
        time = datetime.fromisoformat(text)
        offset = time.utcoffset()
        if offset is None and len(text) > len("2026-01-01"):
            raise InputError(f"time `{text[:64]}` names no time zone", hint="end it with Z")
        return (time.replace(tzinfo=None) - offset if offset else time.replace(tzinfo=None)).isoformat(sep=" ")
    except (ValueError, OverflowError):
        raise InputError(f"`{text[:64]}` is not a time", hint="send RFC 3339, as 2026-03-01T00:00:00Z") from None


def chains(asked: Filter) -> list[str]:
    """Return the chains that hold every row of the filter; empty where it names none."""
    found = [mark + value for name, mark in _CHAINS.items() if (value := getattr(asked, name)) is not None][:1]
    if not found and asked.trace_id is not None:
        found = ["w" + uuid_form(trace_id(asked.trace_id))]
    return found


def uuid_form(digits: str) -> str:
    """Return 32 hexadecimal digits in the form of a UUID."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def parts_within(parts: Sequence[Part], asked: Filter) -> list[Part]:
    """Return the parts that may have rows of the filter's time and range."""
    since = None if asked.since is None else timestamp(asked.since)
    until = None if asked.until is None else timestamp(asked.until)
    return [
        part
        for part in parts
        if part.low is not None
        and (asked.to_index is None or part.low < asked.to_index)
        and (asked.from_index is None or part.high is None or part.high >= asked.from_index)
        and (since is None or part.last_time is None or part.last_time[:19] >= since[:19])
        and (until is None or part.first_time is None or part.first_time[:19] <= until[:19])
    ]


def _bounded(asked: Filter, name: str) -> str | None:
    value: str | None = getattr(asked, name)
    if value is not None and len(value) > _MAX_VALUE_CHARS:
        raise InputError(f"`{name}` has {len(value)} characters", hint=f"at most {_MAX_VALUE_CHARS}")
    return value
