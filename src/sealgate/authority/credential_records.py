"""The records of credentials, and how many of each there were. No secret is in any of them."""

from typing import Any

from sealgate.authority import answers
from sealgate.authority.drafts import Draft, Receipt
from sealgate.authority.permits import OpenDecision
from sealgate.authority.recorder import Recorder
from sealgate.authority.state import Memory
from sealgate.model.credentials import Lease
from sealgate.model.evaluation import Identity
from sealgate.model.records import Kind


class CredentialRecords:
    """Writes them. One event loop owns it."""

    def __init__(self, memory: Memory, recorder: Recorder) -> None:
        self._memory = memory
        self._recorder = recorder
        self.counts: dict[str, int] = {"issued": 0, "refused": 0, "revoked": 0, "left_to_expire": 0, "failures": 0}

    async def requested(self, draft: Draft, lease: Lease, caller: Identity) -> None:
        """Say what may exist from now on; the draft gave the credential its id."""
        draft.fields = self._members(lease)
        await self._record(draft, lease, caller)

    async def issued(self, lease: Lease, caller: Identity) -> Receipt:
        """Say that it exists and leaves."""
        draft = self._recorder.draft(Kind.CREDENTIAL_ISSUED)
        draft.fields = self._members(lease)
        return await self._record(draft, lease, caller)

    async def ended(self, lease: Lease, result: str, caller: Identity) -> None:
        """Say how its end went, or that it fails so far."""
        draft = self._recorder.draft(Kind.CREDENTIAL_REVOKED)
        draft.fields = {
            "credential_id": lease.credential_id,
            "name": lease.name,
            "credential_kind": lease.kind,
            "decision_id": lease.decision_id or None,
            "cause": lease.cause,
            "result": result,
            "attempts": lease.attempts,
            "expires_at": self._recorder.time.text(lease.expires_ms),
        }
        await self._record(draft, lease, caller)

    async def refused(
        self, name: str, decision: OpenDecision | None, lease: Lease | None, code: str, caller: Identity
    ) -> None:
        """Say that somebody asked and got none."""
        self.counts["refused"] += 1
        draft = self._recorder.draft(Kind.CREDENTIAL_REFUSED)
        draft.fields = {
            "credential_id": lease.credential_id if lease else None,
            "name": name,
            "decision_id": decision.record_id if decision else None,
            "refusal": code,
        }
        agent = answers.agent(decision.agent if decision else caller.principal, caller, [])
        receipt = await self._recorder.record(draft, agent=agent, task_id=decision.task_id if decision else None)
        self._memory.cursor = max(self._memory.cursor, receipt.index + 1)

    def _members(self, lease: Lease) -> dict[str, Any]:
        return {
            "credential_id": lease.credential_id,
            "name": lease.name,
            "credential_kind": lease.kind,
            "decision_id": lease.decision_id,
            "audience": lease.audience,
            "scope_digest": lease.scope_digest,
            "expires_at": self._recorder.time.text(lease.expires_ms),
        }

    async def _record(self, draft: Draft, lease: Lease, caller: Identity) -> Receipt:
        agent = answers.agent(lease.agent or caller.principal, caller, [])
        receipt = await self._recorder.record(draft, agent=agent, task_id=lease.task_id)
        self._memory.cursor = max(self._memory.cursor, receipt.index + 1)
        return receipt
