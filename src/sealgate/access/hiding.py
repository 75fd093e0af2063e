"""Hides what a reader may not see. What holds several parts at once (a body) is shown whole or not at all."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from sealgate.evidence.answers import Explanation, Node, Page, Row, Trace
from sealgate.model.grants import unix_ms
from sealgate.policy.reading import FOREVER_MS, Box, Part

from .scope import PART_OF_FIELD

WHOLE: Final = frozenset(Part)
_EMPTY: Final[dict[str, Any]] = {
    item.name: item.default_factory() if item.default is msgspec.NODEFAULT else item.default
    for item in msgspec.structs.fields(Row)
    if item.name in PART_OF_FIELD
}
Sees = Callable[[Box], frozenset[Part]]
"""The parts that the reader sees of the records in a box."""


def row(found: Row, parts: frozenset[Part]) -> Row:
    """Return the row without the parts that are hidden."""
    if parts >= WHOLE:
        return found
    hidden = {name: value for name, value in _EMPTY.items() if PART_OF_FIELD[name] not in parts}
    if "rest" not in hidden:
        hidden["rest"] = {}
    return msgspec.structs.replace(found, **hidden)


def page(found: Page, parts: frozenset[Part]) -> Page:
    """Return the page without the parts that are hidden."""
    return Page(rows=[row(each, parts) for each in found.rows], next=found.next)


def trace(found: Trace, sees: Sees) -> tuple[Trace, list[str], int]:
    """Return the tree as the reader may see it, the ids shown, and how many steps are withheld.

    A step that is not the reader's to see goes, and what it led to takes its place: that is judged by itself.
    """
    shown: list[str] = []
    withheld = 0

    def prune(nodes: Iterable[Node]) -> list[Node]:
        nonlocal withheld
        kept: list[Node] = []
        for node in nodes:
            parts = sees(place_of(node.agent, node.kind, node.time))
            if Part.ENVELOPE not in parts:
                withheld += 1
                kept += prune(node.children)
                continue
            shown.append(node.record_id)
            kept.append(_node(node, parts, prune(node.children)))
        return kept

    roots = prune(found.roots)
    return msgspec.structs.replace(found, roots=roots, rows=len(shown)), shown, withheld


def _node(node: Node, parts: frozenset[Part], children: list[Node]) -> Node:
    if parts >= WHOLE:
        return msgspec.structs.replace(node, children=children)
    authorization = node.authorization if Part.DECISION in parts else None
    if authorization is not None and Part.PEOPLE not in parts:
        authorization = msgspec.structs.replace(authorization, approved_by=[])
    return msgspec.structs.replace(
        node,
        title=" ".join(filter(None, (node.kind, node.tool))),
        decision=node.decision if Part.DECISION in parts else None,
        authorization=authorization,
        body={},
        children=children,
    )


def explanation(found: Explanation, node: Node | None, parts: frozenset[Part]) -> Explanation:
    """Return the explanation; a reader who does not see everything gets one made of what it does see."""
    if parts >= WHOLE:
        return found
    if node is None:
        return Explanation(record_id=found.record_id, text=["This record is not yours to see."], facts={})
    lines = [f"{node.time}: {node.kind}" + (f", agent `{node.agent}`" if node.agent else "")]
    if node.tool:
        lines.append(f"The tool was `{node.tool}`.")
    facts: dict[str, Any] = {"kind": node.kind, "time": node.time, "agent": node.agent, "tool": node.tool}
    given = node.authorization if Part.DECISION in parts else None
    if given is not None:
        rules = ", ".join(f"`{name}`" for name in given.policies) or "no rule"
        lines.append(f"The answer was {given.decision} ({given.reason}), by {rules}.")
        facts |= {"decision": given.decision, "reason": given.reason, "policies": given.policies}
        facts |= {"policy_version": given.policy_version}
    lines.append(f"It is record {node.index} of the log; its proof is {node.proof_state}.")
    facts |= {"index": node.index, "proof_state": node.proof_state}
    lines.append("What was written is hidden from this role.")
    return Explanation(record_id=found.record_id, text=lines, facts=facts)


def find(roots: Iterable[Node], record_id: str) -> Node | None:
    """Return the step of this record, or None."""
    stack = list(roots)
    while stack:
        node = stack.pop()
        if record_id in (node.record_id, node.item_id):
            return node
        stack += node.children
    return None


def place_of(agent: str | None, kind: str, time: str) -> Box:
    """Return the box that holds exactly one record. A record of no agent is nobody's own."""
    at = unix_ms(time)
    return Box(frozenset({agent or ""}), frozenset({kind}), at, min(at + 1, FOREVER_MS))
