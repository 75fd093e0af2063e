"""The authority as the server sees it: its parts put together, its life from start to stop.

At a start: snapshot and journal are replayed into memory, the current policy set is loaded and checked against its
digest, what expired meanwhile is recorded, then the publisher follows. A housekeeping task sweeps expired permits,
heals the journal and saves snapshots. At a stop: new decisions meet silence, what is queued becomes durable, the log
takes a last step.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sealgate.authority import answers, configuration, key_rotation, replay
from sealgate.authority.administration import Administration
from sealgate.authority.approval_callbacks import Callbacks
from sealgate.authority.approval_requests import Requests
from sealgate.authority.approval_requests import Settings as ApprovalSettings
from sealgate.authority.approvals import Approvals, Notify
from sealgate.authority.batches import Batches
from sealgate.authority.capture import Capture
from sealgate.authority.credential_sources import Source
from sealgate.authority.credentials import Broker
from sealgate.authority.delegations import Delegations, Unproven
from sealgate.authority.erasure import Erasures
from sealgate.authority.execution import Execution
from sealgate.authority.gate import Gate, Times
from sealgate.authority.holds import Holds
from sealgate.authority.key_rotation import Rotations
from sealgate.authority.observations import Observations
from sealgate.authority.permits import OpenDecision, PermitMac
from sealgate.authority.publisher import Publisher
from sealgate.authority.reader import Reader
from sealgate.authority.receipts import Receipts
from sealgate.authority.recorder import Recorder
from sealgate.authority.retention import Bundles, RetainedJournal, Retention, keep
from sealgate.authority.retention import Parts as RetentionParts
from sealgate.authority.retention import Settings as RetentionSettings
from sealgate.authority.roles import Roles
from sealgate.authority.rulebook import Rulebook
from sealgate.authority.state import Memory
from sealgate.authority.supply import SupplyChain
from sealgate.authority.tasks import TaskListener, Tasks
from sealgate.encoding import sealed_body
from sealgate.model.credentials import Cause
from sealgate.model.errors import AlteredError, SealgateError, UnavailableError
from sealgate.model.evaluation import Identity, Recorded
from sealgate.model.records import Kind
from sealgate.ports.datakeys import DataKeys
from sealgate.ports.judging import Judges
from sealgate.privacy import FieldPolicy, RedactionKeys, redact_item

_LOG = logging.getLogger(__name__)
_SWEEP_S: Final = 0.2
_SNAPSHOT_S: Final = 10.0
_SNAPSHOT_SHARE: Final = 200
"""A snapshot that holds up the loop for some time is followed by so many times this time without another."""

_HEAL_S: Final = 1.0
_FIELD_POLICY: Final = FieldPolicy.from_mapping({})


class Storage(Protocol):
    """The authority's small files. Every write is durable and atomic on return."""

    def load_policy(self, version: str) -> bytes | None:
        """Return the stored policy set with this version, or None."""

    def store_policy(self, version: str, bundle: bytes) -> None:
        """Keep a policy set under its version; storing the same again is no error."""

    def load_snapshot(self) -> bytes | None:
        """Return the last snapshot, or None."""

    def store_snapshot(self, sealed: bytes) -> None:
        """Replace the snapshot."""

    def load_run(self) -> bytes | None:
        """Return the note of a retention run under way, or None."""

    def store_run(self, note: bytes | None) -> None:
        """Replace that note, or remove it."""

    def public_file(self, name: str) -> bytes | None:
        """Return a file of the public log directory, or None."""

    def load_erasures(self) -> list[bytes]:
        """Return all stored states of erasures, in no order."""

    def store_erasure(self, erasure_id: str, state: bytes) -> None:
        """Replace the state of an erasure."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an authority is put together from; chosen in one place, the composition root."""

    memory: Memory
    journal: RetainedJournal
    data_keys: DataKeys
    recorder: Recorder
    reader: Reader
    permits: PermitMac
    receipts: Receipts
    publisher: Publisher
    storage: Storage
    times: Times
    genesis: dict[str, Any]
    rotations: Rotations
    judges: Judges | None
    close: Callable[[], None]
    second_person: bool = False
    """Whether a policy set needs another person's approval before it is in force."""

    settings: Mapping[str, str] = field(default_factory=dict)
    """The configuration in force without secrets, by name; a change of it is a record."""
    backup_days: int = 30
    retention: RetentionSettings | None = None
    bundles: Bundles | None = None
    unproven: Unproven = "judge"
    """What becomes of `on_behalf_of` that no delegation proves."""
    approvals: ApprovalSettings = field(default_factory=lambda: ApprovalSettings({}))
    redact: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    """Applies the field policy to what approvers see; None: the smallest one."""
    notify: Notify | None = None
    callback_key: bytes | None = None
    callback_approvers: frozenset[str] = frozenset()
    credentials: tuple[Source, ...] = ()
    token_keys: Mapping[str, Any] = field(default_factory=lambda: {"keys": []})
    """The public half of the key that signs tokens, as a JSON Web Key Set."""


