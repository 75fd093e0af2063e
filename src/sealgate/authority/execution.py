"""What follows a PERMIT: redeeming it, reporting the outcome, and saying so when nobody does."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from sealgate.authority import answers
from sealgate.authority.delegations import Delegations
from sealgate.authority.drafts import Draft, Receipt
from sealgate.authority.gate import Times
from sealgate.authority.idempotency import Remembered
from sealgate.authority.permits import OpenDecision, PermitMac, record_id_of
from sealgate.authority.reader import Reader
from sealgate.authority.recorder import Recorder
from sealgate.authority.rulebook import Rulebook
from sealgate.authority.state import Memory
from sealgate.authority.tasks import Tasks
from sealgate.encoding import base64url, canonical
from sealgate.model.credentials import Cause
from sealgate.model.errors import InputError, NotPermittedError, SealgateError
from sealgate.model.evaluation import Identity, OutcomeRequest, Recorded, RedeemRequest, RedeemResponse
from sealgate.model.identifiers import require_name, require_uuid
from sealgate.model.lifecycle import Event, State
from sealgate.model.records import Kind

_INTERNAL: Final = Identity(principal="sealgate", proof="internal")
_MAX_DURATION_MS: Final = 366 * 24 * 3600 * 1000


class Execution:
    """Moves decisions on after PERMIT. One event loop owns it."""

    def __init__(
        self,
        *,
        memory: Memory,
        recorder: Recorder,
        reader: Reader,
        permits: PermitMac,
        times: Times,
        rulebook: Callable[[], Rulebook | None],
        tasks: Tasks,
        delegations: Delegations,
        ended: Callable[[str, Cause], None] = lambda _decision_id, _cause: None,
    ) -> None:
        self._memory = memory
        self._recorder = recorder
        self._reader = reader
        self._permits = permits
        self._times = times
        self._rulebook = rulebook
        self._tasks = tasks
        self._delegations = delegations
        self._ended = ended
        self.counts: dict[str, int] = {"redeemed": 0, "reported": 0, "unknown": 0}

    async def redeem(self, request: RedeemRequest, caller: Identity) -> RedeemResponse:
        """Use up a permit for exactly these arguments; the answer comes when that is on stable storage.

        Whatever happens after the checks, the permit is used: if recording fails the action must not run, and the
        decision becomes ``outcome_unknown``.

        Raises:
            NotPermittedError: the permit is unknown, used, expired, another's, or for something else.
            UnavailableError: the redemption could not be recorded.
        """
        arguments_sha256 = _hex_digest(request.arguments_sha256, "arguments_sha256")
        record_id = record_id_of(request.permit)
        decision = self._memory.decisions.get(record_id)
        # One answer for a forged token, a stranger's and an unknown one: nothing to learn by trying.
        if (
            decision is None
            or not self._permits.fits(request.permit, decision.agent)
            or not caller.speaks_for(decision.agent)
        ):
            raise NotPermittedError(
                "no open permit has this token", code="permit-unknown", hint="ask for a new decision"
            )
        if decision.agent in self._memory.paused:
            raise NotPermittedError(f"agent `{decision.agent}` is paused", code="agent-paused", hint="nothing may run")
        draft = self._recorder.draft(Kind.PERMIT_REDEEMED)
        if self._tasks.over(decision.task_id, draft.unix_ms):
            raise NotPermittedError("the task of this permit is over", code="task-ended", hint="nothing may run in it")
        if self._delegations.lapsed(decision, draft.unix_ms):
            raise NotPermittedError(
                "the delegation of this permit is over", code="delegation-ended", hint="ask for a new decision"
            )
        due_ms = draft.unix_ms + self._times.outcome_due_ms
        self._memory.decisions.redeem(
            record_id,
            tool=request.tool,
            arguments_sha256=arguments_sha256,
            policy_version=self._memory.policy_version,
            now_ms=draft.unix_ms,
            due_ms=due_ms,
        )
        outcome_due = self._recorder.time.text(due_ms)
        draft.fields = {"decision_id": record_id, "outcome_due": outcome_due}
        receipt = await self._record(draft, decision, caller, None)
        self.counts["redeemed"] += 1
        return RedeemResponse(decision_id=record_id, outcome_due=outcome_due, receipt=answers.reference(receipt))

    async def report_outcome(self, request: OutcomeRequest, caller: Identity) -> Recorded:
        """Take in what became of an action. Repeating a request id gives the first answer.

        Raises:
            InputError: a member is out of range.
            NotPermittedError: the decision waits for no outcome, or belongs to an agent the caller may not speak for;
                the request id was used for something else.
            UnavailableError: it could not be recorded; send it again.
        """
        record_id = require_uuid(request.decision_id, "decision id")
        if not 0 <= request.duration_ms <= _MAX_DURATION_MS:
            raise InputError(
                f"duration_ms `{request.duration_ms}` is out of range", hint="send milliseconds, 0 or more"
            )
        decision = self._memory.decisions.get(record_id)
        if request.request_id is not None:
            known = self._known(request, caller)
            if known is not None:
                return await known
        if decision is not None and not caller.speaks_for(decision.agent):
            raise NotPermittedError(
                f"`{caller.principal}` may not speak for agent `{decision.agent}`", code="subject-not-allowed"
            )
        draft = self._recorder.draft(Kind.OUTCOME)
        fields = _outcome_fields(request, draft)
        before = decision.state if decision is not None else State.REFUSED
        decision, late = self._memory.decisions.report(record_id)
        draft.fields = {**fields, "late": late}
        try:
            receipt = await self._record(draft, decision, caller, request.request_id)
        except SealgateError:
            self._memory.decisions.put(decision, before)  # it may be reported again
            raise
        self._memory.decisions.close(record_id)
        self._ended(record_id, "outcome")
        rulebook = self._rulebook()
        if rulebook is not None:
            rulebook.settle(record_id)
        self.counts["reported"] += 1
        return Recorded(receipt.record_id, answers.reference(receipt))

    def _known(self, request: OutcomeRequest, caller: Identity) -> "asyncio.Future[Recorded] | None":
        """Find the answer of a repeated report, among the agents that the caller may speak for."""
        require_name(request.request_id or "", "request id")
        for agent in self._agents_of(request, caller):
            known = self._memory.remembered.find(Remembered.key(agent, request.request_id or ""))
            if known is not None:
                return asyncio.ensure_future(self._again(known, request))
        return None

    def _agents_of(self, request: OutcomeRequest, caller: Identity) -> list[str]:
        decision = self._memory.decisions.get(request.decision_id)
        if decision is not None:
            return [decision.agent] if caller.speaks_for(decision.agent) else []
        stored = self._reader.find(request.decision_id)
        body = stored.content() if stored else None
        if body is None or body["agent"] is None or not caller.speaks_for(body["agent"]["id"]):
            return []
        return [body["agent"]["id"]]

    async def _again(self, known: "int | asyncio.Future[Receipt]", request: OutcomeRequest) -> Recorded:
        index = known if isinstance(known, int) else (await asyncio.shield(known)).index
        stored = self._reader.read(index)
        body = stored.content()
        if body is None or body["kind"] != Kind.OUTCOME or body["decision_id"] != request.decision_id:
            raise NotPermittedError(
                f"request id `{request.request_id}` was used for another request",
                code="request-id-reused",
                hint="use a new id for each request",
            )
        receipt = Receipt(body["record_id"], index, stored.statement, b"")
        return Recorded(receipt.record_id, answers.reference(receipt))

    async def sweep(self) -> int:
        """Record ``outcome_unknown`` for every permit that expired and every outcome that is overdue; return how many.

        If a record is lost the decision is due again at the next sweep, so none is ever forgotten.
        """
        if self._recorder.failure is not None:
            return 0
        now_ms = self._recorder.time.now_ms()
        due = self._memory.decisions.take_due(now_ms)
        done = await asyncio.gather(
            *(self._unknown(decision, event) for decision, event in due), return_exceptions=True
        )
        for (decision, event), result in zip(due, done, strict=True):
            if isinstance(result, BaseException):
                before = State.PERMITTED if event is Event.EXPIRE else State.REDEEMED
                self._memory.decisions.replace(decision, before, now_ms)
        return len(due)

    async def _unknown(self, decision: OpenDecision, event: Event) -> None:
        draft = self._recorder.draft(Kind.OUTCOME)
        draft.fields = {
            "decision_id": decision.record_id,
            "status": "outcome_unknown",
            "cause": "permit_expired" if event is Event.EXPIRE else "outcome_overdue",
            "duration_ms": None,
            "output_digest": None,
            "output_size_bytes": None,
            "error": None,
            "late": False,
        }
        self._ended(decision.record_id, "permit_expired" if event is Event.EXPIRE else "outcome_overdue")
        await self._record(draft, decision, _INTERNAL, None)
        self.counts["unknown"] += 1
        rulebook = self._rulebook()
        if event is Event.EXPIRE and rulebook is not None:
            rulebook.release(decision.record_id)  # nobody redeemed it, so nothing ran
        if event is Event.EXPIRE:
            self._memory.approvals.unused(decision.record_id)

    async def _record(self, draft: Draft, decision: OpenDecision, caller: Identity, request_id: str | None) -> Receipt:
        trace = None
        if decision.trace_id is not None:
            trace = {"trace_id": decision.trace_id, "span_id": decision.span_id, "parent_span_id": None}
        future = self._recorder.record(
            draft,
            agent=answers.agent(decision.agent, caller, []),
            trace=trace,
            task_id=decision.task_id,
            request_id=request_id,
        )
        key = Remembered.key(decision.agent, request_id) if request_id else None
        if key is not None:
            self._memory.remembered.remember(key, future, draft.unix_ms)
        try:
            receipt = await future
        except SealgateError:
            if key is not None:
                self._memory.remembered.forget(key)
            raise
        if key is not None:
            self._memory.remembered.remember(key, receipt.index, draft.unix_ms)
        self._memory.cursor = max(self._memory.cursor, receipt.index + 1)
        return receipt


def _hex_digest(text: str, what: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError as error:
        raise InputError(f"{what} is not hexadecimal", hint="send SHA-256 as 64 hex digits") from error
    if len(digest) != 32 or text != digest.hex():
        raise InputError(f"{what} is not a SHA-256 digest", hint="send 64 lower-case hex digits")
    return digest


def _outcome_fields(request: OutcomeRequest, draft: Draft) -> dict[str, Any]:
    output = None
    if request.output_sha256 is not None:
        salted = canonical.salted_digest(draft.salt, _hex_digest(request.output_sha256, "output_sha256"))
        output = base64url.encode(salted)
    size = request.output_size_bytes
    if size is not None and size < 0:
        raise InputError(f"output_size_bytes `{size}` is negative")
    error = request.error
    return {
        "decision_id": request.decision_id,
        "status": request.status,
        "cause": None,
        "duration_ms": request.duration_ms,
        "output_digest": output,
        "output_size_bytes": size,
        "error": {"type": error.type[:256], "message": error.message[:2048]} if error else None,
    }
