"""Legal holds: placed and released by two persons, each step a record. The journal is their truth.

A hold protects from its request on; until its release is confirmed it goes on protecting.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any

from sealgate.authority import answers
from sealgate.authority.drafts import Draft, Receipt
from sealgate.authority.hold_records import LISTS, selection
from sealgate.authority.recorder import Recorder
from sealgate.authority.state import Memory
from sealgate.model.errors import NotPermittedError
from sealgate.model.evaluation import Identity, Recorded
from sealgate.model.identifiers import require_name
from sealgate.model.records import Kind
from sealgate.retention.classes import LEDGER
from sealgate.retention.holds import Hold, Selection, Stage


class Holds:
    """Places, confirms and releases holds. One event loop owns it."""

    def __init__(self, *, memory: Memory, recorder: Recorder) -> None:
        self._memory = memory
        self._recorder = recorder

    def all(self) -> list[Hold]:
        """Return every hold that was ever asked for, oldest first."""
        return list(self._memory.holds.values())

    def covers(self, subject: str) -> str | None:
        """Return why this subject's data must stay, or None. A hold that names no subjects may cover anybody's."""
        for hold in self.all():
            if hold.protects and (not hold.selection.subjects or subject in hold.selection.subjects):
                return f"hold {hold.hold_id}"
        return None

    def describe(self) -> list[dict[str, Any]]:
        """Return the holds as the API shows them."""
        return [
            {
                "hold_id": hold.hold_id,
                "stage": hold.stage.value,
                "reason": hold.reason,
                "requested_by": hold.requested_by,
                "confirmed_by": hold.confirmed_by,
                "selection": self._members(hold.selection),
            }
            for hold in self.all()
        ]

    async def place(self, wanted: Mapping[str, Any], reason: str, caller: Identity) -> dict[str, Any]:
        """Ask for a hold; it protects from the moment its record is durable. Another person confirms it.

        Raises:
            InputError: it selects nothing, or a time or name is malformed.
        """
        chosen = selection(wanted)
        chosen.check()
        draft = self._recorder.draft(Kind.HOLD_PLACED)
        hold = Hold(draft.record_id, chosen, require_name(reason, "reason"), Stage.REQUESTED, caller.principal)
        # Protects at once: a run that starts before the record is durable must not delete what it names.
        self._memory.holds[hold.hold_id] = hold
        try:
            recorded = await self._record(draft, hold, "requested", caller)
        except BaseException:
            del self._memory.holds[hold.hold_id]
            raise
        return self._answer(hold, recorded)

    async def release(self, hold_id: str, reason: str, caller: Identity) -> dict[str, Any]:
        """Ask for a release; another person confirms it, and until then the hold protects.

        Raises:
            NotPermittedError: there is no such hold, or it is not placed.
        """
        hold = self._find(hold_id)
        if hold.stage not in {Stage.PLACED, Stage.REQUESTED}:
            raise NotPermittedError(f"hold `{hold_id}` is {hold.stage.value}", code="hold-not-open")
        asked = replace(hold, stage=Stage.RELEASE_REQUESTED, requested_by=caller.principal, confirmed_by=None)
        draft = self._recorder.draft(Kind.HOLD_RELEASED)
        recorded = await self._record(draft, replace(asked, reason=require_name(reason, "reason")), "requested", caller)
        self._memory.holds[hold_id] = asked
        return self._answer(asked, recorded)

    async def confirm(self, hold_id: str, caller: Identity) -> dict[str, Any]:
        """Confirm what another person asked for: the placing, or the release.

        Raises:
            NotPermittedError: nothing waits to be confirmed, or the caller asked for it.
        """
        hold = self._find(hold_id)
        if hold.stage not in {Stage.REQUESTED, Stage.RELEASE_REQUESTED}:
            raise NotPermittedError(f"hold `{hold_id}` is {hold.stage.value}", code="hold-not-open")
        hold.require_other(caller.principal)
        placing = hold.stage is Stage.REQUESTED
        confirmed = replace(hold, stage=Stage.PLACED if placing else Stage.RELEASED, confirmed_by=caller.principal)
        draft = self._recorder.draft(Kind.HOLD_PLACED if placing else Kind.HOLD_RELEASED)
        recorded = await self._record(draft, confirmed, "confirmed", caller)
        self._memory.holds[hold_id] = confirmed
        return self._answer(confirmed, recorded)

    def _find(self, hold_id: str) -> Hold:
        hold = self._memory.holds.get(hold_id)
        if hold is None:
            raise NotPermittedError(f"there is no hold `{hold_id[:64]}`", code="hold-unknown")
        return hold

    async def _record(self, draft: Draft, hold: Hold, stage: str, caller: Identity) -> Recorded:
        draft.fields = {
            "hold_id": hold.hold_id,
            "stage": stage,
            "selection": self._members(hold.selection),
            "reason": hold.reason,
            "principal": caller.principal,
        }
        agent = answers.agent(caller.principal, caller, [])
        appended: Awaitable[Receipt] = self._recorder.record(draft, agent=agent, retention_class=LEDGER)
        receipt = await appended
        self._memory.cursor = max(self._memory.cursor, receipt.index + 1)
        return Recorded(receipt.record_id, answers.reference(receipt))

    def _members(self, chosen: Selection) -> dict[str, Any]:
        text = self._recorder.time.text
        return {
            **{name: list(getattr(chosen, name)) for name in LISTS},
            "since": None if chosen.since_ms is None else text(chosen.since_ms),
            "until": None if chosen.until_ms is None else text(chosen.until_ms),
        }

    @staticmethod
    def _answer(hold: Hold, recorded: Recorded) -> dict[str, Any]:
        return {"hold_id": hold.hold_id, "stage": hold.stage.value, "record_id": recorded.record_id}
