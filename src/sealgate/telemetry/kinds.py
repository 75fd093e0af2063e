"""From a span's role and facts to the attributes of an item, one function for each kind."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Final, NamedTuple

import orjson

from sealgate.model.limits import MAX_SAFE_INTEGER

from . import tool_calls
from .convention import KIND_OF_ROLE, Role
from .conventions import NAME_PREFIXES
from .facts import indexed_calls, messages
from .log_events import MESSAGE_EVENTS
from .spans import ERROR, Attributes, Event, Span, Value
from .tool_calls import ToolCall, parsed

CARRY_ERRORS: Final = frozenset({"tool.call", "model.call"})
"""Kinds that hold their error themselves; all others get an ``error`` item beside them."""

_LABEL_CHARS: Final = 256
_CONTENT_LEVELS: Final = 9  # of the 16 that an item has; its own members and those of lists of messages need some
_UNREADABLE: Final = "(nested too deeply to be kept)"
_TEXT_CHARS: Final = 8192
_MAX_PARTS: Final = 32  # so that their ids, titles and digests fit into an item
_MAX_MEMBERS: Final = 64  # variables, parameters
_MAX_PLAIN: Final = 32  # attributes of a span that nobody knows
_PLAIN_CHARS: Final = 256


class Made(NamedTuple):
    """An item's kind and attributes, and the calls that were asked for."""

    kind: str
    attributes: dict[str, Any]
    calls: list[ToolCall]


def make(role: Role, span: Span, facts: dict[str, Value], indexed: dict[str, Value] | None) -> Made:
    """Return what a span of this role becomes."""
    if role is Role.TOOL:
        return Made(KIND_OF_ROLE[role], _executed_call(span, facts), [])
    if role is Role.MODEL:
        return _model_call(span, facts, indexed)
    if role is Role.RETRIEVAL:
        return Made(KIND_OF_ROLE[role], _retrieval(span, facts, indexed), [])
    calls: list[ToolCall] = []
    name, arguments = facts.get("call_name"), parsed(facts.get("call_arguments"))
    if type(name) is str and type(arguments) is dict:
        calls.append(ToolCall(name, None, arguments))
    return Made(KIND_OF_ROLE[role], _event(role, span, facts), calls)


# Tools


def _executed_call(span: Span, facts: dict[str, Value]) -> dict[str, Any]:
    error = failure(span, facts)
    result, arguments = facts.get("result"), parsed(facts.get("arguments"))
    if "langsmith.span.kind" in span.attributes and type(arguments) is dict and list(arguments) == ["input"]:
        arguments = parsed(arguments["input"])  # LangSmith wraps the arguments; nobody else does
    elif "traceloop.span.kind" in span.attributes and type(arguments) is dict:
        arguments = _unwrapped(arguments)
    call_id = facts.get("call_id")
    name = facts.get("name")
    message = _tool_message(result) if "langfuse.observation.output" in span.attributes else None
    if message is not None:
        call_id = call_id or message.get("tool_call_id")
        name = name or message.get("name")
        arguments = tool_calls.python_literal(arguments)
    succeeded = span.status != ERROR and (span.status or result is not None)
    return call_attributes(
        label(name) or _bare_name(span),
        text(call_id),
        arguments,
        "executed",
        tool_type=label(facts.get("tool_type")),
        server=label(facts.get("server")),
        output=content(result),
        outcome="failed" if error is not None else "succeeded" if succeeded else None,
        error=error,
    )


def requested_call(call: ToolCall) -> dict[str, Any]:
    """Return the attributes of a call that a model asked for; whether it was made is another item."""
    return call_attributes(call.name[:_LABEL_CHARS], text(call.call_id), call.arguments, "requested")


_TOOL: Final = {
    "version": None,
    "publisher": None,
    "trust_level": None,
    "verification_score": None,
    "definition_sha256": None,
}  # what only a policy set knows of a tool


def call_attributes(name: str, call_id: str | None, arguments: object, stage: str, **known: Any) -> dict[str, Any]:
    """Return the attributes of a call; ``stage`` tells whether it was made or only asked for."""
    return {
        "extra": {"stage": stage},
        "tool": {**_TOOL, "name": name, "server": known.pop("server", None)},
        "call_id": call_id,
        "input": content(arguments),
        **known,
    }


def _bare_name(span: Span) -> str:
    """Return the tool's name from the span's. BeeAI says it in ``target``: `tool.search.wikipedia.start`."""
    target = span.attributes.get("target")
    if type(target) is str and target.startswith("tool.") and target.count(".") >= 2:
        return target[len("tool.") : target.rindex(".")][:_LABEL_CHARS]
    name = span.name
    for prefix in NAME_PREFIXES:
        if name.startswith(prefix) and len(name) > len(prefix):
            return name[len(prefix) :][:_LABEL_CHARS]
    return name[:_LABEL_CHARS] or "unnamed"


