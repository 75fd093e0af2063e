"""``task`` and ``step``: what the agent is working on, and why it says it acts.

Both are context managers for ``with`` and ``async with``. What they record is *claimed*: it is evidence of what the
agent said and never an input to policy. An authority that is away does not stop them: their records wait in the spool,
while every guarded action inside is refused on its own.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import Token
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from sealgate.model.errors import SealgateError
from sealgate.model.identifiers import require_name
from sealgate.sdk import calls, flows, tracing
from sealgate.sdk.answers import Recorded
from sealgate.sdk.core import Core
from sealgate.sdk.tracing import Span


class Scope:
    """A stretch of the agent's work with a span of its own. Use it once."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._token: Token[Span | None] | None = None
        self.span = self._make_span()

    def _make_span(self) -> Span:
        return tracing.next_span()

    def _begun(self) -> flows.Flow[Recorded]:
        raise NotImplementedError

    def _ended(self, error: BaseException | None) -> flows.Flow[Recorded] | None:
        del error
        return None

    @property
    def traceparent(self) -> str:
        """The W3C header value of this scope's span."""
        return self.span.traceparent

    def _record(self, kind: str, data: Mapping[str, Any]) -> flows.Flow[Recorded]:
        self._core.courier.prepare()
        call = calls.record(kind, data, self.span, agent=self._core.agent(self.span), request_id=flows.new_request_id())
        return (yield from self._core.courier.deliver(call))

    def __enter__(self) -> Self:
        self._core.run(self._begun())
        self._token = tracing.enter(self.span)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        flow = self._ended(error)
        if flow is None:
            return
        try:
            self._core.run(flow)
        except SealgateError as failure:
            _note(error, failure)

    async def __aenter__(self) -> Self:
        await self._core.run_async(self._begun())
        self._token = tracing.enter(self.span)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        flow = self._ended(error)
        if flow is None:
            return
        try:
            await self._core.run_async(flow)
        except SealgateError as failure:
            _note(error, failure)

    def _leave(self) -> None:
        if self._token is not None:
            tracing.leave(self._token)
            self._token = None


def _note(error: BaseException | None, failure: SealgateError) -> None:
    """Raise ``failure``, unless an error of the agent's own is on its way, which it must not hide."""
    if error is None:
        raise failure
    error.add_note(f"sealgate: the end of the task was not recorded: {failure}")


class Task(Scope):
    """One task of an agent: a trace. Records ``session.started`` and ``session.ended``."""

    def __init__(
        self,
        core: Core,
        goal: str = "",
        *,
        id: str | None = None,  # noqa: A002  # the word of the API
        agent: str | None = None,
        traceparent: str | None = None,
        on_behalf_of: Sequence[str] = (),
    ) -> None:
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
        return replace(span, agent=agent, task_id=self.id, goal=self.goal, on_behalf_of=self._on_behalf_of)

    def _begun(self) -> flows.Flow[Recorded]:
        return self._record("session.started", {"goal": self.goal})

    def _ended(self, error: BaseException | None) -> flows.Flow[Recorded]:
        if error is None:
            return self._record("session.ended", {"status": "completed"})
        cancelled = isinstance(error, asyncio.CancelledError) or not isinstance(error, Exception)
        status = "cancelled" if cancelled else "failed"
        return self._record(
            "session.ended", {"status": status, "error_type": calls.claim(type(error).__qualname__, 200)}
        )


class Step(Scope):
    """One step of reasoning, the parent of the calls it leads to. Records ``reasoning`` when it begins."""

    def __init__(self, core: Core, name: str, rationale: str = "") -> None:
        self.name = calls.claim(name, 256)
        self.rationale = calls.claim(rationale)
        super().__init__(core)

    def _begun(self) -> flows.Flow[Recorded]:
        return self._record("reasoning", {"name": self.name, "rationale": self.rationale})
