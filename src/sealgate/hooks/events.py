"""What a host says about a call, read strictly. Pure: bytes in, an event or an exception out.

Unknown events are refused: a host that renames one must not thereby switch the gate off.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from sealgate.encoding import canonical
from sealgate.hooks.outputs import Phase
from sealgate.model.errors import EncodingError, InputError

HOSTS: Final = ("claude", "codex", "gemini", "copilot", "cursor")

EVENTS: Final[dict[str, dict[str, Phase]]] = {
    "claude": {"PreToolUse": "before", "PostToolUse": "after", "PostToolUseFailure": "after"},
    "codex": {"PreToolUse": "before", "PostToolUse": "after"},
    "gemini": {"BeforeTool": "before", "AfterTool": "after"},
    "copilot": {"preToolUse": "before", "postToolUse": "after"},
    "cursor": {
        "preToolUse": "before",
        "beforeShellExecution": "before",
        "beforeMCPExecution": "before",
        "beforeReadFile": "before",
        "postToolUse": "after",
        "postToolUseFailure": "after",
    },
}
"""Host → its event → before or after the tool's run. These are what ``install`` subscribes to."""

FAILURES: Final = frozenset({"PostToolUseFailure", "postToolUseFailure"})


@dataclass(frozen=True, slots=True)
class Event:
    """One call of one tool, or its end. ``call_id`` is empty where the host has none; ``mcp`` is (server, tool)."""

    host: str
    phase: Phase
    name: str
    tool: str
    arguments: dict[str, Any]
    session: str = ""
    call_id: str = ""
    folder: str = ""
    mcp: tuple[str, str] | None = None
    result: Any = field(default=None)
    failed: bool = False


def read_event(host: str, phase: str, data: bytes) -> Event:
    """Return the event in a host's input.

    Raises:
        InputError: it is not one; the message says what is wrong with it and never repeats its values.
    """
    if host not in EVENTS:
        raise InputError(f"`{host[:20]}` is no host that is known here")
    members = _object(_json(data), "the input")
    name = _name(host, members, phase)
    if name not in EVENTS[host]:
        raise InputError("the event is not known here")
    if EVENTS[host][name] != phase:
        raise InputError(f"the event does not come {phase} a tool's run")
    tool, arguments = _COPILOT if host == "copilot" else _COMMON
    if host == "cursor" and name in _CURSOR_EVENTS:
        called, given = _CURSOR_EVENTS[name], _cursor_arguments(name, members)
    else:
        called, given = _text(members, tool, required=True), _arguments(members.get(arguments))
    return Event(
        host=host,
        phase=EVENTS[host][name],
        name=name,
        tool=called,
        arguments=given,
        session=_first(members, "session_id", "sessionId", "conversation_id"),
        call_id=_first(members, "tool_use_id", "toolUseId", "tool_call_id", "toolCallId"),
        folder=_first(members, "cwd") or _root(members),
        mcp=_mcp(members),
        result=next((members[key] for key in _RESULTS if key in members), None),
        failed=name in FAILURES or _is_failure(members),
    )


_COMMON: Final = ("tool_name", "tool_input")
_COPILOT: Final = ("toolName", "toolArgs")
_RESULTS: Final = ("tool_response", "toolResult", "tool_output", "tool_result", "error")
_CURSOR_EVENTS: Final = {
    "beforeShellExecution": "Shell",
    "beforeMCPExecution": "MCP",
    "beforeReadFile": "Read",
}


def _json(data: bytes) -> Any:
    try:
        return canonical.parse(data, max_bytes=len(data) + 1, max_depth=64)
    except EncodingError as error:
        raise InputError(f"the input is no strict JSON: {error.message}") from error


def _name(host: str, members: dict[str, Any], phase: str) -> str:
    name = _first(members, "hook_event_name", "hookEventName")
    if not name and host == "copilot":  # its input does not name the event
        return "preToolUse" if phase == "before" else "postToolUse"
    return name


def _object(value: Any, what: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise InputError(f"{what} is not an object")
    return value


def _arguments(value: Any) -> dict[str, Any]:
    """Return the arguments; some hosts send them as JSON in a text."""
    if type(value) is str:
        try:
            value = _json(value.encode())
        except (InputError, UnicodeEncodeError):
            return {"text": value}
    if value is None:
        return {}
    return _object(value, "the tool's input")


def _cursor_arguments(name: str, members: dict[str, Any]) -> dict[str, Any]:
    if name == "beforeShellExecution":
        return {"command": _text(members, "command", required=True)}
    if name == "beforeReadFile":
        return {"file_path": _text(members, "file_path", required=True)}
    server = _first(members, "url", "command")
    return {
        "server": server,
        "tool": _text(members, "tool_name", required=True),
        "arguments": _arguments(members.get("tool_input")),
    }


def _text(members: dict[str, Any], name: str, *, required: bool = False) -> str:
    value = members.get(name, "")
    if type(value) is not str or (required and not value):
        raise InputError(f"`{name}` is missing or not a text")
    return value


def _first(members: dict[str, Any], *names: str) -> str:
    return next((value for name in names if (value := _text(members, name) if members.get(name) else "")), "")


def _root(members: dict[str, Any]) -> str:
    roots = members.get("workspace_roots")
    return roots[0] if type(roots) is list and roots and type(roots[0]) is str else ""


def _is_failure(members: dict[str, Any]) -> bool:
    result = members.get("tool_response", members.get("toolResult"))
    if type(result) is not dict:
        return False
    kind = result.get("resultType", "success")
    return bool(result.get("error") or result.get("is_error") or result.get("isError")) or kind in ("failure", "denied")


def _mcp(members: dict[str, Any]) -> tuple[str, str] | None:
    """Return (server, tool) where the host tells them apart from the tool's name."""
    context = members.get("mcp_context")
    if type(context) is not dict:
        return None
    return _text(context, "server_name", required=True), _text(context, "tool_name", required=True)


def digestible(value: Any) -> bytes:
    """Return the bytes whose digest and size stand for a tool's output."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
