"""What both clients share: how they are made, and what they ask, as flows that need no waiting."""

import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, ParamSpec, TypeVar, overload

from sealgate.model.errors import InputError
from sealgate.sdk import calls, flows, tracing
from sealgate.sdk.answers import Decision, Recorded
from sealgate.sdk.arguments import encode
from sealgate.sdk.calls import Outcome, Question
from sealgate.sdk.core import Core
from sealgate.sdk.drafts import Draft
from sealgate.sdk.errors import ApprovalRequired
from sealgate.sdk.guards import Guard
from sealgate.sdk.redaction import Redactor
from sealgate.sdk.settings import resolve

P = ParamSpec("P")
R = TypeVar("R")


class Asking:
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

    def _flush(self, timeout_s: float) -> int:
        return self.core.courier.flush() + self.core.recorder.shipper.flush(timeout_s)


def capture(core: Core, draft: Draft) -> Recorded:
    """Record an item, after what entered the task with it was told: what is not told must not be used."""
    if draft.observation is not None:
        core.run(flows.record(draft.observation))
    return core.recorder.capture(draft)
