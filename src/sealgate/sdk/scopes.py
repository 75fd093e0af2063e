"""What the agent is working on, and why it says it acts: ``session``, ``task``, ``step``.

They and the calls of ``observed_calls`` are context managers for ``with`` and ``async with``. What they record is
*claimed*: it is evidence of what the agent said and never an input to policy. A server that is away does not stop them:
their items are durable on this machine, while every guarded action inside is refused on its own.
"""

import asyncio
import time
from collections.abc import Sequence
from contextvars import Token
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from sealgate.model.errors import SealgateError
from sealgate.model.identifiers import require_name
from sealgate.sdk import calls, drafts, flows, observing, tracing
from sealgate.sdk.answers import Recorded
from sealgate.sdk.core import Core
from sealgate.sdk.drafts import Attributes, Draft
from sealgate.sdk.observing import Origin
from sealgate.sdk.tracing import Span


class Scope:
    """A stretch of the agent's work with a span of its own. Use it once."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._token: Token[Span | None] | None = None
        self._started_ns = 0
        self.recorded: Recorded | None = None
        self.span = self._make_span()

    def _make_span(self) -> Span:
        return tracing.next_span()

    def _begun(self) -> Draft | None:
        """Return what is recorded before the code inside runs."""
        return None

    def _ended(self, error: BaseException | None) -> Draft | None:
        """Return what is recorded after it."""
        del error
        return None

    @property
    def traceparent(self) -> str:
        """The W3C header value of this scope's span."""
        return self.span.traceparent

    @property
    def item_id(self) -> str | None:
        """The id of the item that was recorded when this began."""
        return None if self.recorded is None else self.recorded.item_id

    def _draft(self, kind: str, attributes: Attributes, error: BaseException | str | None = None) -> Draft:
        return Draft(kind, attributes, self.span, status=drafts.status_of(error))

    def _duration_ms(self) -> int:
        return (time.monotonic_ns() - self._started_ns) // 1_000_000

    def __enter__(self) -> Self:
        draft = self._begun()
        if draft is not None:
            self.recorded = self._core.recorder.capture(draft)
        self._enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        draft = self._ended(error)
        if draft is None:
            return
        try:
            self._core.recorder.capture(draft)
        except SealgateError as failure:
            _note(error, failure)

    async def __aenter__(self) -> Self:
        draft = self._begun()
        if draft is not None:
            self.recorded = await self._core.recorder.capture_async(draft)
        self._enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        draft = self._ended(error)
        if draft is None:
            return
        try:
            await self._core.recorder.capture_async(draft)
        except SealgateError as failure:
            _note(error, failure)

    def _enter(self) -> None:
        self._token = tracing.enter(self.span)
        self._started_ns = time.monotonic_ns()

    def _leave(self) -> None:
        if self._token is not None:
            tracing.leave(self._token)
            self._token = None


def _note(error: BaseException | None, failure: SealgateError) -> None:
    """Raise ``failure``, unless an error of the agent's own is on its way, which it must not hide."""
    if error is None:
        raise failure
    error.add_note(f"sealgate: what ended here was not recorded: {failure}")


def outcome_of(error: BaseException | None) -> str:
    """Return how a stretch of work ended."""
    if error is None:
        return "completed"
    cancelled = isinstance(error, asyncio.CancelledError) or not isinstance(error, Exception)
    return "cancelled" if cancelled else "failed"


class Session(Scope):
    """A conversation or run, of any number of tasks. Records ``session.started`` and ``session.ended``."""

    def __init__(
        self,
        core: Core,
        *,
        id: str | None = None,  # noqa: A002  # the word of the API
        user: str | None = None,
        agent: str | None = None,
        framework: str | None = None,
        framework_version: str | None = None,
    ) -> None:
        self.id = require_name(id, "session id") if id is not None else flows.new_request_id()
        self._agent = require_name(agent, "agent") if agent is not None else None
        self._told = drafts.known(user=user, framework=framework, framework_version=framework_version)
        super().__init__(core)

    def _make_span(self) -> Span:
        span = tracing.next_span()
        return replace(span, agent=self._agent or span.agent, session_id=self.id)

    def _begun(self) -> Draft:
        return self._draft("session.started", self._told)

    def _ended(self, error: BaseException | None) -> Draft:
        attributes = drafts.known(outcome=outcome_of(error), error=drafts.failure(error))
        return replace(self._draft("session.ended", attributes, error), duration_ms=self._duration_ms())


