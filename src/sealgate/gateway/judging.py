"""Asking the authority before a message is forwarded, and telling it afterwards what became of it.

The permit is used up in the same durable append as the decision: the message is forwarded at once, nothing lies
between. The client has its answer while the outcome is on its way to the authority (ADR 0180). Whatever goes wrong on
the way to a permit is a refusal, with a text that a model understands; nothing here ever lets a call through because
something failed.
"""

import asyncio
import hashlib
import inspect
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sealgate.encoding import canonical
from sealgate.gateway.approvals import Approvals, Ticket
from sealgate.gateway.consent import Consent
from sealgate.gateway.methods import Act
from sealgate.model.errors import EncodingError, SealgateError
from sealgate.model.identifiers import parse_traceparent
from sealgate.sdk import calls, enforcement, flows, tracing
from sealgate.sdk.arguments import Frozen
from sealgate.sdk.calls import Outcome, Status
from sealgate.sdk.core import Core
from sealgate.sdk.enforcement import Grant, Rules
from sealgate.sdk.errors import AuthorityUnreachable, Denied, Silence

_log = logging.getLogger("sealgate.gateway")
_NO_PARAMETERS: Final = inspect.Signature().bind()

UNREACHABLE: Final = (
    "This was not run: the authority that must permit it cannot be reached. Nothing runs without its decision. Tell "
    "the person you work for; trying again helps only after the authority is back."
)
MAX_REPORTING: Final = 256
"""Outcomes on their way to the authority; beyond, an answer waits for its own."""

_ADVICE: Final = "Do not repeat the same call; it will be refused again. Do something permitted, or ask the person."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the agent, and for whom, as far as it was proved to the gateway."""

    agent: str
    principal: str = ""
    """The name that was proved to the gateway; empty where it serves one agent without asking who comes."""

    proof: str = ""
    on_behalf_of: tuple[str, ...] = ()
    visible: tuple[str, ...] = ("*",)
    """Patterns of the tools that lists show; what a call may do is decided at the call."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The message is not forwarded. ``text`` is for the model; ``ticket`` is set where an approval is missing."""

    text: str
    reason: str
    ticket: Ticket | None = None


