"""Two tables: what may happen to a decision, its permit and its outcome, and to an approval; and in which order.

Every service that moves a decision asks ``advance``, one that moves an approval ``advance_approval``; nothing else
knows the order. The diagrams in the documentation are drawn from ``TRANSITIONS`` and ``APPROVAL_TRANSITIONS``.
"""

from enum import StrEnum
from typing import Final

from .errors import NotPermittedError


class State(StrEnum):
    """Where a decision stands."""

    REFUSED = "refused"
    """DENY or SILENCE. Nothing may follow."""

    PERMITTED = "permitted"
    """A permit is out and unused."""

    REDEEMED = "redeemed"
    """The permit is used up; the action may be running."""

    UNKNOWN = "unknown"
    """The permit expired or the outcome is overdue: an ``outcome_unknown`` record says so."""

    REPORTED = "reported"
    """The outcome is known. Nothing may follow."""


class Event(StrEnum):
    """What can happen to a decision."""

    REDEEM = "redeem"
    EXPIRE = "expire"
    OVERDUE = "overdue"
    REPORT = "report"
    REVOKE = "revoke"


TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.PERMITTED, Event.REDEEM): State.REDEEMED,
    (State.PERMITTED, Event.EXPIRE): State.UNKNOWN,
    # Its task ended before anybody used it: nothing ran, and that is its outcome.
    (State.PERMITTED, Event.REVOKE): State.REPORTED,
    (State.REDEEMED, Event.REPORT): State.REPORTED,
    (State.REDEEMED, Event.OVERDUE): State.UNKNOWN,
    # A late report is worth more than none: the record before it still says that it was unknown for a while.
    (State.UNKNOWN, Event.REPORT): State.REPORTED,
}

_REFUSALS: Final[dict[tuple[State, Event], tuple[str, str, str]]] = {
    (State.REDEEMED, Event.REDEEM): ("permit-already-redeemed", "the permit was already redeemed", "ask for a new one"),
    (State.REPORTED, Event.REDEEM): ("permit-already-redeemed", "the permit was already redeemed", "ask for a new one"),
    (State.UNKNOWN, Event.REDEEM): ("permit-expired", "the permit expired", "ask for a new decision"),
    (State.PERMITTED, Event.REPORT): (
        "permit-not-redeemed",
        "an outcome was reported for a permit that nobody redeemed",
        "redeem the permit before the action runs",
    ),
    (State.REPORTED, Event.REPORT): ("outcome-already-reported", "the outcome was already reported", "send each once"),
}


def advance(state: State, event: Event) -> State:
    """Return the state after ``event``.

    Raises:
        NotPermittedError: the table does not allow it; ``code`` says which rule.
    """
    following = TRANSITIONS.get((state, event))
    if following is None:
        code, message, hint = _REFUSALS.get(
            (state, event), ("lifecycle", f"`{event}` cannot follow `{state}`", "only a permitted action goes on")
        )
        raise NotPermittedError(message, code=code, hint=hint)
    return following


class ApprovalState(StrEnum):
    """Where an approval stands."""

    REQUESTED = "requested"
    """People are asked; not enough have answered."""

    GRANTED = "granted"
    """Enough people said yes; it was not used, or not as often as it may be."""

    REFUSED = "refused"
    """Somebody said no. Nothing may follow."""

    EXPIRED = "expired"
    """Its time is over, or the policy set changed under it: as good as refused. Nothing may follow."""

    CONSUMED = "consumed"
    """It was used as often as it may be."""

    REVOKED = "revoked"
    """A person took it back. Nothing may follow."""


class ApprovalEvent(StrEnum):
    """What can happen to an approval."""

    VOTE = "vote"
    """A person said yes, and more have to."""

    GRANT = "grant"
    REFUSE = "refuse"
    EXPIRE = "expire"
    CONSUME = "consume"
    RELEASE = "release"
    """A use certainly ran nothing and is given back (capability grants only)."""

    REVOKE = "revoke"


APPROVAL_TRANSITIONS: Final[dict[tuple[ApprovalState, ApprovalEvent], ApprovalState]] = {
    (ApprovalState.REQUESTED, ApprovalEvent.VOTE): ApprovalState.REQUESTED,
    (ApprovalState.REQUESTED, ApprovalEvent.GRANT): ApprovalState.GRANTED,
    (ApprovalState.REQUESTED, ApprovalEvent.REFUSE): ApprovalState.REFUSED,
    (ApprovalState.REQUESTED, ApprovalEvent.EXPIRE): ApprovalState.EXPIRED,
    (ApprovalState.REQUESTED, ApprovalEvent.REVOKE): ApprovalState.REVOKED,
    (ApprovalState.GRANTED, ApprovalEvent.CONSUME): ApprovalState.CONSUMED,
    (ApprovalState.GRANTED, ApprovalEvent.EXPIRE): ApprovalState.EXPIRED,
    (ApprovalState.GRANTED, ApprovalEvent.REVOKE): ApprovalState.REVOKED,
    (ApprovalState.CONSUMED, ApprovalEvent.RELEASE): ApprovalState.GRANTED,
}


def advance_approval(state: ApprovalState, event: ApprovalEvent) -> ApprovalState:
    """Return the state of an approval after ``event``.

    Raises:
        NotPermittedError: the table does not allow it; code `approval-decided` or `approval-expired`.
    """
    following = APPROVAL_TRANSITIONS.get((state, event))
    if following is None:
        expired = state is ApprovalState.EXPIRED
        raise NotPermittedError(
            f"the approval is {state.value}",
            code="approval-expired" if expired else "approval-decided",
            hint="the agent has to ask again",
        )
    return following
