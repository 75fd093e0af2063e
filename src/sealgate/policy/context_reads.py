"""What a policy looks at in the context: found in its syntax tree, because Cedar has no computed attribute names.

Two uses. What no policy of a slice reads need not be sent to the engine, whose cost grows with the context. And a
policy that reads an argument's normal form without asking whether there is one must not judge when there is none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = Any

_CONTEXT: Final = {"Var": "context"}
_NORMALIZED: Final = "normalized"


@dataclass(frozen=True, slots=True)
class Reads:
    """Members of the context that are read.

    ``parts`` maps a member to the attributes of it, None meaning all of them; ``everything`` says that the context is
    used as a whole. ``relied`` are the arguments whose normal form is read without their ``ok``; ``*`` means all.
    """

    everything: bool
    parts: Mapping[str, frozenset[str] | None]
    relied: frozenset[str]

    def select(self, members: Mapping[str, Mapping[str, Json]]) -> Mapping[str, Mapping[str, Json]]:
        """Return the part of a context that is read."""
        if self.everything:
            return members
        selected = {}
        for name, wanted in self.parts.items():
            values = members.get(name)
            if values is not None:
                selected[name] = values if wanted is None else {key: values[key] for key in wanted if key in values}
        return selected


def merge(reads: Iterable[Reads]) -> Reads:
    """Return what several policies read together."""
    parts: dict[str, frozenset[str] | None] = {}
    everything = False
    for item in reads:
        everything = everything or item.everything
        for name, wanted in item.parts.items():
            known = parts.get(name, frozenset())
            parts[name] = None if known is None or wanted is None else known | wanted
    return Reads(everything, parts, frozenset())


def of_policy(tree: Json) -> Reads:
    """Return what one policy (the engine's JSON form) reads."""
    finder = _Finder()
    finder.walk(tree.get("conditions", []))
    parts = {name: None if name in finder.whole else frozenset(found) for name, found in finder.parts.items()}
    return Reads(finder.everything, parts, frozenset(finder.places - finder.asked))


class _Finder:
    def __init__(self) -> None:
        self.everything = False
        self.whole: set[str] = set()
        self.parts: dict[str, set[str]] = {}
        self.places: set[str] = set()
        self.asked: set[str] = set()

    def walk(self, tree: Json) -> None:
        stack = [tree]
        while stack:
            node = stack.pop()
            if isinstance(node, list):
                stack.extend(node)
            elif isinstance(node, dict) and not self._take(node):
                stack.extend(node.values())

    def _take(self, node: Mapping[str, Json]) -> bool:
        """Note what this node reads; say whether nothing below it needs a look."""
        if node == _CONTEXT:
            self.everything = True
            self.places.add("*")
            return True
        match node:
            # `context.normalized.<argument>.<part>`
            case {".": {"left": {".": {"left": left, "attr": str() as name}}, "attr": str() as part}} if (
                _member(left) == _NORMALIZED
            ):
                self._read(_NORMALIZED, name)
                (self.asked if part == "ok" else self.places).add(name)
                return True
            case {".": {"left": left, "attr": str() as attribute}} | {
                "has": {"left": left, "attr": str() as attribute}
            }:
                return self._access(node, left, attribute)
        return False

    def _access(self, node: Mapping[str, Json], left: Json, attribute: str) -> bool:
        if left == _CONTEXT:
            self.parts.setdefault(attribute, set())
            if "." in node:  # `context.<member>` as a value; `context has <member>` needs only its presence
                self.whole.add(attribute)
                if attribute == _NORMALIZED:
                    self.places.add("*")
            return True
        member = _member(left)
        if member is None:
            return False
        self._read(member, attribute)
        if member == _NORMALIZED and "." in node:
            self.places.add(attribute)
        return True

    def _read(self, member: str, attribute: str) -> None:
        self.parts.setdefault(member, set()).add(attribute)


def _member(node: Json) -> str | None:
    """Return the member's name where ``node`` is ``context.<member>``."""
    match node:
        case {".": {"left": {"Var": "context"}, "attr": str() as name}}:
            return name
    return None
