"""The path of one decision.

Steps, in order; each that refuses ends the path with a recorded answer:

1. the caller may speak for the subject (else an error: nothing is decided for strangers)
2. a repeated request id gets the first answer again
3. the exact arguments are frozen: their RFC 8785 form is what the permit is bound to
4. containment: a paused agent is denied, and so is whatever is asked in a task that is over
5. policy: forbid → DENY, permit without error → go on, anything else → SILENCE with its reason; where a policy asks
   for an approval: one that people gave for exactly this is used up now, else they are asked and the answer is SILENCE
6. delegation: whoever it is done for must be allowed it too, link by link; this only takes away
7. limits and quotas: reserved now, given back if the decision is not recorded
8. one append; when it is on stable storage the answer leaves, with receipt and permit

Not handled here: HTTP, policy language, storage. A deadline covers steps 5 to 8; when it passes the answer is
SILENCE, and a permit that was recorded too late is never handed out: it expires by itself.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sealgate.authority import answers
from sealgate.authority.admission import Admission, Asked, same_question
from sealgate.authority.approvals import Approvals
from sealgate.authority.approving import Approving
from sealgate.authority.deadlines import Deadlines
from sealgate.authority.delegations import Delegations
from sealgate.authority.drafts import Draft, Receipt
from sealgate.authority.judging import Judging
from sealgate.authority.permits import MAX_OPEN, OpenDecision, PermitMac, credentials_of
from sealgate.authority.reader import Reader
from sealgate.authority.recorder import Recorder
from sealgate.authority.rulebook import Rulebook, Ruling
from sealgate.authority.state import Memory
from sealgate.authority.tasks import Tasks
from sealgate.encoding import base64url, canonical
from sealgate.model.decisions import Outcome, Reason
from sealgate.model.errors import EncodingError, NotPermittedError, UnavailableError
from sealgate.model.evaluation import EvaluationRequest, EvaluationResponse, Identity
from sealgate.model.lifecycle import State
from sealgate.model.records import Kind
from sealgate.ports.judging import Judges


@dataclass(frozen=True, slots=True)
class Times:
    """How long things may take, in milliseconds."""

    deadline_ms: int = 250
    permit_ttl_ms: int = 30_000
    outcome_due_ms: int = 600_000


Answer = Receipt | Reason
"""What a decision waits for: its receipt, or why there is none."""

_LATE_S: Final = 0.02
"""How late after its deadline an answer may leave, in seconds: the timer's tick and a turn of the loop."""


