"""JSON-RPC 2.0 envelopes as MCP uses them: strict in, exact out. Pure.

A message is parsed once and written anew, so that the peer behind the gate reads the very value that was judged: with
two members of one name, each reader could believe another one. Batches, unknown members and ids that are neither text
nor integer are refused; so is what is too long or too deep.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from sealgate.encoding import canonical
from sealgate.model.errors import EncodingError, InputError

Members = dict[str, Any]
Answer = dict[str, Any]
"""What answers a request: exactly one of the members ``result`` and ``error``."""

Id = str | int

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""One message of a server, in bytes: a large result, and none without bound."""

MAX_CLIENT_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""One message of a client, in bytes. Arguments that are judged have the authority's own, smaller bound."""

MAX_MESSAGE_DEPTH: Final = 96
"""Nesting in one message. Schemas of tools are deeper than arguments."""

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
_LINE_ENDS: Final = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))
"""Characters that some readers take for the end of a line: one message would become two."""

REFUSED: Final = -32001
"""The gate refused a request whose answer has no form for a refusal."""

_REQUEST: Final = frozenset({"jsonrpc", "id", "method", "params"})
_NOTIFICATION: Final = frozenset({"jsonrpc", "method", "params"})
_RESULT: Final = frozenset({"jsonrpc", "id", "result"})
_ERROR: Final = frozenset({"jsonrpc", "id", "error"})

OWN_PREFIX: Final = "sealgate-"
"""Ids of the gateway's own requests. Nobody else may use them."""


class EnvelopeError(InputError):
    """A message is refused. ``code`` is JSON-RPC's; ``id`` is the request's, where it could be read."""

    def __init__(self, message: str, *, code: int = INVALID_REQUEST, request_id: Id | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message. ``members`` is the whole of it; nobody changes it."""

    kind: Literal["request", "notification", "response"]
    members: Members

    @property
    def id(self) -> Id | None:
        """The request's id; None for notifications and for errors about unreadable requests."""
        return self.members.get("id")

    @property
    def method(self) -> str:
        """The method; empty for responses."""
        method: str = self.members.get("method", "")
        return method

    @property
    def params(self) -> Members:
        """The parameters; empty where there are none."""
        params: Members = self.members.get("params", {})
        return params

    @property
    def meta(self) -> Members:
        """``_meta`` of the parameters, empty where there is none."""
        meta = self.params.get("_meta")
        return meta if isinstance(meta, dict) else {}

    @property
    def answer(self) -> Answer:
        """What a response says, without its id."""
        return {key: self.members[key] for key in ("result", "error") if key in self.members}


def parse(data: bytes, *, max_bytes: int = MAX_MESSAGE_BYTES) -> Envelope:
    """Return the message in ``data``.

    Raises:
        EnvelopeError: it is not exactly one well-formed message.
    """
    try:
        value = canonical.parse(data, max_bytes=max_bytes, max_depth=MAX_MESSAGE_DEPTH)
    except EncodingError as error:
        raise EnvelopeError(error.message, code=PARSE_ERROR) from error
    if not isinstance(value, dict):
        raise EnvelopeError("a batch is not taken" if isinstance(value, list) else "the message is not an object")
    return read(value)


def read(value: Members) -> Envelope:
    """Return the message that a strictly parsed object is.

    Raises:
        EnvelopeError: it is none.
    """
    request_id = value.get("id")
    known = request_id if isinstance(request_id, str) or type(request_id) is int else None
    if value.get("jsonrpc") != "2.0":
        raise EnvelopeError('`jsonrpc` is not "2.0"', request_id=known)
    if "method" not in value:
        return _response(value, known)
    if not isinstance(value["method"], str) or not value["method"]:
        raise EnvelopeError("`method` is not a text", request_id=known)
    if "params" in value and not isinstance(value["params"], dict):
        raise EnvelopeError("`params` is not an object", request_id=known)
    if "id" not in value:
        _only(value, _NOTIFICATION, known)
        return Envelope("notification", value)
    if known is None:
        raise EnvelopeError("`id` is neither a text nor an integer")
    _only(value, _REQUEST, known)
    return Envelope("request", value)


def _response(value: Members, known: Id | None) -> Envelope:
    if ("result" in value) == ("error" in value):
        raise EnvelopeError("the message is no request, notification or response", request_id=known)
    if "result" in value:
        _only(value, _RESULT, known)
        if known is None or not isinstance(value["result"], dict):
            raise EnvelopeError("the response has no id, or its result is not an object", request_id=known)
    else:
        _only(value, _ERROR, known)
        error = value["error"]
        if not isinstance(error, dict) or type(error.get("code")) is not int or type(error.get("message")) is not str:
            raise EnvelopeError("the error has no code or message", request_id=known)
    return Envelope("response", value)


def _only(value: Members, allowed: frozenset[str], known: Id | None) -> None:
    foreign = sorted(set(value) - allowed)
    if foreign:
        raise EnvelopeError(f"the message has an unknown member `{foreign[0][:64]}`", request_id=known)


def encode(members: Members) -> bytes:
    """Return the bytes of a message: compact JSON on one line, members in the order they have."""
    data = orjson.dumps(members)
    for raw, escaped in _LINE_ENDS:  # inside of strings, the only place where they can be
        if raw in data:
            data = data.replace(raw, escaped)
    return data


def request(request_id: Id, method: str, params: Members | None = None) -> Envelope:
    """Return a request."""
    members: Members = {"jsonrpc": "2.0", "id": request_id, "method": method}
    if params is not None:
        members["params"] = params
    return Envelope("request", members)


def notification(method: str, params: Members) -> Envelope:
    """Return a notification."""
    return Envelope("notification", {"jsonrpc": "2.0", "method": method, "params": params})


def response(request_id: Id | None, answer: Answer) -> Members:
    """Return the response with this answer."""
    return {"jsonrpc": "2.0", "id": request_id, **answer}


def failure(code: int, message: str, data: Any = None) -> Answer:
    """Return the answer that a request failed."""
    error = {"code": code, "message": message}
    return {"error": error if data is None else {**error, "data": data}}
