"""Approvals over the API: what is asked of people, what they answer, what the enforcement point learns of it."""

from typing import Any, Literal

import msgspec

Scope = Literal["action", "capability"]

MAX_BATCH = 100
"""Approvals that one decision may cover."""

MAX_NAMED = 64
"""Tools, or bounds, of one capability."""

MAX_USES = 10_000
"""Uses of one capability."""


class Needed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many people of this role have to say yes."""

    role: str
    count: int


class ApprovalReference(msgspec.Struct, frozen=True):
    """What a decision says of an approval: what it waits for, or (`consumed`) who approved it.

    ``method`` is how a PERMIT came about, or null while it waits.
    """

    id: str
    state: str
    expires_at: str
    needed: list[Needed]
    approvers: list[str]
    method: Literal["human_approval", "just_in_time"] | None = None


class Bound(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one argument of a covered call may be. Every member that is given must hold; absent arguments do not fit."""

    argument: str
    one_of: list[Any] | None = None
    at_most: int | None = None
    at_least: int | None = None
    prefix: str | None = None


class SumBound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much one numeric argument may come to over all uses. A use whose argument is no number does not fit."""

    argument: str
    max: int


class CapabilityTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a capability covers: these tools of one agent, within bounds, so often, in all so much, in one task."""

    tools: list[str]
    max_uses: int
    bounds: list[Bound] = []
    max_sum: SumBound | None = None
    task_id: str | None = None


class CapabilityRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask people once for many calls. ``needed`` must cover what the policies ask for, or the grant will not help."""

    agent: str
    terms: CapabilityTerms
    needed: list[Needed]
    expires_in_s: int
    reason: str


class ApprovalAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a person says yes or no. Recorded."""

    reason: str = ""


class BatchAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer to several requests of the same shape: same agent, tool, policy version and needed people."""

    approvals: list[str]
    decision: Literal["grant", "refuse"]
    reason: str = ""


class CallbackAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a signed callback says: this person decided so."""

    id: str
    decision: Literal["grant", "refuse"]
    principal: str
    reason: str = ""


class Voted(msgspec.Struct, frozen=True):
    """One person's answer."""

    principal: str
    proof: str
    at: str
    reason: str


class ApprovalView(msgspec.Struct, frozen=True):
    """One approval. ``arguments`` is JSON text, redacted; null for who may not see it, and once it is over.

    ``arguments_exact`` is false where the field policy took something out: then what will run has more in it.
    ``missing`` are the people still needed; ``uses`` counts the decisions that used it.
    """

    id: str
    scope: Scope
    state: str
    agent: str
    requested_by: str
    on_behalf_of: list[str]
    tool: str | None
    resource: str | None
    tool_definition_sha256: str | None
    policies: list[str]
    policy_version: str
    task_id: str | None
    needed: list[Needed]
    missing: int
    granted_by: list[Voted]
    refused_by: Voted | None
    requested_at: str
    expires_at: str
    decision_id: str | None
    arguments: str | None
    arguments_exact: bool | None
    terms: CapabilityTerms | None
    reason: str | None
    uses: int
    max_uses: int
    may_decide: bool


class ApprovalList(msgspec.Struct, frozen=True):
    """Approvals, oldest first."""

    approvals: list[ApprovalView]


class ApprovalStep(msgspec.Struct, frozen=True):
    """An answer was recorded; ``state`` is where the approval stands now."""

    id: str
    state: str
    missing: int
    record_id: str


class ApprovalSteps(msgspec.Struct, frozen=True):
    """One decision over several approvals was recorded, one record each."""

    batch_id: str
    approvals: list[ApprovalStep]


class ApproverFigures(msgspec.Struct, frozen=True):
    """How one person decides. ``always_yes`` after at least ten answers, all of them yes."""

    principal: str
    granted: int
    refused: int
    yes_share: float
    median_s: float
    always_yes: bool


class ApprovalFigures(msgspec.Struct, frozen=True):
    """Fatigue: how often people are asked, how long they take, whether they ever say no."""

    open: int
    requested: int
    granted: int
    refused: int
    expired: int
    revoked: int
    used: int
    suppressed: int
    requested_last_hour: int
    median_s: float
    yes_share: float
    always_yes_share: float
    approvers: list[ApproverFigures]
