"""The two clients: ``Client`` blocks, ``AsyncClient`` awaits. The work is in ``flows`` and ``enforcement``."""

import asyncio
import os
import pathlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar, overload

from sealgate.model.errors import InputError
from sealgate.sdk import calls, flows, tracing
from sealgate.sdk.answers import Decision, Recorded
from sealgate.sdk.arguments import encode
from sealgate.sdk.calls import Outcome, Question, Status
from sealgate.sdk.chain import Chain
from sealgate.sdk.core import Core, default_core, set_default_core
from sealgate.sdk.drafts import Draft
from sealgate.sdk.errors import ApprovalRequired
from sealgate.sdk.guards import Guard
from sealgate.sdk.redaction import Redactor
from sealgate.sdk.settings import resolve
from sealgate.sdk.transport import Call

P = ParamSpec("P")
R = TypeVar("R")


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
        spool: folder of what waits (``SEALGATE_SPOOL``, default below ``XDG_STATE_HOME``).
        spool_bytes: bytes of items that may wait, 256 MiB by default (``SEALGATE_SPOOL_BYTES``).
        collector_socket: the collector's Unix socket (``SEALGATE_COLLECTOR_SOCKET``, default beside the authority's).
        collector_url: ``https://…`` of a remote collector (``SEALGATE_COLLECTOR_URL``, default that of the authority).
        privacy: file of the field policy, what of an item may be stored (``SEALGATE_PRIVACY``).
        privacy_key_file: key for keyed hashes (``SEALGATE_PRIVACY_KEY_FILE``).
        region: told in each item (``SEALGATE_REGION``).
        environment: told in each item (``SEALGATE_ENVIRONMENT``).
        obligations: handlers by obligation id.
        redact: decides what of an item may be stored, instead of the field policy.
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
        spool_bytes: int | None = None,
        collector_socket: str | pathlib.Path | None = None,
        collector_url: str | None = None,
        privacy: str | pathlib.Path | None = None,
        privacy_key_file: str | pathlib.Path | None = None,
        region: str | None = None,
        environment: str | None = None,
        obligations: Mapping[str, flows.Handler] | None = None,
        redact: Redactor | None = None,
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
                spool_bytes=spool_bytes,
                collector_socket=collector_socket,
                collector_url=collector_url,
                privacy=privacy,
                privacy_key_file=privacy_key_file,
                region=region,
                environment=environment,
            )
            core = Core(settings, obligations or {}, redact)
        self.core: Final = core
        self._core_of = lambda: core

    @overload
    def guard(self, function: Callable[P, R], /) -> Callable[P, R]: ...

    @overload
    def guard(self, /, **options: Any) -> Guard: ...

    def guard(self, function: Callable[P, R] | None = None, /, **options: Any) -> Callable[P, R] | Guard:
        """Guard a callable with this client; options as for ``Guard``."""
        decorator = Guard(lambda: self.core, **options)
        return decorator if function is None else decorator(function)

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

    def _delegate(
        self,
        delegate: str,
        tools: Sequence[str] | None,
        resources: Sequence[str] | None,
        bounds: Sequence[Mapping[str, Any]],
        below: str | None,
        expires_in_s: int | None,
        reason: str,
    ) -> flows.Flow[str]:
        here = tracing.next_span()
        wanted = {
            "delegator": self.core.agent(here),
            "delegate": delegate,
            "parent": below or here.delegation,
            "tools": None if tools is None else list(tools),
            "resources": None if resources is None else list(resources),
            "bounds": [dict(bound) for bound in bounds],
            "expires_in_s": expires_in_s,
            "reason": reason,
        }
        recorded = yield from flows.record(calls.delegation(wanted))
        return str(recorded.record_id)

    def _wait_for_approval(self, asked: Decision | ApprovalRequired | str, timeout_s: float) -> flows.Flow[str]:
        if isinstance(asked, ApprovalRequired):
            asked = asked.decision
        approval_id = asked if isinstance(asked, str) else asked.approval.id if asked.approval else None
        if approval_id is None:
            raise InputError("nobody was asked, so there is nothing to wait for", hint="look at the decision's message")
        return flows.wait_for_approval(approval_id, timeout_s, exchange_s=self.core.settings.timeout_s)

    def _report(self, decision: Decision, report: Mapping[str, Any]) -> flows.Flow[Recorded]:
        if decision.record_id is None:
            raise InputError("this decision was not recorded, so it has no outcome")
        call = calls.outcome(Outcome(decision.record_id, **report), request_id=flows.new_request_id())
        return self.core.courier.deliver(call)


