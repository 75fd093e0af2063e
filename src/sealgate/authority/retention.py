"""Retention: plans what expires, records it, deletes it. In this order, so that every deletion has its record.

A run, and what a crash after each step leaves:

1. closed parts of the journal are archived; 2. the plan is made; 3. the run is noted with its moment in a small file;
4. each expiry is recorded; 5. segments are written anew without what expired; 6. data keys that seal nothing any more
are recorded and destroyed; 7. statement bundles follow the journal; 8. the note is removed.

Before 3 nothing happened. From then on the next run makes the same plan for the same moment, records what was not
recorded yet, and goes on. Each step changes nothing where it was done before.
"""

import asyncio
import base64
import logging
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

import msgspec

from sealgate.authority.archiving import Entropy, Packer, encode_indexes, entry_of, known_of
from sealgate.authority.pacing import Pace
from sealgate.authority.reader import Reader
from sealgate.authority.recorder import Receipt, Recorder
from sealgate.authority.state import Memory
from sealgate.encoding import sealed_body
from sealgate.model.errors import NotPermittedError, SealgateError, UnavailableError
from sealgate.model.limits import TILE_WIDTH
from sealgate.model.records import Kind
from sealgate.model.scopes import DEFAULT_TENANT
from sealgate.ports.archiving import ArchivingJournal, ClosedSegment, Label, Summary
from sealgate.ports.datakeys import DataKeys
from sealgate.ports.journal import Journal
from sealgate.retention import plan as planning
from sealgate.retention.classes import LEDGER, Classes
from sealgate.retention.plan import Action, Expiry, Plan, Verdict

_LOG = logging.getLogger(__name__)
_Found = TypeVar("_Found")
_GRACE_MS: Final = 3_600_000
"""After the end of a key's period, until it may be destroyed: clocks may be set back a little."""

_TURN_S: Final = 5.0
_KEYS_A_RECORD: Final = 256
_TENANTS: Final = (f"{DEFAULT_TENANT}/", "hold/")
"""Scopes whose keys seal bodies of the journal and nothing else."""


class RetainedJournal(Journal, ArchivingJournal, Protocol):
    """A journal that can be archived."""

    def roll(self, done: Callable[[Exception | None], None]) -> None:
        """Close the segment that is appended to; call on the appending thread. ``done`` runs on any thread."""


class Bundles(Protocol):
    """The public statement bundles, which follow the journal."""

    def settle(self, stop: int, absent: set[int], statements: Callable[[int, int], list[bytes]]) -> int:
        """Make full bundles up to record ``stop`` small; those in ``absent`` lack what expired. Return how many."""

    def prune(self, minimum: int) -> int:
        """Remove entries and lowest tiles of all before ``minimum``; return the minimum from now on."""

    def minimum(self) -> int:
        """Return the first index that is still served."""

    def published(self) -> int:
        """Return how many records are under the published checkpoint."""


