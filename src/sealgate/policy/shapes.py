"""What a tool's arguments look like: JSON Schema read into the few shapes that Cedar can type.

The reading follows the cedar-for-agents convention: a union is a record of optional ``typeChoice<n>``, a closed tuple a
record of ``proj<n>``, an array a set, an enumeration or object with free keys an entity type of its own, and what has
no type is ``Unknown``. ``path`` is where a shape stands (tool, ``Input``, attribute, …) and becomes its type's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sealgate.model.errors import InputError

MAX_SHAPE_DEPTH: Final = 32
MAX_CHOICES: Final = 64
RESERVED_KEYS: Final = frozenset({"__entity", "__extn", "__expr"})
"""Keys that the engine reads as escapes. A tool that declares one of them is refused; so is a value that has one."""

Path = tuple[str, ...]
Json = Any


@dataclass(frozen=True, slots=True)
class Scalar:
    """``name`` is one of String, Long, Bool, datetime, duration, ipaddr, decimal, Number, Float, Null, Unknown."""

    name: str


@dataclass(frozen=True, slots=True)
class Enumeration:
    """A string out of a fixed list."""

    path: Path
    variants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A member of a record. ``format`` is what the schema says about a string's content."""

    shape: "Shape"
    required: bool
    format: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """An object with named members. ``is_open`` says that other members are allowed (and invisible to policies)."""

    path: Path
    attributes: Mapping[str, Attribute]
    is_open: bool


@dataclass(frozen=True, slots=True)
class Dictionary:
    """An object with free keys and one shape of value."""

    path: Path
    value: "Shape"


