"""The approvals of the in-memory authority: one is known, everything else is unknown."""

from collections.abc import Sequence

from sealgate.model.approvals import (
    ApprovalFigures,
    ApprovalList,
    ApprovalStep,
    ApprovalSteps,
    ApprovalView,
    BatchAnswer,
    CapabilityRequest,
    Needed,
)
from sealgate.model.errors import NotPermittedError
from sealgate.model.evaluation import Identity

KNOWN = "0192f3c0-0000-7000-8000-000000000001"


class TwinApprovals:
    """Implements ``server.operations.ApprovalOperations`` without asking anybody."""

    def list(self, caller: Identity, states: Sequence[str] = ("requested",)) -> ApprovalList:
        """Return the one that is known."""
        del caller
        return ApprovalList([_view(KNOWN)] if "requested" in states else [])

    def figures(self) -> ApprovalFigures:
        """Return zeros."""
        return ApprovalFigures(0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, [])

    async def wait(self, approval_id: str, wait_s: float, caller: Identity) -> ApprovalView:
        """Return the known one at once."""
        del wait_s, caller
        return _view(_known(approval_id))

    async def answer(self, approval_id: str, caller: Identity, reason: str, *, grant: bool) -> ApprovalStep:
        """Take any answer to the known one."""
        del caller, reason
        return ApprovalStep(_known(approval_id), "granted" if grant else "refused", 0, approval_id)

    async def answer_batch(self, wanted: BatchAnswer, caller: Identity) -> ApprovalSteps:
        """Take any answer to the known one."""
        grant = wanted.decision == "grant"
        steps = [await self.answer(one, caller, wanted.reason, grant=grant) for one in wanted.approvals]
        return ApprovalSteps(KNOWN, steps)

    async def answer_callback(self, body: bytes, authorization: bytes | None) -> ApprovalStep:
        """Believe nobody."""
        del body, authorization
        raise NotPermittedError("the callback is not signed as configured", code="callback-refused")

    async def request_capability(self, wanted: CapabilityRequest, caller: Identity) -> ApprovalView:
        """Take any wish of a caller that may speak for the agent."""
        if not caller.speaks_for(wanted.agent):
            raise NotPermittedError("not this agent", code="subject-not-allowed")
        return _view(KNOWN)

    async def revoke(self, approval_id: str, reason: str, caller: Identity) -> ApprovalStep:
        """Revoke the known one."""
        del reason, caller
        return ApprovalStep(_known(approval_id), "revoked", 1, approval_id)


def _known(approval_id: str) -> str:
    if approval_id != KNOWN:
        raise NotPermittedError("there is no such approval", code="approval-unknown")
    return approval_id


def _view(approval_id: str) -> ApprovalView:
    return ApprovalView(
        id=approval_id,
        scope="action",
        state="requested",
        agent="a1",
        requested_by="gateway",
        on_behalf_of=[],
        tool="send_money",
        resource="tool_server::bank",
        tool_definition_sha256=None,
        policies=["pay"],
        policy_version="sha256:00",
        task_id=None,
        needed=[Needed("manager", 1)],
        missing=1,
        granted_by=[],
        refused_by=None,
        requested_at="2026-01-01T00:00:00.000Z",
        expires_at="2026-01-01T01:00:00.000Z",
        decision_id=None,
        arguments=None,
        arguments_exact=None,
        terms=None,
        reason=None,
        uses=0,
        max_uses=1,
        may_decide=False,
    )
