"""When a policy wants a person's consent: how the one who asked hears of it, and how a repeated call finds it.

The authority alone knows whether an approval was given: it binds the request to agent, tool, exact arguments and policy
version, and a repeated identical call consumes it. So nothing that a client says here permits anything. What a client
answers to an elicitation only means "ask again now"; the state that it carries back is sealed, so that it can be tied
to the call it was made for, and a forged or foreign one is refused.
"""

import base64
import contextlib
import hashlib
import hmac
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from sealgate.adapters import protected_files
from sealgate.encoding import canonical
from sealgate.gateway.envelope import Answer, Members
from sealgate.model.errors import ConfigurationError, EncodingError, InputError, SealgateError
from sealgate.sdk import flows
from sealgate.sdk.answers import Decision
from sealgate.sdk.core import Core

WAITS: Final = "requested"
"""The state of an approval that nobody decided yet."""

STATE_TTL_S: Final = 3600
MAX_ASKED: Final = 10
"""How often one call may be sent back to its client; one that always says "accept" would come back for ever."""

KEY: Final = "sealgate_approval"
"""The one input that we ask for."""

_MAC_BYTES: Final = 32
_KEY_BYTES: Final = 32
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
        """Return the ticket of a decision that waits for people, or None where nobody is asked."""

    async def wait(self, ticket: Ticket, seconds: float) -> str:
        """Wait until it is decided, at most so long; return its state (``granted``, ``refused``, ``requested``, …)."""


class AuthorityApprovals:
    """Approvals over the authority's API."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def ticket(self, decision: Decision) -> Ticket | None:
        """See Approvals."""
        asked = decision.approval
        if decision.reason != "approval_required" or asked is None or asked.state != WAITS:
            return None  # nobody is asked, or somebody said no: there is nothing to wait for
        needed = ", ".join(f"{count} of role {role}" for role, count in asked.needed)
        return Ticket(asked.id, asked.expires_at, needed)

    async def wait(self, ticket: Ticket, seconds: float) -> str:
        """See Approvals. Where it cannot be known, it counts as undecided: the authority is asked anyway."""
        waiting = flows.wait_for_approval(ticket.id, seconds, exchange_s=self._core.settings.timeout_s)
        try:
            return await self._core.run_async(waiting)
        except SealgateError:
            return WAITS


class StateSeal:
    """Seals the state that a client carries between two calls: readable by anybody, made by us alone.

    With the key of a file, what was sealed before a restart is still ours after it.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or os.urandom(_KEY_BYTES)

    @classmethod
    def kept(cls, path: Path) -> "StateSeal":
        """Return the seal whose key is in a private file, which is made where it is missing.

        Raises:
            ConfigurationError: the file is open to others, or holds no key.
        """
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(ConfigurationError):  # another gateway was faster; its key is read below
                protected_files.create(path, os.urandom(_KEY_BYTES))
        key = protected_files.read(path)
        if len(key) != _KEY_BYTES:
            raise ConfigurationError(f"`{path}` holds no key", hint="remove it; a new one is made")
        return cls(key)

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
    return _form(
        f"The call of `{tool}` needs approval.{needed}{until} Another person grants or refuses it with "
        f"`sealgate approval grant {ticket.id}`; accept here once that is done, and the call is tried again."
    )


def question(ticket: Ticket, tool: str, server: str, arguments: str, person: str) -> Members:
    """Return the parameters of the elicitation whose answer counts, because this client is trusted to ask its person.

    ``arguments`` is the canonical text of exactly what is judged.
    """
    return _form(
        f"An agent wants to run `{tool}` of `{server}` with exactly these arguments:\n\n{arguments}\n\nAccept: it runs "
        f"once, on your word as `{person}`. Decline: it does not run. (Approval {ticket.id}, until {ticket.expires_at})"
    )


def _form(message: str) -> Members:
    return {"mode": "form", "message": message, "requestedSchema": {"type": "object", "properties": {}}}


def ticket_of(state: Members) -> Ticket:
    """Return the ticket that a sealed state names."""
    return Ticket(str(state["ticket"]), str(state["expires_at"]))


def input_required(asked: Members, state: str) -> Answer:
    """Return the result that asks a client of the protocol without sessions to come back (MRTR)."""
    requests = {KEY: {"method": "elicitation/create", "params": asked}}
    return {"result": {"resultType": "input_required", "inputRequests": requests, "requestState": state}}
