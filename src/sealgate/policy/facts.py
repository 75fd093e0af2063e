"""Session facts: the stub's types, read so that a fact can be checked without the engine.

The engine checks a context against the schema in twenty to forty microseconds. Facts of the common types (texts, whole
numbers, truth values, sets and records of them) are checked here in one or two, by structures made of the stub's
declarations: ``FactTypes.fit`` is true only for facts that the engine's own check would accept *and* read as the same
values without a schema. False proves nothing: the whole context goes to the engine with the schema, which accepts or
refuses it as ever. So a type that is not understood here (an entity, an extension type, whatever Cedar adds) costs time
and changes no answer.
"""

import re
from collections.abc import Iterator, Mapping
from types import GenericAlias
from typing import Annotated, Any, Final

import msgspec
import orjson

from .arguments import MAX_LONG
from .shapes import RESERVED_KEYS
from .stub import Stub

Json = Any
Type = Any
"""A type as msgspec takes it."""

_TOKEN: Final = re.compile(
    r"""\s+ | //[^\n]* | @\w+ (?:\s* \( \s* "(?:[^"\\]|\\.)*" \s* \))?
      | (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*)*)
      | (?P<mark>[{}<>\[\]:;,?=])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_MAX_DEPTH: Final = 16
_PLAIN: Final = re.compile(r'"[^"\\]*"', re.DOTALL)


class FactTypes:
    """The types of a stub's contexts. Immutable."""

    def __init__(self, stub: Stub) -> None:
        self._types = _read(stub)
        needed = {name for name, type_ in self._types.items() if not _fits({}, type_)}
        self._all = _record({name: (type_, name not in needed) for name, type_ in self._types.items()})
        self._known = self._types.keys() == stub.contexts.keys()

    def fit(self, facts: Mapping[str, Json]) -> bool:
        """Say whether these facts, each other one being empty, are certainly what the schema asks for."""
        return self._known and _fits(facts, self._all)

    def fit_one(self, name: str, value: Json) -> bool:
        """Say whether one context's value is certainly of its type."""
        return name in self._types and _fits(value, self._types[name])


def _fits(value: Json, type_: Type) -> bool:
    try:
        msgspec.convert(value, type_)
        orjson.dumps(value)  # a lone surrogate, which no caller over HTTP can send, fails here
    except (msgspec.ValidationError, TypeError, RecursionError):
        return False
    return True


def _read(stub: Stub) -> dict[str, Type]:
    """Return the type of each context that is understood."""
    try:
        reader = _Reader(list(_tokens(stub.text)))
        return {name: reader.named(type_name, 0) for name, type_name in stub.contexts.items()}
    except _Foreign:
        return {}


class _Foreign(Exception):  # noqa: N818  # never leaves this module
    """A type that is left to the engine."""


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _Foreign
        if match.lastgroup:
            yield match[0]
        at = match.end()


class _Reader:
    """Reads the type declarations of a schema as the engine prints it."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = [*tokens, *[""] * 3]
        # No other declaration has a word between `type` and `=`.
        self._types = {
            self._tokens[at + 1]: at + 3
            for at in range(len(tokens))
            if self._tokens[at] == "type" and self._tokens[at + 2] == "="
        }
        self._foreign = {word for at in range(len(tokens)) if tokens[at] == "entity" for word in self._list(at + 1)}

    def _list(self, at: int) -> Iterator[str]:
        yield self._tokens[at]
        while self._tokens[at + 1] == ",":
            at += 2
            yield self._tokens[at]

    def named(self, name: str, depth: int) -> Type:
        """Return what a type's name stands for; Cedar looks for declarations before its own types."""
        if depth > _MAX_DEPTH:
            raise _Foreign
        if name in self._types:
            type_, at = self._type(self._types[name], depth + 1)
            if self._tokens[at] != ";":
                raise _Foreign
            return type_
        if name in self._foreign or name not in _SCALARS:
            raise _Foreign
        return _SCALARS[name]

    def _type(self, at: int, depth: int) -> tuple[Type, int]:
        """Return the type that starts at a token, and the token after it."""
        first = self._tokens[at]
        if depth > _MAX_DEPTH:
            raise _Foreign
        if first == "{":
            return self._record(at + 1, depth)
        if first == "Set" and self._tokens[at + 1] == "<":
            item, end = self._type(at + 2, depth + 1)
            if self._tokens[end] != ">":
                raise _Foreign
            return GenericAlias(list, (item,)), end + 1
        return self.named(first, depth), at + 1

    def _record(self, at: int, depth: int) -> tuple[Type, int]:
        members: dict[str, tuple[Type, bool]] = {}
        while self._tokens[at] != "}":
            name = self._tokens[at]
            if name.startswith('"'):
                if not _PLAIN.fullmatch(name):
                    raise _Foreign
                name = name[1:-1]
            optional = self._tokens[at + 1] == "?"
            at += 2 if optional else 1
            if self._tokens[at] != ":" or name in RESERVED_KEYS or name in members:
                raise _Foreign
            type_, at = self._type(at + 1, depth + 1)
            members[name] = type_, optional
            if self._tokens[at] == ",":
                at += 1
            elif self._tokens[at] != "}":
                raise _Foreign
        return _record(members), at + 1


_SCALARS: Final[Mapping[str, Type]] = {
    name: type_
    for word, type_ in (
        ("String", str),
        ("Long", Annotated[int, msgspec.Meta(ge=-MAX_LONG - 1, le=MAX_LONG)]),
        ("Bool", bool),
    )
    for name in (word, f"__cedar::{word}")
}


def _record(members: Mapping[str, tuple[Type, bool]]) -> Type:
    """Return the structure of a record: name → type, and whether it may be left out. Any text can be a name."""
    fields: list[Any] = []
    for number, (type_, optional) in enumerate(members.values()):
        field = f"f{number}"
        fields.append((field, type_ | msgspec.UnsetType, msgspec.UNSET) if optional else (field, type_))
    return msgspec.defstruct(
        "Record",
        fields,
        rename={f"f{number}": name for number, name in enumerate(members)},
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )
