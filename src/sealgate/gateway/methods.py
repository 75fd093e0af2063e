"""What each method is: part of the protocol, a list, or something that acts or reads and is therefore decided. Pure.

A method that is in no table is denied: a new one of the specification passes only after somebody has thought about it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sealgate.encoding import canonical
from sealgate.gateway.envelope import Envelope, Members
from sealgate.model.errors import InputError

CALL: Final = "tools/call"

MODERN_KEY: Final = "io.modelcontextprotocol/protocolVersion"
"""Present in the ``_meta`` of every request of the protocol without sessions (2026-07-28)."""

CAPABILITIES_KEY: Final = "io.modelcontextprotocol/clientCapabilities"
SUBSCRIPTION_KEY: Final = "io.modelcontextprotocol/subscriptionId"

PLAIN: Final = frozenset({"initialize", "server/discover", "ping", "logging/setLevel", "resources/unsubscribe"})
"""Requests of a client that neither act nor read anything."""

REMOVED: Final = frozenset(
    {"initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "tasks/result"}
)
"""Methods that the protocol without sessions no longer has."""

LISTS: Final[Mapping[str, str]] = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
"""Lists, by the member of their result."""

FROM_CLIENT: Final = frozenset(
    {
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/progress",
        "notifications/roots/list_changed",
    }
)
FROM_SERVER: Final = frozenset(
    {
        "notifications/cancelled",
        "notifications/message",
        "notifications/progress",
        "notifications/tools/list_changed",
        "notifications/prompts/list_changed",
        "notifications/resources/list_changed",
        "notifications/resources/updated",
        "notifications/elicitation/complete",
        "notifications/tasks/status",
        "notifications/subscriptions/acknowledged",
    }
)
"""Notifications that pass; all others are dropped."""

_CALL_PARAMS: Final = frozenset({"name", "arguments", "_meta", "task", "inputResponses", "requestState"})


@dataclass(frozen=True, slots=True)
class Act:
    """What is asked of the authority for one message: the action's name in policies and its arguments."""

    tool: str
    arguments: Members


def call(params: Members) -> Act:
    """Return what a tool call does.

    Raises:
        InputError: the parameters are not those of a tool call.
    """
    foreign = sorted(set(params) - _CALL_PARAMS)
    if foreign:
        raise InputError(f"the call has an unknown parameter `{foreign[0][:64]}`")
    arguments = params.get("arguments", {})
    if not isinstance(arguments, dict):
        raise InputError("the call's `arguments` are not an object")
    return Act(text(params, "name"), arguments)


def text(params: Members, name: str) -> str:
    """Return a parameter that is a text; InputError where it is none."""
    value = params.get(name)
    if not isinstance(value, str):
        raise InputError(f"the parameter `{name}` is missing or not a text")
    return value


def _uri(params: Members) -> Members:
    return {"uri": text(params, "uri")}


