"""Arguments into Cedar values: JSON typed by the tool's own schema, or refused.

A policy can only judge what it can see, so an argument that the definition does not have is refused, and a value is
never rounded or coerced to fit. Numbers become decimals with at most four places, as Cedar has them; one with more
places is refused. A null for an optional argument counts as absent.

Values are written in the engine's explicit form (``__extn``, ``__entity``), so the engine needs no schema to read them.
"""

import ipaddress
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from .shapes import (
    RESERVED_KEYS,
    Array,
    Definitions,
    Dictionary,
    Enumeration,
    Record,
    Reference,
    Scalar,
    Shape,
    Tuple,
    Union,
)
from .slicing import Uid
from .stub import Stub
from .tools import Tool
from .type_names import Names

MAX_LONG: Final = 2**63 - 1
MAX_DECIMAL: Final = Decimal("922337203685477.5807")

_DATE_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(\.\d{1,3})?0*(?:([Zz])|([+-]\d\d):?(\d\d)))?", re.ASCII
)
_DURATION: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII)
_DECIMAL: Final = re.compile(r"-?[0-9]{1,14}(?:\.[0-9]{1,4})?", re.ASCII)

_AS_THEY_ARE: Final = {"String": str, "Bool": bool, "Long": int}

Json = Any


class UnfitError(ValueError):
    """A value does not fit the tool's definition. The message names the argument, never the value."""


class Converted(msgspec.Struct):
    """What the engine gets.

    ``members`` go into the context, ``roots`` are the entities named in them, ``entities`` exist only for this request,
    and ``unclear`` says which arguments have no normal form and why.
    """

    members: dict[str, Json]
    roots: set[Uid] = msgspec.field(default_factory=set)
    entities: list[dict[str, Json]] = []
    unclear: dict[str, str] = {}


class Converter:
    """Converts the arguments of one tool."""

    def __init__(self, tool: Tool, stub: Stub) -> None:
        self._tool = tool
        self._names = Names(stub, flatten=False)
        self._definitions: Definitions = tool.definitions
        self._null = stub.qualified("Null")
        self._unknown = stub.qualified("Unknown")
        # Simple arguments first: most tools have nothing else, and this runs in every decision.
        shapes = {name: item.shape for name, item in tool.input.attributes.items()}
        self._as_they_are = {
            name: _AS_THEY_ARE[shape.name]
            for name, shape in shapes.items()
            if isinstance(shape, Scalar) and shape.name in _AS_THEY_ARE
        }
        self._numbers = frozenset(
            name for name, shape in shapes.items() if shape in (Scalar("Number"), Scalar("Float"))
        )
        self._required = tuple(sorted(name for name, item in tool.input.attributes.items() if item.required))

    def convert(self, arguments: Mapping[str, Json], *, places: bool = True) -> Converted:
        """Return the context members ``input`` and ``normalized``, the latter only where ``places`` are asked for.

        Raises:
            UnfitError: an argument is unknown, missing, or of another type.
        """
        result = Converted({})
        values: dict[str, Json] = {}
        attributes = self._tool.input.attributes
        expected, numbers = self._as_they_are, self._numbers
        for name, value in arguments.items():
            kind = type(value)
            if kind is expected.get(name):
                values[name] = value if kind is not int else _long(value, name)
                continue
            if name in numbers and (kind is float or kind is int):
                values[name] = _extension("decimal", _decimal(value, name))
                continue
            attribute = attributes.get(name)
            if attribute is None:
                raise UnfitError(f"argument `{name:.80}` is not in the tool's definition")
            if value is None and not attribute.required and not _takes_null(attribute.shape):
                continue
            values[name] = self._value(value, attribute.shape, name, result)
        for name in self._required:
            if name not in values:
                missing = ", ".join([name for name in self._required if name not in values])
                raise UnfitError(f"argument `{missing:.80}` is missing")
        result.members["input"] = values
        if places and self._tool.places:
            result.members["normalized"] = self._places(arguments, result)
        return result

    def _places(self, arguments: Mapping[str, Json], result: Converted) -> dict[str, Json]:
        """Return the places in normal form; the arguments are known to fit the definition."""
        places: dict[str, Json] = {}
        for name, place in self._tool.places.items():
            offered = place.offered(arguments)
            if offered is not None:
                places[name], problem = offered
                if problem:
                    result.unclear[name] = problem
        return places

    def _value(self, value: Json, shape: Shape, where: str, result: Converted) -> Json:
        match shape:
            case Scalar(name):
                return self._scalar(value, name, where, result)
            case Enumeration(path, variants):
                if not isinstance(value, str) or value not in variants:
                    raise UnfitError(f"argument `{where:.80}` is not one of its choices")
                return _entity((self._names.qualified(path), value), result)
            case Record():
                return self._record(value, shape, where, result)
            case Dictionary(path, item):
                return self._dictionary(value, (self._names.qualified(path), where), item, result)
            case Array() | Tuple():
                return self._items(value, shape, where, result)
            case Union(choices):
                return self._union(value, choices, where, result)
            case Reference(path):
                return self._value(value, self._definitions[path], where, result)

    def _items(self, value: Json, shape: Array | Tuple, where: str, result: Converted) -> Json:
        if not isinstance(value, list):
            raise UnfitError(f"argument `{where:.80}` is not an array")
        if isinstance(shape, Array):
            return [self._value(member, shape.item, f"{where}[{n}]", result) for n, member in enumerate(value)]
        if len(value) != len(shape.items):
            raise UnfitError(f"argument `{where:.80}` does not have {len(shape.items)} items")
        return {
            f"proj{n}": self._value(member, item, f"{where}[{n}]", result)
            for n, (member, item) in enumerate(zip(value, shape.items, strict=True))
        }

    def _record(self, value: Json, shape: Record, where: str, result: Converted) -> Json:
        if not isinstance(value, dict):
            raise UnfitError(f"argument `{where:.80}` is not an object")
        converted: dict[str, Json] = {}
        for name, member in value.items():
            attribute = shape.attributes.get(name)
            if attribute is None:
                if shape.is_open and name not in RESERVED_KEYS:
                    continue
                raise UnfitError(f"argument `{where:.80}.{name:.80}` is not in the tool's definition")
            if member is None and not attribute.required and not _takes_null(attribute.shape):
                continue
            converted[name] = self._value(member, attribute.shape, f"{where}.{name}", result)
        for name, attribute in shape.attributes.items():
            if attribute.required and name not in converted:
                raise UnfitError(f"argument `{where:.80}.{name:.80}` is missing")
        return converted

    def _dictionary(self, value: Json, uid: Uid, item: Shape, result: Converted) -> Json:
        if not isinstance(value, dict):
            raise UnfitError(f"argument `{uid[1]:.80}` is not an object")
        tags = {name: self._value(member, item, f"{uid[1]}.{name}", result) for name, member in value.items()}
        result.entities.append({"uid": {"type": uid[0], "id": uid[1]}, "attrs": {}, "parents": [], "tags": tags})
        return _entity(uid, result)

    def _union(self, value: Json, choices: tuple[Shape, ...], where: str, result: Converted) -> Json:
        for number, choice in enumerate(choices):
            attempt = Converted({})
            try:
                converted = self._value(value, choice, where, attempt)
            except UnfitError:
                continue
            result.roots |= attempt.roots
            result.entities += attempt.entities
            return {f"typeChoice{number}": converted}
        raise UnfitError(f"argument `{where:.80}` fits none of its alternatives")

    def _scalar(self, value: Json, name: str, where: str, result: Converted) -> Json:
        kind = type(value)
        if name == "String" and kind is str:
            return value
        if name == "Bool" and kind is bool:
            return value
        if name == "Long" and (kind is int or (kind is float and value.is_integer())):
            return _long(int(value), where)
        if name in ("Number", "Float") and kind in (int, float):
            return _extension("decimal", _decimal(value, where))
        if name == "Null" and value is None:
            return _entity((self._null, "null"), result)
        if name == "Unknown":
            return _entity((self._unknown, "unknown"), result)
        if kind is str and name in _EXTENSIONS:
            text = _EXTENSIONS[name](value)
            if text is not None:
                return _extension(_FUNCTIONS.get(name, name), text)
        raise UnfitError(f"argument `{where:.80}` is not a {name}")


