"""Reading a policy's conditions: which paths they touch, which patterns they use, whether they contradict themselves.

Works on the engine's JSON form. Everything here is an under-approximation: what it cannot see it does not claim.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any


def path_of(node: Json) -> str | None:
    """Return ``context.input.amount`` and the like for a chain of attribute accesses on a variable."""
    parts: list[str] = []
    while isinstance(node, dict):
        match node:
            case {"Var": str() as variable}:
                return ".".join([variable, *reversed(parts)])
            case {".": {"left": left, "attr": str() as attribute}}:
                parts.append(attribute)
                node = left
            case _:
                return None
    return None


def attribute_path(path: str) -> str:
    """Return the argument's name of ``context.input.<name>…`` or ``context.normalized.<name>…``."""
    return [*path.split(".", 3), "", "", ""][2]


def nodes(tree: Json) -> Iterator[Mapping[str, Json]]:
    """Yield every node of a policy's conditions."""
    stack = [tree.get("conditions", [])]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def paths(tree: Json) -> set[str]:
    """Return every path that the conditions read (``has`` alone is no bound and does not count)."""
    found = set()
    for node in nodes(tree):
        path = path_of(node)
        if path is not None:
            found.add(path)
    return found


def patterns(tree: Json) -> Iterator[tuple[str, str]]:
    """Yield each ``like``: what it looks at and its pattern as written.

    What it looks at is a path, a path and ``[…]`` for a member of an object with free keys, or ``…``.
    """
    for node in nodes(tree):
        match node:
            case {"like": {"left": {"getTag": {"left": left}}, "pattern": list() as pattern}}:
                yield f"{path_of(left) or '…'}[…]", _pattern_text(pattern)
            case {"like": {"left": left, "pattern": list() as pattern}}:
                yield path_of(left) or "…", _pattern_text(pattern)


def _pattern_text(pattern: list[Json]) -> str:
    return "".join("*" if part == "Wildcard" else part["Literal"].replace("*", "\\*") for part in pattern)


@dataclass(slots=True)
class _Known:
    """What a conjunction says about one path."""

    equal: list[Json] = field(default_factory=list)
    unequal: list[Json] = field(default_factory=list)
    like: list[list[Json]] = field(default_factory=list)
    low: int | None = None
    high: int | None = None


def impossible(tree: Json) -> str:
    """Return why a policy's conditions can never all hold, or an empty text."""
    known: dict[str, _Known] = {}
    for condition in tree.get("conditions", []):
        body = condition["body"]
        if condition["kind"] == "unless":
            if constant(body) is True:
                return "`unless` is always true"
            continue
        for term in _terms(body):
            if constant(term) is False:
                return "a condition is always false"
            _learn(term, known)
    for path, facts in known.items():
        why = _contradiction(facts)
        if why:
            return f"`{path}` {why}"
    return ""


def _terms(body: Json) -> Iterator[Json]:
    stack = [body]
    while stack:
        node = stack.pop()
        match node:
            case {"&&": {"left": left, "right": right}}:
                stack += [right, left]
            case _:
                yield node


def constant(node: Json) -> bool | None:
    """Return the truth of an expression without variables, where that is plain to see."""
    match node:
        case {"Value": bool() as value}:
            return value
        case {"!": {"arg": argument}}:
            inner = constant(argument)
            return None if inner is None else not inner
        case {"&&": {"left": left, "right": right}}:
            sides = (constant(left), constant(right))
            return False if False in sides else (True if sides == (True, True) else None)
        case {"||": {"left": left, "right": right}}:
            sides = (constant(left), constant(right))
            return True if True in sides else (False if sides == (False, False) else None)
        case {"==": {"left": {"Value": left}, "right": {"Value": right}}}:
            return type(left) is type(right) and left == right
        case {"<": {"left": {"Value": int() as left}, "right": {"Value": int() as right}}}:
            return left < right
    return None


_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def _learn(term: Json, known: dict[str, _Known]) -> None:
    if not isinstance(term, dict) or len(term) != 1:
        return
    ((operator, sides),) = term.items()
    if operator == "like":
        path = path_of(sides["left"])
        if path is not None:
            known.setdefault(path, _Known()).like.append(sides["pattern"])
        return
    if operator not in _MIRRORED:
        return
    left, right = sides["left"], sides["right"]
    path = path_of(left)
    if path is None:
        path, right, operator = path_of(right), left, _MIRRORED[operator]
    if path is None or not isinstance(right, dict) or "Value" not in right:
        return
    _note(known.setdefault(path, _Known()), operator, right["Value"])


def _note(facts: _Known, operator: str, value: Json) -> None:
    if operator == "==":
        facts.equal.append(value)
    elif operator == "!=":
        facts.unequal.append(value)
    elif type(value) is int:
        if operator in ("<", "<="):
            bound = value - (operator == "<")
            facts.high = bound if facts.high is None else min(facts.high, bound)
        else:
            bound = value + (operator == ">")
            facts.low = bound if facts.low is None else max(facts.low, bound)


def _contradiction(facts: _Known) -> str:
    if facts.low is not None and facts.high is not None and facts.low > facts.high:
        return f"would be at least {facts.low} and at most {facts.high}"
    for value in facts.equal:
        if value != facts.equal[0] or type(value) is not type(facts.equal[0]):
            return "would equal two different values"
        if value in facts.unequal:
            return "would both equal and not equal one value"
        if type(value) is int and not _within(value, facts):
            return f"would equal {value} and be outside its bounds"
        if isinstance(value, str) and not all(_matches(value, pattern) for pattern in facts.like):
            return "would equal a text that its pattern does not match"
    return ""


def _within(value: int, facts: _Known) -> bool:
    return (facts.low is None or value >= facts.low) and (facts.high is None or value <= facts.high)


def _matches(text: str, pattern: list[Json]) -> bool:
    expression = "".join(".*" if part == "Wildcard" else re.escape(part["Literal"]) for part in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None
