"""When a policy wants a person's consent: how the one who asked hears of it, and how a repeated call finds it.

The authority alone knows whether an approval was given: it binds the request to agent, tool, exact arguments and policy
version, and a repeated identical call consumes it. So nothing that a client says here permits anything. What a client
answers to an elicitation only means "ask again now"; the state that it carries back is sealed, so that it can be tied
to the call it was made for, and a forged or foreign one is refused.
"""

import asyncio
import base64
import hashlib
import hmac
import os
import time
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from sealgate.encoding import canonical
from sealgate.gateway.envelope import Answer, Members
from sealgate.model.errors import EncodingError, InputError, SealgateError
from sealgate.sdk.answers import Decision, read_object
from sealgate.sdk.core import Core
from sealgate.sdk.transport import Call

STATE_TTL_S: Final = 3600
KEY: Final = "sealgate_approval"
"""The one input that we ask for."""

_MAC_BYTES: Final = 32
_PREFIX: Final = "sealgate1."


@dataclass(frozen=True, slots=True)
class Ticket:
    """An approval that is being waited for."""

    id: str
    expires_at: str = ""
    needed: str = ""


class Approvals(Protocol):
    """The authority's approvals, as far as an enforcement point needs them."""

    def ticket(self, decision: Decision) -> Ticket | None:
        """Return the ticket of a decision that waits for approval, or None where it does not."""

    async def wait(self, ticket: Ticket, seconds: float) -> str:
        """Wait until it is decided, at most so long; return its state (``granted``, ``refused``, ``pending``, …)."""


class AuthorityApprovals:
    """Approvals over the authority's API."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def ticket(self, decision: Decision) -> Ticket | None:
        """See Approvals."""
        if decision.reason != "approval_required":
            return None
        asked = getattr(decision, "approval", None)
        if asked is None:
            return Ticket(decision.record_id or "")
        known = asked if isinstance(asked, dict) else {name: getattr(asked, name, "") for name in ("id", "expires_at")}
        needed = known.get("needed") or ()
        roles = ", ".join(f"{item['count']} of role {item['role']}" for item in needed if isinstance(item, dict))
        return Ticket(str(known.get("id", "")), str(known.get("expires_at", "")), roles)

    async def wait(self, ticket: Ticket, seconds: float) -> str:
        """See Approvals. An authority without approvals answers that it stays pending."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            turn = max(0, min(left, self._core.settings.timeout_s / 2))
            call = Call("GET", f"/v1/approvals/{ticket.id}?wait_s={turn:.1f}", b"")
            try:
                state = read_object(await self._core.async_transport.send(call)).get("state")
            except SealgateError:
                return "pending"
            if state != "pending":
                return str(state)
            await asyncio.sleep(0.05)
        return "pending"


class StateSeal:
    """Seals the state that a client carries between two calls: readable by anybody, made by us alone."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or os.urandom(32)

    def seal(self, bound_to: Members, state: Members, *, now_s: float) -> str:
        """Return a text that carries ``state`` and is bound to caller, tool and arguments (``bound_to``)."""
        body = orjson.dumps({"state": state, "expires": int(now_s) + STATE_TTL_S, "nonce": os.urandom(8).hex()})
        return _PREFIX + base64.urlsafe_b64encode(self._mac(bound_to, body) + body).decode().rstrip("=")

    def open(self, bound_to: Members, text: str, *, now_s: float) -> Members:
        """Return what was sealed for the same caller, tool and arguments.

        Raises:
            InputError: forged, expired, or made for another call.
        """
        try:
            data = base64.urlsafe_b64decode(text.removeprefix(_PREFIX) + "==")
            mac, body = data[:_MAC_BYTES], data[_MAC_BYTES:]
            if not hmac.compare_digest(mac, self._mac(bound_to, body)):
                raise InputError("`requestState` was not made for this call")
            value: Any = canonical.parse(body, max_bytes=1 << 20)
        except (ValueError, EncodingError) as error:
            raise InputError("`requestState` is malformed") from error
        if value["expires"] < now_s:
            raise InputError("`requestState` has expired", hint="call again without it")
        state: Members = value["state"]
        return state

    @staticmethod
    def is_ours(text: object) -> bool:
        """Tell whether a state claims to be one of ours."""
        return isinstance(text, str) and text.startswith(_PREFIX)

    def _mac(self, bound_to: Members, body: bytes) -> bytes:
        bound = canonical.encode_arguments(bound_to, max_bytes=1 << 24, max_depth=64)
        return hmac.new(self._key, hashlib.sha256(bound).digest() + body, hashlib.sha256).digest()


def elicitation(ticket: Ticket, tool: str) -> Members:
    """Return the parameters of the elicitation that tells a person what to do."""
    needed = f" It needs {ticket.needed}." if ticket.needed else ""
    until = f" It expires at {ticket.expires_at}." if ticket.expires_at else ""
    return {
        "mode": "form",
        "message": (
            f"The call of `{tool}` needs approval.{needed}{until} Another person grants or refuses it with "
            f"`sealgate approval grant {ticket.id}`; accept here once that is done, and the call is tried again."
        ),
        "requestedSchema": {"type": "object", "properties": {}},
    }


def ticket_of(state: Members) -> Ticket:
    """Return the ticket that a sealed state names."""
    return Ticket(str(state["ticket"]), str(state["expires_at"]))


def input_required(ticket: Ticket, tool: str, state: str) -> Answer:
    """Return the result that asks a client of the protocol without sessions to come back (MRTR)."""
    asked = {KEY: {"method": "elicitation/create", "params": elicitation(ticket, tool)}}
    return {"result": {"resultType": "input_required", "inputRequests": asked, "requestState": state}}
