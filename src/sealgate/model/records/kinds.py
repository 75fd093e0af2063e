"""What records are about, and who may write which kind."""

from enum import StrEnum


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
    APPROVAL_REVOKED = "approval.revoked"
    PERMIT_REDEEMED = "permit.redeemed"
    CREDENTIAL_REQUESTED = "credential.requested"
    CREDENTIAL_REFUSED = "credential.refused"
    CREDENTIAL_ISSUED = "credential.issued"
    CREDENTIAL_REVOKED = "credential.revoked"
    DELEGATION_GRANTED = "delegation.granted"
    DELEGATION_REVOKED = "delegation.revoked"
    ACCESS = "access"
    POLICY_PROPOSED = "policy.proposed"
    POLICY_PUBLISHED = "policy.published"
    CONFIGURATION_CHANGED = "configuration.changed"
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
    TASK_STARTED = "task.started"
    TASK_ENDED = "task.ended"
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


SERVICE_KINDS = frozenset(
    {
        Kind.ACCESS,
    }
)
"""Kinds that another service of this installation may hand to the authority; each member is checked.

Erasures are not among them: only who destroyed the keys says so.
"""
