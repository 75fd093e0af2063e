"""What is asked in which order, without any I/O.

A flow is a generator: it yields a ``Call``, is sent the ``Answer`` (or has the transport's exception thrown into it)
and returns its result. ``run`` drives it with a blocking transport, ``run_async`` with an awaiting one. So the order
of steps and the judging of answers exist once, and cannot differ between the two clients.
"""

import math
import os
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, Final, TypeVar

from sealgate.model.errors import InputError
from sealgate.model.identifiers import require_uuid, uuid7
from sealgate.sdk import calls
from sealgate.sdk.answers import (
    Answer,
    Credential,
    Decision,
    Obligation,
    Recorded,
    read_approval,
    read_credential,
    read_decision,
    read_recorded,
    read_redeemed,
)
from sealgate.sdk.calls import Question
from sealgate.sdk.errors import (
    ActionNotRun,
    ApprovalRequired,
    CredentialNotIssued,
    Denied,
    ObligationUnmet,
    Silence,
    UnreadableAnswer,
)
from sealgate.sdk.tracing import Span
from sealgate.sdk.transport import Call

R = TypeVar("R")

_LEAST_EXCHANGE_S: Final = 1.5
_MOST_WAIT_S: Final = 30
Flow = Generator[Call, Answer, R]

AfterBody = Callable[[Any], Any]
"""result of the body → what the caller gets."""

_NO_DUTY: Final = "credential"
"""Among the obligations, but nothing to do: the body may ask for this credential (``Grant.credential``)."""

Handler = Callable[[Obligation, dict[str, Any]], AfterBody | None]
"""Fulfils one kind of obligation before the body runs, given the judged arguments. It raises when it cannot."""


def run(flow: Flow[R], send: Callable[[Call], Answer]) -> R:
    """Drive a flow with a blocking ``send``."""
    try:
        call = next(flow)
        while True:
            try:
                answer = send(call)
            except BaseException as error:  # noqa: BLE001  # the flow decides; it re-raises what it does not handle
                call = flow.throw(error)
            else:
                call = flow.send(answer)
    except StopIteration as stop:
        result: R = stop.value
        return result


async def run_async(flow: Flow[R], send: Callable[[Call], Awaitable[Answer]]) -> R:
    """Drive a flow with an awaiting ``send``; a cancellation is thrown into the flow as well."""
    try:
        call = next(flow)
        while True:
            try:
                answer = await send(call)
            except BaseException as error:  # noqa: BLE001  # as in run
                call = flow.throw(error)
            else:
                call = flow.send(answer)
    except StopIteration as stop:
        result: R = stop.value
        return result


def new_request_id() -> str:
    """Return a fresh UUIDv7."""
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def decide(question: Question, span: Span, *, redeem: bool, timeout_s: float) -> Flow[Decision]:
    """Ask for one decision and judge the answer; whether it permits is for the caller to look at."""
    request_id = new_request_id()
    answer = yield calls.evaluation(
        question, span, request_id=request_id, redeem=redeem, deadline_ms=max(1, int(timeout_s * 1000))
    )
    decision = read_decision(answer, request_id)
    if decision.permit is not None and decision.permit.redeemed and not redeem:
        raise UnreadableAnswer("the permit was used up before this enforcement point asked for it")
    return decision


def redeem(decision: Decision, tool: str, arguments_sha256: str) -> Flow[None]:
    """Use up the permit of a decision. On any exception it must be taken for used, and the action does not run."""
    if decision.permit is None or decision.record_id is None:
        raise UnreadableAnswer("there is no permit to redeem")
    answer = yield calls.redemption(decision.permit.token, tool, arguments_sha256)
    read_redeemed(answer, decision.record_id)


def credential(call: Call, decision_id: str) -> Flow[Credential]:
    """Ask for a short-lived credential.

    Raises:
        CredentialNotIssued: this permit does not carry it or is over, or its source cannot be reached.
    """
    try:
        return read_credential((yield call), decision_id)
    except ActionNotRun as refusal:  # true of the request; but the body that asks is running
        raise CredentialNotIssued(f"no credential: {refusal.message}", hint=refusal.hint) from refusal


def record(call: Call) -> Flow[Recorded]:
    """Have something recorded."""
    return read_recorded((yield call))


def require(decision: Decision, tool: str) -> Decision:
    """Return the decision if it permits.

    Raises:
        Denied: a rule forbids it.
        Silence: the gate declined to answer.
    """
    if decision.permitted:
        return decision
    if decision.outcome == "DENY":
        raise Denied(decision, tool)
    raise (ApprovalRequired if decision.reason == "approval_required" else Silence)(decision, tool)


def wait_for_approval(approval_id: str, timeout_s: float, *, exchange_s: float) -> Flow[str]:
    """Ask how an approval stands until it is decided or ``timeout_s`` is over; return its state.

    ``exchange_s`` bounds one exchange, so that a question may wait for its answer a little less than that.

    Raises:
        InputError: an exchange is too short to wait in.
    """
    if exchange_s < _LEAST_EXCHANGE_S:
        raise InputError(f"to wait for people takes a `timeout_s` of {_LEAST_EXCHANGE_S} seconds at least")
    until = time.monotonic() + timeout_s
    while True:
        left = until - time.monotonic()
        pause_s = max(0, min(math.ceil(left), int(exchange_s - 0.5), _MOST_WAIT_S))
        state = read_approval((yield calls.approval(require_uuid(approval_id, "approval id"), pause_s)), approval_id)
        if state != "requested" or left <= 0:
            return state


def fulfil(
    decision: Decision, handlers: Mapping[str, Handler], arguments: Callable[[], dict[str, Any]]
) -> list[AfterBody]:
    """Fulfil every obligation, in order, and return what is left to do with the result.

    All are known before the first is tried: a duty half done is worse than none begun.

    Raises:
        ObligationUnmet: one is unknown here, or its handler raised.
    """
    duties = [duty for duty in decision.obligations if duty.id != _NO_DUTY]
    for obligation in duties:
        if obligation.id not in handlers:
            raise ObligationUnmet(
                f"the permit carries the obligation `{obligation.id[:80]}`, which is not known here",
                code="obligation-unknown",
                hint="register a handler with `obligations=`",
            )
    after: list[AfterBody] = []
    for obligation in duties:
        try:
            then = handlers[obligation.id](obligation, arguments())
        except Exception as error:
            raise ObligationUnmet(
                f"the obligation `{obligation.id[:80]}` could not be fulfilled: {error}", code="obligation-failed"
            ) from error
        if then is not None:
            after.append(then)
    return after
