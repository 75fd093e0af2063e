"""The authority as the server sees it: its parts put together, its life from start to stop.

At a start: snapshot and journal are replayed into memory, the current policy set is loaded and checked against its
digest, what expired meanwhile is recorded, then the publisher follows. A housekeeping task sweeps expired permits,
heals the journal and saves snapshots. At a stop: new decisions meet silence, what is queued becomes durable, the log
takes a last step.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from sealgate.authority import answers, configuration, key_rotation, replay, resumption, snapshots, status
from sealgate.authority.administration import Administration
from sealgate.authority.batches import Batches
from sealgate.authority.capture import Capture
from sealgate.authority.credentials import Broker
from sealgate.authority.delegations import Delegations
from sealgate.authority.erasure import Erasures
from sealgate.authority.execution import Execution
from sealgate.authority.gate import Gate
from sealgate.authority.holds import Holds
from sealgate.authority.housekeeping import Housekeeping
from sealgate.authority.observations import Observations
from sealgate.authority.parts import Parts, approvals_of, retention_of
from sealgate.authority.permits import OpenDecision
from sealgate.authority.retention import Retention
from sealgate.authority.retention_schedule import keep
from sealgate.authority.roles import Roles
from sealgate.authority.supply import SupplyChain
from sealgate.authority.tasks import TaskListener, Tasks
from sealgate.model.credentials import Cause
from sealgate.model.errors import UnavailableError
from sealgate.model.evaluation import Identity, Recorded

_LOG = logging.getLogger(__name__)


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
        self.approvals = approvals_of(parts)
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
        self.retention = retention_of(parts)
        self._keeper: asyncio.Task[None] | None = None
        self._erasures = Erasures(
            recorder=parts.recorder,
            data_keys=parts.data_keys,
            journal=parts.journal,
            files=parts.storage,
            holds=self._holds,
            backup_days=parts.backup_days,
        )
        self._snapshots = snapshots.Snapshots(parts, lambda: self._administration.rulebook)
        self._house = Housekeeping(
            recorder=parts.recorder,
            execution=self._execution,
            tasks=self._tasks,
            approvals=self.approvals,
            broker=self.broker,
            erasures=self._erasures,
            snapshots=self._snapshots,
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
        limits = snapshots.load(parts)
        replay.replay(parts.memory, parts.journal, parts.reader, resumption.tell_progress)
        parts.recorder.time.last_ms = max(parts.recorder.time.last_ms, parts.memory.last_ms)
        newest = resumption.newest_id(parts.reader)
        if newest is not None:
            parts.recorder.resume_after(newest)
        if parts.journal.size == 0:
            await self._found()
        await key_rotation.record_secrets(parts.recorder, parts.rotations)
        await configuration.record_change(parts.recorder, parts.memory, parts.settings)
        rulebook = resumption.policy_set(parts, limits)
        if rulebook is not None:
            self._administration.enforce(rulebook)
        self._tasks.resume()
        self._erasures.load()
        await self._house.finish_erasures()
        self.broker.start()
        self._started = True
        self.approvals.notify_open()
        parts.publisher.start()
        self._housekeeping = asyncio.create_task(self._house.run(), name="housekeeping")
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
        rulebook = self._administration.rulebook
        return status.readiness(self._parts, self._gate, self.broker, rulebook, started=self._started)

    def metrics(self) -> Mapping[str, float]:
        """Return counters and gauges by Prometheus name."""
        return status.metrics(
            self._parts,
            gate=self._gate,
            execution=self._execution,
            batches=self._batches,
            erasures=self._erasures,
            approvals=self.approvals,
            broker=self.broker,
        )

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
        self._parts.recorder.close()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._parts.publisher.stop)
        if self._started:
            await self._snapshots.finish()
        await loop.run_in_executor(None, self._parts.journal.close)
        self._batches.close()
        if self._parts.judges is not None:
            self._parts.judges.close()
        self._parts.close()
