"""An authority in memory: answers as the real one would, decides by names, records nothing.

It stands in for the authority where the server alone is tested or measured. It is not part of the product.

Names decide: an action that begins with ``forbid`` is DENY, ``slow`` waits until it is released (a process by
SIGUSR1), ``broken_…`` raises what its name says; everything else is PERMIT.
"""

import asyncio
import base64
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.twin_approvals import TwinApprovals
from sealgate.encoding import canonical
from sealgate.model.batches import MAX_BATCHES_BYTES, BatchesRecorded, BatchesRequest, BatchRecorded
from sealgate.model.credentials import (
    CredentialRequest,
    CredentialResponse,
    CredentialRevocation,
    CredentialView,
    RevokedTokens,
)
from sealgate.model.decisions import Outcome, Reason
from sealgate.model.delegations import Delegation, DelegationGranted, DelegationRequest, DelegationRevoked
from sealgate.model.erasure import Erasure, ErasureRequest, State
from sealgate.model.errors import (
    ConfigurationError,
    InputError,
    JournalError,
    NotPermittedError,
    NotProvenError,
)
from sealgate.model.evaluation import (
    CaptureRequest,
    DecisionContext,
    EvaluationRequest,
    EvaluationResponse,
    Identity,
    ObservationRequest,
    OutcomeRequest,
    PermitReference,
    PolicyChange,
    ReceiptReference,
    Recorded,
    RedeemRequest,
    RedeemResponse,
)
from sealgate.model.grants import Grant, GrantRequest
from sealgate.model.identifiers import uuid7
from sealgate.model.supply import InstallationRequest, Packages, TrustRequest, TrustScores, VerificationRequest
from sealgate.model.tasks import OpenTask, TaskEnded, TaskRequest, TaskStarted
from sealgate.ports.identity import Peer
from sealgate.server.api import authority_api
from sealgate.server.decoding import fit
from sealgate.server.listeners import Listeners, UnixListener
from sealgate.server.serving import Server, serve

ALL_ROLES = frozenset({"enforce", "operate", "publish", "approve", "read", "administer", "retain", "collect"})
KEYS = {
    "Bearer everything": Identity("operator", "api_key", frozenset({"*"}), ALL_ROLES),
    "Bearer enforce-only": Identity("gateway", "api_key", frozenset({"a1"}), frozenset({"enforce"})),
}
ERRORS: dict[str, Exception] = {
    "broken_input": InputError("the input is bad", hint="mend it"),
    "broken_journal": JournalError("the journal cannot record", hint="free some space"),
    "broken_configuration": ConfigurationError("/secret/path is missing"),
    "broken_bug": RuntimeError("an internal detail"),
}
STATEMENT = base64.b64encode(bytes(200)).decode()