class RunStore(Protocol):
    """Keeps the note of a run. Durable and atomic."""

    def load_run(self) -> bytes | None:
        """Return the note, or None."""

    def store_run(self, note: bytes | None) -> None:
        """Replace the note; None removes it."""


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run under way: its id, its moment, the journal's size then."""

    run_id: str
    now_ms: int
    size: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What is kept how long; whether closed segments are archived by themselves, and shards pruned."""

    classes: Classes
    compact: bool = True
    prune: bool = False
    interval_s: int = 0


@dataclass(slots=True)
class Progress:
    """How far the run is; read by anyone."""

    step: str = "idle"
    segments_done: int = 0
    segments: int = 0


@dataclass(slots=True)
class Parts:
    """What retention works on."""

    memory: Memory
    journal: RetainedJournal
    reader: Reader
    recorder: Recorder
    data_keys: DataKeys
    bundles: Bundles
    notes: RunStore
    settings: Settings
    entropy: Entropy
    progress: Progress = field(default_factory=Progress)


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
        plan = await _in_thread(self._plan, now)
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
        plan = await _in_thread(self._plan, note.now_ms, closed_only=True)
        expiries = plan.expiries()
        if expiries and found is None:
            await _in_thread(parts.notes.store_run, msgspec.json.encode(note))
        parts.progress.step = "recording"
        if expiries:
            known = await _in_thread(self._recorded, note)
            for expiry in expiries:
                await self._record(expiry, known.get((expiry.layer, expiry.retention_class), set()), note.run_id)
        parts.progress.step = "deleting"
        await _in_thread(self._rewrite, plan)
        keys = await _in_thread(self._idle_keys, note.now_ms)
        await self._destroy(keys, note.run_id)
        parts.progress.step = "publishing"
        lost = {
            index // TILE_WIDTH for index, verdict in plan.actions.items() if verdict.action is Action.DROP_STATEMENT
        }
        await _in_thread(self._settle, lost if found is None else await _in_thread(self._lost))
        pruned = await self._prune(note.run_id)
        await _in_thread(parts.notes.store_run, None)
        return {**describe(plan), "run_id": note.run_id, "keys_destroyed": len(keys), "pruned_below": pruned}

    # -- what is there -----------------------------------------------------------------------------------------------

    def _labels(self, now_ms: int, *, closed_only: bool) -> Iterator[Label]:
        """Yield labels of all records of which something can be due."""
        journal, stop, classes = self._parts.journal, 0, self._parts.settings.classes

        def wanted(summary: Summary) -> bool:
            terms = [classes.effective(name) for name in summary.classes]
            return (
                not all(classes.knows(name) for name in summary.classes)
                or (summary.bodies and any(item.body_due(summary.earliest_ms, now_ms) for item in terms))
                or (summary.statements and any(item.statement_due(summary.earliest_ms, now_ms) for item in terms))
            )

        for segment in journal.closed():
            if segment.archived:
                yield from journal.labels(segment.sequence, wanted)
            else:
                yield from self._opened(segment.start, segment.stop)
            stop = segment.stop
        if not closed_only:
            yield from self._opened(stop, journal.size)

    def _opened(self, start: int, stop: int) -> Iterator[Label]:
        reader = self._parts.reader
        for index, record in self._parts.journal.read(start, stop):
            content = reader.open(index, record).content()
            if content is not None:
                known = known_of(content)
                key_id = sealed_body.key_id_of(record.sealed_body)
                yield Label(index, known.time_ms, known.retention_class, key_id, statement=bool(record.statement))

    def _plan(self, now_ms: int, *, closed_only: bool = False) -> Plan:
        """Make the plan. Bodies are opened only where something is due and a hold may name it."""
        parts, classes = self._parts, self._parts.settings.classes
        holds = [hold for hold in list(parts.memory.holds.values()) if hold.protects]
        # The log reads statements once it sequences them, and those of its last bundle at each start.
        edge = max(0, min(parts.journal.size, parts.bundles.published()) - 1) // TILE_WIDTH * TILE_WIDTH
        plan = Plan()
        for label in self._labels(now_ms, closed_only=closed_only):
            may_go = label.index < edge
            entry = entry_of(label, None, statement_may_go=may_go)
            if not classes.knows(label.retention_class):
                plan.unknown[label.retention_class] = plan.unknown.get(label.retention_class, 0) + 1
            verdict = planning.judge(entry, classes, (), now_ms)
            if verdict.action is Action.KEEP:
                continue
            if holds:
                content = parts.reader.read(label.index).content()
                entry = entry_of(label, content, statement_may_go=may_go)
                verdict = planning.judge(entry, classes, holds, now_ms)
            plan.add(entry, verdict)
        return plan

    def _recorded(self, note: Note) -> dict[tuple[str, str], set[int]]:
        """Return the indexes that records of this run name already, by layer and class."""
        found: dict[tuple[str, str], set[int]] = {}
        parts = self._parts
        for index, record in parts.journal.read(note.size):
            content = parts.reader.open(index, record).content()
            if content is None or content["kind"] != Kind.RETENTION_EXPIRED or content["run_id"] != note.run_id:
                continue
            if content["indexes"] is not None:
                named = found.setdefault((content["layer"], content["expired_class"]), set())
                named.update(decode_indexes(content["indexes"], content["from_index"]))
        return found

    # -- steps -------------------------------------------------------------------------------------------------------

    async def _close_due_segment(self, now_ms: int) -> None:
        """If something in the segment that is appended to is due, close it: only closed ones can be written anew."""
        if await _in_thread(self._active_is_due, now_ms):
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

    def _active_is_due(self, now_ms: int) -> bool:
        closed = self._parts.journal.closed()
        start = closed[-1].stop if closed else 0
        classes = self._parts.settings.classes
        return any(
            planning.judge(entry_of(label, None), classes, (), now_ms).action is not Action.KEEP
            for label in self._opened(start, self._parts.journal.size)
        )

    def _compact(self, *, paced: bool = False) -> int:
        waiting = [segment for segment in self._parts.journal.closed() if not segment.archived]
        self._parts.progress.segments, self._parts.progress.segments_done = len(waiting), 0
        for segment in waiting:
            self._check_stop()
            packer = self._packer()
            if paced:
                packer.pace = Pace(lambda: self._parts.recorder.recorded).step
            self._parts.journal.rewrite(segment.sequence, packer)
            self._parts.progress.segments_done += 1
        return len(waiting)

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

    def _idle_keys(self, now_ms: int) -> list[bytes]:
        """Return the data keys whose period is over and that seal no body of the journal any more."""
        parts = self._parts
        candidates = {
            fact.key_id
            for tenant in _TENANTS
            for fact in parts.data_keys.facts(tenant)
            if fact.until_ms + _GRACE_MS <= now_ms
        }
        if not candidates:
            return []
        stop = 0
        for segment in parts.journal.closed():
            stop = segment.stop
            if segment.archived:
                candidates -= parts.journal.key_ids(segment.sequence)
            else:
                candidates -= self._keys_of(segment.start, segment.stop)
        return sorted(candidates - self._keys_of(stop, parts.journal.size))

    def _keys_of(self, start: int, stop: int) -> set[bytes]:
        return {
            sealed_body.key_id_of(record.sealed_body)
            for _, record in self._parts.journal.read(start, stop)
            if record.sealed_body
        }

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

    def _lost(self) -> set[int]:
        """Return the bundles of which any statement has expired: a crash may have left some as they were."""
        journal = self._parts.journal
        return {
            label.index // TILE_WIDTH
            for segment in journal.closed()
            if segment.archived
            for label in journal.labels(segment.sequence)
            if not label.statement
        }

    async def _prune(self, run_id: str) -> int:
        """Prune the part of the shard before the first statement that has to stay, where that is asked for.

        The ledger's own records among it stay in the journal; what they excuse and announce lies before the minimum.
        """
        parts = self._parts
        before = parts.bundles.minimum()
        if not parts.settings.prune:
            return before
        first = await _in_thread(self._first_statement)
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

    def _first_statement(self) -> int:
        stop = 0
        for segment in self._parts.journal.closed():
            for label in self._parts.journal.labels(segment.sequence) if segment.archived else ():
                if label.statement and label.retention_class != LEDGER:
                    return label.index
            if not segment.archived:
                return segment.start
            stop = segment.stop
        return stop


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


def describe(plan: Plan) -> dict[str, Any]:
    """Return a plan as the API shows it."""
    counts = plan.counts()
    return {
        "bodies": counts[planning.BODY],
        "statements": counts[planning.STATEMENT],
        "held": counts["held"],
        "expiries": [
            {
                "layer": expiry.layer,
                "retention_class": expiry.retention_class,
                "from_index": expiry.from_index,
                "to_index": expiry.to_index,
                "count": len(expiry.indexes),
                "held": expiry.held,
            }
            for expiry in plan.expiries()
        ],
        "unknown_classes": plan.unknown,
    }


def decode_indexes(text: str, start: int) -> Iterable[int]:
    """Yield the indexes that ``archiving.encode_indexes`` wrote."""
    bits = zlib.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    for place, byte in enumerate(bits):
        for bit in range(8):
            if byte >> bit & 1:
                yield start + place * 8 + bit


async def keep(retention: Retention, settings: Settings) -> None:
    """Archive what closes and run on schedule, until cancelled. A failure is logged and the next turn goes on."""
    since = 0.0
    while True:
        await asyncio.sleep(_TURN_S)
        since += _TURN_S
        try:
            if settings.compact:
                await retention.compact(paced=True)
            if settings.interval_s and since >= settings.interval_s:
                since = 0.0
                done = await retention.run()
                _LOG.info("retention: %s bodies, %s statements went", done["bodies"], done["statements"])
        except SealgateError as error:
            _LOG.warning("retention: %s", error)
        except Exception:  # noqa: BLE001  # what one turn ran into must not end the schedule
            _LOG.exception("retention failed")
