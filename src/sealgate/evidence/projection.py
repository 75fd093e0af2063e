"""From a record to rows: pure. One row for a record by itself, one for each item of a batch record.

A row holds no more personal data than the body does. Digests and salts stay in the body: they are of no use in a
search, and they are what does not compress.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import orjson

from sealgate.evidence.columns import NAMES
from sealgate.model import items
from sealgate.model.errors import EncodingError, InputError
from sealgate.model.records import CAPTURED_KINDS, Kind

Row = tuple[Any, ...]
"""One value for each of ``columns.COLUMNS``."""

_ENFORCED: Final = "enforced"
_NEVER: Final = frozenset({"digest", "input_digest", "output_digest", "salt", "root_signature", "definition_sha256"})
_NOTHING: Final[tuple[Any, ...]] = (None, [], {})
_MAX_TEXT_CHARS: Final = 4096


def rows(body: bytes, index: int, key_id: bytes | None) -> list[Row]:
    """Return the rows of the record at ``index`` whose body is ``body`` and was sealed under ``key_id``.

    What is no item by its schema makes no row: the record still proves it.

    Raises:
        EncodingError: the body is no record.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise EncodingError(f"body of record {index} is not JSON") from error
    if not isinstance(content, dict) or "kind" not in content or "record_id" not in content:
        raise EncodingError(f"body of record {index} is not a record")
    key = None if key_id is None else key_id.hex()
    if content["kind"] == Kind.RECORDS_CAPTURED:
        return _batch(content, index, key)
    return [_single(content, index, key)]


class _Draft(dict[str, Any]):
    """A row in the making: members by column name."""

    def row(self, rest: dict[str, Any], texts: list[str | None]) -> Row:
        text = "\n".join([part for part in texts if part])[:_MAX_TEXT_CHARS]
        kept = {name: value for name, value in _plain(rest).items() if value or value not in _NOTHING}
        self["text"] = text or None
        self["rest"] = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode() if kept else None
        return tuple(map(self.get, NAMES))


def _plain(members: dict[str, Any]) -> dict[str, Any]:
    """Return ``members`` without digests and salts at any depth, and without members that say nothing.

    Every record goes through it, so it asks first what is true of most members: they say something.
    """
    kept = {}
    for name, value in members.items():
        if name in _NEVER:
            continue
        if value:
            kind = type(value)
            kept[name] = _plain(value) if kind is dict else _plain_list(value) if kind is list else value
        elif value not in _NOTHING:
            kept[name] = value
    return kept


def _plain_list(values: list[Any]) -> list[Any]:
    return [
        _plain(value) if isinstance(value, dict) else _plain_list(value) if isinstance(value, list) else value
        for value in values
    ]


def _span(text: str | None) -> int | None:
    return None if text is None else int(text, 16)


def _ms(time: str) -> str:
    return time[:-1]  # without its Z: the store's times are UTC


def _single(body: dict[str, Any], index: int, key: str | None) -> Row:
    take = body.pop
    trace, agent = take("trace", None) or {}, take("agent", None) or {}
    kind, record_id = take("kind"), take("record_id")
    draft = _Draft(
        journal_index=index,
        position=0,
        id=record_id,
        record_id=record_id,
        time=_ms(take("time")),
        kind=kind,
        agent=agent.get("id"),
        principal=agent.get("principal"),
        task_id=take("task_id", None),
        trace_id=trace.get("trace_id"),
        span_id=_span(trace.get("span_id")),
        parent_span_id=_span(trace.get("parent_span_id")),
        request_id=take("request_id", None),
        coverage=_ENFORCED,
        source="gate",
        region=take("region", None),
        environment=take("environment", None),
        retention_class=take("retention_class", None),
        key_id=key,
    )
    take("salt", None)
    take("producer", None)
    rest = body  # what has no column
    if agent.get("on_behalf_of"):
        rest["on_behalf_of"] = agent["on_behalf_of"]
    if agent.get("proof"):
        rest["agent_proof"] = agent["proof"]
    texts = _SINGLE.get(kind, _other)(draft, rest)
    return draft.row(rest, texts)


