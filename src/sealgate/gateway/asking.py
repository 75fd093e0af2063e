"""Asking for consent through the client that made the call: what is sent to it, and what its answer does.

Two kinds of client. Most are asked only to come back: whatever they answer, the authority alone knows whether somebody
approved. A client that the operator trusts to ask its person is shown the exact arguments, and its answer is handed in
as that person's (``consent``). A client that cannot ask gets the ticket, for somebody to approve elsewhere.
"""

import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sealgate.encoding import canonical
from sealgate.gateway import envelope as envelopes
from sealgate.gateway import greeting, methods
from sealgate.gateway.approvals import (
    KEY,
    MAX_ASKED,
    StateSeal,
    Ticket,
    elicitation,
    input_required,
    question,
    ticket_of,
)
from sealgate.gateway.catalogue import Entry
from sealgate.gateway.envelope import Answer, Envelope, Id, Members
from sealgate.gateway.judging import Caller, Judge, Refused
from sealgate.gateway.links import ClientGone, Downstream
from sealgate.gateway.methods import Act
from sealgate.gateway.refusals import refusal
from sealgate.model.errors import EncodingError
from sealgate.sdk.enforcement import Grant

_APPROVAL_WAIT_S: Final = 5.0

_MAX_SHOWN_BYTES: Final = 16 * 1024
"""Longer arguments are not asked about in a client: nobody should approve what cannot be read."""

Decide = Callable[[], Awaitable[Grant | Refused]]


@dataclass(frozen=True, slots=True)
class Returned:
    """A call without our own part. ``asked``: how often its client was sent back; ``refused``: it ends here."""

    message: Envelope
    asked: int = 0
    refused: Answer | None = None


@dataclass(slots=True)
class Asking:
    """Asks the client of one conversation. ``capabilities`` are those of its greeting, where there is one."""

    judge: Judge
    caller: Caller
    seal: StateSeal
    ids: Iterator[int] = field(default_factory=itertools.count)
    capabilities: Members = field(default_factory=dict)

    async def returned(self, message: Envelope, act: Act, entry: Entry) -> Returned:
        """Take our own part out of a call that comes back from asking for consent.

        Raises:
            InputError: its state is forged, too old, or was made for another call or caller.
        """
        given = message.params.get("requestState")
        if not StateSeal.is_ours(given):
            return Returned(message)
        state = self.seal.open(self._bound(act, entry), str(given), now_s=time.time())
        answers = message.params.get("inputResponses")
        said = answers.get(KEY) if isinstance(answers, dict) else None
        params = {key: value for key, value in message.params.items() if key not in ("requestState", "inputResponses")}
        message = with_params(message, {**params, **state["nested"]})
        refused = await self._heard(act, ticket_of(state), said, str(state["person"]))
        return Returned(message, int(state["asked"]), refusal(message, refused) if refused else None)

    async def _heard(self, act: Act, ticket: Ticket, said: object, person: str) -> str:
        """Act on what a client answered; return why the call ends here, or an empty text."""
        action = said.get("action") if isinstance(said, dict) else None
        if person and action in ("accept", "decline"):
            return await self._hand_in(act, ticket, person, grant=action == "accept")
        if action != "accept":
            return (
                f"`{act.tool}` was not run: approval was not awaited. Ticket {ticket.id}. When it is granted, make "
                "exactly the same call again."
            )
        await self.judge.approvals.wait(ticket, _APPROVAL_WAIT_S)
        return ""

    async def _hand_in(self, act: Act, ticket: Ticket, person: str, *, grant: bool) -> str:
        consent = self.judge.consent
        if consent is None or consent.person(self.caller.principal) != person:
            return f"`{act.tool}` was not run: the answer of `{person}` is no longer taken from this client."
        why_not = await consent.answer(ticket, person, grant=grant)
        if why_not:
            return f"`{act.tool}` was not run: the answer of `{person}` does not count: {why_not}. Ticket {ticket.id}."
        return "" if grant else f"`{act.tool}` was not run: `{person}` declined it. Do not try it again."

    async def ask(
        self,
        message: Envelope,
        act: Act,
        entry: Entry,
        refused: Refused,
        client: Downstream,
        decide: Decide,
        asked: int,
    ) -> Grant | Refused | Answer:
        """Ask the client where it can be asked; return what came of it. ``decide`` asks the authority again."""
        ticket = refused.ticket
        modern = methods.is_modern(message)
        can = greeting.capabilities(message) if modern else self.capabilities
        if ticket is None or asked >= MAX_ASKED or not _can_ask(can):
            return refused
        person, shown = self._question(act, entry, ticket)
        if modern:
            nested = {key: message.params[key] for key in ("requestState", "inputResponses") if key in message.params}
            state = {
                "ticket": ticket.id,
                "expires_at": ticket.expires_at,
                "nested": nested,
                "asked": asked + 1,
                "person": person,
            }
            return input_required(shown, self.seal.seal(self._bound(act, entry), state, now_s=time.time()))
        request_id: Id = f"{envelopes.OWN_PREFIX}consent-{next(self.ids)}"
        # Before 2025-11-25 an elicitation had no mode; without one it is a form in every version.
        params = {key: value for key, value in shown.items() if key != "mode"}
        try:
            answer = await client.ask(envelopes.request(request_id, "elicitation/create", params))
        except ClientGone:
            return refused
        ended = await self._heard(act, ticket, answer.get("result"), person)
        if ended and person:
            return refusal(message, ended)
        return refused if ended else await decide()

    def _question(self, act: Act, entry: Entry, ticket: Ticket) -> tuple[str, Members]:
        """Return whose answer counts, if the client's does, and what is asked."""
        consent = self.judge.consent
        person = consent.person(self.caller.principal) if consent is not None else None
        if person is not None:
            try:
                text = canonical.encode_arguments(act.arguments, max_bytes=_MAX_SHOWN_BYTES).decode()
                return person, question(ticket, act.tool, entry.upstream.name, text, person)
            except EncodingError:
                pass  # too long to be read in a client: approved elsewhere, or not at all
        return "", elicitation(ticket, act.tool)

    def _bound(self, act: Act, entry: Entry) -> Members:
        return {
            "agent": self.caller.agent,
            "principal": self.caller.principal,
            "on_behalf_of": list(self.caller.on_behalf_of),
            "server": entry.upstream.name,
            "tool": act.tool,
            "definition": entry.digest,
            "arguments": act.arguments,
        }


def _can_ask(capabilities: Members) -> bool:
    """Tell whether a client shows forms: it says so, or says nothing in particular about its elicitations."""
    said: Any = capabilities.get("elicitation")
    return isinstance(said, dict) and (not said or "form" in said)


def with_params(message: Envelope, params: Members) -> Envelope:
    """Return the message with other parameters."""
    return Envelope(message.kind, {**message.members, "params": params})