def _prompt(params: Members) -> Members:
    given = params.get("arguments") or {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise InputError("the prompt's `arguments` are not texts")
    pairs = [{"name": name, "value": value} for name, value in sorted(given.items())]
    return {"name": text(params, "name"), "arguments": pairs}


def _completion(params: Members) -> Members:
    reference, argument = params.get("ref"), params.get("argument")
    if not isinstance(reference, dict) or not isinstance(argument, dict):
        raise InputError("the completion has no `ref` or no `argument`")
    named = reference.get("uri") if reference.get("type") == "ref/resource" else reference.get("name")
    if not isinstance(named, str):
        raise InputError("the completion's `ref` names nothing")
    return {"ref": named, "argument": text(argument, "name"), "value": text(argument, "value")}


def _task(params: Members) -> Members:
    return {"task_id": text(params, "taskId"), "params_sha256": digest(params)}


def _nothing(params: Members) -> Members:
    del params
    return {}


def _listen(params: Members) -> Members:
    asked = params.get("notifications")
    uris = asked.get("resourceSubscriptions", []) if isinstance(asked, dict) else []
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        raise InputError("the subscription names no resources as texts")
    return {"uris": uris}


def _sampling(params: Members) -> Members:
    messages, limit = params.get("messages"), params.get("maxTokens")
    if not isinstance(messages, list) or type(limit) is not int:
        raise InputError("the sampling request has no `messages` or no `maxTokens`")
    return {"messages": len(messages), "max_tokens": limit, "params_sha256": digest(params)}


def _elicitation(params: Members) -> Members:
    mode, url = params.get("mode", "form"), params.get("url", "")
    if not isinstance(mode, str) or not isinstance(url, str):
        raise InputError("the elicitation's `mode` or `url` is not a text")
    return {"mode": mode, "message": text(params, "message")[:4000], "url": url, "params_sha256": digest(params)}


def digest(params: Members) -> str:
    """Return lower-case hex SHA-256 of parameters without ``_meta``: binds a decision to what it does not show."""
    rest = {key: value for key, value in params.items() if key != "_meta"}
    return canonical.sha256(canonical.encode_arguments(rest, max_bytes=1 << 24, max_depth=64)).hex()


_Read = Callable[[Members], Members]

GATED: Final[Mapping[str, _Read]] = {
    "resources/read": _uri,
    "resources/subscribe": _uri,
    "prompts/get": _prompt,
    "completion/complete": _completion,
    "subscriptions/listen": _listen,
    "tasks/get": _task,
    "tasks/result": _task,
    "tasks/cancel": _task,
    "tasks/update": _task,
    "tasks/list": _nothing,
}
"""Requests of a client that act or read, besides tool calls: how each one's arguments are made."""

ASKED_BACK: Final[Mapping[str, _Read]] = {
    "sampling/createMessage": _sampling,
    "elicitation/create": _elicitation,
    "roots/list": _nothing,
}
"""Requests of a server to the client's model, person or machine."""


def act(envelope_method: str, params: Members) -> Act | None:
    """Return what a gated method does, or None where nothing of it needs a decision.

    Raises:
        InputError: the parameters are malformed, or the method is not a gated one.
    """
    read = GATED.get(envelope_method) or ASKED_BACK.get(envelope_method)
    if read is None:
        raise InputError(f"method `{envelope_method[:64]}` is not offered through this gate")
    arguments = read(params)
    if envelope_method == "subscriptions/listen" and not arguments["uris"]:
        return None
    return Act(envelope_method, arguments)


def is_modern(message: Envelope) -> bool:
    """Tell whether a request belongs to the protocol without sessions."""
    return MODERN_KEY in message.meta


def input_requests(answer: Mapping[str, Any]) -> list[tuple[str, Members]]:
    """Return (method, parameters) of everything that a server's result asks back of the client.

    Raises:
        InputError: the result is malformed.
    """
    result = answer.get("result")
    if not isinstance(result, dict) or result.get("resultType") != "input_required":
        return []
    asked = result.get("inputRequests") or {}
    if not isinstance(asked, dict):
        raise InputError("the server's `inputRequests` are not an object")
    found = []
    for item in asked.values():
        if not isinstance(item, dict) or not isinstance(item.get("method"), str):
            raise InputError("the server asks back for something without a method")
        params = item.get("params", {})
        if not isinstance(params, dict):
            raise InputError("the server asks back with parameters that are not an object")
        found.append((item["method"], params))
    return found


def _schema(properties: Mapping[str, Any], optional: tuple[str, ...] = ()) -> Members:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required}


_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "integer"}
_PAIRS: Final = {"type": "array", "items": _schema({"name": _TEXT, "value": _TEXT})}
_TASK: Final = {"task_id": _TEXT, "params_sha256": _TEXT}

DEFINITIONS: Final[Mapping[str, Members]] = {
    "resources/read": _schema({"uri": _TEXT}),
    "resources/subscribe": _schema({"uri": _TEXT}),
    "prompts/get": _schema({"name": _TEXT, "arguments": _PAIRS}),
    "completion/complete": _schema({"ref": _TEXT, "argument": _TEXT, "value": _TEXT}),
    "subscriptions/listen": _schema({"uris": {"type": "array", "items": _TEXT}}),
    **{f"tasks/{name}": _schema(_TASK) for name in ("get", "result", "cancel", "update")},
    "tasks/list": _schema({}),
    "sampling/createMessage": _schema({"messages": _NUMBER, "max_tokens": _NUMBER, "params_sha256": _TEXT}),
    "elicitation/create": _schema({"mode": _TEXT, "message": _TEXT, "url": _TEXT, "params_sha256": _TEXT}),
    "roots/list": _schema({}),
}
"""The gated methods as a policy directory declares them (``tools/mcp.json``)."""


def definitions() -> list[Members]:
    """Return the gated methods in the form of a tools/list result."""
    return [
        {"name": name, "description": f"The method {name} of an MCP server.", "inputSchema": schema}
        for name, schema in sorted(DEFINITIONS.items())
    ]
