"""Who may see an approval and answer it now: another person than who asked, in a role that is needed, once."""

from typing import Any, Final

from sealgate.authority.approval import Approval
from sealgate.authority.approval_requests import Settings
from sealgate.authority.approval_views import Viewer
from sealgate.authority.state import Memory
from sealgate.authority.timekeeping import Timekeeper
from sealgate.model.errors import InputError, NotPermittedError
from sealgate.model.evaluation import Identity
from sealgate.model.lifecycle import ApprovalEvent, ApprovalState, advance_approval

MAX_REASON_CHARS: Final = 1000
NO: Final = "\x00no"
"""Marks an answer under way that refuses."""


class Rules:
    """Judges who asks about an approval; changes nothing."""

    def __init__(self, memory: Memory, time: Timekeeper, settings: Settings, viewer: Viewer) -> None:
        self._memory = memory
        self._time = time
        self._settings = settings
        self._viewer = viewer

    def visible(self, approval_id: str, caller: Identity) -> Approval:
        """Return the approval if there is one that the caller may see."""
        approval = self._memory.approvals.get(approval_id)
        if approval is None or not self._viewer.may_see(approval, caller):
            raise NotPermittedError(
                "there is no such approval", code="approval-unknown", hint="`sealgate approval list`"
            )
        return approval

    def require_may(self, approval: Approval, caller: Identity, *, grant: bool) -> list[str]:
        """Return the caller's roles if the caller may answer now."""
        if caller.principal in approval.requesters:
            raise NotPermittedError("nobody decides what they asked for", code="own-request", hint="ask another person")
        held = self._settings.roles.get(caller.principal, frozenset())
        roles = sorted(held & {need.role for need in approval.needed})
        if not roles:
            needed = ", ".join(f"`{need.role}`" for need in approval.needed)
            raise NotPermittedError(
                f"this needs the approver role {needed}", code="not-an-approver", hint="see `approver_roles`"
            )
        advance_approval(approval.state, ApprovalEvent.GRANT if grant else ApprovalEvent.REFUSE)
        if self._time.now_ms() >= approval.expires_ms:
            advance_approval(ApprovalState.EXPIRED, ApprovalEvent.GRANT)
        if approval.policy_version != self._memory.policy_version:
            raise NotPermittedError(
                "the policy set changed since this was asked",
                code="approval-expired",
                hint="the agent has to ask again",
            )
        self._require_open(approval, caller, roles, grant=grant)
        return roles

    def _require_open(self, approval: Approval, caller: Identity, roles: list[str], *, grant: bool) -> None:
        """Refuse a second answer of one person, and any behind one that is under way and decides."""
        voting = self._memory.approvals.voting.get(approval.id, {})
        voters = {name: vote.roles for name, vote in voting.items()}
        if caller.principal in voting or any(vote.principal == caller.principal for vote in approval.votes):
            raise NotPermittedError("this person has answered already", code="approval-decided")
        if any(vote.reason == NO for vote in voting.values()) or (voting and approval.missing(voters) == 0):
            raise NotPermittedError("the approval is decided already", code="approval-decided")
        if grant and approval.missing({**voters, caller.principal: roles}) >= approval.missing(voters):
            raise NotPermittedError("enough people of these roles have answered", code="approval-decided")


def shape(approval: Approval) -> tuple[Any, ...]:
    """Return what approvals must have in common to be answered together."""
    needed = tuple((need.role, need.count) for need in approval.needed)
    return approval.agent, approval.tool, approval.resource, approval.policy_version, needed


def reason_of(text: str) -> str:
    """Return a person's reason, one line."""
    if len(text) > MAX_REASON_CHARS or (text and not text.isprintable()):
        raise InputError("the reason is too long or has control characters", hint=f"one line of {MAX_REASON_CHARS}")
    return text
