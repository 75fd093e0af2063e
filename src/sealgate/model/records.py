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


class ApprovalBound(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What one argument may be; ``one_of_json`` is canonical JSON text of a list."""

    argument: str
    one_of_json: str | None
    at_most: int | None
    at_least: int | None
    prefix: str | None


class ApprovalSum(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a numeric argument may come to over all uses."""

    argument: str
    max: int


class ApprovedCapability(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Many calls at once: these tools within bounds, so often, in all so much."""

    tools: list[str]
    max_uses: int
    bounds: list[ApprovalBound]
    max_sum: ApprovalSum | None


class ApprovalRequested(Common, kw_only=True, forbid_unknown_fields=True):
    """People are asked. ``agent`` and ``task_id`` are the requester's.

    ``scope`` ``action``: exactly one call, the one of decision ``decision_id``. ``binding`` is a keyed digest over the
    principal, agent, delegation chain, tool, its definition, resource, exact arguments, policy version and needed
    people; ``input_digest`` is made as a decision's is. ``arguments_json`` is what approvers see: canonical text after
    the field policy; ``arguments_exact`` says whether that is all of what will run. ``scope`` ``capability``: all calls
    that ``capability`` covers.
    """

    scope: Literal["action", "capability"]
    decision_id: str | None
    tool_name: str | None
    resource: Resource | None
    definition_sha256: str | None
    policies: list[str]
    policy_version: str
    needed: list[NeededPeople]
    expires_at: str
    binding: str | None
    input_digest: str | None
    arguments_json: str | None
    arguments_exact: bool | None
    capability: ApprovedCapability | None
    reason: str | None


class ApprovalAnswered(Common, kw_only=True, forbid_unknown_fields=True):
    """A person said yes or no. ``complete``: with this answer the approval was granted, or refused.

    ``roles`` are the approver's then; ``batch_id`` is shared by the answers that one decision gave.
    """

    approval_id: str
    decision_id: str | None
    principal: str
    roles: list[str]
    complete: bool
    batch_id: str | None
    reason: str


class ApprovalExpired(Common, kw_only=True, forbid_unknown_fields=True):
    """An approval's time is over, or the policy set that it was asked under is not in force any more."""

    approval_id: str
    decision_id: str | None
    cause: Literal["time", "policy_changed"]


class ApprovalRevoked(Common, kw_only=True, forbid_unknown_fields=True):
    """A person took an approval back, or the task that it was for ended."""

    approval_id: str
    decision_id: str | None
    principal: str
    reason: str


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


class Captured(Common, kw_only=True, forbid_unknown_fields=True):
    """Something that an enforcement point captured; ``data_json`` is RFC 8785 text, so any keys and numbers fit."""

    data_json: str
    claimed: Literal[True]


class RecordsCaptured(Common, kw_only=True, forbid_unknown_fields=True):
    """Many items in one record: each the canonical text (RFC 8785) of one item, in the order of their arrival.

    ``principal`` sent them to the collector, ``proof`` is how it was proved; ``agent`` is null where they are of
    several agents. ``subject`` is the token of the one person they are about, or null. ``batch_id`` counts once for a
    principal.
    """

    batch_id: str
    coverage: Literal["captured", "observed"]
    principal: str
    proof: str
    count: int
    subject: str | None
    items: list[str]


class PolicyProposed(Common, kw_only=True, forbid_unknown_fields=True):
    """A policy set waits for another person's approval; ``policy_version`` is the digest of its canonical bytes."""

    policy_version: str
    previous_version: str | None
    policies: int
    tools: int
    proposed_by: str


class PolicyPublished(Common, kw_only=True, forbid_unknown_fields=True):
    """A policy set became the current one. ``approved_by`` is the second person, null where none was asked for."""

    policy_version: str
    previous_version: str | None
    policies: int
    tools: int
    proposed_by: str
    approved_by: str | None


class ConfigurationChanged(Common, kw_only=True, forbid_unknown_fields=True):
    """The authority started with another configuration: which settings differ, never their values.

    ``settings`` are all settings as ``name:digest``, by which the next start tells what changed.
    """

    configuration_sha256: str
    previous_sha256: str | None
    changed: list[str]
    settings: list[str]


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
    """A key was added, retired or revoked from this index on, endorsed by the root key.

    Of a key that is secret altogether (``wrapping``, ``permit``) the record names the id, and no key.
    """

    origin: str
    key_id: str
    purpose: Literal["statement", "log", "receipt", "wrapping", "permit"]
    algorithm: Literal["ed25519", "aes-256-kw", "blake2b-256"]
    public_key: str | None
    root_signature: str


class Reader(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Who asked: the caller, how it was proved, the reading roles it held then."""

    principal: str
    proof: str
    roles: list[str]


class FilterTerm(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One term of what was asked for. ``value`` is null where the value itself may be personal."""

    field: str
    value: str | None


class Operation(StrEnum):
    """What was done with evidence."""

    TRACE = "trace"
    SEARCH = "search"
    AGGREGATE = "aggregate"
    EXPLAIN = "explain"
    EXPORT = "export"
    STATUS = "status"
    REBUILD = "rebuild"
    SUBJECT_FIND = "subject.find"
    SUBJECT_EXPORT = "subject.export"
    SUBJECT_REGISTER = "subject.register"
    LOOKUP_REQUEST = "lookup.request"
    LOOKUP_CONSENT = "lookup.consent"
    LOOKUP_REFUSE = "lookup.refuse"
    LOOKUP_DISCLOSE = "lookup.disclose"
    KNOWN_VALUES = "known_values"


class Access(Common, kw_only=True, forbid_unknown_fields=True):
    """Evidence was read, or somebody tried. It is durable before the answer leaves.

    ``target`` is the record, trace, token or subject asked for; ``filter`` the rest of the question. ``count`` says how
    many records left, ``record_ids`` names the first of them. ``policies`` decided, ``hidden`` are members they hid.
    """

    service: Literal["evidence", "vault", "authority"]
    operation: Operation
    reader: Reader
    target: str | None
    filter: list[FilterTerm]
    outcome: Literal["allowed", "refused"]
    refusal: str | None
    policies: list[str]
    policy_version: str | None
    hidden: list[str]
    count: int | None
    record_ids: list[str]
    digest: str | None
    reason: str | None
    approver: str | None


class ErasureRequested(Common, kw_only=True, forbid_unknown_fields=True):
    """Somebody asked to erase a subject. ``subject`` is a token; what it stood for is nowhere in the log."""

    erasure_id: str
    subject: str
    basis: str


class ErasureRefused(Common, kw_only=True, forbid_unknown_fields=True):
    """An erasure was refused: a legal ground or a hold keeps the data."""

    erasure_id: str
    subject: str
    basis: str
    ground: str
    reason: str


class ErasureExecuted(Common, kw_only=True, forbid_unknown_fields=True):
    """All data keys of a subject are destroyed; backups of them are too by ``complete_after``.

    ``key_ids`` names at most 512 of the ``keys``. ``index_digest`` = base64url(SHA-256 of the 8-byte big-endian indexes
    of the ``records`` that can be read no more, all in [``from_index``, ``to_index``)).
    """

    erasure_id: str
    subject: str
    basis: str
    requested_record_id: str
    scopes: list[str]
    keys: int
    key_ids: list[str]
    from_index: int
    to_index: int
    records: int
    index_digest: str
    vault: Literal["erased", "not_used"]
    complete_after: str


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


class RoleGranted(Common, kw_only=True, forbid_unknown_fields=True):
    """A principal may read in a role. Empty lists and null do not narrow; ``since`` and ``until`` bound the records."""

    grant_id: str
    principal: str
    role: str
    granted_by: str
    reason: str
    valid_from: str | None
    valid_until: str | None
    agents: list[str]
    kinds: list[str]
    since: str | None
    until: str | None


class RoleRevoked(Common, kw_only=True, forbid_unknown_fields=True):
    """A granted role was taken back."""

    grant_id: str
    principal: str
    role: str
    revoked_by: str
    reason: str


class TaskStarted(Common, kw_only=True, forbid_unknown_fields=True):
    """A task began; its id is ``task_id``. ``goal_claimed`` is the agent's word."""

    parent: str | None
    delegation: str | None
    goal_claimed: str
    expires_at: str


class TaskEnded(Common, kw_only=True, forbid_unknown_fields=True):
    """A task is over: nothing is decided in it any more, and what was issued for it is taken back."""

    cause: Literal["ended", "expired", "parent_ended"]
    reason: str


class DelegationBound(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What one argument of a delegated tool may be."""

    tool: str
    argument: str
    max: str | None
    min: str | None
    one_of: list[str] | None


class DelegationGranted(Common, kw_only=True, forbid_unknown_fields=True):
    """The delegator lets the delegate act on its behalf, no wider than ``parent``, the link above."""

    delegation_id: str
    delegator: str
    delegator_type: Literal["agent", "user"]
    delegate: str
    parent: str | None
    depth: int
    tools: list[str]
    resources: list[str]
    bounds: list[DelegationBound]
    task: str | None
    expires_at: str
    granted_by: str
    reason: str


class DelegationRevoked(Common, kw_only=True, forbid_unknown_fields=True):
    """A delegation was taken back, with the ``below`` delegations under it."""

    delegation_id: str
    revoked_by: str
    reason: str
    below: int


class CredentialEvent(Common, kw_only=True, forbid_unknown_fields=True):
    """A credential is about to be made, or was made and is about to be handed out. The secret is never in a record.

    ``scope_digest`` = base64url(SHA-256) of what it allows, as canonical JSON. ``decision_id`` is the PERMIT it serves.
    """

    credential_id: str
    name: str
    credential_kind: str
    decision_id: str
    audience: str | None
    scope_digest: str
    expires_at: str


class CredentialRefused(Common, kw_only=True, forbid_unknown_fields=True):
    """A credential was asked for and not handed out. ``credential_id`` is null where none was begun."""

    credential_id: str | None
    name: str
    decision_id: str | None
    refusal: str


class CredentialRevoked(Common, kw_only=True, forbid_unknown_fields=True):
    """A credential is dead at its backend (``revoked``), or nobody can end it before its expiry (``left_to_expire``).

    ``failing``: the first attempt failed; it is tried again until one of the others is recorded. ``decision_id`` is
    null for one that was found at the backend and in no record.
    """

    credential_id: str
    name: str
    credential_kind: str
    decision_id: str | None
    cause: str
    result: Literal["revoked", "left_to_expire", "failing"]
    attempts: int
    expires_at: str


class PackageVerified(Common, kw_only=True, forbid_unknown_fields=True):
    """Somebody or something checked a tool package. ``score`` is 0 to 100 where the method gives one."""

    package: str
    version: str
    publisher: str | None
    method: str
    result: Literal["passed", "failed"]
    score: int | None
    artifact_sha256: str | None
    principal: str


class Verification(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The newest verification of a package at a time."""

    record_id: str
    time: str
    method: str
    result: Literal["passed", "failed"]
    score: int | None


class PackageInstalled(Common, kw_only=True, forbid_unknown_fields=True):
    """A package was installed for an agent: it provides ``server``'s tools. ``verification`` is as it was then."""

    package: str
    version: str
    target_agent: str
    server: str
    verification: Verification | None
    principal: str


class TrustScored(Common, kw_only=True, forbid_unknown_fields=True):
    """A tool's or a tool server's trust changed; ``previous_*`` are what it was."""

    target_type: Literal["tool", "server"]
    target: str
    trust_level: str
    score: int
    previous_level: str | None
    previous_score: int | None
    reason: str
    principal: str


MODEL: dict[str, type[Common]] = {
    Kind.GENESIS: Genesis,
    Kind.KEY_ADDED: KeyEvent,
    Kind.KEY_RETIRED: KeyEvent,
    Kind.KEY_REVOKED: KeyEvent,
    Kind.DECISION: Decision,
    Kind.PERMIT_REDEEMED: PermitRedeemed,
    Kind.OUTCOME: OutcomeReported,
    Kind.APPROVAL_REQUESTED: ApprovalRequested,
    Kind.APPROVAL_GRANTED: ApprovalAnswered,
    Kind.APPROVAL_REFUSED: ApprovalAnswered,
    Kind.APPROVAL_EXPIRED: ApprovalExpired,
    Kind.APPROVAL_REVOKED: ApprovalRevoked,
    Kind.POLICY_PROPOSED: PolicyProposed,
    Kind.RECORDS_CAPTURED: RecordsCaptured,
    Kind.POLICY_PUBLISHED: PolicyPublished,
    Kind.CONFIGURATION_CHANGED: ConfigurationChanged,
    Kind.ACCESS: Access,
    Kind.ERASURE_REQUESTED: ErasureRequested,
    Kind.ERASURE_EXECUTED: ErasureExecuted,
    Kind.ERASURE_REFUSED: ErasureRefused,
    Kind.HOLD_PLACED: HoldEvent,
    Kind.HOLD_RELEASED: HoldEvent,
    Kind.RETENTION_EXPIRED: RetentionExpired,
    Kind.ROLE_GRANTED: RoleGranted,
    Kind.ROLE_REVOKED: RoleRevoked,
    Kind.TASK_STARTED: TaskStarted,
    Kind.TASK_ENDED: TaskEnded,
    Kind.DELEGATION_GRANTED: DelegationGranted,
    Kind.DELEGATION_REVOKED: DelegationRevoked,
    Kind.CONTAINMENT_APPLIED: Containment,
    Kind.CONTAINMENT_LIFTED: Containment,
    Kind.CAPTURE_GAP: CaptureGap,
    Kind.CREDENTIAL_REQUESTED: CredentialEvent,
    Kind.CREDENTIAL_REFUSED: CredentialRefused,
    Kind.CREDENTIAL_ISSUED: CredentialEvent,
    Kind.CREDENTIAL_REVOKED: CredentialRevoked,
    Kind.PACKAGE_VERIFIED: PackageVerified,
    Kind.PACKAGE_INSTALLED: PackageInstalled,
    Kind.TRUST_SCORED: TrustScored,
    **dict.fromkeys(CAPTURED_KINDS, Captured),
}
"""The structure of each kind that is written today."""


def _members(structure: type[Common]) -> type[msgspec.Struct]:
    """Return the structure of what a kind has besides the common members."""
    common = set(Common.__struct_fields__)
    own = [(item.name, item.type) for item in msgspec.structs.fields(structure) if item.name not in common]
    return msgspec.defstruct(f"{structure.__name__}Members", own, kw_only=True, forbid_unknown_fields=True)


SERVICE_MEMBERS: dict[str, type[msgspec.Struct]] = {kind: _members(MODEL[kind]) for kind in SERVICE_KINDS}
"""What a service sends as ``data`` for each kind; the authority adds the common members."""
