"""From a body to a typed request, strictly; and what AuthZEN asks to be lenient about.

Strict: duplicate keys, unknown members and wrong types are refused. The two AuthZEN endpoints must also take what they
do not know (Authorization API 1.0, certification 2.2.3 and 2.2.9), so there, unless the caller says
``Prefer: handling=strict`` (RFC 7240):

* a foreign member of ``context`` becomes a session fact, offered to policies as ``context.facts`` is;
* a foreign member elsewhere is ignored.

A misspelled member then cannot widen anything: ``input`` that is missing does not fit the tool, and a permit is bound
to the arguments that were judged.
"""

from typing import Any, Final, TypeVar

import msgspec

from sealgate.encoding import canonical
from sealgate.model.errors import InputError
from sealgate.model.evaluation import Action, Context, Entity, EvaluationRequest

from .messages import JSON

T = TypeVar("T")

_STRICT: Final = b"handling=strict"
_MAX_MESSAGE_CHARS: Final = 200  # a message may quote a member's name


def decode(body: bytes, kind: type[T], *, max_bytes: int) -> T:
    """Return the body as ``kind``.

    Raises:
        EncodingError: it is not strict JSON.
        InputError: it does not fit ``kind``.
    """
    return fit(canonical.parse(body, max_bytes=max_bytes), kind)


def decode_leniently(body: bytes, *, max_bytes: int) -> EvaluationRequest:
    """Return the body as an evaluation request, foreign members taken as the module says; raises as ``decode``."""
    value = canonical.parse(body, max_bytes=max_bytes)
    try:
        return msgspec.convert(value, EvaluationRequest)
    except msgspec.ValidationError:
        return fit(without_foreign(value), EvaluationRequest)


def fit(value: Any, kind: type[T]) -> T:
    """Return a parsed value as ``kind``.

    Raises:
        InputError: it does not fit.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message = str(error)[:_MAX_MESSAGE_CHARS]
        raise InputError(f"the body does not fit: {message}", hint="see /openapi.json for its shape") from error


def is_strict(prefer: bytes | None) -> bool:
    """Tell whether the caller asked that foreign members be refused."""
    return prefer is not None and _STRICT in (part.strip().lower() for part in prefer.split(b","))


def is_json(content_type: bytes) -> bool:
    """Tell whether a ``Content-Type`` is JSON; its parameters do not matter, the bytes are always UTF-8."""
    return content_type == JSON or content_type.partition(b";")[0].strip().lower() == JSON


_MEMBERS: Final[dict[str, frozenset[str]]] = {
    "subject": frozenset(Entity.__struct_fields__),
    "resource": frozenset(Entity.__struct_fields__),
    "action": frozenset(Action.__struct_fields__),
}
_CONTEXT_MEMBERS: Final = frozenset(Context.__struct_fields__)


def without_foreign(value: Any) -> Any:
    """Return an evaluation request whose foreign context members are facts and whose other foreign members are gone."""
    if not isinstance(value, dict):
        return value
    known: dict[str, Any] = {}
    for name, members in _MEMBERS.items():
        if name in value:
            entity = value[name]
            known[name] = _only(entity, members) if isinstance(entity, dict) else entity
    if "context" in value:
        known["context"] = _with_facts(value["context"])
    return known


def _only(entity: dict[str, Any], members: frozenset[str]) -> dict[str, Any]:
    return {name: item for name, item in entity.items() if name in members}


def _with_facts(context: Any) -> Any:
    if not isinstance(context, dict):
        return context
    foreign = {name: item for name, item in context.items() if name not in _CONTEXT_MEMBERS}
    if not foreign:
        return context
    facts = context.get("facts", {})
    if not isinstance(facts, dict):
        return context
    twice = next((name for name in foreign if name in facts), None)
    if twice is not None:
        raise InputError(f"`{twice[:80]}` is both a member of context and a fact", hint="send it once")
    return {**_only(context, _CONTEXT_MEMBERS), "facts": {**facts, **foreign}}
