"""One guarded call from its arguments to its outcome, as flows. No I/O; ``guards`` and ``client`` drive it.

1. freeze the arguments (``arguments``)
2. ask; anything but a well-formed PERMIT raises here
3. fulfil the obligations; an unknown one means that the action does not run
4. redeem the permit, unless the decision already did
5. run the body with the frozen arguments
6. report the outcome, whatever happened

From step 2 on there is a permit. If 3 or 4 fails it is reported as ``cancelled``, so that no permit is left without an
outcome.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sealgate.encoding import canonical
from sealgate.model.errors import EncodingError, InputError, SealgateError
from sealgate.sdk import calls, flows, observing
from sealgate.sdk.answers import Credential, Decision, Recorded
from sealgate.sdk.arguments import Frozen
from sealgate.sdk.calls import Outcome, Question, Status
from sealgate.sdk.core import Core
from sealgate.sdk.errors import ArgumentsRefused, OutcomeNotReported
from sealgate.sdk.tracing import Span, next_span

Redeem = Literal["with_decision", "before_body"]
"""When the permit is used up: in one durable append with the decision, or by a request just before the body."""

MAX_DIGESTED_BYTES: Final = 64 * 1024 * 1024
"""An output whose canonical form is larger is recorded without a digest."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How one tool is guarded."""

    tool: str
    server: str | None = None
    redeem: Redeem = "with_decision"
    obligations: Mapping[str, flows.Handler] = field(default_factory=dict)
    facts: Callable[[], Mapping[str, Any]] | None = None
    encode_output: Callable[[Any], Any] | None = None
    tool_definition_sha256: str | None = None
    wait_for_approval: float = 0.0


@dataclass(slots=True)
class Grant:
    """The right to run one body now."""

    core: Core
    decision: Decision
    span: Span
    after: list[flows.AfterBody]
    started_ns: int

    def credential(
        self,
        name: str,
        *,
        audience: str | None = None,
        scope: Sequence[str] = (),
        confirmation: Mapping[str, str] | None = None,
    ) -> Credential:
        """Return the short-lived credential ``name`` for this action; it ends with the action's outcome.

        Args:
            name: as the policy's ``@obligation("credential:<name>")`` or the authority's configuration has it.
            audience: whom a token is for, where there is a choice.
            scope: less than all that it may allow.
            confirmation: binds a token to a key of ours: ``{"jkt": …}`` or ``{"x5t#S256": …}``.

        Raises:
            CredentialNotIssued: there is none, and why.
        """
        return self.core.run(self._credential(name, audience, scope, confirmation))

    async def acredential(
        self,
        name: str,
        *,
        audience: str | None = None,
        scope: Sequence[str] = (),
        confirmation: Mapping[str, str] | None = None,
    ) -> Credential:
        """Do what ``credential`` does, awaiting."""
        return await self.core.run_async(self._credential(name, audience, scope, confirmation))

    def _credential(
        self, name: str, audience: str | None, scope: Sequence[str], confirmation: Mapping[str, str] | None
    ) -> flows.Flow[Credential]:
        decision_id = self.decision.record_id or ""
        call = calls.credential(decision_id, name, audience=audience, scope=scope, confirmation=confirmation)
        return (yield from flows.credential(call, decision_id))


_running: Final[ContextVar[Grant | None]] = ContextVar("sealgate_grant", default=None)


def hold(grant: Grant) -> Token[Grant | None]:
    """Make ``grant`` that of the running body; give the result to ``release``."""
    return _running.set(grant)


def release(token: Token[Grant | None]) -> None:
    """The body is over."""
    _running.reset(token)


def current_grant() -> Grant:
    """Return the grant of the guarded body that runs here.

    Raises:
        InputError: none does.
    """
    grant = _running.get()
    if grant is None:
        raise InputError("no guarded function runs here", hint="call it inside of the body, in the same task or thread")
    return grant


def before(core: Core, rules: Rules, frozen: Frozen) -> flows.Flow[Grant]:
    """Do steps 2 to 4. Returns only when the body may run with ``frozen``; raises ActionNotRun otherwise."""
    span = next_span()
    asked = Question(
        agent=core.agent(span),
        tool=rules.tool,
        server=rules.server or core.settings.server,
        arguments=frozen.canonical,
        facts=rules.facts() if rules.facts else {},
        tool_definition_sha256=rules.tool_definition_sha256,
    )
    decision = yield from core.decide(asked, span, redeem=rules.redeem == "with_decision")
    waiting = decision.approval if rules.wait_for_approval > 0 else None
    if waiting is not None and waiting.state == "requested":
        state = yield from flows.wait_for_approval(
            waiting.id, rules.wait_for_approval, exchange_s=core.settings.timeout_s
        )
        if state == "granted":  # a new question, with the arguments that were frozen before people were asked
            decision = yield from core.decide(asked, span, redeem=rules.redeem == "with_decision")
    flows.require(decision, rules.tool)
    grant = Grant(core, decision, span, [], time.monotonic_ns())
    try:
        yield from _prepare(grant, rules, frozen)
    except BaseException as error:
        yield from _abandon(grant, error)
        raise
    grant.started_ns = time.monotonic_ns()
    return grant