def _decision(draft: _Draft, rest: dict[str, Any]) -> list[str | None]:
    tool, verdict, data = rest.pop("tool"), rest.pop("decision"), rest.pop("data", None) or {}
    draft |= {
        "tool": tool.pop("name"),
        "server": tool.pop("server", None),
        "outcome": verdict.pop("outcome"),
        "reason": verdict.pop("reason"),
        "policies": verdict.pop("policies") or None,
        "policy_version": verdict.pop("policy_version"),
        "duration_us": verdict.pop("duration_us"),
        "input_size": rest.pop("input_size_bytes", None),
        "classification": data.pop("classification", None),
        "subjects": data.pop("subjects", None) or None,
    }
    rest.pop("permissions", None)  # said by outcome, tool and resource
    message = verdict.pop("message", None)
    if (permit := rest.pop("permit", None)) is not None:
        rest["redeemed_at_once"] = permit.get("redeemed")
    resource = rest.get("resource") or {}
    if data.get("systems") == [resource.get("id")]:
        data.pop("systems")
    rest |= {"tool": tool, "decision": verdict, "data": data}
    return [message]


def _outcome(draft: _Draft, rest: dict[str, Any]) -> list[str | None]:
    duration, error = rest.pop("duration_ms"), rest.pop("error", None)
    draft |= {
        "refers_to": rest.pop("decision_id"),
        "outcome": rest.pop("status"),
        "reason": rest.pop("cause"),
        "duration_us": None if duration is None else duration * 1000,
        "output_size": rest.pop("output_size_bytes"),
    }
    if not rest.get("late"):
        rest.pop("late", None)
    return _error_texts(error, rest)


def _error_texts(error: dict[str, Any] | None, rest: dict[str, Any]) -> list[str | None]:
    if not error:
        return []
    rest["error_type"] = error.get("type")
    return [error.get("message")]


def _permit(draft: _Draft, rest: dict[str, Any]) -> list[str | None]:
    draft["refers_to"] = rest.pop("decision_id")
    return []


def _captured(draft: _Draft, rest: dict[str, Any]) -> list[str | None]:
    """Take in a record that an enforcement point captured through the authority."""
    draft |= {"coverage": "captured", "source": "sdk"}
    rest.pop("claimed", None)
    attributes = orjson.loads(rest.pop("data_json", "{}"))
    return _attributes(draft, attributes if isinstance(attributes, dict) else {}, rest)


def _policy(draft: _Draft, rest: dict[str, Any]) -> list[str | None]:
    draft["policy_version"] = rest.pop("policy_version")
    return []


def _containment(draft: _Draft, rest: dict[str, Any]) -> list[str | None]:
    draft["agent"] = rest.pop("target_agent")
    return [rest.pop("reason")]


def _other(draft: _Draft, rest: dict[str, Any]) -> list[str | None]:
    """Take in a record of any other kind: what has a column goes there, all else stays by its name."""
    for name in ("outcome", "retention_class", "classification", "session_id"):
        if isinstance(rest.get(name), str):
            draft[name] = rest.pop(name)
    subject = rest.pop("subject", None)
    if isinstance(subject, str):
        draft["subjects"] = [subject]
    for name in ("decision_id", "request_record_id", "refers_to"):
        if isinstance(rest.get(name), str) and len(rest[name]) == 36:
            draft["refers_to"] = rest.pop(name)
            break
    reason = rest.pop("reason", None)
    return [reason] if isinstance(reason, str) else []


_SINGLE: Final[dict[str, Callable[[_Draft, dict[str, Any]], list[str | None]]]] = {
    Kind.DECISION: _decision,
    Kind.OUTCOME: _outcome,
    Kind.PERMIT_REDEEMED: _permit,
    Kind.POLICY_PUBLISHED: _policy,
    Kind.CONTAINMENT_APPLIED: _containment,
    Kind.CONTAINMENT_LIFTED: _containment,
    **dict.fromkeys(CAPTURED_KINDS, _captured),
}


