"""Brings the human back: people are asked, answer, and what they allowed is used exactly as often as they allowed it.

Each step is a record first; the book changes when it is durable. A person answers an approval once, never one that the
person (or the agent, or anybody the agent acts for) asked for, and fills one place of a role that the configuration
gives. The first no is the last word. Approvals expire as refused, and a changed policy set ends them.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from sealgate.authority import answers, approval_bodies, approval_figures
from sealgate.authority.approval import Approval, Vote
from sealgate.authority.approval_book import Book
from sealgate.authority.approval_requests import Opened, Requests, Settings
from sealgate.authority.approval_rules import NO, Rules, reason_of, shape
from sealgate.authority.approval_views import Viewer
from sealgate.authority.approval_waiting import Waiting
from sealgate.authority.capabilities import approval_of, check
from sealgate.authority.drafts import Draft, Receipt
from sealgate.authority.recorder import Recorder
from sealgate.authority.state import Memory
from sealgate.model.approvals import (
    MAX_BATCH,
    ApprovalFigures,
    ApprovalList,
    ApprovalStep,
    ApprovalSteps,
    ApprovalView,
    BatchAnswer,
    CapabilityRequest,
)
from sealgate.model.errors import InputError, NotPermittedError, UnavailableError
from sealgate.model.evaluation import Identity
from sealgate.model.lifecycle import ApprovalEvent, ApprovalState, advance_approval
from sealgate.model.records import Kind

_INTERNAL: Final = Identity(principal="authority", proof="internal")

Notify = Callable[[ApprovalView], None]
"""Tells the outside world that people are asked; never blocks, never raises."""


AnswerCallback = Callable[[bytes, bytes | None], Awaitable[ApprovalStep]]
"""Takes an answer that only its signature proves: body and ``Authorization``."""


class Approvals:
    """Decides about approvals. One event loop owns it."""

    def __init__(
        self,
        *,
        memory: Memory,
        recorder: Recorder,
        requests: Requests,
        settings: Settings,
        notify: Notify | None = None,
    ) -> None:
        self._memory = memory
        self._recorder = recorder
        self._settings = settings
        self._notify = notify
        self._waiting = Waiting()
        self.requests = requests
        self.answer_callback: AnswerCallback = _no_callbacks
        self.viewer = Viewer(self._book, settings, recorder.time.text)
        self._rules = Rules(memory, recorder.time, settings, self.viewer)
        self.wake_all = self._waiting.wake_all

    @property
    def _book(self) -> Book:
        return self._memory.approvals

    def record_opened(self, opened: Opened, input_digest: str, agent: dict[str, Any]) -> "asyncio.Future[Receipt]":
        """Append a request that the gate opened, behind the decision that waits for it."""
        approval, draft = opened.approval, opened.draft
        draft.fields = approval_bodies.requested(
            approval, expires_at=self._recorder.time.text(approval.expires_ms), input_digest=input_digest
        )
        return self._append(draft, agent, approval, lambda receipt: self._opened(approval, durable=receipt is not None))

    def forget_opened(self, opened: Opened) -> None:
        """Drop a request whose decision could not be appended."""
        self._opened(opened.approval, durable=False)

    def _opened(self, approval: Approval, *, durable: bool) -> None:
        self._book.opening.pop(approval.binding or approval.id, None)
        if not durable:
            return
        self._book.add(approval)
        if self._notify is not None:
            self._notify(self.viewer.outside(approval))

    def notify_open(self) -> None:
        """Tell of every approval that still waits; at a start, because nobody knows which notices arrived."""
        if self._notify is not None:
            for approval in self._book:
                if approval.state is ApprovalState.REQUESTED:
                    self._notify(self.viewer.outside(approval))

    async def request_capability(self, wanted: CapabilityRequest, caller: Identity) -> ApprovalView:
        """Ask people once for many calls.

        Raises:
            InputError: the terms bound nothing, or something in them is malformed.
            NotPermittedError: the caller may not speak for the agent, or too much waits already.
            UnavailableError: it could not be recorded, or no policy set is in force.
        """
        if not caller.speaks_for(wanted.agent) and "operate" not in caller.roles:
            raise NotPermittedError(
                f"`{caller.principal}` may not speak for agent `{wanted.agent[:80]}`", code="subject-not-allowed"
            )
        check(wanted)
        version = self._memory.policy_version
        if version is None:
            raise UnavailableError("no policy set is in force", hint="publish one first")
        if self._book.open_count() >= self._settings.max_open:
            raise NotPermittedError("too many approvals wait already", code="busy", hint="wait until some are decided")
        draft = self._recorder.draft(Kind.APPROVAL_REQUESTED)
        approval = approval_of(wanted, caller, draft, version)
        self._book.opening[approval.id] = approval
        draft.fields = approval_bodies.requested(
            approval, expires_at=self._recorder.time.text(approval.expires_ms), input_digest=None
        )
        agent = answers.agent(wanted.agent, caller, [])
        await self._append(draft, agent, approval, lambda receipt: self._opened(approval, durable=receipt is not None))
        return self.viewer.view(approval, caller)

    async def answer(
        self, approval_id: str, caller: Identity, reason: str, *, grant: bool, batch_id: str | None = None
    ) -> ApprovalStep:
        """Take one person's yes or no; durable on return.

        Raises:
            InputError: the reason is malformed.
            NotPermittedError: unknown (also to who may not see it), decided, expired, or not this person's to decide.
            UnavailableError: it could not be recorded; nothing changed.
        """
        approval = self._rules.visible(approval_id, caller)
        roles = self._rules.require_may(approval, caller, grant=grant)
        return await self._answer(approval, caller, roles, reason_of(reason), grant=grant, batch_id=batch_id)

    def _answer(
        self,
        approval: Approval,
        caller: Identity,
        roles: list[str],
        reason: str,
        *,
        grant: bool,
        batch_id: str | None,
    ) -> "asyncio.Task[ApprovalStep]":
        """Append the answer now; the task is done when it is durable."""
        draft = self._recorder.draft(Kind.APPROVAL_GRANTED if grant else Kind.APPROVAL_REFUSED)
        vote = Vote(caller.principal, caller.proof, roles, draft.unix_ms, reason)
        voting = self._book.voting.setdefault(approval.id, {})
        missing = approval.missing({name: one.roles for name, one in voting.items()} | {caller.principal: roles})
        draft.fields = approval_bodies.answered(
            approval,
            principal=caller.principal,
            roles=roles,
            reason=reason,
            complete=not grant or missing == 0,
            batch_id=batch_id,
        )

        def done(receipt: Receipt | None) -> None:
            voting.pop(caller.principal, None)
            if not voting:
                self._book.voting.pop(approval.id, None)
            if receipt is not None:
                self._book.vote(approval.id, vote, grant=grant)
                self._waiting.changed(approval.id)

        voting[caller.principal] = vote if grant else Vote(vote.principal, vote.proof, [], vote.at_ms, NO)
        future = self._append(draft, answers.agent(caller.principal, caller, []), approval, done)

        async def step() -> ApprovalStep:
            receipt = await future
            return ApprovalStep(approval.id, approval.state.value, approval.missing(), receipt.record_id)

        return asyncio.ensure_future(step())

    async def answer_batch(self, wanted: BatchAnswer, caller: Identity) -> ApprovalSteps:
        """Take one person's answer to several requests of the same shape: all of them, or none.

        Raises:
            InputError: none, too many, one twice, or they differ in agent, tool, policy version or needed people.
            NotPermittedError: as ``answer``, for any of them; nothing changed.
        """
        reason = reason_of(wanted.reason)
        if not 0 < len(wanted.approvals) <= MAX_BATCH or len(set(wanted.approvals)) != len(wanted.approvals):
            raise InputError(f"a batch has 1 to {MAX_BATCH} different approvals")
        approvals = [self._rules.visible(approval_id, caller) for approval_id in wanted.approvals]
        if len({shape(approval) for approval in approvals}) != 1 or approvals[0].terms is not None:
            hint = "decide those of one agent, one tool, one policy set and the same needed people together"
            raise InputError("the approvals are not of the same shape", hint=hint)
        grant = wanted.decision == "grant"
        roles = [self._rules.require_may(approval, caller, grant=grant) for approval in approvals]
        batch_id = approvals[0].id
        steps = [
            self._answer(approval, caller, role, reason, grant=grant, batch_id=batch_id)
            for approval, role in zip(approvals, roles, strict=True)
        ]
        return ApprovalSteps(batch_id, list(await asyncio.gather(*steps)))

    async def revoke(self, approval_id: str, reason: str, caller: Identity) -> ApprovalStep:
        """Take back what waits or was granted and not used up: by an operator, or by a person who may approve it.

        Raises:
            NotPermittedError: unknown, over, or not the caller's to revoke.
        """
        approval = self._rules.visible(approval_id, caller)
        if not self.viewer.may_decide(approval, caller) and "operate" not in caller.roles:
            raise NotPermittedError("this needs the role `operate`", hint="ask the operator")
        return await self._revoke(approval, caller, reason_of(reason))

    async def revoke_task(self, task_id: str) -> None:
        """Take back the approvals of a task that ended (``tasks.TaskListener``)."""
        await self.end_task(task_id, "the task ended")

    async def end_task(self, task_id: str, reason: str) -> int:
        """Revoke every open approval of a task that ended; return how many."""
        open_states = (ApprovalState.REQUESTED, ApprovalState.GRANTED)
        ended = [one for one in self._book if one.task_id == task_id and one.state in open_states]
        for approval in ended:
            with contextlib.suppress(NotPermittedError):  # decided meanwhile
                await self._revoke(approval, _INTERNAL, reason)
        return len(ended)

    async def _revoke(self, approval: Approval, caller: Identity, reason: str) -> ApprovalStep:
        advance_approval(approval.state, ApprovalEvent.REVOKE)
        draft = self._recorder.draft(Kind.APPROVAL_REVOKED)
        draft.fields = approval_bodies.revoked(approval, caller.principal, reason)
        receipt = await self._finish(draft, approval, ApprovalEvent.REVOKE, caller)
        return ApprovalStep(approval.id, approval.state.value, approval.missing(), receipt.record_id)

    def _finish(
        self, draft: Draft, approval: Approval, event: ApprovalEvent, caller: Identity
    ) -> "asyncio.Future[Receipt]":
        def done(receipt: Receipt | None) -> None:
            if receipt is not None:
                self._book.finish(approval.id, event)
                self._waiting.changed(approval.id)

        return self._append(draft, answers.agent(caller.principal, caller, []), approval, done)

    async def sweep(self) -> bool:
        """Record what expired; return whether more may be due."""
        due = self._book.due(self._recorder.time.now_ms(), self._memory.policy_version)
        for approval, cause in due:
            if approval.id in self._book.voting or approval.id in self._book.reserved:
                continue  # an answer or a use is under way; the next sweep sees what became of it
            draft = self._recorder.draft(Kind.APPROVAL_EXPIRED)
            draft.fields = approval_bodies.expired(approval, cause)
            await self._finish(draft, approval, ApprovalEvent.EXPIRE, _INTERNAL)
        return len(due) >= _SWEEP

    def show(self, approval_id: str, caller: Identity) -> ApprovalView:
        """Return one approval.

        Raises:
            NotPermittedError: code `approval-unknown`; also where the caller may not see it.
        """
        return self.viewer.view(self._rules.visible(approval_id, caller), caller)

    async def wait(self, approval_id: str, wait_s: float, caller: Identity) -> ApprovalView:
        """Return the approval as soon as it is decided, or as it is after ``wait_s``. Raises as ``show``."""
        approval = self._rules.visible(approval_id, caller)
        await self._waiting.until_decided(approval, wait_s)
        return self.viewer.view(approval, caller)

    def list(self, caller: Identity, states: Sequence[str] = ("requested",)) -> ApprovalList:
        """Return the approvals that the caller may see, oldest first, at most a thousand of the newest."""
        wanted = frozenset(states)
        found = [one for one in self._book if one.state.value in wanted and self.viewer.may_see(one, caller)]
        return ApprovalList([self.viewer.view(approval, caller) for approval in found[-1000:]])

    def figures(self) -> ApprovalFigures:
        """Return the measures of fatigue."""
        return self._book.figures.describe(self._book.open_count(), self._recorder.time.last_ms)

    def metrics(self) -> dict[str, float]:
        """Return the figures by Prometheus name."""
        return approval_figures.by_name(self.figures())

    def _append(
        self, draft: Draft, agent: dict[str, Any], approval: Approval, done: Callable[[Receipt | None], None]
    ) -> "asyncio.Future[Receipt]":
        """Append a record; ``done`` is told once, in the order of the journal, before anybody can see the receipt."""
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()

        def settled(result: Receipt | UnavailableError) -> None:
            if isinstance(result, UnavailableError):
                done(None)
                if not future.done():
                    future.set_exception(result)
                return
            done(result)
            self._memory.cursor = max(self._memory.cursor, result.index + 1)
            if not future.done():
                future.set_result(result)

        try:
            self._recorder.submit(
                draft,
                settled,
                agent=agent,
                trace=approval.trace,
                task_id=approval.task_id,
                request_id=None,
                alone=False,
            )
        except BaseException:  # whatever it was: nothing of this may stay reserved
            done(None)
            raise
        return future


_SWEEP: Final = 256


async def _no_callbacks(body: bytes, authorization: bytes | None) -> ApprovalStep:
    del body, authorization
    raise NotPermittedError("no callbacks are taken here", code="callback-refused")
