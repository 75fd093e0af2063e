"""Open decisions: which permits are out, used, overdue. The order of events is ``model.lifecycle``'s table.

A permit's token is the decision's id and a MAC over it and the agent. The token alone runs nothing: it must come from
a caller that may speak for the agent, name the tool, and fit the digest of the exact arguments.
"""

import base64
import binascii
import hmac
from collections.abc import Iterator
from hashlib import blake2b
from heapq import heappop, heappush
from typing import Any, Final

import msgspec

from sealgate.encoding import base64url
from sealgate.encoding.canonical import salted_digest
from sealgate.model.errors import InputError, NotPermittedError
from sealgate.model.lifecycle import Event, State, advance

_ID_BYTES: Final = 16
_MAC_BYTES: Final = 16
MAX_OPEN: Final = 1_000_000
"""Open decisions kept in memory; at about 500 bytes each. Beyond it new decisions are SILENCE (``overloaded``)."""

SWEPT: Final = 32
"""Decisions that fall due in one go, each a record. A question that comes meanwhile waits 2 ms; for 256 it was 14."""


class OpenDecision(msgspec.Struct, frozen=True, gc=False):
    """A PERMIT whose story is not finished. ``expires_ms`` is the permit's, then the outcome's, due time.

    Frozen, so that a snapshot can be written on another thread; without a cycle in it, so that the collector need not
    walk through a million of them.
    """

    record_id: str
    agent: str
    tool: str
    policy_version: str
    salt: bytes
    input_digest: bytes
    state: State
    expires_ms: int
    task_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    delegation: str | None = None
    credentials: tuple[str, ...] = ()
    """Names of the credentials that its policy lets its holder ask for."""


