"""What is asked of the evidence service and what it answers; the answers' contents are those of the query layer."""

import msgspec

from sealgate.access.desk import Note
from sealgate.access.exports import Ready
from sealgate.evidence.answers import Explanation, Filter, Format, Page, Status, Table, Trace


class Why(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why it is read, and in which role; without a role, in the one that shows most."""

    reason: str | None = None
    role: str | None = None


class SearchRequest(Why, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One page; ``after`` is ``next`` of the page before."""

    filter: Filter = msgspec.field(default_factory=Filter)
    after: str | None = None
    limit: int = 100


class AggregateRequest(Why, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Groups and a measure of each."""

    filter: Filter = msgspec.field(default_factory=Filter)
    group_by: list[str] = []
    measure: str = "count"
    limit: int = 100


class ExportRequest(Why, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All rows of a filter in one form."""

    filter: Filter = msgspec.field(default_factory=Filter)
    format: Format = "jsonl"


class TraceAnswer(msgspec.Struct, frozen=True):
    """A decision chain."""

    trace: Trace
    access: Note


class SearchAnswer(msgspec.Struct, frozen=True):
    """A page of rows."""

    page: Page
    access: Note


class AggregateAnswer(msgspec.Struct, frozen=True):
    """A table."""

    table: Table
    access: Note


class ExplainAnswer(msgspec.Struct, frozen=True):
    """One record in plain words."""

    explanation: Explanation
    access: Note


class ExportAnswer(msgspec.Struct, frozen=True):
    """An export that can be fetched for ten minutes."""

    export: Ready
    access: Note


class StatusAnswer(msgspec.Struct, frozen=True):
    """How far the store follows the log."""

    status: Status
    access: Note