def _prepare(grant: Grant, rules: Rules, frozen: Frozen) -> flows.Flow[None]:
    grant.after = flows.fulfil(grant.decision, {**grant.core.obligations, **rules.obligations}, lambda: frozen.judged)
    permit = grant.decision.permit
    if permit is not None and not permit.redeemed:
        yield from flows.redeem(grant.decision, rules.tool, frozen.sha256)
    if not frozen.unchanged():
        raise ArgumentsRefused("an argument changed after it was judged", hint="give the guard `decode=`")


def _abandon(grant: Grant, error: BaseException) -> flows.Flow[None]:
    """Report that a permitted action will not run. The error that led here matters more than this report."""
    try:
        yield from _deliver(grant, "cancelled", error, None, None)
    except SealgateError as failure:
        error.add_note(f"sealgate: the cancelled permit was not reported: {failure}")


def failed(grant: Grant, error: BaseException) -> flows.Flow[None]:
    """Report that the body raised. A failure to report is noted on the error, which the caller raises again."""
    try:
        yield from _deliver(grant, _status(error), error, None, None)
    except SealgateError as failure:
        error.add_note(f"sealgate: the outcome was not reported: {failure}")


def succeeded(grant: Grant, rules: Rules, result: Any) -> flows.Flow[Any]:
    """Report that the body returned and return what the caller gets.

    Raises:
        OutcomeNotReported: the report could be neither delivered nor spooled. It carries the result.
    """
    digest, size = digest_output(result, rules.encode_output)
    try:
        yield from _deliver(grant, "succeeded", None, digest, size)
    except SealgateError as failure:
        raise OutcomeNotReported(
            f"`{rules.tool}` ran, but its outcome was not reported: {failure.message}", result=result, hint=failure.hint
        ) from failure
    try:
        told = observing.wanted(
            grant.core.agent(grant.span), grant.span, "untrusted", result, source=f"tool:{rules.tool}"
        )
        if told is not None:
            yield from flows.record(told)
    except SealgateError as failure:
        raise OutcomeNotReported(
            f"`{rules.tool}` ran, but the authority does not know what it returned: {failure.message}",
            result=result,
            hint=failure.hint,
        ) from failure
    for handler in grant.after:
        result = handler(result)
    return result


def _deliver(
    grant: Grant, status: Status, error: BaseException | None, digest: str | None, size: int | None
) -> flows.Flow[Recorded]:
    report = Outcome(
        decision_id=grant.decision.record_id or "",
        status=status,
        duration_ms=(time.monotonic_ns() - grant.started_ns) // 1_000_000,
        output_sha256=digest,
        output_size_bytes=size,
        error_type=None if error is None else type(error).__qualname__,
        error_message=_text_of(error),
    )
    return (yield from grant.core.courier.deliver(calls.outcome(report, request_id=flows.new_request_id())))


def _status(error: BaseException) -> Status:
    if isinstance(error, TimeoutError):
        return "timed_out"
    if isinstance(error, asyncio.CancelledError) or not isinstance(error, Exception):
        return "cancelled"  # KeyboardInterrupt, SystemExit and the like
    return "failed"


def _text_of(error: BaseException | None) -> str:
    if error is None:
        return ""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # somebody's __str__ must not lose the outcome
        return ""


def digest_output(result: Any, encode_output: Callable[[Any], Any] | None) -> tuple[str | None, int | None]:
    """Return (hex SHA-256, size in bytes) of an output, or two None when it has no exact form.

    Bytes are digested as they are, JSON in its RFC 8785 form. Never raises: the action has run, its outcome must be
    told.
    """
    try:
        value = result if encode_output is None else encode_output(result)
        data = value if type(value) is bytes else canonical.encode_arguments(value, max_bytes=MAX_DIGESTED_BYTES)
    except EncodingError:
        return None, None
    except Exception:  # noqa: BLE001  # a hook that fails, or a value that changes while it is read
        return None, None
    return hashlib.sha256(data).hexdigest(), len(data)
