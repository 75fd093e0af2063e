"""What the server needs from the authority: a Protocol, so that the server knows no implementation."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sealgate.model.approvals import (
    ApprovalFigures,
    ApprovalList,
    ApprovalStep,
    ApprovalSteps,
    ApprovalView,
    BatchAnswer,
    CapabilityRequest,
)
from sealgate.model.batches import BatchesRecorded
from sealgate.model.credentials import (
    CredentialRequest,
    CredentialResponse,
    CredentialRevocation,
    CredentialView,
    RevokedTokens,
)
from sealgate.model.delegations import Delegation, DelegationGranted, DelegationRequest, DelegationRevoked
from sealgate.model.erasure import Erasure, ErasureRequest
from sealgate.model.evaluation import (
    CaptureRequest,
    EvaluationRequest,
    EvaluationResponse,
    Identity,
    ObservationRequest,
    OutcomeRequest,
    PolicyChange,
    Recorded,
    RedeemRequest,
    RedeemResponse,
)
from sealgate.model.grants import Grant, GrantRequest
from sealgate.model.supply import InstallationRequest, Packages, TrustRequest, TrustScores, VerificationRequest
from sealgate.model.tasks import OpenTask, TaskEnded, TaskRequest, TaskStarted


class ApprovalOperations(Protocol):
    """Approvals as the API sees them. Errors are NotPermittedError with the codes of the routing table."""

    def list(self, caller: Identity, states: Sequence[str] = ("requested",)) -> ApprovalList:
        """Return the approvals in these states that the caller may see."""

    def figures(self) -> ApprovalFigures:
        """Return the measures of fatigue."""

    async def wait(self, approval_id: str, wait_s: float, caller: Identity) -> ApprovalView:
        """Return an approval as soon as it is decided, or as it is after so many seconds."""

    async def answer(self, approval_id: str, caller: Identity, reason: str, *, grant: bool) -> ApprovalStep:
        """Take a person's yes or no."""

    async def answer_batch(self, wanted: BatchAnswer, caller: Identity) -> ApprovalSteps:
        """Take one answer to several approvals of the same shape."""

    async def answer_callback(self, body: bytes, authorization: bytes | None) -> ApprovalStep:
        """Take an answer from a signed callback.

        Raises:
            NotPermittedError: code `callback-refused`: not signed, not by our key, too old, or seen before.
        """

    async def request_capability(self, wanted: CapabilityRequest, caller: Identity) -> ApprovalView:
        """Ask people once for many calls."""

    async def revoke(self, approval_id: str, reason: str, caller: Identity) -> ApprovalStep:
        """Take an approval back."""


