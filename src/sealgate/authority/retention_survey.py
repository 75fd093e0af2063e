"""What is there of the journal, its keys and its bundles, and what of it is due. Nothing is changed here."""

import base64
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from sealgate.authority.archiving import entry_of, known_of
from sealgate.authority.retention_parts import Note, Parts
from sealgate.encoding import sealed_body
from sealgate.model.limits import TILE_WIDTH
from sealgate.model.records import Kind
from sealgate.model.scopes import DEFAULT_TENANT
from sealgate.ports.archiving import Label, Summary
from sealgate.retention import plan as planning
from sealgate.retention.classes import LEDGER
from sealgate.retention.plan import Action, Plan

_GRACE_MS: Final = 3_600_000
"""After the end of a key's period, until it may be destroyed: clocks may be set back a little."""

_TENANTS: Final = (f"{DEFAULT_TENANT}/", "hold/")
"""Scopes whose keys seal bodies of the journal and nothing else."""


def plan_of(parts: Parts, now_ms: int, *, closed_only: bool = False) -> Plan:
    """Make the plan. Bodies are opened only where something is due and a hold may name it."""
    classes = parts.settings.classes
    holds = [hold for hold in list(parts.memory.holds.values()) if hold.protects]
    # The log reads statements once it sequences them, and those of its last bundle at each start.
    edge = max(0, min(parts.journal.size, parts.bundles.published()) - 1) // TILE_WIDTH * TILE_WIDTH
    plan = Plan()
    for label in _labels(parts, now_ms, closed_only=closed_only):
        may_go = label.index < edge
        entry = entry_of(label, None, statement_may_go=may_go)
        if not classes.knows(label.retention_class):
            plan.unknown[label.retention_class] = plan.unknown.get(label.retention_class, 0) + 1
        verdict = planning.judge(entry, classes, (), now_ms)
        if verdict.action is Action.KEEP:
            continue
        if holds:
            content = parts.reader.read(label.index).content()
            entry = entry_of(label, content, statement_may_go=may_go)
            verdict = planning.judge(entry, classes, holds, now_ms)
        plan.add(entry, verdict)
    return plan


def recorded(parts: Parts, note: Note) -> dict[tuple[str, str], set[int]]:
    """Return the indexes that records of this run name already, by layer and class."""
    found: dict[tuple[str, str], set[int]] = {}
    for index, record in parts.journal.read(note.size):
        content = parts.reader.open(index, record).content()
        if content is None or content["kind"] != Kind.RETENTION_EXPIRED or content["run_id"] != note.run_id:
            continue
        if content["indexes"] is not None:
            named = found.setdefault((content["layer"], content["expired_class"]), set())
            named.update(decode_indexes(content["indexes"], content["from_index"]))
    return found


def active_is_due(parts: Parts, now_ms: int) -> bool:
    """Tell whether something in the segment that is appended to is due."""
    closed = parts.journal.closed()
    start = closed[-1].stop if closed else 0
    classes = parts.settings.classes
    return any(
        planning.judge(entry_of(label, None), classes, (), now_ms).action is not Action.KEEP
        for label in _opened(parts, start, parts.journal.size)
    )


def idle_keys(parts: Parts, now_ms: int) -> list[bytes]:
    """Return the data keys whose period is over and that seal no body of the journal any more."""
    candidates = {
        fact.key_id
        for tenant in _TENANTS
        for fact in parts.data_keys.facts(tenant)
        if fact.until_ms + _GRACE_MS <= now_ms
    }
    if not candidates:
        return []
    stop = 0
    for segment in parts.journal.closed():
        stop = segment.stop
        if segment.archived:
            candidates -= parts.journal.key_ids(segment.sequence)
        else:
            candidates -= _keys_of(parts, segment.start, segment.stop)
    return sorted(candidates - _keys_of(parts, stop, parts.journal.size))


def lost_bundles(parts: Parts) -> set[int]:
    """Return the bundles of which any statement has expired: a crash may have left some as they were."""
    journal = parts.journal
    return {
        label.index // TILE_WIDTH
        for segment in journal.closed()
        if segment.archived
        for label in journal.labels(segment.sequence)
        if not label.statement
    }


def first_statement(parts: Parts) -> int:
    """Return the index of the first statement that has to stay."""
    stop = 0
    for segment in parts.journal.closed():
        for label in parts.journal.labels(segment.sequence) if segment.archived else ():
            if label.statement and label.retention_class != LEDGER:
                return label.index
        if not segment.archived:
            return segment.start
        stop = segment.stop
    return stop


def _labels(parts: Parts, now_ms: int, *, closed_only: bool) -> Iterator[Label]:
    """Yield labels of all records of which something can be due."""
    journal, stop, classes = parts.journal, 0, parts.settings.classes

    def wanted(summary: Summary) -> bool:
        terms = [classes.effective(name) for name in summary.classes]
        return (
            not all(classes.knows(name) for name in summary.classes)
            or (summary.bodies and any(item.body_due(summary.earliest_ms, now_ms) for item in terms))
            or (summary.statements and any(item.statement_due(summary.earliest_ms, now_ms) for item in terms))
        )

    for segment in journal.closed():
        if segment.archived:
            yield from journal.labels(segment.sequence, wanted)
        else:
            yield from _opened(parts, segment.start, segment.stop)
        stop = segment.stop
    if not closed_only:
        yield from _opened(parts, stop, journal.size)


def _opened(parts: Parts, start: int, stop: int) -> Iterator[Label]:
    reader = parts.reader
    for index, record in parts.journal.read(start, stop):
        content = reader.open(index, record).content()
        if content is not None:
            known = known_of(content)
            key_id = sealed_body.key_id_of(record.sealed_body)
            yield Label(index, known.time_ms, known.retention_class, key_id, statement=bool(record.statement))


def _keys_of(parts: Parts, start: int, stop: int) -> set[bytes]:
    return {
        sealed_body.key_id_of(record.sealed_body) for _, record in parts.journal.read(start, stop) if record.sealed_body
    }


def describe(plan: Plan) -> dict[str, Any]:
    """Return a plan as the API shows it."""
    counts = plan.counts()
    return {
        "bodies": counts[planning.BODY],
        "statements": counts[planning.STATEMENT],
        "held": counts["held"],
        "expiries": [
            {
                "layer": expiry.layer,
                "retention_class": expiry.retention_class,
                "from_index": expiry.from_index,
                "to_index": expiry.to_index,
                "count": len(expiry.indexes),
                "held": expiry.held,
            }
            for expiry in plan.expiries()
        ],
        "unknown_classes": plan.unknown,
    }


def decode_indexes(text: str, start: int) -> Iterable[int]:
    """Yield the indexes that ``archiving.encode_indexes`` wrote."""
    bits = zlib.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    for place, byte in enumerate(bits):
        for bit in range(8):
            if byte >> bit & 1:
                yield start + place * 8 + bit
