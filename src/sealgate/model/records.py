"""The record model: what a body of each kind holds. ``schema/record.json`` is generated from here.

Every member is always present; what is not known is null, never absent by accident. Bodies are written by
``encoding.canonical`` and sealed; the statement beside them is public.
"""

from enum import StrEnum
from typing import Literal

import msgspec

from .decisions import Outcome, Reason


class Kind(StrEnum):
    """What a record is about."""

    GENESIS = "genesis"
    SHARD_CLOSE = "shard.close"
    SESSION_STARTED = "session.started"
    SESSION_ENDED = "session.ended"
    INPUT_RECEIVED = "input.received"
    CONTEXT_RETRIEVED = "context.retrieved"
    REASONING = "reasoning"
    MODEL_CALL = "model.call"
    EVENT_LOGGED = "event.logged"
    RECORDS_CAPTURED = "records.captured"
    DECISION = "decision"
    OUTCOME = "outcome"
    FALLBACK = "fallback"
    ERROR = "error"
    APPROVAL_REQUESTED = "approval.requested"
    APPROVAL_GRANTED = "approval.granted"
    APPROVAL_REFUSED = "approval.refused"
    APPROVAL_EXPIRED = "approval.expired"
    PERMIT_REDEEMED = "permit.redeemed"
    CREDENTIAL_ISSUED = "credential.issued"
    CREDENTIAL_REVOKED = "credential.revoked"
    DELEGATION_GRANTED = "delegation.granted"
    DELEGATION_REVOKED = "delegation.revoked"
    ACCESS = "access"
    POLICY_PUBLISHED = "policy.published"
    ROLE_GRANTED = "role.granted"
    ROLE_REVOKED = "role.revoked"
    KEY_ADDED = "key.added"
    KEY_RETIRED = "key.retired"
    KEY_REVOKED = "key.revoked"
    PACKAGE_VERIFIED = "package.verified"
    PACKAGE_INSTALLED = "package.installed"
    TRUST_SCORED = "trust.scored"
    FINDING_RAISED = "finding.raised"
    FINDING_ACKNOWLEDGED = "finding.acknowledged"
    FINDING_CLOSED = "finding.closed"
    CONTAINMENT_APPLIED = "containment.applied"
    CONTAINMENT_LIFTED = "containment.lifted"
    ERASURE_REQUESTED = "erasure.requested"
    ERASURE_EXECUTED = "erasure.executed"
    ERASURE_REFUSED = "erasure.refused"
    RETENTION_EXPIRED = "retention.expired"
    HOLD_PLACED = "hold.placed"
    HOLD_RELEASED = "hold.released"
    COVERAGE_DECLARED = "coverage.declared"
    CAPTURE_GAP = "capture.gap"
    TOOL_CALL = "tool.call"
    TOOL_OUTCOME = "tool.outcome"


CAPTURED_KINDS = frozenset(
    {
        Kind.SESSION_STARTED,
        Kind.SESSION_ENDED,
        Kind.INPUT_RECEIVED,
        Kind.CONTEXT_RETRIEVED,
        Kind.REASONING,
        Kind.MODEL_CALL,
        Kind.EVENT_LOGGED,
        Kind.FALLBACK,
        Kind.ERROR,
        Kind.COVERAGE_DECLARED,
    }
)
"""Kinds that an enforcement point may capture by itself; all others only the authority writes."""

ITEM_KINDS = CAPTURED_KINDS | {Kind.TOOL_CALL, Kind.TOOL_OUTCOME}
"""Kinds of items: what is captured or observed, many in one ``records.captured`` (see ``items``)."""


class Producer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Who wrote it: the authority's start (16 random bytes, hex) and a count without gaps."""

    epoch: str
    seq: int


class Agent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """On whose account: the agent, the caller that spoke for it, how that caller was proved, the delegation chain."""

    id: str
    principal: str
    proof: str
    on_behalf_of: list[str]


