"""Approvals on the path of a decision: one that people gave is used up, or people are asked.

What a decision takes is reserved under its id when it is ruled, used up when its record is durable, and given back when
it never will be.
"""

import asyncio

import msgspec

from sealgate.authority import answers
from sealgate.authority.admission import Asked
from sealgate.authority.approval_requests import Call, Opened
from sealgate.authority.approvals import Approvals
from sealgate.authority.drafts import Draft
from sealgate.authority.rulebook import Rulebook, Ruling
from sealgate.authority.state import Memory
from sealgate.encoding import base64url, canonical
from sealgate.model.approvals import Needed
from sealgate.model.decisions import Outcome, Reason
from sealgate.model.errors import SealgateError
from sealgate.ports.judging import Judgement


class Approving:
    """The gate's side of approvals."""

    def __init__(self, approvals: Approvals, memory: Memory) -> None:
        self._approvals = approvals
        self._memory = memory

    def rule(self, asked: Asked, draft: Draft, rulebook: Rulebook, judgement: Judgement, ruling: Ruling) -> Ruling:
        """Return the PERMIT that uses up an approval of this call, or the SILENCE that says what it waits for."""
        approvals = self._approvals.requests
        needed, obligations = rulebook.conditions(judgement)
        call = _call(asked, ruling, needed)
        binding = approvals.binding(call)
        found = approvals.find(call, binding, draft.unix_ms)
        if found is None:
            asking = approvals.ask(call, binding, draft)
            asked.opened = asking.opened
            return msgspec.structs.replace(ruling, message=asking.message, approval=asking.reference)
        names = ", ".join(vote.principal for vote in found.approval.votes)
        approved = Judgement(Outcome.PERMIT, Reason.POLICY, f"approved by {names}", judgement.policies, obligations)
        permit = rulebook.rule(approved, asked.request, draft.record_id, draft.unix_ms)
        if permit.outcome is not Outcome.PERMIT:
            return permit  # a quota is used up; the approval is not
        reference = approvals.reserve(found, draft.record_id)
        return msgspec.structs.replace(permit, approval=reference, approval_amount=found.amount)

    async def open(self, asked: Asked, opened: Opened) -> bool:
        """Record the request to people behind the decision that waits for them; tell whether it is durable."""
        agent = answers.agent(asked.request.subject.id, asked.caller, asked.request.context.on_behalf_of)
        digest = canonical.salted_digest(opened.draft.salt, asked.arguments_sha256)
        try:
            recorded = self._approvals.record_opened(opened, base64url.encode(digest), agent)
            await asyncio.shield(recorded)
        except SealgateError:
            return False
        return True

    def forget(self, opened: Opened) -> None:
        """Take in that the decision behind which people were to be asked was not recorded."""
        self._approvals.forget_opened(opened)

    def consume(self, approval_id: str, decision_id: str) -> None:
        """Use up what a durable decision reserved."""
        amount = self._approvals.requests.release(approval_id, decision_id)
        self._memory.approvals.consume(approval_id, decision_id, amount or "0")

    def release(self, approval_id: str, decision_id: str) -> None:
        """Give back what a decision reserved that was not recorded."""
        self._approvals.requests.release(approval_id, decision_id)


def _call(asked: Asked, ruling: Ruling, needed: list[Needed]) -> Call:
    request = asked.request
    context = request.context
    return Call(
        agent=request.subject.id,
        principal=asked.caller.principal,
        proof=asked.caller.proof,
        on_behalf_of=context.on_behalf_of,
        tool=request.action.name,
        definition_sha256=None if ruling.tool is None else ruling.tool["definition_sha256"],
        resource=(request.resource.type, request.resource.id),
        input=context.input,
        arguments=asked.arguments,
        arguments_sha256=asked.arguments_sha256,
        policies=ruling.policies,
        policy_version=ruling.policy_version or "",
        needed=needed,
        task_id=context.task.id if context.task else None,
        trace=asked.trace,
    )