class Twin:
    """Implements ``sealgate.server.operations.Operations``."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.policy: dict[str, Any] | None = None
        self.redeemed: set[str] = set()
        self.records: dict[str, int] = {}
        self.release = asyncio.Event()
        self.waiting = 0
        self._holds: dict[str, str] = {}
        self.approvals = TwinApprovals()
        self.started = self.stopped = False
        self.not_ready = ""

    def _record(self) -> ReceiptReference:
        index = len(self.records)
        record_id = uuid7(1_790_000_000_000 + index, index.to_bytes(10, "big"))
        self.records[record_id] = index
        return ReceiptReference("signed", record_id, index, STATEMENT)

    def _recorded(self) -> Recorded:
        receipt = self._record()
        return Recorded(receipt.record_id, receipt)

    async def evaluate(
        self, request: EvaluationRequest, caller: Identity, request_id: str | None, *, alone: bool = False
    ) -> EvaluationResponse:
        """Decide by the action's name."""
        del alone
        name = request.action.name
        if not caller.speaks_for(request.subject.id):
            raise NotPermittedError(f"`{caller.principal}` may not speak for `{request.subject.id}`")
        if name in ERRORS:
            raise ERRORS[name]
        if name.startswith("slow"):
            self.waiting += 1
            await self.release.wait()
        self.calls.append((request_id or "", request))
        permitted = not name.startswith("forbid")
        receipt = self._record()
        return EvaluationResponse(
            permitted,
            DecisionContext(
                Outcome.PERMIT if permitted else Outcome.DENY,
                Reason.POLICY,
                "by its name",
                ["names"],
                "sha256:" + "0" * 64,
                [],
                request_id or request.context.request_id or receipt.record_id,
                receipt.record_id,
                receipt,
                PermitReference(receipt.record_id, "2026-11-21T01:00:00Z", redeemed=request.context.redeem)
                if permitted
                else None,
            ),
        )

    async def redeem(self, request: RedeemRequest, caller: Identity) -> RedeemResponse:
        """Accept every known record id once."""
        del caller
        if request.permit not in self.records:
            raise NotPermittedError("no such permit", code="permit-unknown", hint="ask for a decision")
        if request.permit in self.redeemed:
            raise NotPermittedError("the permit is used up", code="permit-already-redeemed", hint="ask again")
        self.redeemed.add(request.permit)
        return RedeemResponse(request.permit, "2026-11-21T01:05:00Z", self._record())

    async def report_outcome(self, request: OutcomeRequest, caller: Identity) -> Recorded:
        """Accept every outcome."""
        self.calls.append((caller.principal, request))
        return self._recorded()

    async def capture(self, request: CaptureRequest, caller: Identity) -> Recorded:
        """Accept every record."""
        self.calls.append((caller.principal, request))
        return self._recorded()

    async def observe(self, task_id: str, request: ObservationRequest, caller: Identity) -> Recorded:
        """Accept every observation."""
        del task_id
        self.calls.append((caller.principal, request))
        return self._recorded()

    async def record_batches(self, body: bytes, caller: Identity) -> BatchesRecorded:
        """Accept every batch that is one."""
        request = fit(canonical.parse(body, max_bytes=MAX_BATCHES_BYTES), BatchesRequest)
        self.calls.append((caller.principal, request))
        made = [(batch.batch_id, self._record()) for batch in request.batches]
        return BatchesRecorded([BatchRecorded(batch_id, receipt.record_id, receipt) for batch_id, receipt in made])

    def receipt(self, record_id: str, caller: Identity) -> dict[str, Any]:
        """Return a receipt of a record that was made here; the first one is in a checkpoint."""
        del caller
        if record_id not in self.records:
            raise NotPermittedError("no such record", code="record-unknown")
        index = self.records[record_id]
        proof = "c2sp.org/tlog-proof@v1\n" if index == 0 else None
        state = "included" if index == 0 else "signed"
        return {
            "record_id": record_id,
            "index": index,
            "state": state,
            "statement": STATEMENT,
            "tlog_proof": proof,
            "body": "{}",
        }

    def transparent_statement(self, record_id: str, caller: Identity) -> bytes:
        """Return bytes for the first record only."""
        if self.receipt(record_id, caller)["index"]:
            raise NotProvenError("the record is not in a checkpoint yet", hint="ask later")
        return b"\xd2\x84"

    async def pause(self, agent: str, reason: str, caller: Identity) -> Recorded:
        """Accept."""
        self.calls.append((agent, (reason, caller)))
        return self._recorded()

    async def resume(self, agent: str, caller: Identity) -> Recorded:
        """Accept."""
        self.calls.append((agent, caller))
        return self._recorded()

    def agents(self) -> list[dict[str, Any]]:
        """Return one agent."""
        return [{"id": "a1", "paused": False}]

    async def erase(self, subject: str, request: ErasureRequest, caller: Identity) -> Erasure:
        """Say that it is executed."""
        self.calls.append(("erase", subject))
        del caller
        receipt = self._record()
        return Erasure(
            erasure_id=request.erasure_id,
            subject=subject,
            basis=request.basis,
            operator="twin",
            proof="internal",
            state=State.EXECUTED,
            requested_record_id=receipt.record_id,
            vault=request.vault,
            record_id=receipt.record_id,
            index=receipt.index,
        )

    def erasures(self, subject: str) -> list[Erasure]:
        """Know none."""
        del subject
        return []

    async def publish_policy(self, bundle: bytes, caller: Identity) -> PolicyChange:
        """Keep the size of the bundle as its version."""
        del caller
        version = f"bytes:{len(bundle)}"
        self.policy = {"version": version}
        recorded = self._recorded()
        return PolicyChange(recorded.record_id, recorded.receipt, "published", version)

    async def approve_policy(self, version: str, caller: Identity) -> PolicyChange:
        """Know of no proposal."""
        del version, caller
        raise NotPermittedError("no policy set of this digest waits", code="policy-unknown")

    def pending_policy(self) -> dict[str, Any] | None:
        """Know of no proposal."""
        return None

    async def start_task(self, request: TaskRequest, caller: Identity) -> TaskStarted:
        """Count it."""
        del request, caller
        recorded = self._recorded()
        return TaskStarted(recorded.record_id, recorded.receipt, recorded.record_id, "2030-01-01T00:00:00.000Z")

    async def end_task(self, task_id: str, reason: str, caller: Identity) -> TaskEnded:
        """Know of no task."""
        del task_id, reason, caller
        raise NotPermittedError("no such task is open", code="task-unknown")

    def tasks(self, caller: Identity) -> list[OpenTask]:
        """Know of no task."""
        del caller
        return []

    async def grant_delegation(self, request: DelegationRequest, caller: Identity) -> DelegationGranted:
        """Count it."""
        del request, caller
        recorded = self._recorded()
        expires = "2030-01-01T00:00:00.000Z"
        return DelegationGranted(recorded.record_id, recorded.receipt, recorded.record_id, 1, expires)

    async def revoke_delegation(self, delegation_id: str, reason: str, caller: Identity) -> DelegationRevoked:
        """Know of no delegation."""
        del delegation_id, reason, caller
        raise NotPermittedError("there is no such delegation", code="delegation-unknown")

    def delegations(self, caller: Identity) -> list[Delegation]:
        """Know of no delegation."""
        del caller
        return []

    def grants(self) -> list[Grant]:
        """Return one grant."""
        return [Grant(grant_id="g", principal="eve", role="analyst")]

    async def grant_role(self, request: GrantRequest, caller: Identity) -> Recorded:
        """Count it."""
        del request, caller
        return self._recorded()

    async def revoke_role(self, grant_id: str, reason: str, caller: Identity) -> Recorded:
        """Know of no grant."""
        del grant_id, reason, caller
        raise NotPermittedError("there is no such grant", code="grant-unknown")

    def current_policy(self) -> dict[str, Any] | None:
        """Return what was published last."""
        return self.policy

    async def issue_credential(self, request: CredentialRequest, caller: Identity) -> CredentialResponse:
        """Give a credential for every known record id."""
        del caller
        if request.decision_id not in self.records:
            raise NotPermittedError("no such permit", code="permit-unknown", hint="ask for a decision")
        receipt = self._record()
        time, secret = "2026-11-21T01:00:00Z", {"token": "t"}
        return CredentialResponse(
            receipt.record_id, request.name, "jwt", request.decision_id, request.audience, time, secret, receipt
        )

    def credentials(self) -> list[CredentialView]:
        """None is alive."""
        return []

    async def revoke_credential(self, credential_id: str, caller: Identity) -> CredentialRevocation:
        """End every known record id."""
        del caller
        if credential_id not in self.records:
            raise NotPermittedError("no such credential", code="credential-unknown")
        return CredentialRevocation(credential_id, "revoked")

    def revoked_tokens(self) -> RevokedTokens:
        """None is revoked."""
        return RevokedTokens(1_790_000_000, [])

    def token_keys(self) -> Mapping[str, Any]:
        """There is no key."""
        return {"keys": []}

    async def verify_package(self, request: VerificationRequest, caller: Identity) -> Recorded:
        """Record nothing."""
        del request, caller
        return self._recorded()

    async def install_package(self, request: InstallationRequest, caller: Identity) -> Recorded:
        """Record nothing."""
        del request, caller
        return self._recorded()

    async def score_trust(self, request: TrustRequest, caller: Identity) -> Recorded:
        """Record nothing."""
        del request, caller
        return self._recorded()

    def packages(self) -> Packages:
        """Know of none."""
        return Packages([], [])

    def trust_scores(self) -> TrustScores:
        """Know of none."""
        return TrustScores([])

    async def place_hold(self, wanted: Mapping[str, Any], reason: str, caller: Identity) -> dict[str, Any]:
        """Remember a hold."""
        del wanted, reason
        recorded = self._recorded()
        self._holds[recorded.record_id] = caller.principal
        return {"hold_id": recorded.record_id, "stage": "requested", "record_id": recorded.record_id}

    async def release_hold(self, hold_id: str, reason: str, caller: Identity) -> dict[str, Any]:
        """Ask for a release."""
        del reason
        self._known_hold(hold_id)
        self._holds[hold_id] = caller.principal
        return {"hold_id": hold_id, "stage": "release_requested", "record_id": self._recorded().record_id}

    async def confirm_hold(self, hold_id: str, caller: Identity) -> dict[str, Any]:
        """Confirm, unless the same caller asked."""
        self._known_hold(hold_id)
        if self._holds[hold_id] == caller.principal:
            raise NotPermittedError("another person confirms", code="second-person-needed")
        return {"hold_id": hold_id, "stage": "placed", "record_id": self._recorded().record_id}

    def _known_hold(self, hold_id: str) -> None:
        if hold_id not in self._holds:
            raise NotPermittedError(f"there is no hold `{hold_id}`", code="hold-unknown")

    def holds(self) -> list[dict[str, Any]]:
        """Return the holds."""
        return [{"hold_id": hold_id, "requested_by": principal} for hold_id, principal in self._holds.items()]

    async def plan_retention(self) -> dict[str, Any]:
        """Return an empty plan."""
        return {"bodies": 0, "statements": 0, "held": 0, "expiries": [], "unknown_classes": {}}

    async def compact_journal(self, caller: Identity) -> dict[str, Any]:
        """Archive nothing."""
        del caller
        return {"segments": 0}

    async def run_retention(self, caller: Identity) -> dict[str, Any]:
        """Delete nothing."""
        del caller
        return await self.plan_retention()

    async def rotate_key(self, caller: Identity) -> Recorded:
        """Accept."""
        del caller
        return self._recorded()

    def public_file(self, name: str) -> bytes | None:
        """Return a checkpoint and one tile."""
        return {"checkpoint": b"origin\n0\n\n", "tile/0/x001/234.p/5": bytes(160), "tile/entries/000": b"e"}.get(name)

    def readiness(self) -> dict[str, Any]:
        """Return ready unless told otherwise."""
        return {"ready": not self.not_ready, "checks": {"journal": self.not_ready or "ok"}}

    def metrics(self) -> Mapping[str, float]:
        """Return two values."""
        return {"sealgate_journal_records_total": float(len(self.records)), "sealgate_log_size": 1.0}

    async def start(self) -> None:
        """Note it."""
        self.started = True

    async def stop(self) -> None:
        """Note it."""
        self.stopped = True


class Resolver:
    """Knows two keys; ``local`` is what a process on the Unix socket is taken for."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []

    def resolve(self, peer: Peer, authorization: str | None) -> Identity | None:
        """Return the identity of a known key, certificate or local process."""
        self.peers.append(peer)
        del self.peers[:-8]
        if authorization is not None:
            return KEYS.get(authorization)
        if peer.unix is not None:
            return Identity(f"uid:{peer.unix.uid}", "unix_peer", frozenset({"*"}), ALL_ROLES)
        if peer.certificate is not None:
            return Identity("certificate", "mutual_tls", frozenset({"*"}), frozenset({"enforce"}))
        return None


if __name__ == "__main__":
    listeners = Listeners(unix=UnixListener(Path(sys.argv[1])))

    def _make() -> Server:
        twin = Twin()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, twin.release.set)
        return Server(authority_api(twin, listeners), Resolver(), listeners)

    sys.exit(0 if serve(_make) else 3)
