"""W3C trace context across processes: headers of a request, or the environment of a child process.

``traceparent`` says which trace and span the caller was in. Session, task and agent travel in ``baggage`` only where
that is asked for, because it may reach strangers. What comes in is believed for correlation and for nothing else; a
malformed header is ignored, as W3C asks.
"""

import os
import urllib.parse
from collections.abc import Mapping, MutableMapping
from contextvars import Token
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from sealgate.model.errors import InputError
from sealgate.model.identifiers import parse_traceparent, require_name
from sealgate.sdk import tracing
from sealgate.sdk.tracing import Span

_MEMBERS: Final = {"sealgate.session": "session_id", "sealgate.task": "task_id", "sealgate.agent": "agent"}
_MAX_BAGGAGE_CHARS: Final = 8192


def inject(carrier: MutableMapping[str, str] | None = None, *, baggage: bool = False) -> MutableMapping[str, str]:
    """Write the present trace position into headers and return them; outside of a task nothing is written.

    Args:
        carrier: the headers; a new dictionary by default.
        baggage: also say which session, task and agent: for our own services only.
    """
    headers = {} if carrier is None else carrier
    here = tracing.current()
    if here is not None:
        headers["traceparent"] = here.traceparent
        if baggage:
            headers["baggage"] = _baggage(here)
    return headers


def inject_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment for a child process: ``TRACEPARENT`` and ``BAGGAGE`` of the present position.

    Args:
        environment: what to start from, this process's own by default.
    """
    child = dict(os.environ if environment is None else environment)
    for name, value in inject(baggage=True).items():
        child[name.upper()] = value
    return child


def extract(carrier: Mapping[str, str]) -> Span | None:
    """Return the caller's position that headers (or an environment) name, or None."""
    folded = {name.lower(): value for name, value in carrier.items() if name.lower() in ("traceparent", "baggage")}
    try:
        trace_id, span_id = parse_traceparent(folded.get("traceparent", "").strip())
    except InputError:
        return None
    told = _members(folded.get("baggage", ""))
    return Span(
        trace_id,
        span_id,
        agent=told.get("agent"),
        task_id=told.get("task_id"),
        session_id=told.get("session_id"),
    )


@dataclass(slots=True)
class Continued:
    """A context manager: code inside belongs to the caller's trace. Without a usable header it changes nothing."""

    span: Span | None
    _token: Token[Span | None] | None = None

    def __enter__(self) -> Self:
        if self.span is not None:
            self._token = tracing.enter(self.span)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            tracing.leave(self._token)
            self._token = None


def continued(carrier: Mapping[str, str] | None = None) -> Continued:
    """Continue the trace of a caller: of request headers, or of the environment that this process was started with."""
    return Continued(extract(os.environ if carrier is None else carrier))


def _baggage(here: Span) -> str:
    values = {name: getattr(here, member) for name, member in _MEMBERS.items()}
    return ",".join(f"{name}={urllib.parse.quote(value, safe='')}" for name, value in values.items() if value)


def _members(header: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in header[:_MAX_BAGGAGE_CHARS].split(","):
        name, _, value = entry.partition(";")[0].partition("=")
        member = _MEMBERS.get(name.strip())
        if member is None:
            continue
        try:
            found[member] = require_name(urllib.parse.unquote(value.strip(), errors="strict"), "baggage")
        except (InputError, UnicodeDecodeError):
            continue
    return found