class Operations(Protocol):
    """The authority as the API sees it. All calls come from one event loop; sync ones answer without blocking.

    Errors are ``sealgate.model.errors`` classes; ``server.problems`` maps each to its HTTP answer.
    """

    @property
    def approvals(self) -> ApprovalOperations:
        """Return who asks people, and takes their answers."""

    async def evaluate(
        self, request: EvaluationRequest, caller: Identity, request_id: str | None, *, alone: bool = False
    ) -> EvaluationResponse:
        """Decide, and return once the record is durable. A decision never raises: what cannot be decided is SILENCE.

        ``alone``: no other question has come for a moment, so this one need not wait for any.

        Raises:
            InputError: the request cannot be understood.
            NotPermittedError: the caller may not speak for the subject.
        """

    async def redeem(self, request: RedeemRequest, caller: Identity) -> RedeemResponse:
        """Use up a permit, once.

        Raises:
            NotPermittedError: with code `permit-already-redeemed`, `permit-expired`, `permit-mismatch` or
                `permit-unknown`.
        """

    async def report_outcome(self, request: OutcomeRequest, caller: Identity) -> Recorded:
        """Record what became of a permitted action. Idempotent by request id."""

    async def capture(self, request: CaptureRequest, caller: Identity) -> Recorded:
        """Record something other than a decision."""

    async def observe(self, task_id: str, request: ObservationRequest, caller: Identity) -> Recorded:
        """Take in what entered a task, for policies that ask where values came from."""

    async def record_batches(self, body: bytes, caller: Identity) -> BatchesRecorded:
        """Record batches of items from a collector; idempotent by principal and batch id.

        ``body`` is JSON of a ``BatchesRequest`` as it came: a large one is parsed where it holds up no decision.
        """

    def receipt(self, record_id: str, caller: Identity) -> dict[str, Any]:
        """Return the newest receipt of a record.

        Raises:
            NotPermittedError: code `record-unknown`; also when the caller may not read it, so that it learns nothing.
        """

    def transparent_statement(self, record_id: str, caller: Identity) -> bytes:
        """Return the RFC 9943 transparent statement of a record; raises as ``receipt`` and NotProvenError."""

    async def pause(self, agent: str, reason: str, caller: Identity) -> Recorded:
        """Pause an agent: its next decision obeys."""

    async def resume(self, agent: str, caller: Identity) -> Recorded:
        """Lift a pause."""

    def agents(self) -> list[dict[str, Any]]:
        """Return the known agents and whether each is paused."""

    async def erase(self, subject: str, request: ErasureRequest, caller: Identity) -> Erasure:
        """Erase a subject as far as can be now; the same id again continues.

        Raises:
            InputError: the subject is no token, or the id was used for another erasure.
            NotPermittedError: code `erasure-under-way`.
        """

    def erasures(self, subject: str) -> list[Erasure]:
        """Return the erasures of a subject and how far each is."""

    async def approve_policy(self, version: str, caller: Identity) -> PolicyChange:
        """Put a proposed policy set in force.

        Raises:
            NotPermittedError: code `policy-unknown` or `own-proposal`.
        """

    async def start_task(self, request: TaskRequest, caller: Identity) -> TaskStarted:
        """Start a task.

        Raises:
            NotPermittedError: code `task-exists`, `task-unknown` (its parent) or `subject-not-allowed`.
        """

    async def end_task(self, task_id: str, reason: str, caller: Identity) -> TaskEnded:
        """End a task and all below it; take back what was issued for them.

        Raises:
            NotPermittedError: code `task-unknown`.
        """

    def tasks(self, caller: Identity) -> list[OpenTask]:
        """Return the open tasks that the caller may see."""

    async def grant_delegation(self, request: DelegationRequest, caller: Identity) -> DelegationGranted:
        """Grant a delegation, never wider than what is above it.

        Raises:
            InputError: malformed, wider, too deep, or a circle.
            NotPermittedError: code `delegation-unknown` or `subject-not-allowed`.
        """

    async def revoke_delegation(self, delegation_id: str, reason: str, caller: Identity) -> DelegationRevoked:
        """Take a delegation back with everything below it.

        Raises:
            NotPermittedError: code `delegation-unknown`.
        """

    def delegations(self, caller: Identity) -> list[Delegation]:
        """Return the delegations in force that the caller may see."""

    def pending_policy(self) -> dict[str, Any] | None:
        """Return the policy set that waits for approval, or None."""

    def grants(self) -> list[Grant]:
        """Return the granted reading roles."""

    async def grant_role(self, request: GrantRequest, caller: Identity) -> Recorded:
        """Grant a reading role to somebody else than the caller."""

    async def revoke_role(self, grant_id: str, reason: str, caller: Identity) -> Recorded:
        """Take a grant back.

        Raises:
            NotPermittedError: code `grant-unknown`.
        """

    async def publish_policy(self, bundle: bytes, caller: Identity) -> PolicyChange:
        """Check, record and enact (or propose) a policy bundle.

        Raises:
            InputError: the bundle does not load; nothing changed.
        """

    def current_policy(self) -> dict[str, Any] | None:
        """Return the policy set in force, or None."""

    async def rotate_key(self, caller: Identity) -> Recorded:
        """Start a new signing key."""

    async def place_hold(self, wanted: Mapping[str, Any], reason: str, caller: Identity) -> dict[str, Any]:
        """Ask for a legal hold; it protects at once, another person confirms it."""

    async def release_hold(self, hold_id: str, reason: str, caller: Identity) -> dict[str, Any]:
        """Ask for a hold's release.

        Raises:
            NotPermittedError: code `hold-unknown` or `hold-not-open`.
        """

    async def confirm_hold(self, hold_id: str, caller: Identity) -> dict[str, Any]:
        """Confirm what another person asked for.

        Raises:
            NotPermittedError: code `hold-unknown`, `hold-not-open` or `second-person-needed`.
        """

    async def issue_credential(self, request: CredentialRequest, caller: Identity) -> CredentialResponse:
        """Hand out a credential for an open PERMIT of the caller.

        Raises:
            NotPermittedError: code `permit-unknown`, `permit-expired`, `agent-paused`, `credential-unknown`,
                `credential-not-allowed` or `credential-live`.
            UnavailableError: its source refuses or cannot be reached.
        """

    def credentials(self) -> list[CredentialView]:
        """Return the credentials that may be alive."""

    async def revoke_credential(self, credential_id: str, caller: Identity) -> CredentialRevocation:
        """End a credential.

        Raises:
            NotPermittedError: code `credential-unknown`.
        """

    def revoked_tokens(self) -> RevokedTokens:
        """Return the tokens that are not to be accepted although they have not expired."""

    def token_keys(self) -> Mapping[str, Any]:
        """Return the keys that tokens are verified with, as a JSON Web Key Set."""

    async def verify_package(self, request: VerificationRequest, caller: Identity) -> Recorded:
        """Record that a package was checked."""

    async def install_package(self, request: InstallationRequest, caller: Identity) -> Recorded:
        """Record that a package was installed for an agent."""

    async def score_trust(self, request: TrustRequest, caller: Identity) -> Recorded:
        """Record how far a tool or server is trusted from now on."""

    def packages(self) -> Packages:
        """Return what is verified and installed."""

    def trust_scores(self) -> TrustScores:
        """Return the history of trust scores."""

    def holds(self) -> list[dict[str, Any]]:
        """Return all holds."""

    async def plan_retention(self) -> dict[str, Any]:
        """Return what a retention run would delete now."""

    async def compact_journal(self, caller: Identity) -> dict[str, Any]:
        """Archive the journal's closed segments; nothing expires."""

    async def run_retention(self, caller: Identity) -> dict[str, Any]:
        """Delete what is due.

        Raises:
            NotPermittedError: code `retention-running`.
        """

    def public_file(self, name: str) -> bytes | None:
        """Return a file of the public log directory (`checkpoint`, `tile/…`), or None.

        The server passes only names that C2SP tlog-tiles allows.
        """

    def readiness(self) -> dict[str, Any]:
        """Return ``{"ready": bool, "checks": {name: "ok" or why not}}``."""

    def metrics(self) -> Mapping[str, float]:
        """Return plain values by Prometheus name; a name that ends in `_total` is a counter, any other a gauge."""

    async def start(self) -> None:
        """Recover and begin; returns when decisions can be asked for."""

    async def stop(self) -> None:
        """Make what was accepted durable and let go of the data directory."""
