"""What operators do: pause and resume agents, publish, propose and approve policy sets. A record comes before effect.

A pause takes effect at once and is recorded then: stopping an agent must not wait for a disk.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from sealgate.authority import answers
from sealgate.authority.drafts import Draft, Receipt
from sealgate.authority.recorder import Recorder
from sealgate.authority.rulebook import Rulebook
from sealgate.authority.state import Memory, Pending
from sealgate.model.errors import AlteredError, InputError, NotPermittedError, UnavailableError
from sealgate.model.evaluation import Identity, PolicyChange, Recorded
from sealgate.model.identifiers import require_name
from sealgate.model.records import Kind
from sealgate.ports.judging import Judges


class PolicyFiles(Protocol):
    """Keeps policy sets by their version."""

    def store_policy(self, version: str, bundle: bytes) -> None:
        """Make a policy set durable under its version before it is published."""

    def load_policy(self, version: str) -> bytes | None:
        """Return the stored policy set with this version, or None."""


class Administration:
    """Operators' actions. One event loop owns it."""

    def __init__(
        self,
        *,
        memory: Memory,
        recorder: Recorder,
        storage: PolicyFiles,
        judges: Judges | None,
        second_person: bool = False,
        paused: Callable[[str], object] = lambda _agent: None,
    ) -> None:
        self._memory = memory
        self._recorder = recorder
        self._storage = storage
        self._second_person = second_person
        self._judges = judges
        self._paused = paused
        self.rulebook: Rulebook | None = None

    async def pause(self, agent: str, reason: str, caller: Identity) -> Recorded:
        """Stop an agent: the next decision, and the next redemption of a permit already out, are refused.

        Credentials that it holds are revoked at once.

        Raises:
            UnavailableError: the pause is in force but could not be recorded.
        """
        require_name(agent, "agent")
        self._memory.paused[agent] = require_name(reason or "no reason given", "reason")
        self._paused(agent)  # its credentials end at once: nor must that wait for a disk
        try:
            draft = self._recorder.draft(Kind.CONTAINMENT_APPLIED)
            draft.fields = {"target_agent": agent, "reason": self._memory.paused[agent]}
            return await self._record(draft, caller)
        except UnavailableError as error:
            message = f"agent `{agent}` is paused, but that is not recorded: {error.message}"
            raise UnavailableError(message, hint="pause it again later: a restart forgets it") from error

    async def resume(self, agent: str, caller: Identity) -> Recorded:
        """Let a paused agent go on, once that is on stable storage.

        Raises:
            InputError: the agent is not paused.
        """
        if agent not in self._memory.paused:
            raise InputError(f"agent `{agent}` is not paused", hint="`sealgate agents` lists the paused ones")
        draft = self._recorder.draft(Kind.CONTAINMENT_LIFTED)
        draft.fields = {"target_agent": agent, "reason": self._memory.paused[agent]}
        recorded = await self._record(draft, caller)
        self._memory.paused.pop(agent, None)
        return recorded

    def agents(self) -> list[dict[str, Any]]:
        """Return paused agents with the reason, and how many decisions each agent has open."""
        open_now: dict[str, int] = {}
        for decision in self._memory.decisions:
            open_now[decision.agent] = open_now.get(decision.agent, 0) + 1
        names = sorted({*self._memory.paused, *open_now})
        return [
            {"agent": name, "paused": self._memory.paused.get(name), "open_decisions": open_now.get(name, 0)}
            for name in names
        ]

    async def publish(self, bundle: bytes, caller: Identity) -> PolicyChange:
        """Make a policy set the current one, or propose it where another person has to approve.

        Raises:
            InputError: the set does not load; nothing changed.
            UnavailableError: it could not be stored or recorded; the former set stays in force.
        """
        rulebook = Rulebook.load(bundle)
        self._storage.store_policy(rulebook.version, bundle)
        if not self._second_person:
            return await self._enact(rulebook, caller, proposed_by=caller.principal, approved_by=None)
        draft = self._recorder.draft(Kind.POLICY_PROPOSED)
        draft.fields = {**self._sizes(rulebook), "proposed_by": caller.principal}
        recorded = await self._record(draft, caller)
        # A newer proposal takes the place of the older: one at a time is reviewed, and approved by its digest.
        time = self._recorder.time.text(draft.unix_ms)
        self._memory.pending = Pending(rulebook.version, caller.principal, time, recorded.record_id)
        return PolicyChange(recorded.record_id, recorded.receipt, "pending", rulebook.version)

    async def approve(self, version: str, caller: Identity) -> PolicyChange:
        """Put the proposed policy set in force: another principal than its proposer has read it.

        Raises:
            NotPermittedError: nothing with this digest waits, or the caller proposed it.
            AlteredError: what is stored is not what was proposed.
            UnavailableError: it could not be recorded; the former set stays in force.
        """
        pending = self._memory.pending
        if pending is None or pending.policy_version != version:
            hint = "`sealgate policy pending` shows what waits"
            raise NotPermittedError("no policy set of this digest waits for approval", code="policy-unknown", hint=hint)
        if pending.proposed_by == caller.principal:
            hint = "another person with the role `approve` has to"
            raise NotPermittedError("nobody approves their own policy set", code="own-proposal", hint=hint)
        bundle = self._storage.load_policy(version)
        rulebook = None if bundle is None else Rulebook.load(bundle)
        if rulebook is None or rulebook.version != version:
            raise AlteredError(f"policy set `{version}` is not what was proposed", hint="propose it again")
        return await self._enact(rulebook, caller, proposed_by=pending.proposed_by, approved_by=caller.principal)

    def pending(self) -> dict[str, Any] | None:
        """Return the policy set that waits for approval, or None."""
        waiting = self._memory.pending
        return None if waiting is None else msgspec.to_builtins(waiting)

    async def _enact(
        self, rulebook: Rulebook, caller: Identity, *, proposed_by: str, approved_by: str | None
    ) -> PolicyChange:
        draft = self._recorder.draft(Kind.POLICY_PUBLISHED)
        draft.fields = {**self._sizes(rulebook), "proposed_by": proposed_by, "approved_by": approved_by}
        former = self.rulebook
        if former is not None:
            rulebook.inherit(former)
        recording = self._record(draft, caller)
        # In force from the append on: a decision that stands behind this record in the log was made under it. If the
        # record is lost, so is every decision behind it, and the former set is in force again.
        self.enforce(rulebook)
        try:
            recorded = await recording
        except UnavailableError:
            self.enforce(former)
            raise
        if self._memory.pending is not None and self._memory.pending.policy_version == rulebook.version:
            self._memory.pending = None
        return PolicyChange(recorded.record_id, recorded.receipt, "published", rulebook.version)

    def _sizes(self, rulebook: Rulebook) -> dict[str, Any]:
        return {
            "policy_version": rulebook.version,
            "previous_version": self._memory.policy_version,
            "policies": rulebook.policy_count,
            "tools": rulebook.tool_count,
        }

    def enforce(self, rulebook: Rulebook | None) -> None:
        """Judge by this policy set from now on."""
        self.rulebook = rulebook
        self._memory.policy_version = rulebook.version if rulebook else None
        if self._judges is not None and rulebook is not None:
            self._judges.load(rulebook.version, rulebook.bundle)

    def _record(self, draft: Draft, caller: Identity) -> Awaitable[Recorded]:
        """Append now; the result can be awaited."""
        return self._recorded(self._recorder.record(draft, agent=answers.agent(caller.principal, caller, [])))

    async def _recorded(self, appended: Awaitable[Receipt]) -> Recorded:
        receipt = await appended
        self._memory.cursor = max(self._memory.cursor, receipt.index + 1)
        return Recorded(receipt.record_id, answers.reference(receipt))