def credentials_of(obligations: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the names of the credentials among a decision's obligations."""
    if not obligations:
        return ()
    return tuple(duty["params"]["target"] for duty in obligations if duty["id"] == "credential")


class PermitMac:
    """Makes and checks tokens. The key never leaves the authority's key store."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, record_id: bytes, agent: str) -> str:
        """Return the permit token of a decision."""
        return base64url.encode(record_id + self._mac(record_id, agent))

    def _mac(self, record_id: bytes, agent: str) -> bytes:
        # Keyed BLAKE2b (RFC 7693) is a MAC by design and costs a quarter of an HMAC, on every PERMIT.
        named = record_id + agent.encode()
        return blake2b(named, digest_size=_MAC_BYTES, key=self._key, person=b"sealgate permit").digest()

    def binding(self, bound: bytes) -> str:
        """Return the keyed digest of what an approval is bound to: equal for equal bytes, also after a restart."""
        return blake2b(bound, digest_size=32, key=self._key, person=b"sealgate approve").hexdigest()

    def fits(self, token: str, agent: str) -> bool:
        """Tell, in constant time, whether ``token`` was made for ``agent``."""
        raw = _decode(token)
        return hmac.compare_digest(raw[_ID_BYTES:], self._mac(raw[:_ID_BYTES], agent))


def record_id_of(token: str) -> str:
    """Return the decision's id that a token names; nothing is proved by it.

    Raises:
        InputError: not a token.
    """
    digits = _decode(token)[:_ID_BYTES].hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _decode(token: str) -> bytes:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("permit is not base64url", hint="send the token as it was given") from error
    if len(raw) != _ID_BYTES + _MAC_BYTES:
        raise InputError("permit has the wrong length", hint="send the token as it was given")
    return raw


class OpenDecisions:
    """All open decisions of this authority, by id, with what is due when. Not thread-safe: one event loop owns it."""

    def __init__(self, *, late_window_ms: int) -> None:
        self._open: dict[str, OpenDecision] = {}
        self._due: list[tuple[int, str]] = []
        self.late_window_ms = late_window_ms

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[OpenDecision]:
        return iter(self._open.values())

    def add(self, decision: OpenDecision) -> None:
        """Take in a decision that was permitted (or redeemed in the same append)."""
        self._open[decision.record_id] = decision
        heappush(self._due, (decision.expires_ms, decision.record_id))

    def get(self, record_id: str) -> OpenDecision | None:
        """Return an open decision."""
        return self._open.get(record_id)

    def discard(self, record_id: str) -> None:
        """Forget a decision that never became durable."""
        self._open.pop(record_id, None)

    def redeem(
        self,
        record_id: str,
        *,
        tool: str,
        arguments_sha256: bytes,
        policy_version: str | None,
        now_ms: int,
        due_ms: int,
    ) -> OpenDecision:
        """Use up a permit, before the record of it is durable: if recording fails the permit stays used.

        Raises:
            NotPermittedError: unknown, used, expired, or for another tool, other arguments, another policy version.
        """
        decision = self._open.get(record_id)
        if decision is None:
            raise NotPermittedError(
                "no open permit has this token", code="permit-unknown", hint="ask for a new decision"
            )
        following = advance(decision.state, Event.REDEEM)
        if now_ms >= decision.expires_ms:
            raise NotPermittedError("the permit expired", code="permit-expired", hint="ask for a new decision")
        if decision.tool != tool or not hmac.compare_digest(
            salted_digest(decision.salt, arguments_sha256), decision.input_digest
        ):
            raise NotPermittedError(
                "the permit is for another tool or other arguments",
                code="permit-mismatch",
                hint="run exactly what was judged, or ask again",
            )
        if decision.policy_version != policy_version:
            raise NotPermittedError(
                "the policy set changed since the decision", code="permit-mismatch", hint="ask for a new decision"
            )
        return self._move(decision, following, due_ms)

    def report(self, record_id: str) -> tuple[OpenDecision, bool]:
        """Take in an outcome; return the decision and whether the report is late.

        Raises:
            NotPermittedError: unknown decision, permit not redeemed, or outcome already reported.
        """
        decision = self._open.get(record_id)
        if decision is None:
            raise NotPermittedError(
                f"decision `{record_id}` waits for no outcome",
                code="outcome-unexpected",
                hint="it is unknown, was refused, or its time for a report is over",
            )
        late = decision.state is State.UNKNOWN
        return self.put(decision, advance(decision.state, Event.REPORT)), late

    def take_due(self, now_ms: int, limit: int = SWEPT) -> list[tuple[OpenDecision, Event]]:
        """Return what fell due, oldest first, each moved to UNKNOWN; forget what was over long ago."""
        due: list[tuple[OpenDecision, Event]] = []
        while self._due and self._due[0][0] <= now_ms and len(due) < limit:
            expires_ms, record_id = heappop(self._due)
            decision = self._open.get(record_id)
            if decision is None or decision.expires_ms != expires_ms:
                continue  # it moved on since; its newer due time is in the heap
            if decision.state in (State.UNKNOWN, State.REPORTED):
                del self._open[record_id]
                continue
            event = Event.EXPIRE if decision.state is State.PERMITTED else Event.OVERDUE
            due.append((self._move(decision, advance(decision.state, event), now_ms + self.late_window_ms), event))
        return due

    def replace(self, decision: OpenDecision, state: State, due_ms: int) -> None:
        """Set what a record says (replay), or put back what a lost record had changed."""
        self._move(decision, state, due_ms)

    def close(self, record_id: str) -> None:
        """Forget a decision whose outcome is on stable storage."""
        self._open.pop(record_id, None)

    def put(self, decision: OpenDecision, state: State) -> OpenDecision:
        """Set the state alone and return the decision as it is then. One that was closed stays closed."""
        return self._keep(msgspec.structs.replace(decision, state=state))

    def _move(self, decision: OpenDecision, state: State, due_ms: int) -> OpenDecision:
        heappush(self._due, (due_ms, decision.record_id))
        return self._keep(msgspec.structs.replace(decision, state=state, expires_ms=due_ms))

    def _keep(self, decision: OpenDecision) -> OpenDecision:
        if decision.record_id in self._open:
            self._open[decision.record_id] = decision
        return decision
