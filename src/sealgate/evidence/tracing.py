"""The decision chain as a tree: session, input, context, reasoning and model calls, decisions, outcomes."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from sealgate.evidence import finding, reading
from sealgate.evidence.answers import Authorization, Node, Trace
from sealgate.evidence.finding import Values, column
from sealgate.evidence.reading import Proof
from sealgate.evidence.titles import title
from sealgate.model.errors import InputError
from sealgate.model.records import Kind
from sealgate.ports.evidence import EvidenceStore, Session

MAX_ROWS: Final = 10_000
"""Rows of one tree; beyond, the tree says that it is cut."""

_APPROVALS: Final = frozenset({Kind.APPROVAL_GRANTED, Kind.APPROVAL_REFUSED})


def trace(store: EvidenceStore, proof: Proof, name: str, limit: int = MAX_ROWS) -> Trace:
    """Return the tree of a task, session, trace or record.

    Raises:
        InputError: nothing has this name.
    """
    with store.session() as session:
        rows = _rows(session, name, limit + 1)
        if not rows:
            raise InputError(f"nothing is known of `{name[:80]}`", hint="name a task, session, trace or record id")
    shown = rows[:limit]
    return Trace(id=name, roots=tree(shown, proof), rows=len(shown), truncated=len(rows) > limit)


def _rows(session: Session, name: str, limit: int) -> list[Values]:
    rows = finding.of_chain(session, name, limit)
    if not rows:
        row = finding.by_id(session, name)
        if row is None:
            return []
        of = [column(row, "task_id"), column(row, "session_id"), (column(row, "trace_id") or "").replace("-", "")]
        chain = next((part for part in of if part), None)
        rows = [row] if chain is None else finding.of_chain(session, chain, limit)
        if chain is None and (decision := column(row, "refers_to")) is not None:
            above = finding.by_id(session, decision)
            rows = [above, row] if above is not None else rows
    return finding.around(session, rows, limit)


def tree(rows: Sequence[Values], proof: Proof) -> list[Node]:
    """Return the roots of the tree that rows make, in order of time."""
    nodes = [node(row, proof) for row in rows]
    parents = _parents(rows)
    _authorize(rows, nodes, parents)
    roots: list[Node] = []
    for number, made in enumerate(nodes):
        parent = parents[number]
        (roots if parent is None else nodes[parent].children).append(made)
    for made in nodes:
        made.children.sort(key=_order)
    return sorted(roots, key=_order)


def node(row: Values, proof: Proof) -> Node:
    """Return one row as a node without children."""
    is_decision = column(row, "kind") == Kind.DECISION
    body: dict[str, Any] = orjson.loads(column(row, "rest") or "{}")
    if column(row, "text"):
        body["text"] = column(row, "text")
    for name in ("outcome", "reason", "model", "classification", "input_size", "output_size", "duration_us"):
        if column(row, name) is not None:
            body[name] = column(row, name)
    item_id = column(row, "id") if column(row, "id") != column(row, "record_id") else None
    index = column(row, "journal_index")
    return Node(
        record_id=column(row, "record_id"),
        item_id=item_id,
        kind=column(row, "kind"),
        time=reading.rfc3339(column(row, "time")),
        title=title(row),
        agent=column(row, "agent"),
        tool=column(row, "tool"),
        decision=column(row, "outcome") if is_decision else None,
        authorization=_authorization(row, body) if is_decision else None,
        proof_state=proof(index),
        index=index,
        coverage=column(row, "coverage") or "enforced",
        body=body,
    )


def _authorization(row: Values, body: dict[str, Any]) -> Authorization:
    return Authorization(
        decision=column(row, "outcome"),
        reason=column(row, "reason"),
        policies=column(row, "policies") or [],
        policy_version=column(row, "policy_version"),
        method=(body.get("decision") or {}).get("authorization_method"),
        record_id=column(row, "id"),
    )


def _order(item: Node) -> tuple[str, int]:
    return item.time, item.index


def _parents(rows: Sequence[Values]) -> list[int | None]:
    """Return the parent of each row: what it refers to, the span above it, the start of its session; None: a root."""
    by_id = {column(row, "id"): number for number, row in enumerate(rows)}
    spans: dict[tuple[str | None, int], int] = {}
    starts: dict[str, int] = {}
    for number, row in enumerate(rows):
        span = column(row, "span_id")
        if span is not None and column(row, "refers_to") is None:
            known = spans.setdefault((column(row, "trace_id"), span), number)
            if column(rows[known], "kind") == Kind.DECISION and column(row, "kind") != Kind.DECISION:
                spans[column(row, "trace_id"), span] = number  # the call stands above its decision
        if column(row, "kind") == Kind.SESSION_STARTED:
            for name in ("session_id", "task_id", "trace_id"):
                if column(row, name) is not None:
                    starts.setdefault(column(row, name), number)
    parents: list[int | None] = [None] * len(rows)
    for number, row in enumerate(rows):
        for found in _candidates(row, by_id, spans, starts):
            if found is not None and found != number and not _below(found, number, parents):
                parents[number] = found
                break
    return parents


def _candidates(
    row: Values, by_id: dict[str, int], spans: dict[tuple[str | None, int], int], starts: dict[str, int]
) -> list[int | None]:
    trace_id = column(row, "trace_id")
    above, own = column(row, "parent_span_id"), column(row, "span_id")
    return [
        by_id.get(column(row, "refers_to")),
        None if own is None else spans.get((trace_id, own)),
        None if above is None else spans.get((trace_id, above)),
        *(starts.get(column(row, name)) for name in ("task_id", "session_id", "trace_id")),
    ]


def _below(number: int, root: int, parents: Sequence[int | None]) -> bool:
    """Tell whether ``number`` stands below ``root``: spans of strangers may name each other in circles."""
    at: int | None = number
    while at is not None:
        if at == root:
            return True
        at = parents[at]
    return False


def _authorize(rows: Sequence[Values], nodes: list[Node], parents: Sequence[int | None]) -> None:
    """Give calls their decision's authorization, and decisions who approved."""
    by_id = {made.authorization.record_id: made for made in nodes if made.authorization is not None}
    for row, made in zip(rows, nodes, strict=True):
        if made.kind in _APPROVALS and (decided := by_id.get(column(row, "refers_to"))) and decided.authorization:
            decided.authorization.approved_by.append(column(row, "principal") or "unknown")
    for number, made in enumerate(nodes):
        parent = parents[number]
        if made.authorization is not None and parent is not None and nodes[parent].kind == Kind.TOOL_CALL:
            nodes[parent].authorization = made.authorization
