"""What is asked of the evidence and what is answered. Every structure has a JSON form by msgspec."""

from typing import Annotated, Any, Literal

import msgspec

from sealgate.model.limits import MAX_SAFE_INTEGER

ProofState = Literal["signed", "included", "witnessed", "timestamped"]
"""How much is proved of a record: signed, in the log, cosigned by the quorum of witnesses, under a time stamp."""

Format = Literal["jsonl", "csv", "parquet", "bundle"]
"""Forms of an export. ``bundle`` is a zip file that ``sealgate-verify`` checks once unpacked."""


Index = Annotated[int, msgspec.Meta(ge=0, le=MAX_SAFE_INTEGER)]
"""A record's index in the journal, which is its leaf index in the log."""


class Filter(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which rows are meant; what is None does not narrow. Times are RFC 3339; ``until`` and ``to_index`` are exclusive.

    ``kind`` may end in ``*``. ``policy`` is one of the determining policies, ``subject`` a subject token. ``text`` is
    looked for in allowed text fields, upper and lower case alike.
    """

    since: str | None = None
    until: str | None = None
    agent: str | None = None
    tool: str | None = None
    kind: str | None = None
    outcome: str | None = None
    reason: str | None = None
    policy: str | None = None
    classification: str | None = None
    subject: str | None = None
    task_id: str | None = None
    trace_id: str | None = None
    session_id: str | None = None
    coverage: str | None = None
    text: str | None = None
    region: str | None = None
    from_index: Index | None = None
    to_index: Index | None = None


class Row(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One row: a record, or one item of a batch record. ``id`` names it; ``record_id`` the record that proves it."""

    id: str
    record_id: str
    index: int
    position: int
    time: str
    kind: str
    agent: str | None = None
    principal: str | None = None
    tool: str | None = None
    server: str | None = None
    outcome: str | None = None
    reason: str | None = None
    policies: list[str] = []
    policy_version: str | None = None
    classification: str | None = None
    subjects: list[str] = []
    session_id: str | None = None
    task_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    refers_to: str | None = None
    request_id: str | None = None
    duration_ms: float | None = None
    input_size_bytes: int | None = None
    output_size_bytes: int | None = None
    model: str | None = None
    tokens_input: int | None = None
    tokens_output: int | None = None
    coverage: str = "enforced"
    source: str | None = None
    region: str | None = None
    environment: str | None = None
    retention_class: str | None = None
    text: str | None = None
    rest: dict[str, Any] = {}
    proof_state: ProofState = "included"


class Page(msgspec.Struct, kw_only=True):
    """One page of a search, newest first; ``next`` continues it, None at the end."""

    rows: list[Row]
    next: str | None


class Table(msgspec.Struct, kw_only=True):
    """Columns and rows of an aggregate; ``truncated`` where ``limit`` left groups out."""

    columns: list[str]
    rows: list[list[Any]]
    truncated: bool = False


class Authorization(msgspec.Struct, kw_only=True):
    """Why a call was allowed or not: the decision, what determined it, who approved."""

    decision: str | None
    reason: str | None
    policies: list[str]
    policy_version: str | None
    method: str | None
    approved_by: list[str] = []
    record_id: str | None = None


class Node(msgspec.Struct, kw_only=True):
    """One step of a decision chain. A call without any decision has no ``authorization``: nothing allowed it."""

    record_id: str
    item_id: str | None
    kind: str
    time: str
    title: str
    agent: str | None
    tool: str | None
    decision: str | None
    authorization: Authorization | None
    proof_state: ProofState
    index: int
    coverage: str
    body: dict[str, Any]
    children: list["Node"] = []


class Trace(msgspec.Struct, kw_only=True):
    """The decision chain of a task, session, trace or record as a tree; ``truncated`` beyond the limit of rows."""

    id: str
    roots: list[Node]
    rows: int
    truncated: bool = False


class Explanation(msgspec.Struct, kw_only=True):
    """One record in plain words, and the facts behind each line."""

    record_id: str
    text: list[str]
    facts: dict[str, Any]


class Status(msgspec.Struct, kw_only=True):
    """How far the store follows the log. ``behind_seconds`` is 0 when nothing published is missing."""

    journal_size: int
    projected: int
    behind_records: int
    behind_seconds: float
    rows_hot: int
    rows_warm: int
