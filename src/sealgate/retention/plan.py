"""The plan: exactly what expires, at which layer, and what a hold keeps. Deterministic in its arguments.

The order of layers is body, then statement, then shard. A statement never goes before its body. A held record loses
nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from sealgate.retention.classes import Classes
from sealgate.retention.holds import Entry, Hold, holding

WINDOW: Final = 65_536
"""Records that one expiry record speaks of at most, so that their exact indexes fit into its body."""

BODY: Final = "body"
STATEMENT: Final = "statement"
SHARD: Final = "shard"


class Action(Enum):
    """What happens to a record. ``HOLD``: it was due and stays, sealed under the hold's own data key."""

    KEEP = 0
    DROP_BODY = 1
    DROP_STATEMENT = 2
    HOLD = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """The action for a record, and the hold that keeps it where one does."""

    action: Action
    hold: Hold | None = None


_KEEP: Final = Verdict(Action.KEEP)
_BODY: Final = Verdict(Action.DROP_BODY)
_STATEMENT: Final = Verdict(Action.DROP_STATEMENT)


def judge(entry: Entry, classes: Classes, holds: Sequence[Hold], now_ms: int) -> Verdict:
    """Return what happens to one record now."""
    terms = classes.effective(entry.retention_class)
    body = entry.body and terms.body_due(entry.time_ms, now_ms)
    statement = entry.statement and terms.statement_due(entry.time_ms, now_ms)
    if not body and not statement:
        return _KEEP
    hold = holding(holds, entry)
    if hold is not None:
        return Verdict(Action.HOLD, hold)
    return _STATEMENT if statement else _BODY


@dataclass(frozen=True, slots=True)
class Expiry:
    """One expiry record to be: a layer and class, the exact indexes in one window, how many a hold kept there."""

    layer: str
    retention_class: str
    indexes: tuple[int, ...]
    held: int

    @property
    def from_index(self) -> int:
        """The first index."""
        return self.indexes[0]

    @property
    def to_index(self) -> int:
        """Behind the last index."""
        return self.indexes[-1] + 1


@dataclass(slots=True)
class Plan:
    """What a run would do. ``actions`` has only records that something happens to."""

    actions: dict[int, Verdict] = field(default_factory=dict)
    _dropped: dict[tuple[int, str, str], list[int]] = field(default_factory=dict)
    _held: dict[tuple[int, str], int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)

    def add(self, entry: Entry, verdict: Verdict) -> None:
        """Take in one judged record. Records come in order."""
        if verdict.action is Action.KEEP:
            return
        self.actions[entry.index] = verdict
        window, name = entry.index // WINDOW, entry.retention_class
        if verdict.action is Action.HOLD:
            self._held[window, name] = self._held.get((window, name), 0) + 1
            return
        if entry.body:
            self._dropped.setdefault((window, name, BODY), []).append(entry.index)
        if verdict.action is Action.DROP_STATEMENT:
            self._dropped.setdefault((window, name, STATEMENT), []).append(entry.index)

    @property
    def held(self) -> int:
        """How many records a hold keeps."""
        return sum(self._held.values())

    def expiries(self) -> list[Expiry]:
        """Return the expiry records, by window, class and layer."""
        return [
            Expiry(layer, name, tuple(indexes), self._held.get((window, name), 0))
            for (window, name, layer), indexes in sorted(self._dropped.items())
        ]

    def counts(self) -> Mapping[str, int]:
        """Return how many go, by layer, and how many a hold keeps."""
        totals = {BODY: 0, STATEMENT: 0, "held": self.held}
        for (_, _, layer), indexes in self._dropped.items():
            totals[layer] += len(indexes)
        return totals


def make(entries: Iterable[Entry], classes: Classes, holds: Sequence[Hold], now_ms: int) -> Plan:
    """Return the plan for records in order of their index."""
    plan = Plan()
    for entry in entries:
        if not classes.knows(entry.retention_class):
            plan.unknown[entry.retention_class] = plan.unknown.get(entry.retention_class, 0) + 1
        plan.add(entry, judge(entry, classes, holds, now_ms))
    return plan


def ranges(indexes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the runs (first, behind the last) of ascending indexes."""
    first = last = -2
    for index in indexes:
        if index == last + 1:
            last = index
            continue
        if first >= 0:
            yield first, last + 1
        first = last = index
    if first >= 0:
        yield first, last + 1
