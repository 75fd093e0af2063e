"""The two clients: ``Client`` blocks, ``AsyncClient`` awaits. The work is in ``flows`` and ``enforcement``."""

import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar, overload

from sealgate.model.errors import InputError
from sealgate.sdk import calls, flows, tracing
from sealgate.sdk.answers import Decision, Recorded
from sealgate.sdk.arguments import encode
from sealgate.sdk.calls import Outcome, Question, Status
from sealgate.sdk.core import Core, default_core, set_default_core
from sealgate.sdk.guards import Guard
from sealgate.sdk.scopes import Step, Task
from sealgate.sdk.settings import resolve

P = ParamSpec("P")
R = TypeVar("R")

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
"""The levels of an event, as the standard library names them."""


class _Base:
    """What both clients share: settings, and everything that needs no waiting.

    Args:
        agent: who acts (``SEALGATE_AGENT``).
        server: name of the tool server that guarded functions belong to (``SEALGATE_SERVER``, default ``local``).
        socket: the authority's Unix socket (``SEALGATE_SOCKET``, default that of ``~/sealgate`` or of the system).
        url: ``https://…`` of a remote authority instead (``SEALGATE_URL``).
        api_key_env: name of the variable that holds the bearer key (``SEALGATE_API_KEY_ENV``).
        api_key_file: file that holds it, mode 0600 (``SEALGATE_API_KEY_FILE``).
        ca_file: certificates to trust instead of the system's (``SEALGATE_CA_FILE``).
        client_certificate: PEM certificate and key for mutual TLS (``SEALGATE_CLIENT_CERTIFICATE``).
        timeout_s: bound of one exchange in seconds, 2 by default (``SEALGATE_TIMEOUT_S``).
        spool: folder of undelivered outcomes (``SEALGATE_SPOOL``, default below ``XDG_STATE_HOME``).
        obligations: handlers by obligation id.
    """

    def __init__(
        self,
        *,
        agent: str | None = None,
        server: str | None = None,
        socket: str | pathlib.Path | None = None,
        url: str | None = None,
        api_key_env: str | None = None,
        api_key_file: str | pathlib.Path | None = None,
        ca_file: str | pathlib.Path | None = None,
        client_certificate: str | pathlib.Path | None = None,
        timeout_s: float | None = None,
        spool: str | pathlib.Path | None = None,
        obligations: Mapping[str, flows.Handler] | None = None,
        core: Core | None = None,
    ) -> None:
        if core is None:
            settings = resolve(
                os.environ,
                agent=agent,
                server=server,
                socket=socket,
                url=url,
                api_key_env=api_key_env,
                api_key_file=api_key_file,
                ca_file=ca_file,
                client_certificate=client_certificate,
                timeout_s=timeout_s,
                spool=spool,
            )
            core = Core(settings, obligations or {})
        self.core: Final = core

    @overload
    def guard(self, function: Callable[P, R], /) -> Callable[P, R]: ...

    @overload
    def guard(self, /, **options: Any) -> Guard: ...

    def guard(self, function: Callable[P, R] | None = None, /, **options: Any) -> Callable[P, R] | Guard:
        """Guard a callable with this client; options as for ``Guard``."""
        decorator = Guard(lambda: self.core, **options)
        return decorator if function is None else decorator(function)

    def task(
        self,
        goal: str = "",
        *,
        id: str | None = None,  # noqa: A002  # the word of the API
        agent: str | None = None,
        traceparent: str | None = None,
        on_behalf_of: Sequence[str] = (),
    ) -> Task:
        """Return the context manager of one task."""
        return Task(self.core, goal, id=id, agent=agent, traceparent=traceparent, on_behalf_of=on_behalf_of)

    def step(self, name: str, rationale: str = "") -> Step:
        """Return the context manager of one reasoning step."""
        return Step(self.core, name, rationale)

    def _decide(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        server: str | None,
        facts: Mapping[str, Any] | None,
        *,
        redeem: bool,
    ) -> flows.Flow[Decision]:
        span = tracing.next_span()
        asked = Question(
            self.core.agent(span), tool, server or self.core.settings.server, encode(dict(arguments)), facts or {}
        )
        return self.core.decide(asked, span, redeem=redeem)

    def _redeem(self, decision: Decision, tool: str, arguments: Mapping[str, Any]) -> flows.Flow[None]:
        return flows.redeem(decision, tool, calls.digest(encode(dict(arguments))))

    def _report(self, decision: Decision, report: Mapping[str, Any]) -> flows.Flow[Recorded]:
        if decision.record_id is None:
            raise InputError("this decision was not recorded, so it has no outcome")
        call = calls.outcome(Outcome(decision.record_id, **report), request_id=flows.new_request_id())
        return self.core.courier.deliver(call)

    def _event(self, event_type: str, data: Mapping[str, Any] | None, level: str) -> flows.Flow[Recorded]:
        if level not in LEVELS:
            raise InputError(f"level `{level[:40]}` is not known", hint=f"one of {', '.join(LEVELS)}")
        span = tracing.next_span()
        call = calls.record(
            "event.logged",
            calls.event_data(event_type, level, data or {}),
            span,
            agent=self.core.agent(span),
            request_id=flows.new_request_id(),
        )
        self.core.courier.prepare()
        return self.core.courier.deliver(call)


