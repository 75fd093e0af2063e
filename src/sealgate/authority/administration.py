"""What operators do: pause and resume agents, publish policy sets. Each is a record before it takes effect.

A pause takes effect at once and is recorded then: stopping an agent must not wait for a disk.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from sealgate.authority import answers
from sealgate.authority.recorder import Draft, Receipt, Recorder
from sealgate.authority.rulebook import Rulebook
from sealgate.authority.state import Memory
from sealgate.model.errors import InputError, UnavailableError
from sealgate.model.evaluation import Identity, Recorded
from sealgate.model.identifiers import require_name
from sealgate.model.records import Kind
from sealgate.ports.judging import Judges

PolicyStore = Callable[[str, bytes], None]
"""Makes a policy set durable under its version before it is published."""


class Administration:
    """Operators' actions. One event loop owns it."""

    def __init__(self, *, memory: Memory, recorder: Recorder, store_policy: PolicyStore, judges: Judges | None) -> None:
        self._memory = memory
        self._recorder = recorder
        self._store_policy = store_policy
        self._judges = judges
        self.rulebook: Rulebook | None = None

    async def pause(self, agent: str, reason: str, caller: Identity) -> Recorded:
        """Stop an agent: the next decision, and the next redemption of a permit already out, are refused.

        Raises:
            UnavailableError: the pause is in force but could not be recorded.
        """
        require_name(agent, "agent")
        self._memory.paused[agent] = require_name(reason or "no reason given", "reason")
        draft = self._recorder.draft(Kind.CONTAINMENT_APPLIED)
        draft.fields = {"target_agent": agent, "reason": self._memory.paused[agent]}
        return await self._record(draft, caller)

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

    async def publish(self, bundle: bytes, caller: Identity) -> Recorded:
        """Make a policy set the current one: checked, stored under its digest, recorded, then in force.

        Raises:
            InputError: the set does not load; nothing changed.
            UnavailableError: it could not be stored or recorded; the former set stays in force.
        """
        rulebook = Rulebook.load(bundle)
        self._store_policy(rulebook.version, bundle)
        draft = self._recorder.draft(Kind.POLICY_PUBLISHED)
        draft.fields = {
            "policy_version": rulebook.version,
            "previous_version": self._memory.policy_version,
            "policies": rulebook.policy_count,
            "tools": rulebook.tool_count,
            "proposed_by": caller.principal,
            "approved_by": None,
        }
        former = self.rulebook
        if former is not None:
            rulebook.inherit(former)
        recording = self._record(draft, caller)
        # In force from the append on: a decision that stands behind this record in the log was made under it. If the
        # record is lost, so is every decision behind it, and the former set is in force again.
        self.enforce(rulebook)
        try:
            return await recording
        except UnavailableError:
            self.enforce(former)
            raise

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