class Authority:
    """Implements what the server asks for. One event loop owns it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tasks = Tasks(memory=parts.memory, recorder=parts.recorder, release=self._release)
        self._delegations = Delegations(memory=parts.memory, recorder=parts.recorder, unproven=parts.unproven)
        self.broker = Broker(
            memory=parts.memory,
            recorder=parts.recorder,
            permits=parts.permits,
            sources=parts.credentials,
            lapsed=self._lapsed,
        )
        self._administration = Administration(
            memory=parts.memory,
            recorder=parts.recorder,
            storage=parts.storage,
            judges=parts.judges,
            second_person=parts.second_person,
            paused=self.broker.revoke_agent,
        )
        self.approvals = _approvals(parts)
        self._tasks.listeners += [self.broker, self.approvals]
        self._delegations.revoked = self.broker.revoke_lapsed
        self._gate = Gate(
            memory=parts.memory,
            recorder=parts.recorder,
            reader=parts.reader,
            permits=parts.permits,
            times=parts.times,
            rulebook=lambda: self._administration.rulebook,
            judges=parts.judges,
            tasks=self._tasks,
            delegations=self._delegations,
            approvals=self.approvals,
        )
        self._execution = Execution(
            memory=parts.memory,
            recorder=parts.recorder,
            reader=parts.reader,
            permits=parts.permits,
            times=parts.times,
            rulebook=lambda: self._administration.rulebook,
            tasks=self._tasks,
            delegations=self._delegations,
            ended=self.broker.decision_ended,
        )
        self._holds = Holds(memory=parts.memory, recorder=parts.recorder)
        self.retention = _retention(parts)
        self._keeper: asyncio.Task[None] | None = None
        self._erasures = Erasures(
            recorder=parts.recorder,
            data_keys=parts.data_keys,
            journal=parts.journal,
            files=parts.storage,
            holds=self._holds,
            backup_days=parts.backup_days,
        )
        self._housekeeping: asyncio.Task[None] | None = None
        self._started = False
        # The hot paths are bound once: each saves a call per request.
        self.evaluate = self._gate.evaluate
        self.redeem = self._execution.redeem
        self.report_outcome = self._execution.report_outcome
        self.capture = Capture(memory=parts.memory, recorder=parts.recorder, reader=parts.reader).capture
        self.observe = Observations(memory=parts.memory, recorder=parts.recorder).observe
        self._batches = Batches(memory=parts.memory, recorder=parts.recorder, reader=parts.reader)
        self.record_batches = self._batches.record
        self.receipt = parts.receipts.receipt
        self.transparent_statement = parts.receipts.transparent_statement
        self.pause = self._administration.pause
        self.resume = self._administration.resume
        self.agents = self._administration.agents
        self.publish_policy = self._administration.publish
        self.approve_policy = self._administration.approve
        self.pending_policy = self._administration.pending
        roles = Roles(memory=parts.memory, recorder=parts.recorder)
        self.grants, self.grant_role, self.revoke_role = roles.all, roles.grant, roles.revoke
        self.start_task, self.end_task, self.tasks = self._tasks.start, self._tasks.end, self._tasks.all
        self.grant_delegation, self.revoke_delegation = self._delegations.grant, self._delegations.revoke
        self.delegations = self._delegations.all
        self.public_file = parts.storage.public_file
        self.erase = self._erasures.erase
        self.erasures = self._erasures.status
        self.place_hold = self._holds.place
        self.release_hold = self._holds.release
        self.confirm_hold = self._holds.confirm
        self.holds = self._holds.describe
        self.issue_credential, self.credentials = self.broker.issue, self.broker.views.all
        self.revoke_credential, self.revoked_tokens = self.broker.revoke, self.broker.views.revoked_tokens
        supply = SupplyChain(supply=parts.memory.supply, recorder=parts.recorder, acknowledged=parts.memory.contains)
        self.verify_package, self.install_package, self.score_trust = supply.verify, supply.install, supply.score
        self.packages, self.trust_scores = supply.packages, supply.scores

    async def start(self) -> None:
        """Rebuild the memory, load the policy set, record what expired meanwhile, begin to publish.

        Raises:
            AlteredError: the journal or the stored policy set is not what was recorded; nothing is started.
        """
        parts = self._parts
        limits = self._load_snapshot()
        replay.replay(parts.memory, parts.journal, parts.reader, _tell_progress)
        parts.recorder.time.last_ms = max(parts.recorder.time.last_ms, parts.memory.last_ms)
        newest = _newest_id(parts.reader)
        if newest is not None:
            parts.recorder.resume_after(newest)
        if parts.journal.size == 0:
            await self._found()
        await key_rotation.record_secrets(parts.recorder, parts.rotations)
        await configuration.record_change(parts.recorder, parts.memory, parts.settings)
        self._load_policy(limits)
        self._tasks.resume()
        self._erasures.load()
        await self._finish_erasures()
        self.broker.start()
        self._started = True
        self.approvals.notify_open()
        parts.publisher.start()
        self._housekeeping = asyncio.create_task(self._keep_house(), name="housekeeping")
        if self.retention is not None and parts.retention is not None:
            self._keeper = asyncio.create_task(keep(self.retention, parts.retention), name="retention")

    async def _found(self) -> None:
        """Write the first record: the log's keys, endorsed by the root key at ``sealgate init``.

        If we die before it is durable, the journal is still empty and the next start writes it.
        """
        await key_rotation.record_event(self._parts.recorder, self._parts.genesis)

    def when_task_ends(self, listener: TaskListener) -> None:
        """Have ``listener`` take back what it issued for each task that ends."""
        self._tasks.listeners.append(listener)

    def _lapsed(self, decision: OpenDecision, now_ms: int) -> Cause | None:
        """Say why a permit serves nothing any more although its own time is not over."""
        if self._tasks.over(decision.task_id, now_ms):
            return "task_ended"
        return "delegation_ended" if self._delegations.lapsed(decision, now_ms) else None

    def _release(self, record_id: str) -> None:
        """Give back what a decision reserved: its permit was taken back unused."""
        rulebook = self._administration.rulebook
        if rulebook is not None:
            rulebook.release(record_id)

    def halt(self, reason: str) -> None:
        """Answer SILENCE from now on: the log has forked. May be called from any thread."""
        self._gate.halted = reason

    def _load_snapshot(self) -> dict[str, Any] | None:
        sealed = self._parts.storage.load_snapshot()
        if sealed is None:
            return None
        with contextlib.suppress(SealgateError):
            key = self._parts.data_keys.find(sealed_body.key_id_of(sealed))
            if key is not None:
                place = self._parts.recorder.place
                return replay.load(self._parts.memory, sealed, key.cipher, place.origin, self._parts.journal.size)
        return None

    def _load_policy(self, limits: dict[str, Any] | None) -> None:
        version = self._parts.memory.policy_version
        if version is None:
            _LOG.warning("no policy set is published: every decision will be SILENCE (no_policy)")
            return
        bundle = self._parts.storage.load_policy(version)
        if bundle is None:
            raise AlteredError(f"policy set `{version}` is missing", hint="restore it from where it was published")
        rulebook = Rulebook.load(bundle)
        if rulebook.version != version:
            raise AlteredError(f"policy set `{version}` was changed on disk", hint="restore the published files")
        if limits:  # a snapshot from before the first policy set has none; the journal has all charges since
            rulebook.load_limits(limits)
        for usage in self._parts.memory.usage:
            if usage.charges is None:
                rulebook.release(usage.record_id)
            else:
                rulebook.recharge(usage.record_id, usage.charges, usage.at_ms)
        self._parts.memory.usage.clear()
        self._administration.enforce(rulebook)

    async def rotate_key(self, caller: Identity) -> Recorded:
        """Begin to sign with a new statement or receipt key; the change is a record first.

        Raises:
            UnavailableError: the key store refused, or the change could not be recorded; the old key stays.
        """
        use = {"receipt": self._parts.receipts.use_signer}
        receipt = await key_rotation.rotate(self._parts.recorder, self._parts.rotations, caller, use)
        self._parts.memory.cursor = max(self._parts.memory.cursor, receipt.index + 1)
        return Recorded(receipt.record_id, answers.reference(receipt))

    def token_keys(self) -> Mapping[str, Any]:
        """Return the keys that our tokens are verified with, as a JSON Web Key Set."""
        return self._parts.token_keys

    def current_policy(self) -> dict[str, Any] | None:
        """Return version and size of the policy set in force, or None."""
        rulebook = self._administration.rulebook
        return rulebook.describe() if rulebook else None

    async def plan_retention(self) -> dict[str, Any]:
        """Return what a retention run would delete now."""
        return await self._require_retention().plan()

    async def compact_journal(self, caller: Identity) -> dict[str, Any]:
        """Archive the journal up to now; nothing expires."""
        del caller  # its role was checked; nothing is lost by it
        return {"segments": await self._require_retention().compact(roll=True)}

    async def run_retention(self, caller: Identity) -> dict[str, Any]:
        """Delete what is due. Raises as ``Retention.run``."""
        del caller  # its role was checked; what is due is not the caller's choice
        return await self._require_retention().run()

    def _require_retention(self) -> Retention:
        if self.retention is None:
            raise UnavailableError("retention is not set up here", hint="`sealgate serve` sets it up")
        return self.retention

    def readiness(self) -> dict[str, Any]:
        """Return whether decisions can be made now, and what is wrong where they cannot."""
        parts = self._parts
        clock = "ok"
        try:
            parts.recorder.time.now_ms()
        except UnavailableError as error:
            clock = error.message
        checks = {
            "started": "ok" if self._started else "replaying the journal",
            "journal": parts.journal.failure or "ok",
            "clock": clock,
            "policy": "ok" if self._administration.rulebook else "no policy set is published",
            "ledger": self._gate.halted or parts.publisher.failure or "ok",
            "credentials": self.broker.views.problem() or "ok",
            "stopping": "yes" if self._gate.stopping else "ok",
        }
        needed = ("started", "journal", "clock", "policy", "stopping")
        ready = all(checks[name] == "ok" for name in needed) and self._gate.halted is None
        return {"ready": ready, "checks": checks}

    def metrics(self) -> Mapping[str, float]:
        """Return counters and gauges by Prometheus name."""
        parts = self._parts
        decisions = {
            f"sealgate_decisions_{outcome.lower()}_total": float(count) for outcome, count in self._gate.counts.items()
        }
        executions = {f"sealgate_permits_{name}_total": float(n) for name, n in self._execution.counts.items()}
        return {
            **decisions,
            **executions,
            "sealgate_batches_total": float(self._batches.batches),
            "sealgate_items_total": float(self._batches.items),
            "sealgate_records_total": float(parts.recorder.recorded),
            "sealgate_journal_size": float(parts.journal.size),
            "sealgate_journal_syncs_total": float(parts.journal.syncs),
            "sealgate_open_decisions": float(len(parts.memory.decisions)),
            "sealgate_remembered_requests": float(len(parts.memory.remembered)),
            "sealgate_judgements_remembered_total": float(self._gate.remembered),
            "sealgate_missed_now": float(parts.recorder.missed.count if parts.recorder.missed else 0),
            "sealgate_checkpoints_total": float(parts.publisher.steps),
            "sealgate_tasks_open": float(len(parts.memory.tasks)),
            "sealgate_delegations": float(len(parts.memory.delegations)),
            "sealgate_tasks_kept": float(len(parts.memory.sessions)),
            "sealgate_agents_paused": float(len(parts.memory.paused)),
            "sealgate_erasures_executed_total": float(self._erasures.executed),
            **self.approvals.metrics(),
            **self.broker.views.metrics(),
        }

    async def stop(self) -> None:
        """Refuse what is new, make what was accepted durable, publish it, let go of the data directory."""
        self._gate.stopping = True
        self.approvals.wake_all()
        if self.retention is not None:
            await self.retention.stop()
        for task in (self._housekeeping, self._keeper):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        await self.broker.stop()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._parts.publisher.stop)
        if self._started:
            await loop.run_in_executor(None, self._store_last_snapshot)
        await loop.run_in_executor(None, self._parts.journal.close)
        self._batches.close()
        if self._parts.judges is not None:
            self._parts.judges.close()
        self._parts.close()

    async def _keep_house(self) -> None:
        """Sweep often, heal and save snapshots now and then; an error here is logged and never ends the task."""
        loop = asyncio.get_running_loop()
        next_heal = next_snapshot = loop.time()
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = loop.time()
            try:
                if now >= next_heal:
                    next_heal = now + _HEAL_S
                    await self._heal()
                while await self._execution.sweep():
                    pass
                await self._tasks.sweep()
                while await self.approvals.sweep():
                    pass
                self.broker.sweep()
                if now >= next_snapshot:
                    began = loop.time()
                    store = self._snapshot()
                    next_snapshot = now + max(_SNAPSHOT_S, (loop.time() - began) * _SNAPSHOT_SHARE)
                    # In a thread: a slow disk must not hold up the loop that keeps the deadlines.
                    await loop.run_in_executor(None, store)
            except SealgateError as error:
                _LOG.warning("housekeeping: %s", error)
            except Exception:  # noqa: BLE001  # permits must go on expiring whatever one turn ran into
                _LOG.exception("housekeeping failed")

    async def _finish_erasures(self) -> None:
        """Finish what a crash interrupted; what cannot be done now is tried again with the next healing."""
        try:
            await self._erasures.resume()
        except UnavailableError as error:
            _LOG.error("an erasure cannot be finished now: %s", error)  # the reason says it all

    async def _heal(self) -> None:
        await self._finish_erasures()
        recorder = self._parts.recorder
        if recorder.failure is None and recorder.missed is None:
            return
        try:
            recorded = recorder.heal()
        except UnavailableError as error:
            _LOG.error("decisions are SILENCE: %s", error)  # the reason says it all; no trace each second
            return
        if recorded is not None:
            receipt = await recorded
            _LOG.warning("recording again; the gap is record %d", receipt.index)

    def _store_last_snapshot(self) -> None:
        try:
            self._snapshot()()
        except SealgateError as error:  # it only makes the next start longer
            _LOG.warning("no snapshot: %s", error)

    def _snapshot(self) -> Callable[[], None]:
        """Take a snapshot of the memory now; return what seals and stores it."""
        parts = self._parts
        place = parts.recorder.place
        key = parts.data_keys.current("authority/snapshot", parts.recorder.time.last_ms)
        rulebook = self._administration.rulebook
        limits = rulebook.dump_limits() if rulebook else {}
        nonce = os.urandom(sealed_body.NONCE_BYTES)
        snapshot = replay.save(parts.memory, limits)
        return lambda: parts.storage.store_snapshot(replay.seal(snapshot, key.cipher, key.key_id, nonce, place.origin))


def _approvals(parts: Parts) -> Approvals:
    recorder = parts.recorder
    requests = Requests(
        book=parts.memory.approvals,
        permits=parts.permits,
        settings=parts.approvals,
        redact=parts.redact or _smallest_policy,
        time_text=recorder.time.text,
        new_draft=lambda: recorder.draft(Kind.APPROVAL_REQUESTED),
    )
    approvals = Approvals(
        memory=parts.memory, recorder=recorder, requests=requests, settings=parts.approvals, notify=parts.notify
    )
    callbacks = Callbacks(
        approvals, parts.callback_key, parts.callback_approvers, lambda: recorder.time.now_ms() // 1000
    )
    approvals.answer_callback = callbacks.answer
    return approvals


def _smallest_policy(item: dict[str, Any]) -> dict[str, Any]:
    return redact_item(item, _FIELD_POLICY, RedactionKeys(None)).item


def _retention(parts: Parts) -> Retention | None:
    if parts.retention is None or parts.bundles is None:
        return None
    return Retention(
        RetentionParts(
            memory=parts.memory,
            journal=parts.journal,
            reader=parts.reader,
            recorder=parts.recorder,
            data_keys=parts.data_keys,
            bundles=parts.bundles,
            notes=parts.storage,
            settings=parts.retention,
            entropy=os.urandom,
        )
    )


def _newest_id(reader: Reader) -> str | None:
    for index in range(reader.size - 1, max(-1, reader.size - 1000), -1):
        record_id = reader.read(index).record_id()
        if record_id is not None:
            return record_id
    return None


def _tell_progress(done: int, total: int) -> None:
    if done:
        _LOG.info("replaying the journal: %d of %d records", done, total)
