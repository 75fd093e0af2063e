"""Credentials that may be alive, as a projection of the journal: what must be ended, and which tokens must not count.

A lease begins with ``credential.requested``, before any backend is asked, so that a crash at any later point leaves a
record of what may exist. It is over with ``credential.revoked`` and with nothing else.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from sealgate.model.credentials import Cause, Lease
from sealgate.model.records import Kind

_KEPT_MS: Final = 60_000
"""How long after a token's expiry it stays on the list of revoked ones: the clocks of those who verify differ."""


class Leases:
    """All leases and all revoked tokens of this authority. One event loop owns it."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}
        self._of_decision: dict[str, set[str]] = {}
        self.revoked: dict[str, int] = {}
        """Credentials that were ended before their expiry, by id: their expiry in Unix milliseconds."""

    def __len__(self) -> int:
        return len(self._leases)

    def __iter__(self) -> Iterator[Lease]:
        return iter(list(self._leases.values()))

    def get(self, credential_id: str) -> Lease | None:
        """Return a lease that is not over."""
        return self._leases.get(credential_id)

    def add(self, lease: Lease) -> None:
        """Take in a lease."""
        self._leases[lease.credential_id] = lease
        self._of_decision.setdefault(lease.decision_id, set()).add(lease.credential_id)

    def remove(self, credential_id: str) -> None:
        """Forget a lease that is over."""
        lease = self._leases.pop(credential_id, None)
        if lease is None:
            return
        ids = self._of_decision.get(lease.decision_id, set())
        ids.discard(credential_id)
        if not ids:
            self._of_decision.pop(lease.decision_id, None)

    def of_decision(self, decision_id: str) -> list[Lease]:
        """Return the leases that serve a decision."""
        ids = self._of_decision.get(decision_id)
        return [self._leases[credential_id] for credential_id in sorted(ids)] if ids else []

    def condemn(self, lease: Lease, cause: Cause) -> bool:
        """Say that a lease has to end, from now on for ever; return False where that was said before."""
        if lease.cause is not None:
            return False
        lease.cause = cause
        self.revoked[lease.credential_id] = lease.expires_ms
        return True

    def forget_expired(self, now_ms: int) -> None:
        """Drop revoked tokens that nobody accepts any more anyhow."""
        over = [name for name, expires_ms in self.revoked.items() if expires_ms + _KEPT_MS < now_ms]
        for name in over:
            del self.revoked[name]

    def apply(self, body: dict[str, Any]) -> None:
        """Take in a record (replay)."""
        credential_id = body["credential_id"]
        match body["kind"]:
            case Kind.CREDENTIAL_REQUESTED:
                self.add(
                    Lease(
                        credential_id,
                        body["name"],
                        body["credential_kind"],
                        body["agent"]["id"],
                        body["decision_id"],
                        body["task_id"],
                        body["audience"],
                        body["scope_digest"],
                        _unix_ms(body["expires_at"]),
                    )
                )
            case Kind.CREDENTIAL_ISSUED:
                lease = self.get(credential_id)
                if lease is not None:
                    lease.issued = True
            case Kind.CREDENTIAL_REVOKED:
                self.revoked[credential_id] = _unix_ms(body["expires_at"])
                lease = self.get(credential_id)
                if body["result"] != "failing":
                    self.remove(credential_id)
                elif lease is not None:
                    lease.cause = body["cause"]
            case _:
                pass

    def dump(self) -> bytes:
        """Return everything, for a snapshot."""
        return msgspec.json.encode((list(self._leases.values()), self.revoked))

    def load(self, dumped: bytes) -> None:
        """Take over what ``dump`` gave; nothing where it is empty."""
        if not dumped:
            return
        leases, revoked = msgspec.json.decode(dumped, type=tuple[list[Lease], dict[str, int]])
        for lease in leases:
            self.add(lease)
        self.revoked = revoked


def _unix_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
