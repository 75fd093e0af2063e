"""Spans and log records as both encodings of OTLP are read: plain values, ids in lower-case hex."""

import math
from base64 import b64encode
from collections import Counter
from typing import Final, Generic, TypeVar

import msgspec

from sealgate.model.limits import MAX_SAFE_INTEGER

Value = str | bool | int | float | list["Value"] | dict[str, "Value"] | None
"""An attribute's value. Bytes are base64 text; integers beyond 2^53 and numbers that are none are decimal text."""

Attributes = dict[str, Value]

UNSET: Final = 0
OK: Final = 1
ERROR: Final = 2
"""Codes of a span's status."""

LAST_NS: Final = 253_402_300_799_999_999_999
"""The last nanosecond of the year 9999: what RFC 3339 can say."""

NO_TRACE_ID: Final = "invalid_trace_id"
NO_SPAN_ID: Final = "invalid_span_id"
NO_TIME: Final = "invalid_time"
TOO_MANY: Final = "too_many_attributes"
TOO_DEEP: Final = "too_deep"
MALFORMED: Final = "malformed"
"""Why a span or a log record is rejected."""


class Source(msgspec.Struct, frozen=True):
    """Where spans come from: the resource's attributes, and the instrumentation's name and version."""

    resource: Attributes
    scope: str
    version: str


class Event(msgspec.Struct):
    """Something that happened during a span."""

    name: str
    time_ns: int
    attributes: Attributes


class Span(msgspec.Struct):
    """One span. Times are Unix nanoseconds; ``start_ns`` is never 0."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: int
    start_ns: int
    end_ns: int
    attributes: Attributes
    status: int
    message: str
    events: list[Event]
    links: list[tuple[str, str]]
    source: Source


class LogRecord(msgspec.Struct):
    """One log record. ``event`` is its event name, or empty."""

    trace_id: str | None
    span_id: str | None
    time_ns: int
    event: str
    severity: int
    body: Value
    attributes: Attributes
    source: Source


_T = TypeVar("_T", Span, LogRecord)


class Decoded(Generic[_T]):
    """What a request held: the good ones, and how many were rejected for which reason."""

    __slots__ = ("good", "rejected")

    def __init__(self) -> None:
        self.good: list[_T] = []
        self.rejected: Counter[str] = Counter()


class RejectedError(Exception):
    """This one span or log record is rejected; never leaves the package."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def whole(number: int) -> int | str:
    """Return an integer as JSON can hold it."""
    return number if -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER else str(number)


def real(number: float) -> float | str:
    """Return a number as JSON can hold it; what is none has the name that protobuf's JSON gives it."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def begin(start_ns: int, end_ns: int) -> int:
    """Return when it began; a span that only tells its end began then.

    Raises:
        RejectedError: it has no time, or none that a date can say.
    """
    began = start_ns or end_ns
    if not 0 < began <= LAST_NS:
        raise RejectedError(NO_TIME)
    return began


def base64_text(data: bytes) -> str:
    """Return bytes as JSON can hold them."""
    return b64encode(data).decode("ascii")
