"""A log record becomes an item: an event of an agent by the table, an error by severity, else an event or nothing."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from . import kinds, tool_calls
from .convention import Role
from .facts import facts_of
from .identity import log_item_id
from .log_events import LOG_EVENTS, LOG_SESSION, REPEATED_MESSAGES, LogEvent
from .mapping import Mapped, Sender, agent_of, origin, time_text
from .spans import LogRecord, Value
from .tool_calls import parsed

_ERROR_SEVERITY: Final = 17  # SEVERITY_NUMBER_ERROR
_WARN_SEVERITY: Final = 13
_CLAUDE_CODE: Final = "claude_code."
_BODY_CHARS: Final = 256


def map_logs(records: Iterable[LogRecord], sender: Sender) -> Mapped:
    """Return the items of log records. Never fails: what nobody knows is an event or is counted as skipped."""
    mapped = Mapped()
    for position, record in enumerate(records):
        name = record.event or record.attributes.get("event.name")
        name = name if type(name) is str else ""
        if name in REPEATED_MESSAGES:
            mapped.skipped["repeated_message"] += 1
            continue
        known = LOG_EVENTS.get(name)
        if known is None and "claude_code" in record.source.scope:
            known = LOG_EVENTS.get(_CLAUDE_CODE + name)
        if known is None and sender.unknown == "skip" and record.severity < _ERROR_SEVERITY:
            mapped.skipped["unknown_event"] += 1
            continue
        for item in _items(record, name, known, sender):
            mapped.items.append(item)
            mapped.origins.append(position)
    return mapped


def _items(record: LogRecord, name: str, known: LogEvent | None, sender: Sender) -> list[dict[str, Any]]:
    base = _base(record, known, sender)
    if known is None:
        error = record.severity >= _ERROR_SEVERITY
        return [{"kind": "error" if error else "event.logged", **base, "attributes": _unknown(record, name)}]
    facts = _facts(record.attributes, known.facts)
    if known.kind == "input.received":
        said = facts.get("content")
        attributes: dict[str, Any] = {"channel": "user", "content": kinds.content(said or _body_content(record.body))}
    elif known.kind == "tool.call":
        attributes = _tool_result(facts)
        base["duration_ms"] = kinds.count(facts.get("duration_ms"))
        base["status"] = "error" if attributes["outcome"] == "failed" else "ok"
    elif known.kind == "error":
        attributes = {"error": _failure(facts.get("error")), "where": name}
    else:
        return _model_call(record, facts, base, sender)
    return [{"kind": known.kind, **base, "attributes": attributes}]


def _model_call(
    record: LogRecord, facts: dict[str, Value], base: dict[str, Any], sender: Sender
) -> list[dict[str, Any]]:
    """Return a model call and the tool calls that it asked for."""
    found, _ = facts_of(Role.MODEL, record.attributes)
    found |= facts
    body = parsed(record.body)
    if found.get("output") is None and type(body) is dict:
        found["output"] = body
    base["duration_ms"] = kinds.count(facts.get("duration_ms"))
    calls = tool_calls.find(found["output"]) if "output" in found else []
    items = [{"kind": "model.call", **base, "attributes": kinds.model_attributes(found, {}, calls)}]
    for number, call in enumerate(calls):
        item = {"kind": "tool.call", **base, "attributes": kinds.requested_call(call)}
        item["item_id"] = _id(record, sender, f"call:{number}")
        item["duration_ms"] = None
        items.append(item)
    return items


def _base(record: LogRecord, known: LogEvent | None, sender: Sender) -> dict[str, Any]:
    attributes = record.attributes
    session = next((attributes[name] for name in LOG_SESSION if name in attributes), None)
    return {
        "item_id": _id(record, sender, ""),
        "time": time_text(record.time_ns),
        "agent": agent_of(attributes, record.source.resource, sender),
        "session_id": kinds.label(session),
        "trace_id": record.trace_id,
        "span_id": None,
        "parent_span_id": record.span_id if record.trace_id else None,
        **origin(record.source, known.convention if known else None),
    }


def _id(record: LogRecord, sender: Sender, part: str) -> str:
    said = [record.trace_id, record.span_id, record.event, record.severity, record.body, record.attributes, part]
    return log_item_id(sender.principal, record.time_ns, orjson.dumps(said, option=orjson.OPT_SORT_KEYS))


def _facts(attributes: Mapping[str, Value], names: Mapping[str, tuple[str, ...]]) -> dict[str, Value]:
    return {
        fact: attributes[found]
        for fact, candidates in names.items()
        if (found := next((name for name in candidates if name in attributes), None)) is not None
    }


def _tool_result(facts: Mapping[str, Value]) -> dict[str, Any]:
    failed = facts.get("success") in {False, "false"}
    name, call_id = kinds.label(facts.get("name")), kinds.text(facts.get("call_id"))
    return kinds.call_attributes(
        name or "unnamed",
        call_id,
        parsed(facts.get("arguments")),
        "executed",
        outcome="failed" if failed else "succeeded",
        error=_failure(facts.get("error")) if failed else None,
    )


def _failure(message: Value) -> dict[str, str]:
    return {"type": "error", "message": kinds.text(message) or ""}


def _body_content(body: Value) -> Value:
    found: Value = parsed(body)
    return found.get("content", found) if type(found) is dict else found


def _unknown(record: LogRecord, name: str) -> dict[str, Any]:
    attributes, severity = record.attributes, record.severity
    if severity >= _ERROR_SEVERITY:
        body = kinds.text(record.body) or ""
        kind = kinds.label(attributes.get("exception.type")) or "error"
        message = kinds.text(attributes.get("exception.message")) or body
        return {"error": {"type": kind, "message": message}, "where": kinds.text(name) or record.source.scope or None}
    data: dict[str, Any] = {"name": name, "scope": record.source.scope, "attributes": kinds.plain(attributes)}
    if type(record.body) is str and len(record.body) <= _BODY_CHARS:
        data["body"] = record.body
    return {"event_type": "log", "level": "warning" if severity >= _WARN_SEVERITY else "info", "data": data}