def _takes_null(shape: Shape) -> bool:
    if isinstance(shape, Union):
        return any(map(_takes_null, shape.choices))
    return shape in (Scalar("Null"), Scalar("Unknown"))


def _entity(uid: Uid, result: Converted) -> Json:
    result.roots.add(uid)
    return {"__entity": {"type": uid[0], "id": uid[1]}}


def _extension(function: str, argument: str) -> Json:
    return {"__extn": {"fn": function, "arg": argument}}


def _long(value: int, where: str) -> int:
    if not -MAX_LONG - 1 <= value <= MAX_LONG:
        raise UnfitError(f"argument `{where:.80}` is beyond 64 bits")
    return value


def _decimal(value: float, where: str) -> str:
    written = repr(value)
    if _DECIMAL.fullmatch(written):  # most amounts: up to 15 digits and four places, as Cedar writes them
        return written if "." in written else written + ".0"
    number = Decimal(written)
    if not number.is_finite() or abs(number) > MAX_DECIMAL:
        raise UnfitError(f"argument `{where:.80}` is beyond what policies can compare")
    exact = number.quantize(Decimal("0.0001"))
    if exact != number:
        raise UnfitError(f"argument `{where:.80}` has more than four decimal places")
    return f"{exact:f}"


def _decimal_text(value: str) -> str | None:
    if not _DECIMAL.fullmatch(value):
        return None
    return value if "." in value else value + ".0"


def _ip_text(value: str) -> str | None:
    try:
        return str(ipaddress.ip_network(value, strict=False) if "/" in value else ipaddress.ip_address(value))
    except ValueError:
        return None


def _date_time_text(value: str) -> str | None:
    match = _DATE_TIME.fullmatch(value)
    if not match:
        return None
    day, clock, fraction, zulu, hours, minutes = match.groups()
    if clock is None:
        return str(day)
    milliseconds = (fraction + "00")[:4] if fraction else ""
    return f"{day}T{clock}{milliseconds}" + ("Z" if zulu or hours + minutes in ("+0000", "-0000") else hours + minutes)


def _duration_text(value: str) -> str | None:
    match = _DURATION.fullmatch(value)
    if not match or not any(match.groups()):
        return None
    return "".join(f"{number}{unit}" for number, unit in zip(match.groups(), "dhms", strict=True) if number)


_EXTENSIONS: Final = {
    "decimal": _decimal_text,
    "ipaddr": _ip_text,
    "datetime": _date_time_text,
    "duration": _duration_text,
}
_FUNCTIONS: Final = {"ipaddr": "ip"}
