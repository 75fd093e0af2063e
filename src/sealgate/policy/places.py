"""Which of a tool's arguments are places, wherever they stand, and their normal forms (``normalize``).

A place has the name of its argument; one inside objects has its way there as name, joined by dots: the argument
``options`` with a member ``path`` gives ``context.normalized["options.path"]``. Alternatives (``anyOf``, a null) do not
show in names. What stands in an array, or may, is offered as all of its places together, because Cedar has no rule
about each member of a set:

- ``ok``: whether every one has one normal form; otherwise the rest is empty
- ``texts``: their normal forms; ``hosts``: the hosts that they name
- ``under``: the places that all of them lie below, so that ``under.contains("/data")`` is the prefix rule

Objects with free keys have no names that a rule could use, so nothing below them is offered. Pure.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Final

from sealgate.model.errors import InputError

from .normalize import Place, normalize, place_kind
from .shapes import FORMATS

Json = Any

ONE: Final = "{ ok: Bool, text: String, scheme: String, host: String, port: Long, path: String }"
MANY: Final = "{ ok: Bool, texts: Set<String>, hosts: Set<String>, under: Set<String> }"
"""The Cedar types of what is offered."""

_MAX_DEPTH: Final = 8
"""Objects and arrays around a place; deeper ones are not offered."""

_MAX_LEVELS: Final = 64
"""Directories that ``under`` names of a place, from the root: bounds work, and only ever narrows a rule."""

_MAX_SCHEMAS: Final = 4096
_DRIVE: Final = re.compile(r"[a-z]:/", re.ASCII)


@dataclass(frozen=True, slots=True)
class Argument:
    """One place among a tool's arguments: the members that lead to it, what it is, whether it is there always."""

    steps: tuple[str, ...]
    kind: str
    required: bool = True
    many: bool = False

    @property
    def name(self) -> str:
        """How policies call it."""
        return ".".join(self.steps)

    @property
    def type(self) -> str:
        """Its Cedar type."""
        return MANY if self.many else ONE

    def offered(self, arguments: Mapping[str, Json]) -> tuple[dict[str, Json], str] | None:
        """Return what policies see of it in these arguments and why it has no normal form; None where it is absent."""
        found = [text for text in _follow(arguments, self.steps) if isinstance(text, str)]
        if self.many:
            there = self.required or any(True for _ in _follow(arguments, self.steps, whole=True))
            return _together(found, self.kind) if there else None
        if len(found) != 1:
            return None
        place = normalize(found[0], self.kind)
        return place.as_json(), "" if place.ok else place.problem


def _follow(value: Json, steps: tuple[str, ...], *, whole: bool = False) -> Iterator[Json]:
    """Yield what the members lead to, arrays on the way taken apart; at the end too, unless it is wanted ``whole``."""
    if isinstance(value, list) and not (whole and not steps):
        for item in value:
            yield from _follow(item, steps, whole=whole)
    elif not steps:
        if value is not None:
            yield value
    elif isinstance(value, dict) and steps[0] in value:
        yield from _follow(value[steps[0]], steps[1:], whole=whole)


def _together(texts: list[str], kind: str) -> tuple[dict[str, Json], str]:
    places = [normalize(text, kind) for text in texts]
    problem = next((place.problem for place in places if not place.ok), "")
    if problem:
        return {"ok": False, "texts": [], "hosts": [], "under": []}, problem
    common = reduce(frozenset.intersection, map(_above, places)) if places else frozenset()
    return {
        "ok": True,
        "texts": sorted({place.text for place in places}),
        "hosts": sorted({place.host for place in places if place.host}),
        "under": sorted(common),
    }, ""


def _above(place: Place) -> frozenset[str]:
    """Return the places that this one lies below; itself is not one of them."""
    if place.host:
        start = place.text.find("/", len(place.scheme) + 3 if place.scheme else 0)
        if start < 0:
            return frozenset()
        head = place.text[:start]
    else:
        head = "file://" if place.scheme == "file" else ""
    root = "/" if place.path.startswith("/") else _drive(place.path)
    segments = place.path.removeprefix(root).split("/")[:-1] if place.path != "." else []
    if place.path in (root, ".") or (not root and place.scheme):
        return frozenset()
    above = [f"{head}{root}" if root else "."]
    above += [f"{head}{root}{'/'.join(segments[: end + 1])}" for end in range(min(len(segments), _MAX_LEVELS))]
    return frozenset(above)


