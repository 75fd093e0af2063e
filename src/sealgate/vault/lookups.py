"""Look-ups: what a token stands for is told once, to the one who asked, after another person agreed.

pending → consented → disclosed, or refused; each until it expires. Every step is a record of the authority before it
takes effect; if it cannot be recorded it does not happen. The state says ``disclosed`` before the value leaves: if we
die in between, the value was not told and has to be asked for again.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from sealgate.model.errors import InputError, NotPermittedError, UnavailableError
from sealgate.model.evaluation import Identity
from sealgate.model.identifiers import require_uuid
from sealgate.ports.vault import AccessEvent, AuthorityCalls, Operation, StoredLookup, VaultStore
from sealgate.vault.values import VALUE_TOKEN

MIN_REASON_CHARS: Final = 10
MAX_REASON_CHARS: Final = 1024


class Lookup(msgspec.Struct, frozen=True):
    """A look-up as it is answered. ``value`` is there once: when its requester fetches it after the consent."""

    lookup_id: str
    token: str
    requester: str
    reason: str
    state: str
    expires_ms: int
    decided_by: str | None = None
    value: str | None = None


class Lookups:
    """Look-ups of one vault. Blocks; may be used from any thread."""

    def __init__(
        self,
        store: VaultStore,
        authority: AuthorityCalls,
        reveal: Callable[[str], str],
        *,
        unix_ms: Callable[[], int],
        new_id: Callable[[], str],
        lifetime_ms: int,
    ) -> None:
        self._store = store
        self._authority = authority
        self._reveal = reveal
        self._unix_ms = unix_ms
        self._new_id = new_id
        self._lifetime_ms = lifetime_ms

    def request(self, token: str, reason: str, caller: Identity) -> Lookup:
        """Ask what a token stands for; the answer waits for another person.

        Raises:
            InputError: the reason says too little or too much.
            NotPermittedError: there is no such token.
            UnavailableError: it could not be recorded.
        """
        if not MIN_REASON_CHARS <= len(reason.strip()) <= MAX_REASON_CHARS:
            hint = f"say why in {MIN_REASON_CHARS} to {MAX_REASON_CHARS} characters"
            raise InputError("a look-up needs a reason", hint=hint)
        with self._store.transaction():
            known = VALUE_TOKEN.fullmatch(token) is not None and self._store.by_token(token) is not None
        if not known:
            self._refuse("lookup.request", caller, token[:64], "token-unknown", reason)
            raise NotPermittedError(f"token `{token[:64]}` stands for nothing here", code="lookup-unknown")
        wish = StoredLookup(
            self._new_id(), token, caller.principal, reason, "pending", self._unix_ms() + self._lifetime_ms
        )
        self._authority.record(AccessEvent("lookup.request", caller, token, reason=reason))
        with self._store.transaction():
            self._store.save_lookup(wish)
        return _answer(wish)

    def pending(self) -> list[Lookup]:
        """Return the look-ups that wait for a second person."""
        with self._store.transaction():
            found = self._store.lookups_in("pending")
        now = self._unix_ms()
        return [_answer(wish) for wish in found if now < wish.expires_ms]

    def decide(self, lookup_id: str, caller: Identity, *, consent: bool) -> Lookup:
        """Agree to a look-up of another person, or refuse it.

        Raises:
            NotPermittedError: the requester itself, no such look-up, or it is expired or decided.
            UnavailableError: it could not be recorded; nothing is decided.
        """
        wish = self._find(lookup_id)
        if consent and wish.requester == caller.principal:
            self._refuse("lookup.consent", caller, wish.token, "second-person-needed", wish.reason)
            raise NotPermittedError(
                f"`{caller.principal}` asked for this and cannot consent",
                code="second-person-needed",
                hint="ask another",
            )
        self._require(wish, "pending")
        operation: Operation = "lookup.consent" if consent else "lookup.refuse"
        event = AccessEvent(operation, caller, wish.token, reason=wish.reason, approver=caller.principal)
        self._authority.record(event)
        with self._store.transaction():
            wish = self._again(lookup_id, "pending")
            wish.state = "consented" if consent else "refused"
            wish.decided_by, wish.expires_ms = caller.principal, self._unix_ms() + self._lifetime_ms
            self._store.save_lookup(wish)
        return _answer(wish)

    def fetch(self, lookup_id: str, caller: Identity) -> Lookup:
        """Return the look-up; with its value if it is consented, which happens once.

        Raises:
            NotPermittedError: somebody else asked, or there is no such look-up.
            UnavailableError: the disclosure could not be recorded; nothing is told, it may be fetched again.
        """
        wish = self._find(lookup_id)
        if wish.requester != caller.principal:
            self._refuse("lookup.disclose", caller, wish.token, "not-the-requester", wish.reason)
            raise NotPermittedError("somebody else asked for this", code="lookup-unknown")
        if wish.state != "consented" or self._unix_ms() >= wish.expires_ms:
            return _answer(wish, expired=self._unix_ms() >= wish.expires_ms)
        with self._store.transaction():
            wish = self._again(lookup_id, "consented")  # of two that fetch at once, one comes here
            wish.state = "disclosed"
            self._store.save_lookup(wish)
        event = AccessEvent(
            "lookup.disclose", caller, wish.token, count=1, reason=wish.reason, approver=wish.decided_by
        )
        try:
            self._authority.record(event)
        except UnavailableError:
            with self._store.transaction():
                wish.state = "consented"
                self._store.save_lookup(wish)
            raise
        return msgspec.structs.replace(_answer(wish), value=self._reveal(wish.token))

    def _find(self, lookup_id: str) -> StoredLookup:
        require_uuid(lookup_id, "look-up id")
        with self._store.transaction():
            wish = self._store.lookup(lookup_id)
        if wish is None:
            raise NotPermittedError(f"no look-up `{lookup_id}`", code="lookup-unknown")
        return wish

    def _again(self, lookup_id: str, state: str) -> StoredLookup:
        wish = self._store.lookup(lookup_id)
        if wish is None:
            raise NotPermittedError(f"no look-up `{lookup_id}`", code="lookup-unknown")
        self._require(wish, state)
        return wish

    def _require(self, wish: StoredLookup, state: str) -> None:
        if wish.state != state or self._unix_ms() >= wish.expires_ms:
            found = "expired" if wish.state == state else wish.state
            raise NotPermittedError(f"the look-up is {found}", code="lookup-state", hint="ask anew")

    def _refuse(self, operation: Operation, caller: Identity, target: str, refusal: str, reason: str) -> None:
        event = AccessEvent(operation, caller, target, outcome="refused", refusal=refusal, reason=reason)
        self._authority.record(event)


def _answer(wish: StoredLookup, *, expired: bool = False) -> Lookup:
    state = "expired" if expired and wish.state in ("pending", "consented") else wish.state
    whose = (wish.lookup_id, wish.token, wish.requester, wish.reason)
    return Lookup(*whose, state, wish.expires_ms, wish.decided_by)
