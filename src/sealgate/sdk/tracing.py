"""Which task and which step the running code belongs to: W3C trace context kept in a context variable.

One task of an agent is a trace; every reasoning step and every guarded call is a span in it. The variable follows
``await`` and new asyncio tasks by itself; ``carry`` takes it into a thread.
"""

import os
from collections.abc import Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from typing import Final, ParamSpec, TypeVar

from sealgate.model.identifiers import parse_traceparent

P = ParamSpec("P")
R = TypeVar("R")

_SAMPLED: Final = "01"


@dataclass(frozen=True, slots=True)
class Span:
    """Where we are in a trace. ``parent_id`` is the span that led here, if any."""

    trace_id: str
    span_id: str
    parent_id: str | None = None
    flags: str = _SAMPLED
    agent: str | None = None
    task_id: str | None = None
    goal: str = ""
    on_behalf_of: tuple[str, ...] = ()
    asked_by: tuple[str, str] | None = None
    """Whom an enforcement point proved before it asks, and how."""

    session_id: str | None = None
    delegation: str | None = None
    observe: bool = False
    """Whether what the task reads is told to the authority, for policies that ask where values came from."""

    @property
    def traceparent(self) -> str:
        """Return the W3C header value that names this span."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    def child(self) -> "Span":
        """Return a new span below this one."""
        return replace(self, span_id=os.urandom(8).hex(), parent_id=self.span_id)


_current: Final[ContextVar[Span | None]] = ContextVar("sealgate_span", default=None)


def current() -> Span | None:
    """Return the span of the running code, or None outside of tasks and guarded calls."""
    return _current.get()


def root(traceparent: str | None = None) -> Span:
    """Return the first span of a new trace, or of the trace that an incoming ``traceparent`` names.

    Raises:
        InputError: the header is malformed.
    """
    if traceparent is None:
        return Span(os.urandom(16).hex(), os.urandom(8).hex())
    trace_id, parent_id = parse_traceparent(traceparent)
    return Span(trace_id, os.urandom(8).hex(), parent_id, flags=traceparent[-2:])


def next_span() -> Span:
    """Return a span for what happens now: below the current one, or alone in a new trace."""
    here = _current.get()
    return root() if here is None else here.child()


def enter(span: Span) -> Token[Span | None]:
    """Make ``span`` the current one; give the result to ``leave``."""
    return _current.set(span)


def leave(token: Token[Span | None]) -> None:
    """Return to the span before ``enter``."""
    _current.reset(token)


def current_traceparent() -> str | None:
    """Return the ``traceparent`` to send along with an outgoing request, or None outside of a task."""
    here = _current.get()
    return None if here is None else here.traceparent


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """Return ``function`` so that it runs in the present task and step wherever it is called, in a thread for example.

    Only the trace position is carried. The result may be called any number of times and concurrently.
    """
    here = _current.get()

    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        token = _current.set(here)
        try:
            return function(*args, **kwargs)
        finally:
            _current.reset(token)

    return carried