def _drive(path: str) -> str:
    match = _DRIVE.match(path)
    return match[0] if match else ""


def find(schema: Mapping[str, Json], tool: str) -> dict[str, Argument]:
    """Return the places among the arguments that a tool's input schema declares, by name.

    Raises:
        InputError: two arguments have one name (``a.b``, and a member ``b`` of ``a``).
    """
    definitions = schema.get("$defs", schema.get("definitions", {}))
    found: dict[str, Argument] = {}
    for place in _Finder(definitions if isinstance(definitions, dict) else {}).members(schema, Argument((), ""), 0):
        known = found.get(place.name, place)
        if known.steps != place.steps:
            message = f"two arguments of `{tool:.80}` would be called `{place.name:.80}` in rules about places"
            raise InputError(message, hint="rename the one with a dot in its name")
        found[place.name] = replace(known, many=known.many or place.many, required=known.required and place.required)
    return found


class _Finder:
    """Walks a schema as ``shapes`` reads it. A schema that unfolds to more than its budget is not searched further."""

    def __init__(self, definitions: Mapping[str, Json]) -> None:
        self._definitions = definitions
        self._left = _MAX_SCHEMAS

    def members(self, schema: Mapping[str, Json], above: Argument, depth: int) -> Iterator[Argument]:
        """Yield the places in an object."""
        properties, required = schema.get("properties"), schema.get("required", [])
        for name, item in properties.items() if isinstance(properties, dict) else ():
            there = above.required and isinstance(required, list) and name in required
            yield from self._value(item, replace(above, steps=(*above.steps, name), required=there), depth, None)

    def _value(self, schema: Json, place: Argument, depth: int, declared: Json) -> Iterator[Argument]:
        self._left -= 1
        if not isinstance(schema, dict) or depth > _MAX_DEPTH or self._left < 0:
            return
        declared = schema.get("x-sealgate-place", declared)
        kind = schema.get("type")
        if "$ref" in schema:
            name = str(schema["$ref"]).rpartition("/")[2].replace("~1", "/").replace("~0", "~")
            yield from self._value(self._definitions.get(name), place, depth + 1, declared)
        elif isinstance(kind, list):
            yield from self._choices([{**schema, "type": item} for item in kind], place, depth, declared)
        elif kind is None and (choices := _alternatives(schema)):
            yield from self._choices(choices, place, depth, declared)
        elif kind == "object" or (kind is None and "properties" in schema):
            yield from self.members(schema, place, depth + 1)
        elif kind == "array":
            prefix = schema.get("prefixItems")
            for item in (*(prefix if isinstance(prefix, list) else ()), schema.get("items")):
                yield from self._value(item, replace(place, many=True), depth + 1, declared)
        elif kind == "string" and not _is_typed(schema):
            name = _singular(place.steps[-1]) if place.many else place.steps[-1]
            found = place_kind(name, str(schema.get("format", "")), declared)
            if found:
                yield replace(place, kind=found)

    def _choices(self, choices: list[Json], place: Argument, depth: int, declared: Json) -> Iterator[Argument]:
        place = place if len(choices) == 1 else replace(place, required=False)
        for choice in choices:
            yield from self._value(choice, place, depth + 1, declared)


def _singular(name: str) -> str:
    return f"{name[:-3]}y" if name.endswith("ies") else name.removesuffix("s")


def _alternatives(schema: Mapping[str, Json]) -> list[Json]:
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            found = schema[word]
            return found if isinstance(found, list) and (word != "allOf" or len(found) == 1) else []
    return []


def _is_typed(schema: Mapping[str, Json]) -> bool:
    """Tell whether policies get another type than text: a choice, a time, an address."""
    variants = schema.get("enum")
    chosen = isinstance(variants, list) and bool(variants) and all(isinstance(item, str) for item in variants)
    return chosen or str(schema.get("format")) in FORMATS
