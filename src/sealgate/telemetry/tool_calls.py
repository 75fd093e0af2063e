"""Tool calls in what a model answered, in the shape of every provider and framework that we know.

The shapes: OpenAI (``tool_calls`` with ``function``; ``function_call``; items of the Responses API), Anthropic
(``tool_use``), Gemini (``function_call`` with ``args``), LangChain (``name``, ``args``), GenAI message parts
(``tool_call``), Vercel (``toolName``, ``toolCallId``). Definitions of tools look much alike; they have no arguments.
"""

import ast
from typing import Any, Final, NamedTuple

import orjson

from sealgate.encoding.canonical import encode_arguments
from sealgate.model.errors import EncodingError, SealgateError

MAX_CALLS: Final = 128
"""Calls that one answer of a model may ask for; what is beyond is not read."""

_LITERAL_CHARS: Final = 4096
_MAX_LEVELS: Final = 12
_MAX_VALUES: Final = 4096  # objects and arrays that are looked at in one answer
_OPAQUE: Final = frozenset({"tools", "tool_definitions", "functions", "arguments", "args", "parameters", "input"})
"""Members that are not searched: definitions, and the arguments of calls already found."""

_WRITTEN_OUT: Final = frozenset({"tool_calls", "tool_call"})


class ToolCall(NamedTuple):
    """A call that a model asked for. ``arguments`` is None where nobody told them."""

    name: str
    call_id: str | None
    arguments: Any


def parsed(value: object) -> Any:
    """Return what JSON text holds; any other value, and text that is no JSON object or array, as it is."""
    if type(value) is not str or not value or value[0] not in "{[ \n\t" or value == "{}":
        return {} if value == "{}" else value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def python_literal(value: object) -> Any:
    """Return the object that a text holds as Python writes it (LangChain's callbacks); any other value as it is."""
    if type(value) is not str or not value.startswith("{'") or len(value) > _LITERAL_CHARS:
        return value
    try:
        found = ast.literal_eval(value)
        encode_arguments(found)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, SealgateError):
        return value
    return found


def may_hold_calls(text: str) -> bool:
    """Tell whether a search in this text can find anything: cheaper than parsing it."""
    return "tool" in text or "unction" in text


def find(value: object) -> list[ToolCall]:
    """Return the calls in a model's answer, each once, in order."""
    found: dict[tuple[str, ...], ToolCall] = {}
    _Search(found).walk(value, _MAX_LEVELS)
    return list(found.values())


def merged(*groups: list[ToolCall]) -> list[ToolCall]:
    """Return calls from several places of one answer, each once: what comes first has the better data."""
    found: dict[tuple[str, ...], ToolCall] = {}
    for group in groups:
        for call in group:
            _add(found, call)
    return list(found.values())


def _add(found: dict[tuple[str, ...], ToolCall], call: ToolCall) -> None:
    key = (call.call_id,) if call.call_id else (call.name, _text_of(call.arguments))
    known = found.get(key)
    if (len(found) < MAX_CALLS) if known is None else (known.arguments is None):
        found[key] = call


def _text_of(arguments: object) -> str:
    try:
        return encode_arguments(arguments).decode()  # type: ignore[arg-type]  # JSON values only, from a parser
    except EncodingError:
        return repr(arguments)


class _Search:
    def __init__(self, found: dict[tuple[str, ...], ToolCall]) -> None:
        self._found = found
        self._left = _MAX_VALUES

    def walk(self, value: object, levels: int) -> None:
        if type(value) is str:
            if may_hold_calls(value):
                inner = parsed(value)
                if type(inner) is not str:
                    self.walk(inner, levels - 1)
            return
        self._left -= 1
        if levels <= 0 or self._left <= 0:
            return
        if type(value) is list:
            for entry in value:
                if type(entry) is dict or type(entry) is list:
                    self.walk(entry, levels - 1)
        elif type(value) is dict:
            self._object(value, levels)

    def _object(self, value: dict[str, Any], levels: int) -> None:
        call = as_call(value)
        if call is not None:
            _add(self._found, call)
            return
        for name, member in value.items():
            if type(member) is dict or type(member) is list:
                if name not in _OPAQUE:
                    self.walk(member, levels - 1)
            elif name == "content" and value.get("finish_reason") in _WRITTEN_OUT:
                self.walk(member, levels - 1)  # Koog writes the calls as JSON text where an answer's text would be


def as_call(value: dict[str, Any]) -> ToolCall | None:
    """Return the call that this object is in any of the shapes, if it is one."""
    function = value.get("function")
    if type(function) is dict and "arguments" in function:
        return _call(function.get("name"), value.get("id"), function["arguments"])
    function = value.get("function_call") or value.get("functionCall")
    if type(function) is dict:
        return _call(function.get("name"), function.get("id"), function.get("args", function.get("arguments")))
    kind = value.get("type")
    if kind in ("tool_use", "server_tool_use"):
        return _call(value.get("name"), value.get("id"), value.get("input"))
    if kind in ("function_call", "mcp_call"):
        return _call(value.get("name"), value.get("call_id", value.get("id")), value.get("arguments"))
    if kind == "tool_call":
        return _call(value.get("name"), value.get("id"), value.get("arguments", value.get("args")))
    if "toolName" in value and ("input" in value or "args" in value):
        return _call(value["toolName"], value.get("toolCallId"), value.get("input", value.get("args")))
    if "args" in value and "name" in value and "id" in value:
        return _call(value["name"], value["id"], value["args"])
    return None


def _call(name: object, call_id: object, arguments: object) -> ToolCall | None:
    if type(name) is not str or not name:
        return None
    return ToolCall(name, call_id if type(call_id) is str and call_id else None, parsed(arguments))
