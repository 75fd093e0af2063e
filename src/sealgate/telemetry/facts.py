"""From a span's attributes to its role and facts, by the table in ``conventions``."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from .convention import Role
from .conventions import CONVENTIONS, INDEXED_CALLS, INDEXED_CONTENT, TOOL_SPAN_NAMES
from .spans import Attributes, Span, Value
from .tool_calls import ToolCall, parsed

_MARKS: Final = tuple((convention.name, mark) for convention in CONVENTIONS for mark in convention.marks)

_EVERY: Final = "*"


class Place(NamedTuple):
    """Which fact an attribute is, and how good a source of it: the lowest rank wins."""

    fact: str
    rank: int


def _places(role: Role) -> dict[str, Place]:
    """Turn the table around for one role: attribute → fact and rank."""
    places: dict[str, Place] = {}
    rank = 0
    for convention in CONVENTIONS:
        for facts in (convention.facts.get(role, {}), convention.every):
            for fact, attributes in facts.items():
                for attribute in attributes:
                    places.setdefault(attribute, Place(fact, rank))
                    rank += 1
    return places


PLACES: Final[dict[Role, dict[str, Place]]] = {role: _places(role) for role in Role}

_PREFIXES: Final = tuple(INDEXED_CONTENT)
_INDEXED: Final = tuple(
    (re.compile(prefix.replace(".", r"\.").replace("*", "([0-9]{1,4})") + "(.+)", re.ASCII), parts)
    for prefix, parts in INDEXED_CALLS.items()
)
_SIDE: Final = re.compile(
    "(" + "|".join(re.escape(prefix) for prefix in INDEXED_CONTENT) + r")([0-9]{1,4})\.(.+)", re.ASCII
)


class Known(NamedTuple):
    """What the table makes of one span."""

    role: Role
    convention: str | None
    facts: dict[str, Value]
    indexed: dict[str, Value] | None


def role_of(span: Span) -> tuple[Role, str] | None:
    """Return the role and the convention of a span, None where no convention knows it."""
    attributes = span.attributes
    for name, mark in _MARKS:
        value = attributes.get(mark.attribute)
        if value is not None:
            role = mark.roles.get(value.lower()) if mark.roles and type(value) is str else None
            role = role or mark.otherwise
            if role is not None:
                return role, _legacy(name, attributes)
    if span.name in TOOL_SPAN_NAMES.get(span.source.scope, ()):
        return Role.TOOL, "crewai"
    return None


def _legacy(name: str, attributes: Attributes) -> str:
    if name == "otel-genai" and "gen_ai.system" in attributes and "gen_ai.provider.name" not in attributes:
        return "otel-genai-legacy"
    return name


def facts_of(role: Role, attributes: Mapping[str, Value]) -> tuple[dict[str, Value], dict[str, Value] | None]:
    """Return the facts of a role, and the attributes that are flattened messages or documents."""
    places = PLACES[role]
    facts: dict[str, Value] = {}
    ranks: dict[str, int] = {}
    indexed: dict[str, Value] | None = None
    for attribute, value in attributes.items():
        place = places.get(attribute)
        if place is not None:
            fact, rank = place
            if value is not None and value != "" and (fact not in ranks or rank < ranks[fact]):
                facts[fact] = value
                ranks[fact] = rank
        elif attribute.startswith(_PREFIXES):
            if indexed is None:
                indexed = {}
            indexed[attribute] = value
    return facts, indexed


def indexed_calls(indexed: Mapping[str, Value]) -> list[ToolCall]:
    """Return the calls that a model asked for, from flattened attributes."""
    calls: dict[tuple[int, tuple[int, ...]], dict[str, Any]] = {}
    for attribute, value in indexed.items():
        if "tool_call" not in attribute and "function_call" not in attribute:
            continue
        for number, (pattern, parts) in enumerate(_INDEXED):
            match = pattern.fullmatch(attribute)
            if match:
                *position, part = match.groups()
                if part in parts:
                    calls.setdefault((number, tuple(map(int, position))), {})[parts[part]] = value
                    break
    return [
        ToolCall(call["name"], _text(call.get("call_id")), parsed(call.get("arguments")))
        for _, call in sorted(calls.items())
        if _text(call.get("name"))
    ]


def messages(indexed: Mapping[str, Value]) -> dict[str, list[dict[str, Value]]]:
    """Return flattened messages (`input`, `output`) and `documents` as lists of objects, in order."""
    sides: dict[str, dict[int, dict[str, Value]]] = {}
    for attribute, value in indexed.items():
        match = _SIDE.fullmatch(attribute)
        if match:
            prefix, number, part = match.groups()
            sides.setdefault(INDEXED_CONTENT[prefix], {}).setdefault(int(number), {})[part] = value
    return {side: [found[number] for number in sorted(found)] for side, found in sides.items()}


def _text(value: object) -> str | None:
    return value if type(value) is str and value else None