class Client(_Base):
    """Asks the authority and waits for its answer. Safe to share between threads."""

    def decide(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        server: str | None = None,
        facts: Mapping[str, Any] | None = None,
        redeem: bool = False,
    ) -> Decision:
        """Ask for one decision. The answer is true only if the action may run; look before you act.

        Raises:
            ActionNotRun: there is no readable decision.
        """
        return self.core.run(self._decide(tool, arguments, server, facts, redeem=redeem))

    def redeem(self, decision: Decision, tool: str, arguments: Mapping[str, Any]) -> None:
        """Use up the permit of a decision, just before the action runs with exactly these arguments.

        Raises:
            ActionNotRun: the permit does not fit, is expired or used, or the authority did not answer.
        """
        self.core.run(self._redeem(decision, tool, arguments))

    def report(
        self,
        decision: Decision,
        status: Status,
        *,
        duration_ms: int = 0,
        output_sha256: str | None = None,
        output_size_bytes: int | None = None,
        error_type: str | None = None,
        error_message: str = "",
    ) -> Recorded:
        """Report what became of a permitted action: delivered now, or spooled and delivered later."""
        report = {
            "status": status,
            "duration_ms": duration_ms,
            "output_sha256": output_sha256,
            "output_size_bytes": output_size_bytes,
            "error_type": error_type,
            "error_message": error_message,
        }
        return self.core.run(self._report(decision, report))

    def log_event(self, event_type: str, data: Mapping[str, Any] | None = None, *, level: str = "info") -> Recorded:
        """Record an event; durable at the authority, or in the spool, when this returns."""
        return self.core.run(self._event(event_type, data, level))

    def flush(self) -> int:
        """Send what waits in the spool and return how many reports still wait."""
        return self.core.courier.flush()

    @property
    def asynchronous(self) -> "AsyncClient":
        """The awaiting client with the same settings and spool."""
        return AsyncClient(core=self.core)

    def close(self) -> None:
        """Close the connections."""
        self.core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(_Base):
    """Asks the authority and awaits its answer. Over the Unix socket it serves any event loop."""

    async def decide(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        server: str | None = None,
        facts: Mapping[str, Any] | None = None,
        redeem: bool = False,
    ) -> Decision:
        """See Client.decide."""
        return await self.core.run_async(self._decide(tool, arguments, server, facts, redeem=redeem))

    async def redeem(self, decision: Decision, tool: str, arguments: Mapping[str, Any]) -> None:
        """See Client.redeem."""
        await self.core.run_async(self._redeem(decision, tool, arguments))

    async def report(
        self,
        decision: Decision,
        status: Status,
        *,
        duration_ms: int = 0,
        output_sha256: str | None = None,
        output_size_bytes: int | None = None,
        error_type: str | None = None,
        error_message: str = "",
    ) -> Recorded:
        """See Client.report."""
        report = {
            "status": status,
            "duration_ms": duration_ms,
            "output_sha256": output_sha256,
            "output_size_bytes": output_size_bytes,
            "error_type": error_type,
            "error_message": error_message,
        }
        return await self.core.run_async(self._report(decision, report))

    async def log_event(
        self, event_type: str, data: Mapping[str, Any] | None = None, *, level: str = "info"
    ) -> Recorded:
        """See Client.log_event."""
        return await self.core.run_async(self._event(event_type, data, level))

    async def close(self) -> None:
        """Close the connections."""
        await self.core.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def configure(client: Client | AsyncClient | None) -> None:
    """Make ``client`` the one of ``guard``, ``task``, ``step`` and ``log_event``; None returns to the environment."""
    set_default_core(None if client is None else client.core)


def default_client() -> Client:
    """Return the default client: the configured one, else one made from the environment."""
    return Client(core=default_core())


def task(
    goal: str = "",
    *,
    id: str | None = None,  # noqa: A002  # the word of the API
    agent: str | None = None,
    traceparent: str | None = None,
    on_behalf_of: Sequence[str] = (),
) -> Task:
    """Return the context manager of one task of the default client."""
    return Task(default_core(), goal, id=id, agent=agent, traceparent=traceparent, on_behalf_of=on_behalf_of)


def step(name: str, rationale: str = "") -> Step:
    """Return the context manager of one reasoning step of the default client."""
    return Step(default_core(), name, rationale)


def log_event(event_type: str, data: Mapping[str, Any] | None = None, *, level: str = "info") -> Recorded:
    """Record an event with the default client."""
    return default_client().log_event(event_type, data, level=level)
