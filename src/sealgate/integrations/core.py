"""The gate of all adapters: one question about one call, one answer that never raises.

An adapter asks ``check`` (or awaits ``acheck``) with the tool's name and the final arguments, runs the body with
``verdict.arguments`` and nothing else, and says what became of it with ``done`` or ``failed``. Whatever goes wrong here
(no authority, no readable answer, no place for the outcome, a duty that nobody can do) is a refusal.

A permit is for one body. Where a framework asks in one phase and runs in another (``keep``, ``take``), the verdict
waits under the call's id, its session and the digest of its arguments, and is handed out once. A call that runs again,
because a resumed graph repeats a node for example, is judged again.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeVar

from sealgate.integrations import narrowing, verdicts
from sealgate.integrations.narrowing import Narrow
from sealgate.integrations.question import Asked, Prepared, arguments_digest, digest_of, never_ran
from sealgate.integrations.verdicts import Ticket, Verdict
from sealgate.model.errors import SealgateError
from sealgate.sdk import enforcement, flows, tracing
from sealgate.sdk.client import AsyncClient, Client
from sealgate.sdk.core import Core, default_core
from sealgate.sdk.enforcement import Rules
from sealgate.sdk.errors import ArgumentsRefused, OutcomeNotReported

R = TypeVar("R")

MAX_KEPT: Final = 4096
"""Permitted calls that may wait between two phases of a framework; the oldest is cancelled for the next."""

KEPT_S: Final = 60.0
"""How long one may wait, in seconds: a permit taken up later than this was decided about another moment."""


class Call:
    """One call as an adapter sees it; ``about`` as for ``Gate.check``."""

    def __init__(self, framework: str, tool: str, arguments: Mapping[str, Any], **about: Any) -> None:
        self.framework = framework
        self.tool = tool
        self.arguments = arguments
        self.about = about

    def stands_inside(self) -> bool:
        """Tell, once, whether this very call was judged already by a layer above."""
        digest = arguments_digest(self.arguments)
        return digest is not None and verdicts.claim_running(self.tool, digest)


class Gate:
    """Asks the authority about tool calls. Safe to share between threads and event loops.

    Args:
        client: who asks; without one, the default client (``sealgate.configure``, else the environment).
        servers: tool → tool server, where it is not the client's.
        agents: name in the framework → agent in policies; names that are not listed act as the client's agent.
        narrow: more duties that this program can fulfil, by their id.
    """

    def __init__(
        self,
        client: Client | AsyncClient | None = None,
        *,
        servers: Mapping[str, str] | None = None,
        agents: Mapping[str, str] | None = None,
        narrow: Mapping[str, Narrow] | None = None,
    ) -> None:
        self._core_of: Callable[[], Core] = default_core if client is None else lambda: client.core
        self._servers = dict(servers or {})
        self._agents = dict(agents or {})
        self._narrow = {**narrowing.KNOWN, **(narrow or {})}
        self._kept: OrderedDict[tuple[str, ...], tuple[float, Verdict]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, framework: str, tool: str, arguments: Mapping[str, Any], **about: Any) -> Verdict:
        """Judge one call; the answer is about exactly these arguments. Never raises.

        Args:
            framework: the adapter that asks.
            tool: the tool's name in policies.
            arguments: by name, final: nothing may change them between this and the body.
            about: what else is known: ``call_id``, ``agent``, ``session``, ``server``, ``on_behalf_of``, and
                ``rationale``, the reason that the model gave, which is recorded as a claim and never judged.
        """
        asked = Asked(framework, tool, arguments, **about)
        try:
            core = self._core_of()
            prepared = self._prepare(core, asked)
            draft = prepared.reasoning(framework)
            if draft is not None:
                core.recorder.capture(draft)
            with prepared.inside():
                grant = core.run(prepared.flow())
            return prepared.verdict(grant)
        except Exception as error:  # noqa: BLE001  # a gate that fails refuses
            return asked.refusal(error)

    async def acheck(self, framework: str, tool: str, arguments: Mapping[str, Any], **about: Any) -> Verdict:
        """Judge one call, awaiting. See ``check``."""
        asked = Asked(framework, tool, arguments, **about)
        try:
            core = self._core_of()
            prepared = self._prepare(core, asked)
            draft = prepared.reasoning(framework)
            if draft is not None:
                await core.recorder.capture_async(draft)
            with prepared.inside():
                grant = await core.run_async(prepared.flow())
            return prepared.verdict(grant)
        except Exception as error:  # noqa: BLE001  # as in check
            return asked.refusal(error)

    def _prepare(self, core: Core, asked: "Asked") -> "Prepared":
        span = tracing.next_span()
        span = replace(
            span,
            agent=self._agents.get(asked.agent or "", span.agent),
            session_id=asked.session or span.session_id,
            on_behalf_of=asked.on_behalf_of or span.on_behalf_of,
        )
        server = asked.server or self._servers.get(asked.tool)
        return Prepared(core, span, asked, server, self._narrow)

    def done(self, verdict: Verdict, output: Any = None) -> None:
        """Say that the body returned. A report that can be neither delivered nor spooled is lost with a warning."""
        ticket = _open(verdict)
        if ticket is not None:
            _quietly(lambda: ticket.grant.core.run(enforcement.succeeded(ticket.grant, Rules(verdict.tool), output)))

    def failed(self, verdict: Verdict, error: BaseException) -> None:
        """Say that the body raised, or that it will not run after all."""
        ticket = _open(verdict)
        if ticket is not None:
            ticket.grant.core.run(enforcement.failed(ticket.grant, error))

    async def adone(self, verdict: Verdict, output: Any = None) -> None:
        """See ``done``."""
        ticket = _open(verdict)
        if ticket is not None:
            flow = enforcement.succeeded(ticket.grant, Rules(verdict.tool), output)
            await _aquietly(ticket.grant.core.run_async(flow))

    async def afailed(self, verdict: Verdict, error: BaseException) -> None:
        """See ``failed``."""
        ticket = _open(verdict)
        if ticket is not None:
            await ticket.grant.core.run_async(enforcement.failed(ticket.grant, error))

    async def wait_for_approval(self, approval_id: str, timeout_s: float) -> None:
        """Return once people have answered, or after so long. What they said is told by asking again. Never raises."""
        with suppress(Exception):
            core = self._core_of()
            flow = flows.wait_for_approval(approval_id, timeout_s, exchange_s=core.settings.timeout_s)
            await core.run_async(flow)

    def call(
        self,
        asked: Call,
        body: Callable[[dict[str, Any]], Any],
        refuse: Callable[[Verdict], Any],
        kept: Verdict | None = None,
    ) -> Any:
        """Judge, run ``body`` with the judged arguments, report; or return what ``refuse`` makes of the refusal.

        Args:
            asked: the call.
            body: runs it, given the arguments.
            refuse: makes a refusal into what the model gets.
            kept: the verdict, where a former phase had it already (``take``).
        """
        if kept is None and asked.stands_inside():
            return body(dict(asked.arguments))
        verdict = kept or self.check(asked.framework, asked.tool, asked.arguments, **asked.about)
        if not verdict.permitted:
            return refuse(verdict)
        try:
            with verdict.body():
                output = body(verdict.arguments)
        except BaseException as error:
            self.failed(verdict, error)
            raise
        self.done(verdict, output)
        return output

    async def acall(
        self,
        asked: Call,
        body: Callable[[dict[str, Any]], Awaitable[Any]],
        refuse: Callable[[Verdict], Any],
        kept: Verdict | None = None,
    ) -> Any:
        """See ``call``."""
        if kept is None and asked.stands_inside():
            return await body(dict(asked.arguments))
        verdict = kept or await self.acheck(asked.framework, asked.tool, asked.arguments, **asked.about)
        if not verdict.permitted:
            return refuse(verdict)
        try:
            with verdict.body():
                output = await body(verdict.arguments)
        except BaseException as error:
            await self.afailed(verdict, error)
            raise
        await self.adone(verdict, output)
        return output

    def keep(self, verdict: Verdict, *scope: str | None) -> None:
        """Hold a permitted call until ``take`` asks for it, under its id, ``scope`` and its arguments."""
        if verdict.ticket is None:
            return
        key = _key(verdict.tool, verdict.call_id, verdict.ticket.asked_sha256, scope)
        with self._lock:
            previous = self._kept.pop(key, None)
            self._kept[key] = (time.monotonic(), verdict)
            dropped = [previous] if previous else []
            oldest = time.monotonic() - KEPT_S
            while len(self._kept) > MAX_KEPT or next(iter(self._kept.values()))[0] < oldest:
                dropped.append(self._kept.popitem(last=False)[1])
        for _, unused in dropped:
            self.failed(unused, never_ran(unused.tool))

    def take(self, tool: str, call_id: str | None, arguments: Mapping[str, Any], *scope: str | None) -> Verdict | None:
        """Return the permitted call that was kept for exactly this, once; None where there is none that still holds."""
        try:
            digest = digest_of(arguments)
        except ArgumentsRefused:
            return None
        with self._lock:
            found = self._kept.pop(_key(tool, call_id, digest, scope), None)
        if found is None:
            return None
        since, verdict = found
        if time.monotonic() - since > KEPT_S:
            self.failed(verdict, never_ran(tool))
            return None
        return verdict

    def take_by_id(self, tool: str, call_id: str | None) -> Verdict | None:
        """Return the permitted call of this id, for a framework that tells afterwards what ran, not with what."""
        with self._lock:
            key = next((key for key in self._kept if key[:2] == (tool, call_id)), None)
            return self._kept.pop(key)[1] if key else None


def _key(tool: str, call_id: str | None, digest: str, scope: tuple[str | None, ...]) -> tuple[str, ...]:
    return (tool, call_id or "", digest, *(part or "" for part in scope))


def _open(verdict: Verdict) -> Ticket | None:
    ticket = verdict.ticket
    return ticket if ticket is not None and ticket.close() else None


def _quietly(report: Callable[[], Any]) -> None:
    """Run a report whose failure must not look like one of the tool, which has run."""
    try:
        report()
    except OutcomeNotReported as failure:
        _warn(failure)


async def _aquietly(report: Any) -> None:
    try:
        await report
    except OutcomeNotReported as failure:
        _warn(failure)


def _warn(failure: SealgateError) -> None:
    import logging  # noqa: PLC0415  # only where something is lost

    logging.getLogger("sealgate").error("%s", failure.message)
