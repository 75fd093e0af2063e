"""A span becomes items: what it tells of, the calls that a model asked for, and the errors it met.

What a span holds of inputs and outputs goes into ``Content.value`` as it came; the field policy of the site, applied
next, decides what stays. Members that an item leaves out are null or empty (``model.items``). Nothing here drops or
masks anything by itself, and nothing is kept that the table does not name.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal

from . import kinds
from .convention import Role
from .facts import facts_of, role_of
from .identity import item_id
from .spans import ERROR, OK, Source, Span, Value
from .tool_calls import ToolCall

_NS_PER_MS: Final = 1_000_000
_NS_PER_S: Final = 1_000_000_000

_DEPLOYMENT: Final = (
    ("service.name", "service"),
    ("service.version", "version"),
    ("k8s.cluster.name", "cluster"),
    ("service.instance.id", "instance"),
)

AGENT_ATTRIBUTES: Final = ("sealgate.agent.id", "service.name")
"""Where the agent's id is looked for, first on the span, then on its resource."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent the spans, and how they are to be read.

    ``default_agent`` is whom spans belong to that name no agent of theirs. ``unknown`` says what becomes of spans that
    no convention knows.
    """

    principal: str
    default_agent: str
    agent_attributes: tuple[str, ...] = AGENT_ATTRIBUTES
    unknown: Literal["event", "skip"] = "event"


@dataclass(slots=True)
class Mapped:
    """Items, and for each the position of the span (or log record) it came from. Skipped ones are counted by reason."""

    items: list[dict[str, Any]] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def map_spans(spans: Iterable[Span], sender: Sender) -> Mapped:
    """Return the items of spans. Never fails: a span that nobody knows is an event or is counted as skipped."""
    mapped = Mapped()
    origins: dict[int, dict[str, Any]] = {}  # spans of one resource share its members; they are copied for each
    for position, span in enumerate(spans):
        source = span.source
        place = origins.get(id(source))
        if place is None:
            place = origins[id(source)] = origin(source, None)
        items = _items(span, sender, place)
        if not items:
            mapped.skipped["unknown_convention"] += 1
        for item in items:
            mapped.items.append(item)
            mapped.origins.append(position)
    return mapped


def _items(span: Span, sender: Sender, place: dict[str, Any]) -> list[dict[str, Any]]:
    known = role_of(span)
    if known is None and kinds.is_langchain_tool(span.attributes):
        known = Role.TOOL, "langfuse"
    if known is None:
        if sender.unknown == "skip":
            return []
        role, convention = Role.STEP, None
    else:
        role, convention = known
    facts, indexed = facts_of(role, span.attributes)
    if role is Role.STEP and "callback_output" in facts and kinds.is_tool_message(facts["callback_output"]):
        role = Role.TOOL
        facts, indexed = facts_of(role, span.attributes)
    made = kinds.make(role, span, facts, indexed)
    base = _base(span, sender, convention, facts, place)
    items = [_item(base, made.kind, made.attributes)]
    for number, call in enumerate(made.calls):
        items.append(_requested(base, span, sender, call, number))
    if made.kind not in kinds.CARRY_ERRORS and (failure := kinds.failure(span, facts)) is not None:
        items.append(_error(base, span, sender, failure))
    return items


def _item(base: dict[str, Any], kind: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, **base, "attributes": attributes}


def _requested(base: dict[str, Any], span: Span, sender: Sender, call: ToolCall, number: int) -> dict[str, Any]:
    item = _item(base, "tool.call", kinds.requested_call(call))
    item["item_id"] = item_id(sender.principal, span.trace_id, span.span_id, f"call:{number}", span.start_ns)
    item["parent_span_id"] = span.span_id
    item["span_id"] = None
    item["duration_ms"] = item["status"] = None
    return item


def _error(base: dict[str, Any], span: Span, sender: Sender, failure: dict[str, str]) -> dict[str, Any]:
    item = _item(base, "error", kinds.error_attributes(failure, span.name))
    item["item_id"] = item_id(sender.principal, span.trace_id, span.span_id, "error", span.start_ns)
    item["parent_span_id"] = span.span_id
    item["span_id"] = None
    item["duration_ms"] = None
    return item


def _base(
    span: Span, sender: Sender, convention: str | None, facts: dict[str, Value], place: dict[str, Any]
) -> dict[str, Any]:
    end, start = span.end_ns, span.start_ns
    base: dict[str, Any] = {
        "item_id": item_id(sender.principal, span.trace_id, span.span_id, "", start),
        "time": time_text(start),
        "agent": agent_of(span.attributes, span.source.resource, sender),
        "session_id": kinds.label(facts.get("session")),
        "task_id": kinds.label(span.attributes.get("sealgate.task.id")),
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "duration_ms": (end - start) // _NS_PER_MS if end >= start else None,
        "status": "error" if span.status == ERROR else "ok" if span.status == OK else None,
        **place,
        "convention": convention,
    }
    if span.links:
        base["links"] = [{"trace_id": trace_id, "span_id": span_id} for trace_id, span_id in span.links]
    return base


def origin(source: Source, convention: str | None) -> dict[str, Any]:
    """Return the members that all observed items have: how they came, and where the agent runs."""
    resource = source.resource
    made: dict[str, Any] = {"coverage": "observed", "source": "otlp", "convention": convention}
    environment = resource.get("deployment.environment.name") or resource.get("deployment.environment")
    if environment is not None:
        made["environment"] = kinds.label(environment)
    if "cloud.region" in resource:
        made["region"] = kinds.label(resource["cloud.region"])
    deployment = {
        member: kinds.label(resource[attribute]) for attribute, member in _DEPLOYMENT if attribute in resource
    }
    if deployment:
        made["deployment"] = deployment
    return made


def agent_of(attributes: dict[str, Value], resource: dict[str, Value], sender: Sender) -> str:
    """Return whose doing it was, as the sender tells it; the collector checks that the sender may speak for it."""
    for name in sender.agent_attributes:
        found = attributes.get(name) or resource.get(name)
        if type(found) is str and found and not found.startswith("unknown_service"):
            return found
    return sender.default_agent


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def time_text(time_ns: int) -> str:
    """Return a time as items have it."""
    return f"{_second(time_ns // _NS_PER_S)}.{time_ns // _NS_PER_MS % 1000:03d}Z"
