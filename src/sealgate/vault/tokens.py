"""Exchanging values for tokens, and knowing persons: registering, finding, exporting.

The same value of the same subject always has the same token; tokens are random, so none tells anything by itself.
"""

import os
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from sealgate.model.errors import InputError, NotPermittedError
from sealgate.model.evaluation import Identity
from sealgate.model.scopes import NOBODY, SUBJECT_TOKEN
from sealgate.ports.vault import AccessEvent, AuthorityCalls, StoredSubject, StoredValue, VaultStore
from sealgate.vault.sealing import Sealing
from sealgate.vault.values import TOKEN_BYTES, canonical_value, lookup_digest, token

MAX_VALUES: Final = 1000
"""Values in one request."""

Clock = Callable[[], int]


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value, its type, and whose it is (a subject token), if that is known."""

    type: str
    value: str
    subject: str | None = None


class KnownValue(msgspec.Struct, frozen=True):
    """A value of a registered subject, for matching in texts; kept in memory only."""

    type: str
    value: str
    subject: str
    token: str


class Known(msgspec.Struct, frozen=True):
    """All known values, or null where ``version`` is the one that the caller has."""

    version: str
    values: list[KnownValue] | None


class Export(msgspec.Struct, frozen=True):
    """Everything that the vault holds of a subject (GDPR Art. 15 and 20)."""

    subject: str
    registered_ms: int
    values: list[KnownValue]


class Tokens:
    """Values and persons. Blocks; may be used from any thread."""

    def __init__(self, store: VaultStore, sealing: Sealing, authority: AuthorityCalls, unix_ms: Clock) -> None:
        self._store = store
        self._sealing = sealing
        self._authority = authority
        self._unix_ms = unix_ms

    def exchange(self, values: Sequence[Value]) -> list[str]:
        """Return a token for each value, in order; durable before it is returned.

        Raises:
            InputError: a value is malformed, or there are too many.
            NotPermittedError: a named subject is not registered, or is being erased.
            UnavailableError: the vault cannot write.
        """
        if len(values) > MAX_VALUES:
            raise InputError(f"{len(values)} values in one request", hint=f"send {MAX_VALUES} at most")
        with self._store.transaction():
            return [self._token_of(value, known=False) for value in values]

    def register(self, values: Sequence[Value], subject: str | None, caller: Identity) -> str:
        """Return the token of a person with these values: a new one, or ``subject`` with more values.

        A person whose values are all known already is not registered twice.

        Raises:
            InputError: no values, or malformed ones.
            NotPermittedError: ``subject`` is not registered, or is being erased.
            UnavailableError: it could not be recorded, or the vault cannot write; nothing is registered.
        """
        if not 0 < len(values) <= MAX_VALUES:
            raise InputError(f"a person with {len(values)} values", hint=f"send 1 to {MAX_VALUES}")
        for value in values:
            canonical_value(value.type, value.value)
        with self._store.transaction():
            found = subject or self._holder_of_all(values)
            if found is not None:
                self._active(found)
        name = found or token("sub", os.urandom(TOKEN_BYTES))
        self._authority.record(AccessEvent("subject.register", caller, name, count=len(values)))
        with self._store.transaction():
            if found is None:
                self._store.add_subject(StoredSubject(name, self._sealing.new_key(), "active", self._unix_ms()))
            for value in values:
                self._token_of(Value(value.type, value.value, name), known=True)
            self._store.bump_version()
        return name

    def find(self, value: Value, caller: Identity) -> list[str]:
        """Return the subjects that have this value; the search is a record before they are told."""
        digest = lookup_digest(self._sealing.lookup_key, value.type, value.value)
        with self._store.transaction():
            found = sorted({stored.subject for stored in self._store.by_lookup(digest)} - {NOBODY})
        # The value itself stays out of the record, and so does its digest.
        self._authority.record(AccessEvent("subject.find", caller, None, count=len(found), reason=f"by {value.type}"))
        return found

    def export(self, subject: str, caller: Identity) -> Export:
        """Return everything that the vault holds of a subject; the export is a record first.

        Raises:
            NotPermittedError: there is no such subject, or it is erased.
            UnavailableError: it could not be recorded; nothing is told.
        """
        with self._store.transaction():
            holder = self._active(subject)
            stored = self._store.values_of(subject)
        self._authority.record(AccessEvent("subject.export", caller, subject, count=len(stored)))
        return Export(subject, holder.created_ms, [self._open(holder, value) for value in stored])

    def known(self, version: str | None, caller: Identity) -> Known:
        """Return the values of registered subjects, unless the caller has this version already.

        Raises:
            UnavailableError: it could not be recorded; nothing is told.
        """
        with self._store.transaction():
            current = str(self._store.version())
            if version == current:
                return Known(current, None)
            holders = {subject.token: subject for subject in self._store.subjects_in("active", "erasing")}
            stored = [value for value in self._store.known_values() if value.subject in holders]
        self._authority.record(AccessEvent("known_values", caller, None, count=len(stored)))
        return Known(current, [self._open(holders[value.subject], value) for value in stored])

    def reveal(self, value_token: str) -> str:
        """Return what a token stands for. Only ``lookups`` calls it, after everything that has to precede it."""
        with self._store.transaction():
            value = self._store.by_token(value_token)
            holder = self._store.subject(value.subject) if value else None
        if value is None or holder is None or holder.key is None:
            raise NotPermittedError("the token stands for nothing any more", code="lookup-unknown")
        return self._open(holder, value).value

    def _token_of(self, value: Value, *, known: bool) -> str:
        digest = lookup_digest(self._sealing.lookup_key, value.type, value.value)
        stored = self._store.by_lookup(digest)
        subject = value.subject
        if subject is None and stored:
            # Whose it is was not said: the first person that is known to have it, else nobody's token.
            return min(stored, key=lambda found: found.subject == NOBODY).token
        found = next((held for held in stored if held.subject == (subject or NOBODY)), None)
        if found is not None:
            if subject is not None:
                self._active(subject)
            if known and not found.known:
                self._store.mark_known(found.token)
            return found.token
        holder = self._nobody() if subject is None else self._active(subject)
        if holder.key is None:
            raise NotPermittedError(f"subject `{holder.token}` is erased", code="subject-unknown")
        new = token("tok", os.urandom(TOKEN_BYTES))
        sealed = self._sealing.seal(holder.key, new, value.type, value.value)
        self._store.add_value(StoredValue(new, digest, holder.token, value.type, sealed, known))
        return new

    def _holder_of_all(self, values: Sequence[Value]) -> str | None:
        """Return the active subject that has all these values already, or None."""
        common: set[str] | None = None
        for value in values:
            digest = lookup_digest(self._sealing.lookup_key, value.type, value.value)
            have = {stored.subject for stored in self._store.by_lookup(digest)} - {NOBODY}
            common = have if common is None else common & have
        return min(common) if common else None

    def _nobody(self) -> StoredSubject:
        found = self._store.subject(NOBODY)
        if found is None:
            found = StoredSubject(NOBODY, self._sealing.new_key(), "active", self._unix_ms())
            self._store.add_subject(found)
        return found

    def _active(self, subject: str) -> StoredSubject:
        found = self._store.subject(subject) if SUBJECT_TOKEN.fullmatch(subject) else None
        if found is None or found.state != "active":
            state = "is not registered" if found is None else f"is {found.state}"
            raise NotPermittedError(f"subject `{subject[:64]}` {state}", code="subject-unknown")
        return found

    def _open(self, holder: StoredSubject, value: StoredValue) -> KnownValue:
        plain = self._sealing.open(holder.key or b"", value.token, value.kind, value.sealed)
        return KnownValue(value.kind, plain, value.subject, value.token)
