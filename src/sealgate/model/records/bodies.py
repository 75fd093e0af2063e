"""The structure of each kind's body."""

import msgspec

from .access import Access, RoleGranted, RoleRevoked
from .administration import ConfigurationChanged, Containment, Genesis, KeyEvent, PolicyProposed, PolicyPublished
from .approvals import ApprovalAnswered, ApprovalExpired, ApprovalRequested, ApprovalRevoked
from .captured import Captured, CaptureGap, RecordsCaptured
from .common import Common
from .credentials import CredentialEvent, CredentialRefused, CredentialRevoked
from .decisions import Decision, OutcomeReported, PermitRedeemed
from .deletion import ErasureExecuted, ErasureRefused, ErasureRequested, HoldEvent, RetentionExpired
from .kinds import CAPTURED_KINDS, SERVICE_KINDS, Kind
from .supply import PackageInstalled, PackageVerified, TrustScored
from .tasks import DelegationGranted, DelegationRevoked, TaskEnded, TaskStarted

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