class Gate:
    """Decides. One event loop owns it."""

    def __init__(
        self,
        *,
        memory: Memory,
        recorder: Recorder,
        reader: Reader,
        permits: PermitMac,
        times: Times,
        rulebook: Callable[[], Rulebook | None],
        judges: Judges | None = None,
        tasks: Tasks,
        delegations: Delegations,
        approvals: Approvals | None = None,
    ) -> None:
        self._memory = memory
        self._recorder = recorder
        self._reader = reader
        self._permits = permits
        self._times = times
        self._rulebook = rulebook
        self._approving = None if approvals is None else Approving(approvals, memory)
        self._admission = Admission(memory, delegations, rulebook)
        self._judging = Judging(
            memory=memory,
            time=recorder.time,
            rulebook=rulebook,
            judges=judges,
            tasks=tasks,
            delegations=delegations,
            approving=self._approving,
        )
        self._under_way = 0
        self._deadlines = Deadlines(_give_up)
        self.stopping = False
        self.halted: str | None = None
        self.counts = dict.fromkeys((outcome.value for outcome in Outcome), 0)

    @property
    def remembered(self) -> int:
        """Decisions that needed no evaluation: their question was judged before, or no policy could apply."""
        return self._judging.remembered

    async def evaluate(
        self, request: EvaluationRequest, caller: Identity, request_id: str | None, *, alone: bool = False
    ) -> EvaluationResponse:
        """Answer one question; see the module for the steps. One that is ``alone`` does not wait for others to join it.

        Raises:
            InputError: a name, trace context or argument is not acceptable.
            NotPermittedError: the caller may not speak for the subject, or the id was used for another question.
        """
        asked = self._admission.admit(request, caller, request_id)
        if asked.remembered_as is not None:
            known = self._memory.remembered.find(asked.remembered_as)
            if known is not None:
                return await self._repeat(asked, known)
        # Remembered before anything is awaited, so that of two requests with one id the second waits for the first.
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if asked.remembered_as is not None:
            self._memory.remembered.remember(asked.remembered_as, waiter, self._recorder.time.last_ms)
        self._under_way += 1
        try:
            answer = await self._decide(asked, waiter, alone=alone)
        finally:
            self._under_way -= 1
            if not waiter.done():  # refused before the append, or nobody waits any more
                waiter.set_result(Reason.NOT_RECORDED)
                if asked.remembered_as is not None:
                    self._memory.remembered.forget(asked.remembered_as)
        self.counts[answer.context.outcome] += 1
        return answer

    async def _decide(self, asked: Asked, waiter: "asyncio.Future[Answer]", *, alone: bool) -> EvaluationResponse:
        if self.stopping:
            return self._unrecorded(asked, Reason.STOPPING, "the authority is stopping")
        if len(self._memory.decisions) >= MAX_OPEN:
            return self._unrecorded(asked, Reason.OVERLOADED, "too many decisions wait for their outcome")
        failure = self.halted or self._recorder.failure
        if failure is not None:
            self._recorder.note_missed(failure)
            return self._unrecorded(asked, Reason.NOT_RECORDED, "the journal cannot record")
        # All that arrived in one turn of the loop is admitted before any of it is judged: it shares one sync, and the
        # same code for many decisions on end runs faster than all code for each (ADR 0197).
        if not alone:
            await asyncio.sleep(0)
        started = self._recorder.time.monotonic_s()
        deadline_s = self._deadline_s(asked.request)
        rules = await self._judging.judge(asked, self._under_way, started + deadline_s)
        try:
            draft = self._recorder.draft(Kind.DECISION)
        except UnavailableError as error:
            return self._unrecorded(asked, Reason.CLOCK, error.message)
        # From here to the append nothing is awaited: ids grow in the order of the journal, and nothing changes between.
        ruling = self._judging.rule(asked, draft, rules)
        elapsed = self._recorder.time.monotonic_s() - started
        permit = self._write(draft, asked, ruling, round(elapsed * 1_000_000))
        self._append(draft, asked, ruling, waiter)
        if not waiter.done():
            self._deadlines.watch(waiter, deadline_s - elapsed)
        if (
            asked.opened is not None
            and self._approving is not None
            and not await self._approving.open(asked, asked.opened)
        ):
            return self._unrecorded(asked, Reason.NOT_RECORDED, answers.MESSAGES[Reason.NOT_RECORDED])
        receipt = await waiter
        if self._recorder.time.monotonic_s() - started > deadline_s + _LATE_S:
            receipt = Reason.DEADLINE  # durable, but too late to be believed in; its permit is never handed out
        if isinstance(receipt, Reason):
            return self._unrecorded(asked, receipt, answers.MESSAGES[receipt])
        return answers.decided(ruling, asked.request_id, draft.record_id, receipt, permit)

    def _deadline_s(self, request: EvaluationRequest) -> float:
        asked_ms = request.context.deadline_ms
        limit = self._times.deadline_ms
        return (limit if asked_ms is None else max(1, min(asked_ms, limit))) / 1000

    def _write(self, draft: Draft, asked: Asked, ruling: Ruling, duration_us: int) -> answers.Permit | None:
        """Fill in the decision's body; return the permit that goes with it."""
        request, time = asked.request, self._recorder.time
        permit: answers.Permit | None = None
        if ruling.outcome is Outcome.PERMIT:
            redeemed = request.context.redeem
            permit = answers.Permit(
                token=self._permits.token(draft.record_id_bytes, request.subject.id),
                expires_at=time.text(draft.unix_ms + self._times.permit_ttl_ms),
                outcome_due=time.text(draft.unix_ms + self._times.outcome_due_ms) if redeemed else None,
                redeemed=redeemed,
            )
        draft.fields = answers.decision_fields(asked.request, ruling, permit, duration_us, asked.tool, asked.chain)
        digest = asked.input_digest = canonical.salted_digest(draft.salt, asked.arguments_sha256)
        draft.fields["input_digest"] = base64url.encode(digest)
        draft.fields["input_size_bytes"] = len(asked.arguments)
        draft.fields["kept"] = asked.kept and answers.kept(asked.kept)
        return permit

    def _append(self, draft: Draft, asked: Asked, ruling: Ruling, waiter: "asyncio.Future[Answer]") -> None:
        """Append the record; ``waiter`` is done when it is durable or lost."""
        task = asked.request.context.task
        if task is not None:
            permitted = ruling.outcome is Outcome.PERMIT
            agent, tool = asked.request.subject.id, asked.request.action.name
            self._memory.sessions.decided(agent, task.id, tool, draft.unix_ms, permitted=permitted)
        try:
            self._recorder.submit(
                draft,
                lambda result: self._settle(result, draft, asked, ruling, waiter),
                agent=answers.agent(asked.request.subject.id, asked.caller, asked.request.context.on_behalf_of),
                trace=asked.trace,
                task_id=task.id if task else None,
                request_id=asked.request_id,
                alone=self._under_way == 1,
            )
        except EncodingError:  # too long a body, for one; nothing was written
            self._release(draft, ruling)
            if asked.opened is not None and self._approving is not None:
                self._approving.forget(asked.opened)
            raise

    def _settle(
        self,
        result: Receipt | UnavailableError,
        draft: Draft,
        asked: Asked,
        ruling: Ruling,
        waiter: "asyncio.Future[Answer]",
    ) -> None:
        """Runs when the record is durable or lost, whether or not anybody still waits for the answer."""
        if isinstance(result, UnavailableError):
            self._release(draft, ruling)
            if asked.remembered_as is not None:
                self._memory.remembered.forget(asked.remembered_as)
            if not waiter.done():
                waiter.set_result(Reason.NOT_RECORDED)
            return
        self._memory.cursor = max(self._memory.cursor, result.index + 1)
        if asked.remembered_as is not None:
            self._memory.remembered.remember(asked.remembered_as, result.index, draft.unix_ms)
        if ruling.outcome is Outcome.PERMIT:
            self._memory.decisions.add(self._opened(draft, asked, ruling))
            if ruling.approval is not None and self._approving is not None:
                self._approving.consume(ruling.approval.id, draft.record_id)
        if not waiter.done():
            waiter.set_result(result)

    def _release(self, draft: Draft, ruling: Ruling) -> None:
        if ruling.approval is not None and self._approving is not None:
            self._approving.release(ruling.approval.id, draft.record_id)
        rulebook = self._rulebook()
        if rulebook is not None and ruling.charges:
            rulebook.release(draft.record_id)

    def _opened(self, draft: Draft, asked: Asked, ruling: Ruling) -> OpenDecision:
        redeemed = asked.request.context.redeem
        trace, task = asked.trace or {}, asked.request.context.task
        return OpenDecision(
            record_id=draft.record_id,
            agent=asked.request.subject.id,
            tool=asked.request.action.name,
            policy_version=ruling.policy_version or "",
            salt=draft.salt,
            input_digest=asked.input_digest,
            state=State.REDEEMED if redeemed else State.PERMITTED,
            expires_ms=draft.unix_ms + (self._times.outcome_due_ms if redeemed else self._times.permit_ttl_ms),
            task_id=task.id if task else None,
            trace_id=trace.get("trace_id"),
            span_id=trace.get("span_id"),
            delegation=asked.chain[-1] if asked.chain else None,
            credentials=credentials_of(ruling.obligations) if ruling.obligations else (),
        )

    async def _repeat(self, asked: Asked, known: "int | asyncio.Future[Answer]") -> EvaluationResponse:
        """Give the first answer again, rebuilt from its record; refuse if the question is another one."""
        if not isinstance(known, int):
            first = await asyncio.shield(known)
            if isinstance(first, Reason):
                return self._unrecorded(asked, first, answers.MESSAGES[first])
            known = first.index
        stored = self._reader.read(known)
        body = stored.content()
        if body is None or body["kind"] != Kind.DECISION or not same_question(asked, body):
            raise NotPermittedError(
                f"request id `{asked.request_id}` was used for another request",
                code="request-id-reused",
                hint="use a new id for each request",
            )
        token = None
        if body["permit"] is not None:
            token = self._permits.token(bytes.fromhex(body["record_id"].replace("-", "")), asked.request.subject.id)
        return answers.repeated(stored.index, stored.statement, body, token)

    def _unrecorded(self, asked: Asked, reason: Reason, message: str) -> EvaluationResponse:
        return answers.unrecorded(reason, message, asked.request_id)


def _give_up(waiter: "asyncio.Future[Answer]") -> None:
    waiter.set_result(Reason.DEADLINE)