@dataclass(slots=True)
class Judge:
    """Asks and reports for one gateway.

    Args:
        core: the client of the authority.
        approvals: of the same authority.
        consent: takes the answers of clients that are trusted to ask their person; None: no client is.
    """

    core: Core
    approvals: Approvals
    consent: Consent | None = None
    rules: Mapping[str, flows.Handler] = field(default_factory=dict)
    reporting: set[asyncio.Task[None]] = field(default_factory=set)
    """Outcomes on their way."""

    async def before(
        self, act: Act, server: str, caller: Caller, *, traceparent: object = None, definition: str | None = None
    ) -> Grant | Refused:
        """Return the right to forward one message now, or why there is none."""
        rules = Rules(tool=act.tool, server=server, obligations=self.rules, tool_definition_sha256=definition)
        token = tracing.enter(_span(traceparent, caller))
        try:
            data = canonical.encode_arguments(act.arguments)
            frozen = Frozen(data, _NO_PARAMETERS, lambda: True)  # the envelope is ours alone: nobody can change it
            return await self.core.run_async(enforcement.before(self.core, rules, frozen))
        except (Denied, Silence) as refusal:
            return self._refused(refusal, act)
        except AuthorityUnreachable as error:
            _log.error("the authority did not decide: %s", error)  # one line is enough here
            return Refused(UNREACHABLE, "unreachable")
        except EncodingError as error:
            return Refused(f"This was not run: its arguments are refused: {error.message}.", "invalid_request")
        except SealgateError as error:
            return Refused(f"This was not run: {error.message}. {_ADVICE}", "refused")
        except Exception:  # noqa: BLE001  # whatever it is, the call does not run
            _log.exception("a decision failed")
            return Refused(UNREACHABLE, "failed")
        finally:
            tracing.leave(token)

    def _refused(self, refusal: Denied | Silence, act: Act) -> Refused:
        decision = refusal.decision
        ticket = self.approvals.ticket(decision)
        rules = f" (rule {', '.join(decision.policies)})" if decision.policies else ""
        record = f" Record {decision.record_id}." if decision.record_id else ""
        if ticket is not None:
            needed = f" from {ticket.needed}" if ticket.needed else ""
            text = (
                f"`{act.tool}` was not run: it needs a person's approval{needed}{rules}. Ticket {ticket.id}. When it "
                f"is granted, make exactly the same call again.{record}"
            )
            return Refused(text, decision.reason, ticket)
        text = f"`{act.tool}` was not run: {decision.message or decision.reason}{rules}. {_ADVICE}{record}"
        return Refused(text, decision.reason)

    async def ran(self, grant: Grant, output: bytes, *, failed: str | None = None) -> None:
        """Begin to report that the other side answered: with ``output``, or with an error (``failed`` says which)."""
        status: Status = "succeeded" if failed is None else "failed"
        error = None if failed is None else ("McpError", failed)
        report = self._report(grant, status, error, hashlib.sha256(output).hexdigest(), len(output))
        task = asyncio.get_running_loop().create_task(report)
        self.reporting.add(task)
        task.add_done_callback(self.reporting.discard)
        if len(self.reporting) > MAX_REPORTING:
            await asyncio.shield(task)

    async def settled(self) -> None:
        """Wait until every outcome has been reported, or kept for later."""
        while self.reporting:
            await asyncio.wait(self.reporting)

    async def ended(self, grant: Grant, status: Status, error: str) -> None:
        """Report that there is no answer: cancelled, timed out, or the other side is gone."""
        await self._report(grant, status, ("NoAnswer", error), None, None)

    async def note(self, method: str, tool: str, server: str, reason: str, caller: Caller) -> None:
        """Record that the gateway itself refused a message: nothing was asked of the authority."""
        data = {"method": method[:200], "tool": tool[:200], "server": server[:200], "reason": reason[:500]}
        if caller.principal:
            data |= {"principal": caller.principal, "proof": caller.proof}
        span = _span(None, caller)
        call = calls.record(
            "event.logged",
            calls.event_data("mcp.refused", "warning", data),
            span,
            agent=caller.agent,
            request_id=flows.new_request_id(),
        )
        try:
            self.core.courier.prepare()
            await self.core.run_async(self.core.courier.deliver(call))
        except SealgateError as failure:
            _log.warning("a refusal was not recorded: %s", failure)

    async def _report(
        self, grant: Grant, status: Status, error: tuple[str, str] | None, sha256: str | None, size: int | None
    ) -> None:
        report = Outcome(
            decision_id=grant.decision.record_id or "",
            status=status,
            duration_ms=(time.monotonic_ns() - grant.started_ns) // 1_000_000,
            output_sha256=sha256,
            output_size_bytes=size,
            error_type=None if error is None else error[0],
            error_message="" if error is None else error[1],
        )
        call = calls.outcome(report, request_id=flows.new_request_id())
        try:
            await self.core.run_async(self.core.courier.deliver(call))
        except SealgateError as failure:
            # The action ran; its permit becomes `outcome_unknown` at the authority, and nothing new runs without room.
            _log.error("an outcome was neither delivered nor kept: %s", failure)  # one line is enough here


def _span(traceparent: object, caller: Caller) -> tracing.Span:
    """Return the span to decide in: of the caller's trace where it names one that is well-formed."""
    known = None
    if isinstance(traceparent, str):
        try:
            parse_traceparent(traceparent)
            known = traceparent
        except SealgateError:
            known = None
    asked_by = (caller.principal, caller.proof) if caller.principal else None
    return replace(tracing.root(known), agent=caller.agent, on_behalf_of=caller.on_behalf_of, asked_by=asked_by)