class Trace(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """W3C trace context, lower-case hex."""

    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None


class Common(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What every record has. ``time`` is RFC 3339 UTC with milliseconds; ``salt`` hides the body behind its digest."""

    kind: str
    record_id: str
    time: str
    salt: str
    producer: Producer
    agent: Agent | None
    trace: Trace | None
    task_id: str | None
    request_id: str | None
    region: str
    environment: str
    retention_class: str


class Tool(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The tool as it was published with the policy set; ``definition_sha256`` pins its definition."""

    name: str
    server: str | None
    version: str | None
    publisher: str | None
    trust_level: str | None
    verification_score: int | None
    definition_sha256: str | None


class Verdict(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The decision itself."""

    outcome: Outcome
    reason: Reason
    message: str
    policies: list[str]
    policy_version: str | None
    obligations: list[dict[str, object]]
    charges: list[dict[str, object]]
    authorization_method: Literal["policy"]
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


class PermitRedeemed(Common, kw_only=True, forbid_unknown_fields=True):
    """A permit was used."""

    decision_id: str
    outcome_due: str


class Failure(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What went wrong, as the enforcement point told it."""

    type: str
    message: str


class OutcomeReported(Common, kw_only=True, forbid_unknown_fields=True):
    """What became of an action, or that nobody told (``outcome_unknown``, with ``cause``)."""

    decision_id: str
    status: Literal["succeeded", "failed", "cancelled", "timed_out", "outcome_unknown"]
    cause: Literal["permit_expired", "outcome_overdue"] | None
    duration_ms: int | None
    output_digest: str | None
    output_size_bytes: int | None
    error: Failure | None
    late: bool


class Captured(Common, kw_only=True, forbid_unknown_fields=True):
    """Something that an enforcement point captured; ``data_json`` is RFC 8785 text, so any keys and numbers fit."""

    data_json: str
    claimed: Literal[True]


class RecordsCaptured(Common, kw_only=True, forbid_unknown_fields=True):
    """Many items in one record: each the canonical text (RFC 8785) of one item, in the order of their arrival.

    ``principal`` sent them to the collector; ``agent`` is null where they are of several agents. ``subject`` is the
    token of the one person they are about, or null. ``batch_id`` counts once for a principal.
    """

    batch_id: str
    coverage: Literal["captured", "observed"]
    principal: str
    count: int
    subject: str | None
    items: list[str]


class PolicyPublished(Common, kw_only=True, forbid_unknown_fields=True):
    """A policy set became the current one; ``policy_version`` is the digest of its canonical bytes."""

    policy_version: str
    previous_version: str | None
    policies: int
    tools: int


class Containment(Common, kw_only=True, forbid_unknown_fields=True):
    """An agent was paused or resumed."""

    target_agent: str
    reason: str


class CaptureGap(Common, kw_only=True, forbid_unknown_fields=True):
    """What could not be recorded: ``missed`` requests met silence; these sequence numbers will never come."""

    gap_epoch: str
    seq_from: int | None
    seq_to: int | None
    missed: int
    reason: str
    since: str


class Genesis(Common, kw_only=True, forbid_unknown_fields=True):
    """The first record of a log: its keys, endorsed by the root key; ``predecessor`` is a closed shard's checkpoint."""

    origin: str
    authority_id: str
    log_key: str
    root_key: str
    statement_key: str
    receipt_key: str
    predecessor: str | None
    root_signature: str


class KeyEvent(Common, kw_only=True, forbid_unknown_fields=True):
    """A key was added, retired or revoked from this index on, endorsed by the root key."""

    origin: str
    key_id: str
    purpose: Literal["statement", "log", "receipt"]
    algorithm: Literal["ed25519"]
    public_key: str
    root_signature: str


class HoldSelection(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a hold covers: every list that is not empty must contain the record, and its time lies in the range."""

    subjects: list[str]
    tasks: list[str]
    agents: list[str]
    classes: list[str]
    records: list[str]
    since: str | None
    until: str | None


class HoldEvent(Common, kw_only=True, forbid_unknown_fields=True):
    """A hold was placed or released: first ``requested`` by one person, then ``confirmed`` by another."""

    hold_id: str
    stage: Literal["requested", "confirmed"]
    selection: HoldSelection
    reason: str
    principal: str


class RetentionExpired(Common, kw_only=True, forbid_unknown_fields=True):
    """Content is about to be deleted because its time is over. Written before the deletion; holds no personal data.

    ``indexes`` names the records exactly: base64url of a deflated bitmap whose first bit is ``from_index``, in each
    byte from the lowest bit. ``layer`` ``key``: these data keys seal nothing any more and are destroyed; the indexes
    are null then. ``held`` counts the records of class and range that were due and that a hold keeps.
    """

    layer: Literal["body", "statement", "shard", "key"]
    run_id: str
    from_index: int | None
    to_index: int | None
    indexes: str | None
    expired_class: str
    count: int
    held: int
    key_ids: list[str]


MODEL: dict[str, type[Common]] = {
    Kind.GENESIS: Genesis,
    Kind.KEY_ADDED: KeyEvent,
    Kind.KEY_RETIRED: KeyEvent,
    Kind.KEY_REVOKED: KeyEvent,
    Kind.DECISION: Decision,
    Kind.PERMIT_REDEEMED: PermitRedeemed,
    Kind.OUTCOME: OutcomeReported,
    Kind.RECORDS_CAPTURED: RecordsCaptured,
    Kind.POLICY_PUBLISHED: PolicyPublished,
    Kind.CONTAINMENT_APPLIED: Containment,
    Kind.CONTAINMENT_LIFTED: Containment,
    Kind.CAPTURE_GAP: CaptureGap,
    Kind.HOLD_PLACED: HoldEvent,
    Kind.HOLD_RELEASED: HoldEvent,
    Kind.RETENTION_EXPIRED: RetentionExpired,
    **dict.fromkeys(CAPTURED_KINDS, Captured),
}
"""The structure of each kind that is written today."""
