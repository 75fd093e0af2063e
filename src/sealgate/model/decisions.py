"""The three outcomes and the closed set of reasons. Only PERMIT permits."""

from enum import StrEnum


class Outcome(StrEnum):
    """What the gate answers. Anything that is not PERMIT, an unreadable answer included, means no."""

    PERMIT = "PERMIT"
    DENY = "DENY"
    SILENCE = "SILENCE"


class Reason(StrEnum):
    """Why. The set is closed on purpose: a caller that switches over it should break when one is added."""

    POLICY = "policy"
    """A policy permits (PERMIT) or forbids (DENY); ``policies`` names it."""

    QUOTA_EXCEEDED = "quota_exceeded"
    """A quota of the policy set (a number of calls, a sum) is used up; ``policies`` names it."""

    LIMIT_EXCEEDED = "limit_exceeded"
    """An argument is beyond a limit of the policy set; ``policies`` names it."""

    AGENT_PAUSED = "agent_paused"
    """An operator has paused the agent."""

    TASK_ENDED = "task_ended"
    """The task was ended, or its time is over."""

    NOT_DELEGATED = "not_delegated"
    """A link of the delegation chain is revoked, expired, or does not cover this; or its delegator is forbidden it."""

    NO_POLICY = "no_policy"
    """No policy set is published, or no policy applies to this request."""

    UNKNOWN_TOOL = "unknown_tool"
    """The published tool definitions do not have this tool."""

    INVALID_ARGUMENTS = "invalid_arguments"
    """The arguments do not fit the tool's definition, so no policy can judge them."""

    POLICY_ERROR = "policy_error"
    """A policy erred while it was evaluated; an erring policy is never an allow."""

    APPROVAL_REQUIRED = "approval_required"
    """Every permitting policy asks for an approval that is not there."""

    DEADLINE = "deadline"
    """The decision took longer than its caller or the authority allows."""

    NOT_RECORDED = "not_recorded"
    """The journal could not make the decision durable."""

    CLOCK = "clock"
    """The clock went back further than records allow."""

    OVERLOADED = "overloaded"
    """Too many decisions wait already; may come without a record."""

    STOPPING = "stopping"
    """The authority is stopping; may come without a record."""


_DENIALS = frozenset(
    {
        Reason.POLICY,
        Reason.QUOTA_EXCEEDED,
        Reason.LIMIT_EXCEEDED,
        Reason.AGENT_PAUSED,
        Reason.TASK_ENDED,
        Reason.NOT_DELEGATED,
    }
)

REASONS_OF: dict[Outcome, frozenset[Reason]] = {
    Outcome.PERMIT: frozenset({Reason.POLICY}),
    Outcome.DENY: _DENIALS,
    Outcome.SILENCE: frozenset(Reason) - _DENIALS,
}
"""Which reasons go with which outcome."""
