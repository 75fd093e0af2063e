"""What of an approval whom is shown. Arguments are for those who may decide it, and for nobody else."""

from collections.abc import Callable

from sealgate.authority.approval import Approval, Vote
from sealgate.authority.approval_book import Book
from sealgate.authority.approval_requests import Settings
from sealgate.model.approvals import ApprovalView, Voted
from sealgate.model.evaluation import Identity
from sealgate.model.lifecycle import ApprovalState

_WATCHING: frozenset[str] = frozenset({"operate", "read", "administer"})


class Viewer:
    """Makes views of approvals."""

    def __init__(self, book: Book, settings: Settings, time_text: Callable[[int], str]) -> None:
        self._book = book
        self._settings = settings
        self._time_text = time_text

    def may_decide(self, approval: Approval, caller: Identity) -> bool:
        """Tell whether this person has a role that is asked for, and did not ask itself."""
        held = self._settings.roles.get(caller.principal, frozenset())
        return caller.principal not in approval.requesters and any(need.role in held for need in approval.needed)

    def may_see(self, approval: Approval, caller: Identity) -> bool:
        """Tell whether the caller may know of it at all: who decides, who asked, who operates."""
        return (
            bool(_WATCHING & caller.roles)
            or caller.principal == approval.principal
            or caller.speaks_for(approval.agent)
            or self.may_decide(approval, caller)
        )

    def view(self, approval: Approval, caller: Identity) -> ApprovalView:
        """Return the approval as this caller may see it."""
        decides = self.may_decide(approval, caller)
        answered = any(vote.principal == caller.principal for vote in approval.votes)
        waits = approval.state is ApprovalState.REQUESTED
        return self._view(approval, shows=decides, may_decide=decides and waits and not answered)

    def outside(self, approval: Approval) -> ApprovalView:
        """Return the approval as a notice carries it out of the house: without arguments."""
        return self._view(approval, shows=False, may_decide=False)

    def _view(self, approval: Approval, *, shows: bool, may_decide: bool) -> ApprovalView:
        return ApprovalView(
            id=approval.id,
            scope=approval.scope,
            state=approval.state.value,
            agent=approval.agent,
            requested_by=approval.principal,
            on_behalf_of=approval.on_behalf_of,
            tool=approval.tool,
            resource=approval.resource,
            tool_definition_sha256=approval.definition_sha256,
            policies=approval.policies,
            policy_version=approval.policy_version,
            task_id=approval.task_id,
            needed=approval.needed,
            missing=approval.missing(),
            granted_by=[self._voted(vote) for vote in approval.votes],
            refused_by=None if approval.refusal is None else self._voted(approval.refusal),
            requested_at=self._time_text(approval.requested_ms),
            expires_at=self._time_text(approval.expires_ms),
            decision_id=approval.decision_id,
            arguments=approval.arguments if shows else None,
            arguments_exact=approval.exact if shows and approval.arguments is not None else None,
            terms=approval.terms,
            reason=approval.reason,
            uses=len(approval.uses),
            max_uses=approval.max_uses,
            may_decide=may_decide,
        )

    def _voted(self, vote: Vote) -> Voted:
        return Voted(vote.principal, vote.proof, self._time_text(vote.at_ms), vote.reason)
