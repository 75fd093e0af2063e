"""A decision, and what became of its permit."""

from typing import Literal

import msgspec

from ..decisions import Outcome, Reason
from .common import Common


class Tool(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The tool as it was published with the policy set; ``definition_sha256`` pins its definition."""

    name: str
    server: str | None
    version: str | None
    publisher: str | None
    trust_level: str | None
    verification_score: int | None
    definition_sha256: str | None


class NeededPeople(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """So many people of this role have to say yes."""

    role: str
    count: int


class ApprovalUse(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The approval that a decision waits for, or rests on (``consumed``; ``approvers`` said yes).

    ``amount`` is what it took from the sum of a capability, as decimal text; null where it did not use the approval.
    """

    id: str
    state: Literal["requested", "refused", "consumed"]
    expires_at: str
    needed: list[NeededPeople]
    approvers: list[str]
    amount: str | None


class Verdict(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The decision itself. ``approval`` is null where no person was asked."""

    outcome: Outcome
    reason: Reason
    message: str
    policies: list[str]
    policy_version: str | None
    obligations: list[dict[str, object]]
    charges: list[dict[str, object]]
    authorization_method: Literal["policy", "human_approval", "just_in_time"]
    approval: ApprovalUse | None
    duration_us: int


class Permit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """When the permit expires, whether it was redeemed in the same append, when the outcome is due."""

    expires_at: str
    redeemed: bool
    outcome_due: str | None


class Resource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The data or system that would be touched."""

    type: str
    id: str


class Data(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is known of the data: its classification, systems touched, subjects affected."""

    classification: str | None
    systems: list[str]
    subjects: list[str]


class Permissions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Permissions used and denied, as ``action`` on ``resource``."""

    used: list[str]
    denied: list[str]


class SessionFacts(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the authority knew of the task: what entered it, what was done in it. Never what a caller claims."""

    asked: list[str]
    calls: int
    calls_last_minute: int
    classes: list[str]
    reads: list[str]
    refused: int
    tools: list[str]
    untrusted_entered: bool
    whole: bool


class ArgumentOrigins(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where one argument's value had been seen."""

    argument: str
    origins: list[Literal["person", "trusted", "untrusted"]]


class KeptFacts(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The authority's own facts as policies saw them; null where none of them reads that part."""

    session: SessionFacts | None
    provenance: list[ArgumentOrigins] | None


class AskedBy(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whom the enforcement point that asked had proved, and how, on its word."""

    principal: str
    proof: str


class Decision(Common, kw_only=True, forbid_unknown_fields=True):
    """A decision. ``input_digest`` = base64url(HMAC-SHA256(salt, SHA-256(RFC 8785 of the arguments)))."""

    tool: Tool
    resource: Resource
    input_digest: str
    input_size_bytes: int
    decision: Verdict
    permit: Permit | None
    data: Data
    permissions: Permissions
    kept: KeptFacts | None = None
    asked_by: AskedBy | None = None
    delegations: list[str]
    """The ids of the delegation chain, first link first; their delegators are the agent's ``on_behalf_of``."""


class PermitRedeemed(Common, kw_only=True, forbid_unknown_fields=True):
    """A permit was used."""

    decision_id: str
    outcome_due: str


class Failure(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What went wrong, as the enforcement point told it."""

    type: str
    message: str


class OutcomeReported(Common, kw_only=True, forbid_unknown_fields=True):
    """What became of an action, or that nobody told (``outcome_unknown``, with ``cause``).

    ``cancelled`` with the cause ``task_ended``: the permit was taken back unused.
    """

    decision_id: str
    status: Literal["succeeded", "failed", "cancelled", "timed_out", "outcome_unknown"]
    cause: Literal["permit_expired", "outcome_overdue", "task_ended"] | None
    duration_ms: int | None
    output_digest: str | None
    output_size_bytes: int | None
    error: Failure | None
    late: bool