def _unwrapped(arguments: dict[str, Any]) -> Any:
    """Return the arguments inside what Traceloop writes: LangChain's inputs, or what a function was called with."""
    inputs = arguments.get("inputs")
    if type(inputs) is dict and ("input_str" in arguments or "tags" in arguments):
        return inputs
    if set(arguments) == {"args", "kwargs"} and not arguments["args"]:
        return arguments["kwargs"]
    return arguments


def _tool_message(output: Value) -> dict[str, Any] | None:
    """Return the fields of a LangChain ToolMessage, in either of its two written forms, if the output is one."""
    if type(output) is str:
        if '"tool_call_id"' not in output:
            return None
        output = parsed(output)
    if type(output) is not dict:
        return None
    fields = output.get("kwargs") if output.get("type") == "constructor" else output
    return fields if type(fields) is dict and type(fields.get("tool_call_id")) is str else None


def is_tool_message(output: Value) -> bool:
    """Tell whether what a LangChain step gave back is the result of a tool: then the step was that tool."""
    return _tool_message(output) is not None


def is_langchain_tool(attributes: Attributes) -> bool:
    """Tell whether a span without a type is a tool that LangChain ran."""
    output = attributes.get("langfuse.observation.output")
    return output is not None and is_tool_message(output)


# Models


def _model_call(span: Span, facts: dict[str, Value], indexed: dict[str, Value] | None) -> Made:
    sides = messages(indexed) if indexed else {}
    if span.events:
        _add_events(sides, span.events)
    groups = [indexed_calls(indexed) if indexed else [], _calls_in(facts.get("calls"))]
    if not any(groups):
        groups += [
            _calls_in(facts.get("output")),
            _calls_in(sides.get("output")),
            _calls_in(_answers(facts.get("message_events"))),
        ]
    calls = tool_calls.merged(*groups)
    attributes = model_attributes(facts, sides, calls)
    attributes["error"] = failure(span, facts)
    return Made(KIND_OF_ROLE[Role.MODEL], attributes, calls)


def model_attributes(facts: dict[str, Value], sides: Mapping[str, object], calls: Sequence[ToolCall]) -> dict[str, Any]:
    """Return the attributes of a model call. ``sides`` are its messages where they come one by one."""
    output: object = facts.get("output")
    if output is None:
        output = facts.get("calls") or sides.get("output")
    return {
        "operation": label(facts.get("operation")),
        "provider": label(facts.get("provider")),
        "model": label(facts.get("model")),
        "response_model": label(facts.get("response_model")),
        "response_id": text(facts.get("response_id")),
        "template_id": text(facts.get("template_id")),
        "template": content(facts.get("template")),
        "variables": {name: content(value) for name, value in _members(facts.get("variables"))},
        "input": content(facts.get("input") or sides.get("input") or facts.get("message_events")),
        "output": content(output),
        "parameters": _parameters(facts),
        "tool_calls": [(call.call_id or call.name)[:_TEXT_CHARS] for call in calls],
        "tokens": _tokens(facts),
        "finish_reasons": _reasons(facts.get("finish_reasons")),
    }


def _calls_in(value: object) -> list[ToolCall]:
    if value is None or (type(value) is str and not tool_calls.may_hold_calls(value)):
        return []
    return tool_calls.find(value)


def _add_events(sides: dict[str, list[dict[str, Value]]], events: list[Event]) -> None:
    """Take the messages of a span's events, in the form that came before structured attributes."""
    for event in events:
        side = MESSAGE_EVENTS.get(event.name)
        if side is None:
            continue
        if side == "details":
            for name, kept in (("gen_ai.input.messages", "input"), ("gen_ai.output.messages", "output")):
                found = parsed(event.attributes.get(name))
                sides.setdefault(kept, []).extend(found if type(found) is list else [])
        else:
            said = {name: parsed(value) for name, value in event.attributes.items()}
            sides.setdefault(side, []).append(said)


def _answers(value: Value) -> Value:
    """Return those of Logfire's `events` that are answers: the others repeat what was asked."""
    found = parsed(value)
    if type(found) is not list:
        return None
    return [entry for entry in found if type(entry) is dict and entry.get("event.name") == "gen_ai.choice"]


def _parameters(facts: dict[str, Value]) -> dict[str, Any] | None:
    found = {fact.removeprefix("parameter."): value for fact, value in facts.items() if fact.startswith("parameter.")}
    for name, value in _members(facts.get("parameters")):
        if type(value) in {int, float, bool} and fits(value, 0):
            found.setdefault(name, value)
    return found or None


_TOKENS: Final = ("input", "output", "cache_read", "cache_creation", "reasoning")


def _tokens(facts: dict[str, Value]) -> dict[str, int | None] | None:
    found = {name: count(facts.get(f"tokens_{name}")) for name in _TOKENS}
    return found if any(value is not None for value in found.values()) else None


def count(value: Value) -> int | None:
    """Return a count, also from decimal text; None where it is none."""
    if type(value) is str and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    return value if type(value) is int and value >= 0 else None


