"""Legal holds: what must not be deleted, whatever its class says. Two persons place a hold, two release it.

A hold protects from the moment it is asked for, and until its release is confirmed: in doubt, evidence stays.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from sealgate.model.errors import InputError, NotPermittedError

MAX_NAMES: Final = 256


class Stage(StrEnum):
    """How far a hold is."""

    REQUESTED = "requested"
    PLACED = "placed"
    RELEASE_REQUESTED = "release_requested"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Selection:
    """What a hold covers: each list that is not empty must contain the record, and the time lies in the range.

    Times are Unix milliseconds, ``until_ms`` excluded. ``records`` are record ids.
    """

    subjects: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None

    def check(self) -> None:
        """Refuse a selection of nothing in particular, or one that is too long.

        Raises:
            InputError: says which.
        """
        lists = (self.subjects, self.tasks, self.agents, self.classes, self.records)
        if not any(lists):
            raise InputError("a hold needs subjects, tasks, agents, classes or records", hint="name at least one")
        if sum(map(len, lists)) > MAX_NAMES:
            raise InputError(f"a hold names at most {MAX_NAMES} things", hint="place several holds")


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold. ``requested_by`` is who asked for the step that is open or was last confirmed."""

    hold_id: str
    selection: Selection
    reason: str
    stage: Stage
    requested_by: str
    confirmed_by: str | None = None

    @property
    def protects(self) -> bool:
        """Whether what it covers must stay."""
        return self.stage is not Stage.RELEASED

    def require_other(self, principal: str) -> None:
        """Refuse to let the one who asked confirm.

        Raises:
            NotPermittedError: it is the same person.
        """
        if principal == self.requested_by:
            raise NotPermittedError(
                f"`{principal}` asked for this and cannot confirm it", code="second-person-needed", hint="ask another"
            )


@dataclass(frozen=True, slots=True)
class Entry:
    """What retention knows of one record. What is not known any more (its body is gone) is empty."""

    index: int
    time_ms: int
    retention_class: str
    body: bool = True
    statement: bool = True
    record_ids: frozenset[str] = field(default_factory=frozenset)
    subjects: frozenset[str] = field(default_factory=frozenset)
    tasks: frozenset[str] = field(default_factory=frozenset)
    agents: frozenset[str] = field(default_factory=frozenset)


def covers(selection: Selection, entry: Entry) -> bool:
    """Tell whether the record is what the hold means."""
    if selection.since_ms is not None and entry.time_ms < selection.since_ms:
        return False
    if selection.until_ms is not None and entry.time_ms >= selection.until_ms:
        return False
    classes = {entry.retention_class, *entry.retention_class.split("+")}
    pairs: tuple[tuple[tuple[str, ...], Iterable[str]], ...] = (
        (selection.subjects, entry.subjects),
        (selection.tasks, entry.tasks),
        (selection.agents, entry.agents),
        (selection.classes, classes),
        (selection.records, entry.record_ids),
    )
    return all(not wanted or not set(wanted).isdisjoint(has) for wanted, has in pairs)


def holding(holds: Iterable[Hold], entry: Entry) -> Hold | None:
    """Return the first hold that protects the record, or None. Holds count in the order given."""
    return next((hold for hold in holds if hold.protects and covers(hold.selection, entry)), None)


def selection_of(value: Mapping[str, Any]) -> Selection:
    """Return the selection of a record's or request's members, times already in Unix milliseconds."""
    names = ("subjects", "tasks", "agents", "classes", "records")
    lists = {name: tuple(value.get(name) or ()) for name in names}
    return Selection(**lists, since_ms=value.get("since_ms"), until_ms=value.get("until_ms"))