def _capture(core: Core, draft: Draft) -> Recorded:
    """Record an item, after what entered the task with it was told: what is not told must not be used."""
    if draft.observation is not None:
        core.run(flows.record(draft.observation))
    return core.recorder.capture(draft)


class Client(_Base, Chain[Recorded]):
    """Asks the authority and waits for its answer. Safe to share between threads."""

    def _capture(self, draft: Draft) -> Recorded:
        return _capture(self.core, draft)

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

    def wait_for_approval(self, asked: Decision | ApprovalRequired | str, timeout_s: float) -> str:
        """Wait until people decided, at most ``timeout_s``; return the approval's state.

        `granted`: ask again with exactly the same arguments. `requested`: the time was over first. Anything else is no.

        Args:
            asked: the decision, the exception, or the approval's id.
            timeout_s: seconds.
        """
        return self.core.run(self._wait_for_approval(asked, timeout_s))

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

    def delegate(
        self,
        delegate: str,
        *,
        tools: Sequence[str] | None = None,
        resources: Sequence[str] | None = None,
        bounds: Sequence[Mapping[str, Any]] = (),
        below: str | None = None,
        expires_in_s: int | None = None,
        reason: str = "",
    ) -> str:
        """Let another agent act on behalf of this one; return the delegation's id, for ``task(delegation=…)``.

        Inside a task with a delegation, or with ``below``, it goes below that one and can only be narrower.
        """
        return self.core.run(self._delegate(delegate, tools, resources, bounds, below, expires_in_s, reason))

    def revoke_delegation(self, delegation_id: str, reason: str) -> Recorded:
        """Take a delegation back, with everything below it."""
        return self.core.run(flows.record(calls.revocation(delegation_id, reason)))

    def flush(self, timeout_s: float = 0.0) -> int:
        """Send what waits and return how many reports and items still wait.

        Args:
            timeout_s: how long to try again if the servers do not take all at once.
        """
        return self.core.courier.flush() + self.core.recorder.shipper.flush(timeout_s)

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


class AsyncClient(_Base, Chain[Awaitable[Recorded]]):
    """Asks the authority and awaits its answer. Over the Unix socket it serves any event loop."""

    def _capture(self, draft: Draft) -> Awaitable[Recorded]:
        if draft.observation is None:
            return self.core.recorder.capture_async(draft)
        return self._observed(draft, draft.observation)

    async def _observed(self, draft: Draft, observation: Call) -> Recorded:
        await self.core.run_async(flows.record(observation))
        return await self.core.recorder.capture_async(draft)

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

    async def wait_for_approval(self, asked: Decision | ApprovalRequired | str, timeout_s: float) -> str:
        """See Client.wait_for_approval."""
        return await self.core.run_async(self._wait_for_approval(asked, timeout_s))

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

    async def delegate(
        self,
        delegate: str,
        *,
        tools: Sequence[str] | None = None,
        resources: Sequence[str] | None = None,
        bounds: Sequence[Mapping[str, Any]] = (),
        below: str | None = None,
        expires_in_s: int | None = None,
        reason: str = "",
    ) -> str:
        """See Client.delegate."""
        flow = self._delegate(delegate, tools, resources, bounds, below, expires_in_s, reason)
        return await self.core.run_async(flow)

    async def revoke_delegation(self, delegation_id: str, reason: str) -> Recorded:
        """See Client.revoke_delegation."""
        return await self.core.run_async(flows.record(calls.revocation(delegation_id, reason)))

    async def flush(self, timeout_s: float = 0.0) -> int:
        """See Client.flush."""
        return await asyncio.to_thread(lambda: self.core.courier.flush() + self.core.recorder.shipper.flush(timeout_s))

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


class _Default(Chain[Recorded]):
    """The chain of the default client, whichever that is at each call."""

    def __init__(self) -> None:
        self._core_of = default_core

    def _capture(self, draft: Draft) -> Recorded:
        return _capture(default_core(), draft)


_default: Final = _Default()
session = _default.session
task = _default.task
step = _default.step
model_call = _default.model_call
tool_call = _default.tool_call
input_received = _default.input_received
context_retrieved = _default.context_retrieved
fallback = _default.fallback
record_error = _default.error
log_event = _default.log_event
declare_coverage = _default.declare_coverage