def _reasons(value: Value) -> list[str]:
    found = parsed(value)
    entries = found if type(found) is list else [found]
    return [entry[:_LABEL_CHARS] for entry in entries if type(entry) is str][:16]


def _members(value: Value) -> list[tuple[str, Any]]:
    found = parsed(value)
    return list(found.items())[:_MAX_MEMBERS] if type(found) is dict else []


# Retrieval


def _retrieval(span: Span, facts: dict[str, Value], indexed: dict[str, Value] | None) -> dict[str, Any]:
    documents: Any = parsed(facts.get("documents"))
    if type(documents) is not list:
        documents = messages(indexed).get("documents", []) if indexed else []
    return {
        "source": text(facts.get("source")) or text(span.name),
        "source_type": "documents" if documents else None,
        "query": content(facts.get("query")),
        "count": len(documents),
        "parts": [_part(document) for document in documents[:_MAX_PARTS]],
        "omitted": max(0, len(documents) - _MAX_PARTS),
    }


def _part(document: object) -> dict[str, Any]:
    known = document if type(document) is dict else {"content": document}
    score = known.get("document.score", known.get("score"))
    return {
        "type": "document",
        "id": label(known.get("document.id", known.get("id"))),
        "title": label(known.get("title")),
        "score": score if (type(score) is float or type(score) is int) and fits(score, 0) else None,
        "content": content(known.get("document.content", known.get("content"))),
    }


# Everything else


def _event(role: Role, span: Span, facts: dict[str, Value]) -> dict[str, Any]:
    """Return an event: which step it was. What it was given and gave back is told by the calls beneath it."""
    data: dict[str, Any] = {"name": span.name[:_TEXT_CHARS], "scope": span.source.scope[:_LABEL_CHARS]}
    for fact in ("agent_name", "agent_id"):
        if fact in facts:
            data[fact] = label(facts[fact])
    if not facts and role is Role.STEP:
        data["attributes"] = plain(span.attributes)
    error = span.status == ERROR
    kind = "agent.invocation" if role is Role.AGENT else "span"
    return {"event_type": kind, "level": "error" if error else "info", "data": data}


def plain(attributes: Attributes) -> dict[str, Value]:
    """Return the short, flat attributes of something that nobody knows; contents are long and stay out."""
    short: dict[str, Value] = {}
    for name, value in attributes.items():
        if len(short) >= _MAX_PLAIN:
            break
        if len(name) <= _PLAIN_CHARS and (
            len(value) <= _PLAIN_CHARS if type(value) is str else value is None or type(value) in {int, float, bool}
        ):
            short[name] = value
    return short


def failure(span: Span, facts: dict[str, Value]) -> dict[str, str] | None:
    """Return what went wrong, by the span's status, its exception or its error type; None where nothing did."""
    exception = next((event for event in span.events if event.name == "exception"), None) if span.events else None
    named = facts.get("error_type")
    if span.status != ERROR and named is None:
        return None  # an exception that the span survived is no failure of it
    known = exception.attributes if exception is not None else {}
    kind = label(named) or label(known.get("exception.type")) or "error"
    message = span.message or known.get("exception.message") or ""
    return {"type": kind, "message": message[:_TEXT_CHARS] if type(message) is str else ""}


def error_attributes(error: dict[str, str], where: str) -> dict[str, Any]:
    """Return the attributes of an ``error`` item."""
    return {"error": error, "where": text(where)}


def content(value: object) -> dict[str, Any] | None:
    """Return a content that still holds its value; digest and size are made when it is redacted.

    What an item cannot hold as JSON (deep nesting, integers beyond 2^53) is kept as JSON text: no call is lost for it.
    """
    if value is None:
        return None
    return {"value": value if fits(value, _CONTENT_LEVELS) else _as_text(value)}


def fits(value: object, levels: int) -> bool:
    """Tell whether a JSON value can be part of an item: so many levels, and numbers that have one form."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is dict:
        return levels > 0 and all(fits(member, levels - 1) for member in value.values())  # type: ignore[attr-defined]  # a dict
    if kind is list:
        return levels > 0 and all(fits(entry, levels - 1) for entry in value)  # type: ignore[attr-defined]  # a list
    if kind is int:
        return -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER  # type: ignore[operator]  # an int
    return kind is float and isfinite(value)  # type: ignore[arg-type]  # a float


def _as_text(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # deeper than anybody writes
        return _UNREADABLE


def label(value: object) -> str | None:
    """Return a short text, None where there is none."""
    if value is None or value == "":
        return None
    if type(value) is str:
        return value[:_LABEL_CHARS]
    return str(value)[:_LABEL_CHARS] if type(value) is int or type(value) is bool else None


def text(value: object) -> str | None:
    """Return a text, None where there is none."""
    if type(value) is str and value:
        return value[:_TEXT_CHARS]
    return str(value) if type(value) is int else None
