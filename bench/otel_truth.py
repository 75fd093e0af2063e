"""Every tool call that occurs in a file of telemetry, found without the code that is measured.

Each string in a file that parses as JSON is parsed, and all objects are looked at, wherever they are: in inputs,
outputs, attributes, message histories, states of a graph. An object is a call if it has one of the shapes below. A span
that ran a tool is a call too. What two places tell of one call is counted once: same call id; or, where one of them has
no id, same name and equal arguments.
"""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

Arguments = Any

_FLAT = re.compile(
    r"(.*(?:tool_calls|function_call)\.?\d*\.(?:tool_call\.)?)(id|name|arguments|function\.name|function\.arguments)"
)
_REACT = re.compile(r"Function Name: (\S+)\nFunction Input: (\{[^\n]*\})")


class Call(NamedTuple):
    """One call."""

    name: str
    arguments: Arguments
    call_id: str | None


def calls_in_trace(trace: dict[str, Any]) -> list[Call]:
    """Return the calls in a Langfuse export."""
    seen: list[Call] = []
    for observation in trace["observations"]:
        metadata = _loaded(observation.get("metadata"))
        attributes = metadata.get("attributes", {}) if isinstance(metadata, dict) else {}
        ran = _ran(observation["name"], observation["type"], attributes, observation.get("input"))
        # A wrapped input is told unwrapped by the message that asked for the call.
        seen += [ran] if ran else []
        seen += _flattened(attributes)
        for place in (observation.get("input"), observation.get("output"), list(attributes.values())):
            seen += _shaped(place)
    return _once(seen)


def calls_in_capture(requests: list[dict[str, Any]]) -> list[Call]:
    """Return the calls in captured OTLP requests."""
    seen: list[Call] = []
    for request in requests:
        for group in request["resourceSpans"]:
            for scoped in group["scopeSpans"]:
                for span in scoped["spans"]:
                    attributes = {pair["key"]: next(iter(pair["value"].values())) for pair in span["attributes"]}
                    ran = _ran(span["name"], "", attributes, attributes.get("gen_ai.tool.call.arguments"))
                    seen += [ran] if ran else []
                    seen += _flattened(attributes) + _shaped(list(attributes.values()))
    return _once(seen)


def _ran(name: str, kind: str, attributes: dict[str, Any], given: Any) -> Call | None:
    """Return the call that a span ran, None if it ran none."""
    tool = attributes.get("gen_ai.tool.name") or attributes.get("tool.name") or attributes.get("ai.toolCall.name")
    is_tool = kind == "TOOL" or attributes.get("openinference.span.kind") == "TOOL" or "gen_ai.tool.name" in attributes
    arguments = _loaded(given)
    if arguments is None and "tool.parameters" in attributes:  # BeeAI, on spans of the tool and of the agent
        arguments = _loaded(attributes["tool.parameters"])
        is_tool = is_tool or tool is not None
    if not is_tool or not isinstance(arguments, dict):
        return None
    if attributes.get("langsmith.span.kind") == "tool" and list(arguments) == ["input"]:
        arguments = arguments["input"]
    beeai = re.fullmatch(r"tool\.(.+)\.(?:start|success)-\d+", name)
    tool = tool or (beeai[1] if beeai else name)
    return Call(tool, arguments, attributes.get("gen_ai.tool.call.id") or attributes.get("ai.toolCall.id"))


def _flattened(attributes: dict[str, Any]) -> list[Call]:
    found: dict[str, dict[str, Any]] = {}
    for key, value in attributes.items():
        match = _FLAT.fullmatch(key)
        if match:
            found.setdefault(match[1], {})[match[2].rpartition(".")[2]] = value
    return [
        Call(call["name"], _loaded(call["arguments"]), call.get("id"))
        for call in found.values()
        if "name" in call and "arguments" in call
    ]


def _shaped(place: Any) -> list[Call]:
    return [call for value in _objects(place) if (call := _shape(value)) is not None]


def _objects(place: Any) -> Iterator[dict[str, Any]]:
    """Yield every object, also those inside JSON text and inside the text of a ReAct prompt."""
    if isinstance(place, str):
        for name, given in _REACT.findall(place):
            yield {"type": "tool_use", "name": name, "input": _loaded(given)}
        loaded = _loaded(place)
        if not isinstance(loaded, str):
            yield from _objects(loaded)
    elif isinstance(place, list):
        for entry in place:
            yield from _objects(entry)
    elif isinstance(place, dict):
        yield place
        for entry in place.values():
            yield from _objects(entry)


def _shape(value: dict[str, Any]) -> Call | None:
    name: Any = None
    arguments: Any = None
    call_id: Any = value.get("id")
    if isinstance(value.get("function"), dict):
        name, arguments = value["function"].get("name"), value["function"].get("arguments")
    elif isinstance(value.get("function_call"), dict):
        name, arguments = value["function_call"].get("name"), value["function_call"].get("args")
    elif value.get("type") in ("tool_call", "function_call", "tool_use"):
        name = value.get("name")
        arguments = next((value[key] for key in ("arguments", "args", "input") if key in value), None)
        call_id = value.get("call_id", value.get("id"))
    elif "toolName" in value:
        name, arguments, call_id = value["toolName"], value.get("input", value.get("args")), value.get("toolCallId")
    elif {"name", "args", "id"} <= set(value):
        name, arguments = value["name"], value["args"]
    arguments = _loaded(arguments)
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    return Call(name, arguments, call_id if isinstance(call_id, str) else None)


def _loaded(value: Any) -> Any:
    """Return what a text holds: JSON, or a Python literal as some callbacks write it."""
    if not isinstance(value, str) or value[:1] not in "{[":
        return None if value == "null" else value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        pass
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value


def _once(seen: list[Call]) -> list[Call]:
    named = {
        (call.call_id, call.name, json.dumps(call.arguments, sort_keys=True)): call for call in seen if call.call_id
    }
    known = {(name, arguments) for _, name, arguments in named}
    others = {
        (call.name, arguments): call
        for call in seen
        if not call.call_id and (call.name, arguments := json.dumps(call.arguments, sort_keys=True)) not in known
    }
    return [*named.values(), *others.values()]