@dataclass(frozen=True, slots=True)
class Array:
    """Any number of items of one shape."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class Tuple:
    """A fixed number of items."""

    items: tuple["Shape", ...]


@dataclass(frozen=True, slots=True)
class Union:
    """One of several shapes."""

    choices: tuple["Shape", ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """A named definition of the same tool."""

    path: Path


Shape = Scalar | Enumeration | Record | Dictionary | Array | Tuple | Union | Reference
Definitions = dict[Path, Shape]

_TYPES: Final = {
    "string": "String",
    "integer": "Long",
    "boolean": "Bool",
    "number": "Number",
    "float": "Float",
    "null": "Null",
}
FORMATS: Final = {
    "date-time": "datetime",
    "date": "datetime",
    "duration": "duration",
    "ipv4": "ipaddr",
    "ipv6": "ipaddr",
    "decimal": "decimal",
}
"""Formats of strings that are not text to policies."""


def read_object(schema: Mapping[str, Json], path: Path) -> tuple[Record, Definitions]:
    """Return the record of a tool's input or output and the named definitions it uses.

    Raises:
        InputError: the schema is malformed, too deep, or uses what cannot be represented.
    """
    reader = _Reader(path)
    definitions = schema.get("$defs", schema.get("definitions", {}))
    if not isinstance(definitions, dict):
        raise InputError(f"`$defs` of `{path[0]:.80}` is not an object")
    for name in definitions:
        reader.names.add(name)
    shapes: Definitions = {(*path, name): reader.read(item, (*path, name), 1) for name, item in definitions.items()}
    shape = reader.read({**schema, "type": "object"}, path, 0)
    if not isinstance(shape, Record):
        raise InputError(f"input schema of `{path[0]:.80}` is not an object with named properties")
    return shape, shapes


class _Reader:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.names: set[str] = set()

    def read(self, schema: Json, path: Path, depth: int) -> Shape:
        if depth > MAX_SHAPE_DEPTH:
            raise InputError(f"schema of `{path[0]:.80}` is nested deeper than {MAX_SHAPE_DEPTH}")
        if schema is True or schema == {}:
            return Scalar("Unknown")
        if not isinstance(schema, dict):
            raise InputError(f"schema of `{'.'.join(path):.120}` is not an object")
        if "$ref" in schema:
            return self._reference(schema["$ref"])
        kind = schema.get("type")
        if isinstance(kind, list):
            return self._union([{**schema, "type": item} for item in kind], path, depth)
        # A `type` beside alternatives must hold as well as one of them, so it alone decides.
        return self._typed(kind, schema, path, depth) if kind is not None else self._untyped(schema, path, depth)

    def _untyped(self, schema: Mapping[str, Json], path: Path, depth: int) -> Shape:
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return self._union(schema[word], path, depth)
        match schema.get("allOf"):
            case [only]:
                return self.read(only, path, depth + 1)
        return self._typed("object" if "properties" in schema else None, schema, path, depth)

    def _typed(self, kind: Json, schema: Mapping[str, Json], path: Path, depth: int) -> Shape:
        if kind == "object":
            return self._object(schema, path, depth)
        if kind == "array":
            return self._array(schema, path, depth)
        if kind in ("string", None) and "enum" in schema:
            variants = schema["enum"]
            if isinstance(variants, list) and variants and all(isinstance(item, str) for item in variants):
                return Enumeration(path, tuple(dict.fromkeys(variants)))
            return Scalar("Unknown" if kind is None else "String")
        if kind == "string":
            return Scalar(FORMATS.get(str(schema.get("format")), "String"))
        return Scalar(_TYPES.get(kind, "Unknown") if isinstance(kind, str) else "Unknown")

    def _reference(self, target: Json) -> Shape:
        for prefix in ("#/$defs/", "#/definitions/"):
            if isinstance(target, str) and target.startswith(prefix):
                name = target[len(prefix) :].replace("~1", "/").replace("~0", "~")
                if name in self.names:
                    return Reference((*self.root, name))
        raise InputError(f"reference `{target!s:.120}` is not to a definition of the same tool", hint="inline it")

    def _union(self, choices: Json, path: Path, depth: int) -> Shape:
        if not isinstance(choices, list) or not choices or len(choices) > MAX_CHOICES:
            raise InputError(f"union at `{'.'.join(path):.120}` is not a list of 1 to {MAX_CHOICES} schemas")
        if len(choices) == 1:
            return self.read(choices[0], path, depth + 1)
        names = [(*path, f"TypeChoice{number}") for number in range(len(choices))]
        return Union(tuple(self.read(item, name, depth + 1) for item, name in zip(choices, names, strict=True)))

    def _object(self, schema: Mapping[str, Json], path: Path, depth: int) -> Shape:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        if not isinstance(properties, dict) or not isinstance(required, list):
            raise InputError(f"`properties` or `required` of `{'.'.join(path):.120}` is malformed")
        rest = schema.get("additionalProperties")
        if not properties and isinstance(rest, dict) and rest:
            return Dictionary(path, self.read(rest, path, depth + 1))
        attributes = {}
        for name, item in properties.items():
            if name in RESERVED_KEYS:
                raise InputError(f"argument name `{name}` of `{path[0]:.80}` is reserved by Cedar")
            text_format = item.get("format", "") if isinstance(item, dict) else ""
            shape = self.read(item, (*path, name), depth + 1)
            attributes[name] = Attribute(shape, name in required, str(text_format))
        is_open = rest not in (None, False) or (not properties and depth > 0 and rest is not False)
        return Record(path, attributes, is_open)

    def _array(self, schema: Mapping[str, Json], path: Path, depth: int) -> Shape:
        prefix = schema.get("prefixItems")
        items = schema.get("items")
        if isinstance(prefix, list):
            shapes = [self.read(item, (*path, f"Proj{number}"), depth + 1) for number, item in enumerate(prefix)]
            if items is False:
                return Tuple(tuple(shapes))
            rest = self.read(items, path, depth + 1) if items not in (None, True) else Scalar("Unknown")
            return Array(rest if all(shape == rest for shape in shapes) else Scalar("Unknown"))
        if items in (None, True, False):
            return Array(Scalar("Unknown"))
        return Array(self.read(items, path, depth + 1))
