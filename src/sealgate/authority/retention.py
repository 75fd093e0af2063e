"""Retention: plans what expires, records it, deletes it. In this order, so that every deletion has its record.

A run, and what a crash after each step leaves:

1. closed parts of the journal are archived; 2. the plan is made; 3. the run is noted with its moment in a small file;
4. each expiry is recorded; 5. segments are written anew without what expired; 6. data keys that seal nothing any more
are recorded and destroyed; 7. statement bundles follow the journal; 8. the note is removed.

Before 3 nothing happened. From then on the next run makes the same plan for the same moment, records what was not
recorded yet, and goes on. Each step changes nothing where it was done before.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from sealgate.authority.archiving import Packer, at_once, encode_indexes
from sealgate.authority.drafts import Receipt
from sealgate.authority.pacing import Pace
from sealgate.authority.retention_parts import Note, Parts, Progress
from sealgate.authority.retention_survey import (
    active_is_due,
    describe,
    first_statement,
    idle_keys,
    lost_bundles,
    plan_of,
    recorded,
)
from sealgate.model.errors import NotPermittedError, UnavailableError
from sealgate.model.limits import TILE_WIDTH
from sealgate.model.records import Kind
from sealgate.ports.archiving import ClosedSegment, Label
from sealgate.retention.classes import LEDGER
from sealgate.retention.plan import Action, Expiry, Plan, Verdict

_Found = TypeVar("_Found")
_KEYS_A_RECORD: Final = 256


class Retention:
    """Runs retention for one authority. Its methods run on the event loop, the work in a background thread."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._turn = asyncio.Lock()
        self._stopping = False
        self.last: dict[str, Any] | None = None

    @property
    def progress(self) -> Progress:
        """How far the run under way is."""
        return self._parts.progress

    async def plan(self) -> dict[str, Any]:
        """Return what a run would do now. Nothing changes."""
        now = self._parts.recorder.time.now_ms()
        plan = await _in_thread(plan_of, self._parts, now)
        return describe(plan)

    async def stop(self) -> None:
        """Return once nothing is under way; a run ends at its next step and the next start goes on."""
        self._stopping = True
        async with self._turn:
            pass

    async def compact(self, *, roll: bool = False, paced: bool = False) -> int:
        """Archive closed segments, with ``roll`` also the one that is appended to; return how many.

        ``paced``: nobody waits for it, so decisions come first.
        """
        async with self._turn:
            if roll:
                await self._roll()
            done = await _in_thread(self._compact, paced=paced)
            if done:
                await _in_thread(self._settle, set())
            return done

    async def run(self) -> dict[str, Any]:
        """Delete what is due; first finish what a crash interrupted.

        Raises:
            NotPermittedError: a run is under way.
            UnavailableError: records or files cannot be written; the next run goes on.
        """
        if self._turn.locked():
            raise NotPermittedError("a retention run is under way", code="retention-running", hint="wait for it")
        async with self._turn:
            try:
                self.last = await self._run()
            finally:
                self._parts.progress.step = "idle"
            return self.last

    async def _run(self) -> dict[str, Any]:
        parts = self._parts
        found = parts.notes.load_run()
        note = None if found is None else msgspec.json.decode(found, type=Note)
        if note is None:
            note = Note(parts.recorder.draft(Kind.RETENTION_EXPIRED).record_id, parts.recorder.time.now_ms(), 0)
            note = Note(note.run_id, note.now_ms, parts.journal.size)
            found = None
        await self._close_due_segment(note.now_ms)
        parts.progress.step = "archiving"
        await _in_thread(self._compact)
        parts.progress.step = "planning"
        plan = await _in_thread(plan_of, self._parts, note.now_ms, closed_only=True)
        expiries = plan.expiries()
        if expiries and found is None:
            await _in_thread(parts.notes.store_run, msgspec.json.encode(note))
        parts.progress.step = "recording"
        if expiries:
            known = await _in_thread(recorded, self._parts, note)
            for expiry in expiries:
                await self._record(expiry, known.get((expiry.layer, expiry.retention_class), set()), note.run_id)
        parts.progress.step = "deleting"
        await _in_thread(self._rewrite, plan)
        keys = await _in_thread(idle_keys, self._parts, note.now_ms)
        await self._destroy(keys, note.run_id)
        parts.progress.step = "publishing"
        lost = {
            index // TILE_WIDTH for index, verdict in plan.actions.items() if verdict.action is Action.DROP_STATEMENT
        }
        await _in_thread(self._settle, lost if found is None else await _in_thread(lost_bundles, self._parts))
        pruned = await self._prune(note.run_id)
        await _in_thread(parts.notes.store_run, None)
        return {**describe(plan), "run_id": note.run_id, "keys_destroyed": len(keys), "pruned_below": pruned}

    async def _close_due_segment(self, now_ms: int) -> None:
        """If something in the segment that is appended to is due, close it: only closed ones can be written anew."""
        if await _in_thread(active_is_due, self._parts, now_ms):
            await self._roll()

    async def _roll(self) -> None:
        loop = asyncio.get_running_loop()
        closed: asyncio.Future[None] = loop.create_future()

        def done(error: Exception | None) -> None:
            if error is None:
                loop.call_soon_threadsafe(closed.set_result, None)
            else:
                loop.call_soon_threadsafe(closed.set_exception, error)

        self._parts.journal.roll(done)
        await closed

    def _compact(self, *, paced: bool = False) -> int:
        waiting = [segment for segment in self._parts.journal.closed() if not segment.archived]
        self._parts.progress.segments, self._parts.progress.segments_done = len(waiting), 0
        archiver = self._parts.archiver
        if archiver is not None:
            archiver.pace = self._pace(beside=True) if paced else at_once
        try:
            for segment in waiting:
                self._check_stop()
                packer = self._packer()
                if paced:
                    packer.pace = self._pace()
                self._parts.journal.rewrite(segment.sequence, packer, archiver)
                self._parts.progress.segments_done += 1
        finally:
            if archiver is not None:
                archiver.close()  # it was given data keys
        return len(waiting)

    def _pace(self, *, beside: bool = False) -> Callable[[], None]:
        return Pace(lambda: self._parts.recorder.recorded, beside=beside).step

    def _packer(
        self, labels: Mapping[int, Label] | None = None, verdicts: Mapping[int, Verdict] | None = None
    ) -> Packer:
        parts = self._parts
        return Packer(parts.reader, parts.data_keys, parts.entropy, labels=labels, verdicts=verdicts)

    async def _record(self, expiry: Expiry, known: set[int], run_id: str) -> None:
        indexes = [index for index in expiry.indexes if index not in known] if known else list(expiry.indexes)
        if not indexes:
            return
        await self._append(
            layer=expiry.layer,
            run_id=run_id,
            from_index=indexes[0],
            to_index=indexes[-1] + 1,
            indexes=encode_indexes(indexes, indexes[0]),
            expired_class=expiry.retention_class,
            count=len(indexes),
            held=expiry.held,
            key_ids=[],
        )

    async def _append(self, **fields: Any) -> Receipt:
        recorder = self._parts.recorder
        draft = recorder.draft(Kind.RETENTION_EXPIRED)
        draft.fields = fields
        receipt = await recorder.record(draft, retention_class=LEDGER)
        self._parts.memory.cursor = max(self._parts.memory.cursor, receipt.index + 1)
        return receipt

    def _rewrite(self, plan: Plan) -> None:
        """Write anew every closed segment that the plan changes."""
        parts = self._parts
        holding = {fact.key_id for fact in parts.data_keys.facts("hold/")}
        segments = [segment for segment in parts.journal.closed() if _touched(plan, segment)]
        parts.progress.segments, parts.progress.segments_done = len(segments), 0
        for segment in segments:
            self._check_stop()
            verdicts: dict[int, Verdict] = {}
            for label in parts.journal.labels(segment.sequence):
                verdict = plan.actions.get(label.index)
                if verdict is None or (verdict.action is Action.HOLD and label.key_id in {None, *holding}):
                    continue
                verdicts[label.index] = verdict
            if verdicts:
                labels = {label.index: label for label in parts.journal.labels(segment.sequence)}
                parts.journal.rewrite(segment.sequence, self._packer(labels, verdicts))
            parts.progress.segments_done += 1
        parts.reader.forget()

    def _check_stop(self) -> None:
        if self._stopping:
            raise UnavailableError("the authority is stopping", hint="the next run goes on")

    async def _destroy(self, keys: list[bytes], run_id: str) -> None:
        for at in range(0, len(keys), _KEYS_A_RECORD):
            some = keys[at : at + _KEYS_A_RECORD]
            # If we die behind the record, the next run finds the keys idle again, and records and destroys them.
            await self._append(
                layer="key",
                run_id=run_id,
                from_index=None,
                to_index=None,
                indexes=None,
                expired_class="",
                count=len(some),
                held=0,
                key_ids=[key.hex() for key in some],
            )
            await _in_thread(self._parts.data_keys.destroy_many, some)
        self._parts.reader.forget()

    def _settle(self, lost: set[int]) -> None:
        """Let the public statement bundles follow the archived part of the journal; ``lost`` ones lose statements."""
        stop = 0
        for segment in self._parts.journal.closed():
            if not segment.archived:
                break
            stop = segment.stop
        self._parts.bundles.settle(stop, lost, self._parts.journal.statements)

    async def _prune(self, run_id: str) -> int:
        """Prune the part of the shard before the first statement that has to stay, where that is asked for.

        The ledger's own records among it stay in the journal; what they excuse and announce lies before the minimum.
        """
        parts = self._parts
        before = parts.bundles.minimum()
        if not parts.settings.prune:
            return before
        first = await _in_thread(first_statement, self._parts)
        minimum = first // TILE_WIDTH * TILE_WIDTH
        if minimum <= before:
            return before
        await self._append(
            layer="shard",
            run_id=run_id,
            from_index=before,
            to_index=minimum,
            indexes=None,
            expired_class="",
            count=minimum - before,
            held=0,
            key_ids=[],
        )
        return await _in_thread(parts.bundles.prune, minimum)


async def _in_thread(work: Callable[..., _Found], *arguments: Any, **more: Any) -> _Found:
    """Run blocking work in a thread. If the caller goes away, still wait: nothing may touch the files after a stop."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments, **more))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _touched(plan: Plan, segment: ClosedSegment) -> bool:
    return segment.archived and any(index in plan.actions for index in range(segment.start, segment.stop))