def _batch(body: dict[str, Any], index: int, key: str | None) -> list[Row]:
    found = []
    for position, text in enumerate(body["items"]):
        try:
            found.append(_item(msgspec.to_builtins(items.read(text.encode())), body, index, position, key))
        except InputError:  # the authority does not look into items; one that is none makes no row
            continue
    return found


def _item(item: dict[str, Any], batch: dict[str, Any], index: int, position: int, key: str | None) -> Row:
    take = item.pop
    duration = take("duration_ms", None)
    draft = _Draft(
        journal_index=index,
        position=position,
        id=take("item_id"),
        record_id=batch["record_id"],
        time=_ms(take("time")),
        kind=take("kind"),
        agent=take("agent", None),
        principal=batch.get("principal"),
        outcome=take("status", None),
        classification=take("classification", None),
        subjects=take("subjects", None) or None,
        session_id=take("session_id", None),
        task_id=take("task_id", None),
        trace_id=take("trace_id", None),
        span_id=_span(take("span_id", None)),
        parent_span_id=_span(take("parent_span_id", None)),
        duration_us=None if duration is None else duration * 1000,
        coverage=take("coverage", None) or batch["coverage"],
        source=take("source", None),
        region=take("region", None) or batch.get("region"),
        environment=take("environment", None) or batch.get("environment"),
        retention_class=batch.get("retention_class"),
        key_id=key,
    )
    take("producer", None)
    take("privacy_policy", None)
    rest: dict[str, Any] = {}
    texts = _attributes(draft, take("attributes", None) or {}, rest)
    rest |= item  # links, convention, deployment, redactions
    return draft.row(rest, texts)


_TEXTS: Final = ("goal", "rationale", "name", "reason", "event_type", "note", "title", "where", "message")


def _attributes(draft: _Draft, attributes: dict[str, Any], rest: dict[str, Any]) -> list[str | None]:
    """Give attributes their columns; what has none goes into ``rest``. Return the allowed texts."""
    take = attributes.pop
    tool = attributes.get("tool")
    if isinstance(tool, dict):
        draft["tool"], draft["server"] = tool.pop("name", None), tool.pop("server", None)
    elif isinstance(tool, str):
        draft["tool"] = take("tool")
    if isinstance(attributes.get("model"), str):
        draft["model"] = take("model")
    if isinstance(attributes.get("outcome"), str):
        draft["outcome"] = take("outcome")
    if isinstance(attributes.get("call_item_id"), str):
        draft["refers_to"] = take("call_item_id")
    _tokens(draft, attributes)
    _sizes(draft, attributes)
    _allowed(draft, attributes)
    texts = [take(name) for name in _TEXTS if isinstance(attributes.get(name), str)]
    error = attributes.get("error")
    if isinstance(error, dict):
        texts += _error_texts(take("error"), rest)
    attributes.pop("claimed", None)
    rest |= attributes
    return texts


def _tokens(draft: _Draft, attributes: dict[str, Any]) -> None:
    tokens = attributes.get("tokens")
    if isinstance(tokens, dict):
        draft["tokens_input"], draft["tokens_output"] = tokens.pop("input", None), tokens.pop("output", None)


def _sizes(draft: _Draft, attributes: dict[str, Any]) -> None:
    for name, column in (("input", "input_size"), ("query", "input_size"), ("output", "output_size")):
        content = attributes.get(name)
        if isinstance(content, dict) and isinstance(content.get("size_bytes"), int):
            draft[column] = content.pop("size_bytes")


def _allowed(draft: _Draft, attributes: dict[str, Any]) -> None:
    """Take over what a call without the gate tells of its own authorization and data."""
    authorization, data = attributes.get("authorization"), attributes.get("data")
    if isinstance(authorization, dict):
        draft["policies"] = authorization.pop("rules", None) or None
        draft["policy_version"] = authorization.pop("policy_version", None)
    if isinstance(data, dict):
        draft["classification"] = draft.get("classification") or data.pop("classification", None)
        draft["subjects"] = draft.get("subjects") or data.pop("subjects", None) or None
