"""Building the requests to the authority. Pure: identifiers, times and arguments come in, bytes go out.

Bodies are compact JSON with sorted keys: the form that the authority's strict parser reads fastest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote

import orjson

from sealgate.encoding import canonical
from sealgate.model.errors import EncodingError, InputError
from sealgate.sdk.tracing import Span
from sealgate.sdk.transport import Call

Status = Literal["succeeded", "failed", "cancelled", "timed_out"]

MAX_TEXT_CHARS: Final = 4000
"""A claimed text (an error's message, a rationale) in a record, in characters; a longer one is cut, visibly."""

_CUT: Final = " …(cut)"


@dataclass(frozen=True, slots=True)
class Question:
    """May this agent call this tool with these arguments? ``arguments`` are RFC 8785 bytes of an object."""

    agent: str
    tool: str
    server: str
    arguments: bytes
    facts: Mapping[str, Any] = field(default_factory=dict)
    tool_definition_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a permitted action."""

    decision_id: str
    status: Status
    duration_ms: int
    output_sha256: str | None = None
    output_size_bytes: int | None = None
    error_type: str | None = None
    error_message: str = ""


def evaluation(question: Question, span: Span, *, request_id: str, redeem: bool, deadline_ms: int) -> Call:
    """Return the AuthZEN request. Repeatable: the authority decides once for each request id."""
    context: dict[str, Any] = {
        "input": orjson.Fragment(question.arguments),
        "request_id": request_id,
        "redeem": redeem,
        "deadline_ms": deadline_ms,
        "traceparent": span.traceparent,
    }
    if span.parent_id:
        context["parent_span_id"] = span.parent_id
    if span.task_id:
        context["task"] = {"id": span.task_id, "goal": span.goal}
    if span.on_behalf_of:
        context["on_behalf_of"] = list(span.on_behalf_of)
    if span.delegation:
        context["delegation"] = span.delegation
    if span.asked_by is not None:
        context["asked_by"] = {"principal": span.asked_by[0], "proof": span.asked_by[1]}
    if question.facts:
        context["facts"] = dict(question.facts)
    if question.tool_definition_sha256:
        context["tool_definition_sha256"] = question.tool_definition_sha256
    body = {
        "subject": {"type": "agent", "id": question.agent},
        "action": {"name": question.tool},
        "resource": {"type": "tool_server", "id": question.server},
        "context": context,
    }
    return Call("POST", "/access/v1/evaluation", dump(body), request_id, repeatable=True)


def task_start(span: Span, *, agent: str, expires_in_s: int | None) -> Call:
    """Return the request to start the task of a span. Never repeated: its id can be used once."""
    body = {
        "agent": agent,
        "id": span.task_id,
        "goal": span.goal,
        "on_behalf_of": list(span.on_behalf_of),
        "delegation": span.delegation,
        "expires_in_s": expires_in_s,
    }
    return Call("POST", "/v1/tasks", dump(body))


def task_end(task_id: str, reason: str) -> Call:
    """Return the request to end a task."""
    return Call("POST", f"/v1/tasks/{quote(task_id, safe='')}/end", dump({"reason": reason}))


def delegation(wanted: Mapping[str, Any]) -> Call:
    """Return the request to grant a delegation; members that are None are left out."""
    return Call("POST", "/v1/delegations", dump({key: value for key, value in wanted.items() if value is not None}))


def revocation(delegation_id: str, reason: str) -> Call:
    """Return the request to take a delegation back."""
    return Call("POST", f"/v1/delegations/{quote(delegation_id, safe='')}/revoke", dump({"reason": reason}))


def approval(approval_id: str, wait_s: int) -> Call:
    """Return the question how an approval stands, answered when it is decided or after so many seconds."""
    return Call("GET", f"/v1/approvals/{approval_id}?wait_s={wait_s}", b"", repeatable=True)


def redemption(token: str, tool: str, arguments_sha256: str) -> Call:
    """Return the request to use a permit. Never repeated: a second try could not tell our own first from a thief's."""
    body = {"permit": token, "tool": tool, "arguments_sha256": arguments_sha256}
    return Call("POST", "/v1/permits/redeem", dump(body))


def credential(
    decision_id: str, name: str, *, audience: str | None, scope: Sequence[str], confirmation: Mapping[str, str] | None
) -> Call:
    """Return the request for a short-lived credential. Never repeated: a second one would be refused or too many."""
    body: dict[str, Any] = {"decision_id": decision_id, "name": name}
    if audience is not None:
        body["audience"] = audience
    if scope:
        body["scope"] = list(scope)
    if confirmation is not None:
        body["confirmation"] = dict(confirmation)
    return Call("POST", "/v1/credentials", dump(body))


def outcome(report: Outcome, *, request_id: str) -> Call:
    """Return the report of an outcome. Repeatable."""
    error = None
    if report.error_type is not None:
        error = {"type": claim(report.error_type, 200), "message": claim(report.error_message)}
    body = {
        "decision_id": report.decision_id,
        "status": report.status,
        "duration_ms": report.duration_ms,
        "output_sha256": report.output_sha256,
        "output_size_bytes": report.output_size_bytes,
        "error": error,
        "request_id": request_id,
    }
    return Call("POST", "/v1/outcomes", dump(body), request_id, repeatable=True)


def record(kind: str, data: Mapping[str, Any], span: Span, *, agent: str, request_id: str) -> Call:
    """Return the request to record something that is not a decision. Repeatable.

    Raises:
        InputError: ``data`` has no JSON form.
    """
    body: dict[str, Any] = {
        "kind": kind,
        "data": dict(data),
        "agent": agent,
        "traceparent": span.traceparent,
        "request_id": request_id,
    }
    if span.parent_id:
        body["parent_span_id"] = span.parent_id
    if span.task_id:
        body["task_id"] = span.task_id
    return Call("POST", "/v1/records", dump(body), request_id, repeatable=True)


def observation(
    agent: str,
    task_id: str,
    origin: str,
    *,
    values: Sequence[Any] = (),
    text: str = "",
    source: str | None = None,
    classification: str | None = None,
    traceparent: str | None = None,
) -> Call:
    """Return the request to tell the authority what entered a task. Repeatable: telling twice changes nothing.

    Raises:
        InputError: a value has no JSON form.
    """
    body = {
        "agent": agent,
        "origin": origin,
        "values": list(values),
        "text": text.encode("utf-8", "replace").decode("utf-8"),
        "source": source,
        "classification": classification,
        "traceparent": traceparent,
    }
    return Call("POST", f"/v1/tasks/{quote(task_id, safe='')}/observations", dump(body), repeatable=True)


def event_data(event_type: str, level: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of an event's record.

    Records hold strict JSON (no floats, keys like ``a_b``). Data of another form is kept exactly, as canonical JSON
    text in ``data_json``, instead of being refused or bent.

    Raises:
        InputError: ``data`` is not JSON at all.
    """
    plain = dict(data)
    members: dict[str, Any] = {"event_type": claim(event_type, 256), "level": level}
    try:
        canonical.encode(plain)
    except EncodingError:
        try:
            members["data_json"] = canonical.encode_arguments(plain, max_bytes=16 * 1024).decode()
        except EncodingError as error:
            raise InputError(f"event data cannot be recorded: {error.message}", hint=error.hint) from error
    else:
        members["data"] = plain
    return members


def digest(arguments: bytes) -> str:
    """Return lower-case hex SHA-256 of canonical arguments: what a permit is redeemed for."""
    return canonical.sha256(arguments).hex()


def claim(text: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Return a text that somebody claims, made safe to send: valid Unicode, cut to a length, the cut marked."""
    valid = text.encode("utf-8", "replace").decode("utf-8")
    return valid if len(valid) <= max_chars else valid[: max_chars - len(_CUT)] + _CUT


def dump(value: Mapping[str, Any]) -> bytes:
    """Return compact sorted JSON; InputError when there is none."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise InputError(f"this cannot be sent as JSON: {error}", hint="use JSON values") from error
