"""Rebuilds the store from the journal and compares: the same rows, the same answers."""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from sealgate.evidence import aggregating, searching
from sealgate.evidence.answers import Filter
from sealgate.evidence.consumer import Consumer
from sealgate.ports.evidence import EvidenceStore


class Digest(msgspec.Struct, frozen=True):
    """A store as it answers: rows, the SHA-256 of the canonical stream of all of them, one of some aggregates."""

    rows: int
    stream: str
    answers: str


class Rebuilt(msgspec.Struct, frozen=True):
    """Both stores at the same index. ``same`` is what counts; ``differing`` names the first rows that are not."""

    next_index: int
    before: Digest
    after: Digest
    same: bool
    differing: list[str]


def digest(store: EvidenceStore) -> Digest:
    """Return the digest of a store's rows, in their order, and of its answers to some questions."""
    stream, count = hashlib.sha256(), 0
    for rows in searching.every_row(store, Filter()):
        for row in rows:
            stream.update(_line(row))
        count += len(rows)
    answers = [
        msgspec.to_builtins(aggregating.aggregate(store, Filter(), group_by=group_by, measure=measure, limit=1000))
        for group_by, measure in ((("kind",), "count"), (("agent", "outcome"), "count"), (("day", "tool"), "p95_ms"))
    ]
    text = orjson.dumps(answers, option=orjson.OPT_SORT_KEYS)
    return Digest(rows=count, stream=stream.hexdigest(), answers=hashlib.sha256(text).hexdigest())


def differing(one: EvidenceStore, other: EvidenceStore, limit: int = 10) -> list[str]:
    """Return ``index/position`` of the first rows that only one of them has, or that differ."""
    found: list[str] = []
    left, right = _lines(one), _lines(other)
    for key in sorted(left.keys() | right.keys()):
        if left.get(key) != right.get(key):
            found.append(f"{key[0]}/{key[1]}")
            if len(found) >= limit:
                break
    return found


def rebuild(
    consumer: Consumer, fresh: EvidenceStore, live: EvidenceStore, progress: Callable[[int, int], None]
) -> Rebuilt:
    """Fill ``fresh`` by its consumer as far as ``live`` is, and compare. Nothing may write to ``live`` meanwhile."""
    until = live.next_index
    while fresh.next_index < until:
        consumer.step(until)
        progress(fresh.next_index, until)
    before, after = digest(live), digest(fresh)
    same = before == after
    return Rebuilt(
        next_index=until, before=before, after=after, same=same, differing=[] if same else differing(live, fresh)
    )


def _lines(store: EvidenceStore) -> dict[tuple[int, int], bytes]:
    return {
        (row[0], row[1]): hashlib.sha256(_line(row)).digest()
        for rows in searching.every_row(store, Filter())
        for row in rows
    }


def _line(row: tuple[Any, ...]) -> bytes:
    return orjson.dumps(row, default=str) + b"\n"
