"""What the vault needs from outside: a store, and the authority, which records each step before it takes effect."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from sealgate.model.erasure import Erasure, ErasureRequest
from sealgate.model.evaluation import Identity


@dataclass(frozen=True, slots=True)
class StoredValue:
    """One value as it is stored. ``subject`` is a subject token, or ``-``. ``known``: it is matched in texts."""

    token: str
    lookup: bytes
    subject: str
    kind: str
    sealed: bytes
    known: bool


@dataclass(slots=True)
class StoredSubject:
    """A subject: its wrapped key (None once forgotten) and how far it is."""

    token: str
    key: bytes | None
    state: Literal["active", "erasing", "forgotten", "erased"]
    created_ms: int
    erasure: bytes | None = None
    """The request of an erasure under way, or the answer of one that is done, JSON."""


@dataclass(slots=True)
class StoredLookup:
    """Somebody's wish to know what a token stands for."""

    lookup_id: str
    token: str
    requester: str
    reason: str
    state: Literal["pending", "consented", "refused", "disclosed"]
    expires_ms: int
    decided_by: str | None = None


class VaultStore(Protocol):
    """The vault's database. Every call happens inside a ``transaction``; any thread may open one, one at a time."""

    def transaction(self) -> AbstractContextManager[None]:
        """Begin; commit durably at the end, or undo everything when an error leaves it.

        Raises:
            UnavailableError: it cannot be read or written.
        """

    def add_subject(self, subject: StoredSubject) -> None:
        """Add a new subject."""

    def subject(self, token: str) -> StoredSubject | None:
        """Return a subject, or None."""

    def subjects_in(self, *states: str) -> list[StoredSubject]:
        """Return the subjects in one of these states."""

    def change_subject(self, subject: StoredSubject) -> None:
        """Replace state, key and erasure of a subject."""

    def add_value(self, value: StoredValue) -> None:
        """Add a new value."""

    def by_lookup(self, lookup: bytes) -> list[StoredValue]:
        """Return what is stored of a value, oldest first: once for each subject that has it."""

    def by_token(self, token: str) -> StoredValue | None:
        """Return the value of a token, or None."""

    def values_of(self, subject: str) -> list[StoredValue]:
        """Return all values of a subject, oldest first."""

    def known_values(self) -> Iterator[StoredValue]:
        """Yield the values that are matched in texts."""

    def mark_known(self, token: str) -> None:
        """Match this value in texts from now on."""

    def remove_values(self, subject: str) -> int:
        """Remove all values of a subject and the look-ups of their tokens; return how many values."""

    def save_lookup(self, lookup: StoredLookup) -> None:
        """Add or replace a look-up."""

    def lookup(self, lookup_id: str) -> StoredLookup | None:
        """Return a look-up, or None."""

    def lookups_in(self, state: str) -> list[StoredLookup]:
        """Return the look-ups in a state, oldest first."""

    def version(self) -> int:
        """Return a number that grows whenever the known values change."""

    def bump_version(self) -> None:
        """Let ``version`` grow."""

    def scrub(self) -> None:
        """Outside a transaction: rewrite the files so that no page keeps what was removed. Durable on return.

        Raises:
            UnavailableError: it cannot be done now; call again.
        """


Operation = Literal[
    "subject.find",
    "subject.export",
    "subject.register",
    "lookup.request",
    "lookup.consent",
    "lookup.refuse",
    "lookup.disclose",
    "known_values",
]
"""What is done in the vault, as records name it."""


@dataclass(frozen=True, slots=True)
class AccessEvent:
    """One step that concerns people's data, as the authority records it."""

    operation: Operation
    caller: Identity
    target: str | None
    outcome: Literal["allowed", "refused"] = "allowed"
    refusal: str | None = None
    count: int | None = None
    reason: str | None = None
    approver: str | None = None


class AuthorityCalls(Protocol):
    """The authority, as the vault calls it. Blocks; may be called from any thread."""

    def record(self, event: AccessEvent) -> str:
        """Record a step; return the record's id once it is durable.

        Raises:
            UnavailableError: it could not be recorded: then it must not happen.
        """

    def erase(self, subject: str, request: ErasureRequest) -> Erasure:
        """Bring an erasure on; raises UnavailableError, or what the authority refuses with."""
