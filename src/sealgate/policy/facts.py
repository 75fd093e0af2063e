"""Session facts: the stub's types, read so that a fact can be checked without the engine.

The engine checks a context against the schema in twenty to forty microseconds. Facts of the common types (texts, whole
numbers, truth values, sets and records of them) are checked here in one or two: ``FactTypes.fit`` is true only for
facts that the engine's own check would accept *and* read as the same values without a schema. False proves nothing: the
whole context goes to the engine with the schema, which accepts or refuses it as ever. So a type that is not understood
here (an entity, an extension type, whatever Cedar adds) costs time and changes no answer.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from .arguments import MAX_LONG
from .schema import Stub
from .shapes import RESERVED_KEYS

Json = Any
Fits = Callable[[Json], bool]

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
        checks = _read(stub)
        self._checks = checks
        self._needed = tuple(name for name, fits in checks.items() if not fits({}))
        self._known = checks.keys() == stub.contexts.keys()

    def fit(self, facts: Mapping[str, Json]) -> bool:
        """Say whether these facts, each other one being empty, are certainly what the schema asks for."""
        if not self._known:
            return False
        for name, value in facts.items():
            fits = self._checks.get(name)
            if fits is None or not fits(value):
                return False
        return all(name in facts for name in self._needed) if self._needed else True

    def fit_one(self, name: str, value: Json) -> bool:
        """Say whether one context's value is certainly of its type."""
        fits = self._checks.get(name)
        return fits is not None and fits(value)


def _read(stub: Stub) -> dict[str, Fits]:
    """Return the check of each context whose type is understood."""
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

    def named(self, name: str, depth: int) -> Fits:
        """Return the check of a type's name; Cedar looks for declarations before its own types."""
        if depth > _MAX_DEPTH:
            raise _Foreign
        if name in self._types:
            fits, at = self._type(self._types[name], depth + 1)
            if self._tokens[at] != ";":
                raise _Foreign
            return fits
        if name in self._foreign or name not in _SCALARS:
            raise _Foreign
        return _SCALARS[name]

    def _type(self, at: int, depth: int) -> tuple[Fits, int]:
        """Return the check of the type that starts at a token, and the token after it."""
        first = self._tokens[at]
        if depth > _MAX_DEPTH:
            raise _Foreign
        if first == "{":
            return self._record(at + 1, depth)
        if first == "Set" and self._tokens[at + 1] == "<":
            item, end = self._type(at + 2, depth + 1)
            if self._tokens[end] != ">":
                raise _Foreign
            return _set_of(item), end + 1
        return self.named(first, depth), at + 1

    def _record(self, at: int, depth: int) -> tuple[Fits, int]:
        members: dict[str, Fits] = {}
        required: list[str] = []
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
            members[name], at = self._type(at + 1, depth + 1)
            if not optional:
                required.append(name)
            if self._tokens[at] == ",":
                at += 1
            elif self._tokens[at] != "}":
                raise _Foreign
        return _record_of(members, tuple(required)), at + 1


def _is_text(value: Json) -> bool:
    if type(value) is not str:
        return False
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)


def _is_long(value: Json) -> bool:
    return type(value) is int and -MAX_LONG - 1 <= value <= MAX_LONG


def _is_bool(value: Json) -> bool:
    return type(value) is bool


_SCALARS: Final[Mapping[str, Fits]] = {
    name: fits
    for word, fits in (("String", _is_text), ("Long", _is_long), ("Bool", _is_bool))
    for name in (word, f"__cedar::{word}")
}


def _set_of(item: Fits) -> Fits:
    def fits(value: Json) -> bool:
        if type(value) is not list:
            return False
        return all(map(item, value)) if value else True

    return fits


def _record_of(members: Mapping[str, Fits], required: tuple[str, ...]) -> Fits:
    def fits(value: Json) -> bool:
        if type(value) is not dict:
            return False
        for name, member in value.items():
            inner = members.get(name)
            if inner is None or not inner(member):
                return False
        for name in required:  # noqa: SIM110  # a generator costs more than the look-ups
            if name not in value:
                return False
        return True

    return fits