class Task(Scope):
    """One task of an agent: a trace. Records ``session.started`` and ``session.ended``.

    A ``managed`` one also starts and ends at the authority: once it ended, nothing is permitted in it any more, and
    what was issued for it is taken back. If it cannot be started there, the code inside does not run.
    """

    def __init__(
        self,
        core: Core,
        goal: str = "",
        *,
        id: str | None = None,  # noqa: A002  # the word of the API
        agent: str | None = None,
        traceparent: str | None = None,
        on_behalf_of: Sequence[str] = (),
        delegation: str | None = None,
        managed: bool = False,
        expires_in_s: int | None = None,
        observe: bool = False,
    ) -> None:
        self._delegation = delegation
        self._managed = managed
        self._expires_in_s = expires_in_s
        self._observe = observe
        self.id = require_name(id, "task id") if id is not None else flows.new_request_id()
        self.goal = calls.claim(goal)
        self._agent = require_name(agent, "agent") if agent is not None else None
        self._incoming = traceparent
        self._on_behalf_of = tuple(on_behalf_of)
        super().__init__(core)

    def _make_span(self) -> Span:
        here = tracing.current()
        span = tracing.root(self._incoming) if self._incoming or here is None else here.child()
        agent = self._agent or (here.agent if here is not None else None)
        return replace(
            span,
            agent=agent,
            task_id=self.id,
            goal=self.goal,
            on_behalf_of=self._on_behalf_of,
            delegation=self._delegation,
            observe=self._observe,
        )

    def _start(self) -> flows.Flow[Recorded]:
        agent = self._core.agent(self.span)
        return flows.record(calls.task_start(self.span, agent=agent, expires_in_s=self._expires_in_s))

    def _end(self, error: BaseException | None) -> flows.Flow[Recorded]:
        return flows.record(calls.task_end(self.id, outcome_of(error)))

    def __enter__(self) -> Self:
        if self._managed:
            self._core.run(self._start())
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            if self._managed:
                try:
                    self._core.run(self._end(error))
                except SealgateError as failure:
                    _note(error, failure)

    async def __aenter__(self) -> Self:
        if self._managed:
            await self._core.run_async(self._start())
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await super().__aexit__(kind, error, trace)
        finally:
            if self._managed:
                try:
                    await self._core.run_async(self._end(error))
                except SealgateError as failure:
                    _note(error, failure)

    def observe(
        self,
        origin: Origin,
        content: Any = None,
        *,
        values: Sequence[Any] = (),
        source: str | None = None,
        classification: str | None = None,
    ) -> Recorded:
        """Tell the authority what entered this task; only fingerprints of it are kept there.

        Args:
            origin: ``person`` (the request of the one who is served), ``trusted`` (a system whose content nobody else
                can write) or ``untrusted`` (everything that others wrote).
            content: a text, or any JSON whose texts and numbers count.
            values: single values, such as the addresses of a directory.
            source: where it came from, for policies (``context.session.reads``).
            classification: its class of data (``context.session.classes``).

        Raises:
            InputError: it has no JSON form.
            AuthorityUnreachable: it was not told; do not use the content.
        """
        return self._core.run(self._told(origin, content, values, source, classification))

    async def aobserve(
        self,
        origin: Origin,
        content: Any = None,
        *,
        values: Sequence[Any] = (),
        source: str | None = None,
        classification: str | None = None,
    ) -> Recorded:
        """See observe."""
        return await self._core.run_async(self._told(origin, content, values, source, classification))

    def _told(
        self, origin: Origin, content: Any, values: Sequence[Any], source: str | None, classification: str | None
    ) -> flows.Flow[Recorded]:
        call = observing.call(
            self._core.agent(self.span),
            self.span,
            origin,
            content,
            values=values,
            source=source,
            classification=classification,
        )
        return flows.record(call)

    def _begun(self) -> Draft:
        return self._draft(
            "session.started", drafts.known(goal=self.goal, on_behalf_of=drafts.texts(self._on_behalf_of))
        )

    def _ended(self, error: BaseException | None) -> Draft:
        attributes = drafts.known(outcome=outcome_of(error), error=drafts.failure(error))
        return replace(self._draft("session.ended", attributes, error), duration_ms=self._duration_ms())


class Step(Scope):
    """One step of reasoning, the parent of the calls it leads to. Records ``reasoning`` when it begins."""

    def __init__(self, core: Core, name: str, rationale: str = "") -> None:
        self.name = calls.claim(name, 256)
        self.rationale = calls.claim(rationale)
        super().__init__(core)

    def _begun(self) -> Draft:
        return self._draft("reasoning", drafts.known(name=self.name, rationale=self.rationale, claimed=True))
