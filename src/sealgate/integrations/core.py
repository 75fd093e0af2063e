"""The gate of all adapters: one question about one call, one answer that never raises.

An adapter asks ``check`` (or awaits ``acheck``) with the tool's name and the final arguments, runs the body with
``verdict.arguments`` and nothing else, and says what became of it with ``done`` or ``failed``. Whatever goes wrong here
(no authority, no readable answer, no place for the outcome, a duty that nobody can do) is a refusal.

A permit is for one body. Where a framework asks in one phase and runs in another (``keep``, ``take``), the verdict
waits under the call's id, its session and the digest of its arguments, and is handed out once. A call that runs again,
because a resumed graph repeats a node for example, is judged again.
"""

import inspect
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Final, TypeVar

from sealgate.integrations import narrowing, verdicts
from sealgate.integrations.narrowing import Narrow
from sealgate.integrations.verdicts import Ticket, Verdict
from sealgate.model.errors import SealgateError
from sealgate.sdk import calls, enforcement, flows, tracing
from sealgate.sdk.answers import Obligation
from sealgate.sdk.arguments import Frozen, NotJson, encode, freeze
from sealgate.sdk.client import AsyncClient, Client
from sealgate.sdk.core import Core, default_core
from sealgate.sdk.drafts import Draft
from sealgate.sdk.enforcement import Grant, Rules
from sealgate.sdk.errors import ActionNotRun, ArgumentsRefused, OutcomeNotReported

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
        asked = _Asked(framework, tool, arguments, **about)
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
        asked = _Asked(framework, tool, arguments, **about)
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

    def _prepare(self, core: Core, asked: "_Asked") -> "_Prepared":
        span = tracing.next_span()
        span = replace(
            span,
            agent=self._agents.get(asked.agent or "", span.agent),
            session_id=asked.session or span.session_id,
            on_behalf_of=asked.on_behalf_of or span.on_behalf_of,
        )
        server = asked.server or self._servers.get(asked.tool)
        return _Prepared(core, span, asked, server, self._narrow)

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
            self.failed(unused, _NeverRan(unused.tool))

    def take(self, tool: str, call_id: str | None, arguments: Mapping[str, Any], *scope: str | None) -> Verdict | None:
        """Return the permitted call that was kept for exactly this, once; None where there is none that still holds."""
        try:
            digest = _digest(arguments)
        except ArgumentsRefused:
            return None
        with self._lock:
            found = self._kept.pop(_key(tool, call_id, digest, scope), None)
        if found is None:
            return None
        since, verdict = found
        if time.monotonic() - since > KEPT_S:
            self.failed(verdict, _NeverRan(tool))
            return None
        return verdict

    def take_by_id(self, tool: str, call_id: str | None) -> Verdict | None:
        """Return the permitted call of this id, for a framework that tells afterwards what ran, not with what."""
        with self._lock:
            key = next((key for key in self._kept if key[:2] == (tool, call_id)), None)
            return self._kept.pop(key)[1] if key else None


class _NeverRan(BaseException):  # a BaseException is reported as cancelled
    """The permitted body was never run."""


class _Asked:
    """One question as the adapter put it. Making one never raises."""

    def __init__(
        self,
        framework: str,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        call_id: str | None = None,
        agent: str | None = None,
        session: str | None = None,
        server: str | None = None,
        on_behalf_of: Iterable[str] = (),
        rationale: str | None = None,
    ) -> None:
        self.framework = framework
        self.tool = tool
        self.arguments = arguments
        self.call_id = call_id
        self.agent = agent
        self.session = session
        self.server = server
        self.on_behalf_of = tuple(on_behalf_of)
        self.rationale = rationale

    def refusal(self, error: Exception) -> Verdict:
        if isinstance(error, ActionNotRun):
            return verdicts.refused(self.tool, error, {}, self.call_id)
        return verdicts.failed_gate(self.tool, error, {}, self.call_id)


class _Prepared:
    """One question with its arguments frozen."""

    def __init__(
        self, core: Core, span: tracing.Span, asked: _Asked, server: str | None, narrow: Mapping[str, Narrow]
    ) -> None:
        self._core = core
        self._span = span
        self._asked = asked
        self._narrow = narrow
        self._arguments = frozen_arguments(asked.arguments)
        self._canonical = encode(self._arguments)
        handlers = {name: self._narrowing(name) for name in narrow}
        self._rules = Rules(asked.tool, server, obligations=handlers)

    def _narrowing(self, name: str) -> flows.Handler:
        def handler(obligation: Obligation, judged: dict[str, Any]) -> None:
            del judged  # as of before the first duty; each goes on from where the last one left
            self._arguments = frozen_arguments(self._narrow[name](obligation, self._arguments))

        return handler

    def reasoning(self, framework: str) -> Draft | None:
        if not self._asked.rationale:
            return None
        name = f"{framework}: {self._asked.tool}"
        attributes = {"name": calls.claim(name, 256), "rationale": calls.claim(self._asked.rationale)}
        return Draft("reasoning", attributes, self._span, status="ok")

    @contextmanager
    def inside(self) -> Iterator[None]:
        token = tracing.enter(self._span)
        try:
            yield
        finally:
            tracing.leave(token)

    def flow(self) -> flows.Flow[Grant]:
        passed = inspect.Signature().bind()
        return enforcement.before(self._core, self._rules, Frozen(self._canonical, passed, lambda: True))

    def verdict(self, grant: Grant) -> Verdict:
        if grant.after:
            # A duty on the result: no adapter can promise it, so the permit goes unused.
            self._core.run(enforcement.failed(grant, _NeverRan(self._asked.tool)))
            raise ArgumentsRefused("the permit asks for a duty on the result, which adapters cannot fulfil")
        ticket = Ticket(grant, self._asked.tool, calls.digest(self._canonical), _digest(self._arguments))
        return Verdict("permit", "", self._arguments, self._asked.tool, self._asked.call_id, ticket=ticket)


def frozen_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of ours of JSON arguments.

    Raises:
        ArgumentsRefused: they have no exact JSON form.
    """
    try:
        copy: dict[str, Any] = freeze(dict(arguments))
    except (NotJson, RuntimeError, TypeError) as error:
        raise ArgumentsRefused(f"the arguments cannot be judged: {error}", hint="use JSON values") from error
    return copy


def _digest(arguments: Mapping[str, Any]) -> str:
    return calls.digest(encode(frozen_arguments(arguments)))


def arguments_digest(arguments: Mapping[str, Any]) -> str | None:
    """Return the digest that a ticket names its arguments by, or None where they have none."""
    try:
        return _digest(arguments)
    except ArgumentsRefused:
        return None


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
