"""The columns of the store, in order: names, SQL types, meanings. The reference page is made from it."""

from typing import Final, NamedTuple


class Column(NamedTuple):
    """One column. ``transport`` is the SQL type in which a value travels to the store, where that differs."""

    name: str
    sql: str
    meaning: str
    transport: str | None = None


COLUMNS: Final = (
    Column("journal_index", "BIGINT", "index of the record in the journal and leaf index in the log"),
    Column("position", "INTEGER", "place among the items of a batch record; 0 for a record by itself"),
    Column("id", "UUID", "the record's id, or the item's", "VARCHAR"),
    Column("record_id", "UUID", "the id of the record that proves it", "VARCHAR"),
    Column("time", "TIMESTAMP", "when it happened, UTC", "VARCHAR"),
    Column("kind", "VARCHAR", "what it is about"),
    Column("agent", "VARCHAR", "the agent on whose account"),
    Column("principal", "VARCHAR", "the caller that was proved, who may speak for the agent"),
    Column("tool", "VARCHAR", "the tool that was, or would have been, called"),
    Column("server", "VARCHAR", "the tool's server"),
    Column("outcome", "VARCHAR", "PERMIT, DENY, SILENCE of a decision; what became of an action or an access"),
    Column("reason", "VARCHAR", "the reason code of a decision; why a containment, a gap, an access"),
    Column("policies", "VARCHAR[]", "policies that determined the decision"),
    Column("policy_version", "VARCHAR", "digest of the policy set in force"),
    Column("classification", "VARCHAR", "classification of the data"),
    Column("subjects", "VARCHAR[]", "tokens of the people concerned"),
    Column("session_id", "VARCHAR", "the session"),
    Column("task_id", "VARCHAR", "the task"),
    Column("trace_id", "UUID", "W3C trace id", "VARCHAR"),
    Column("span_id", "UBIGINT", "W3C span id"),
    Column("parent_span_id", "UBIGINT", "W3C id of the parent span"),
    Column("refers_to", "UUID", "the decision or call that an outcome belongs to", "VARCHAR"),
    Column("request_id", "VARCHAR", "the caller's id of its request"),
    Column("duration_us", "BIGINT", "how long it took, in microseconds"),
    Column("input_size", "BIGINT", "bytes that went in"),
    Column("output_size", "BIGINT", "bytes that came out"),
    Column("model", "VARCHAR", "the model that was asked"),
    Column("tokens_input", "BIGINT", "tokens that a model was given"),
    Column("tokens_output", "BIGINT", "tokens that a model gave"),
    Column("coverage", "VARCHAR", "enforced: by the gate; captured: by the SDK; observed: by telemetry"),
    Column("source", "VARCHAR", "how it came: gate, sdk, otlp"),
    Column("region", "VARCHAR", "region"),
    Column("environment", "VARCHAR", "environment"),
    Column("retention_class", "VARCHAR", "retention class"),
    Column("key_id", "UUID", "the data key that opens the body", "VARCHAR"),
    Column("text", "VARCHAR", "allowed text: what a text search looks into"),
    Column("rest", "VARCHAR", "other members of the body, as JSON, without digests and salts"),
)
"""What a row has."""

NAMES: Final = tuple(column.name for column in COLUMNS)
NUMBER_OF: Final = {name: number for number, name in enumerate(NAMES)}

GROUPABLE: Final = frozenset(
    {
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
        "model",
        "coverage",
        "source",
        "region",
        "environment",
        "retention_class",
    }
)
"""Columns that an aggregate may group by, beside ``policy``, ``subject`` and the parts of the time."""
