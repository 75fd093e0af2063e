"""The collector's service: one entry for every way in, bounds, and the acknowledgement after the durable answer.

``take`` is what the native endpoint and the OTLP receivers call. It returns when the authority has every kept item on
stable storage, and raises when that cannot be said: then the sender sends the same again.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from sealgate.collector.batching import Outbox
from sealgate.collector.preparing import COVERAGE, Ready, Rejected, Source
from sealgate.model.batches import BatchRecorded
from sealgate.model.errors import BusyError, SealgateError, UnavailableError
from sealgate.model.evaluation import Identity, ReceiptReference
from sealgate.model.identifiers import require_name

_LOG = logging.getLogger(__name__)
_PROBE_S: Final = 2.0
Items = Sequence[dict[str, Any] | bytes]


class BatchResult(msgspec.Struct, frozen=True):
    """What became of a batch: how many items are durable, which were refused and why, the receipts of its records."""

    batch_id: str | None
    accepted: int
    rejected: list[Rejected]
    receipts: list[ReceiptReference]


class Preparer(Protocol):
    """Makes items ready, here or in worker processes."""

    async def prepare(self, items: Items, agents: frozenset[str], source: Source) -> Ready:
        """Do what ``Preparation.prepare`` does."""

    async def split(self, body: bytes, agents: frozenset[str], source: Source) -> tuple[str | None, Ready, int]:
        """Split a native batch and prepare it; also tell how many items it had."""

    def close(self) -> None:
        """End worker processes."""


class Listener(Protocol):
    """A way in beside HTTP (gRPC, for one), started and stopped with the collector."""

    async def start(self) -> None:
        """Begin to take items and call ``Collector.take`` for them."""

    async def stop(self) -> None:
        """Take nothing new and answer what is under way."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Beyond these a sender is told to come back: bytes and requests that wait for their record."""

    pending_bytes: int = 64 << 20
    pending_requests: int = 512


class Collector:
    """One event loop owns it."""

    def __init__(self, *, preparer: Preparer, outboxes: Mapping[str, Outbox], bounds: Bounds) -> None:
        self._preparer = preparer
        self._outboxes = dict(outboxes)
        self._bounds = bounds
        self.listeners: list[Listener] = []
        """Further ways in. The composition root adds them before the start."""
        self._pending_bytes = 0
        self._pending_requests = 0
        self._stopping = False
        self._states = dict.fromkeys(self._outboxes, "not asked yet")
        self._probe: asyncio.Task[None] | None = None
        self.accepted: dict[str, int] = {"sdk": 0, "otlp": 0}
        self.rejected: dict[str, int] = {}
        self.busy = 0

    async def take(
        self, items: Items, caller: Identity, source: Source, *, batch_id: str | None = None, size: int | None = None
    ) -> BatchResult:
        """Take items; return once those that are kept are on stable storage.

        Args:
            items: objects, or their JSON as bytes; each is judged by itself.
            caller: the proven sender; it must speak for the agent of each item.
            source: the way they came; it fixes what coverage they may claim.
            batch_id: counts once for this sender, however often it is sent; None: the sender gives no id.
            size: bytes of the request, for the bounds; by default a rough figure.

        Raises:
            BusyError: too much waits; nothing was taken.
            UnavailableError: it cannot be told whether all is recorded; send the same batch again.
        """
        size = 1024 * len(items) if size is None else size
        self._enter(size)
        try:
            ready = await self._preparer.prepare(items, caller.agents, source)
            return await self._record(ready, len(items), caller, source, batch_id)
        finally:
            self._leave(size)

    async def take_batch(self, body: bytes, caller: Identity) -> BatchResult:
        """Take a native batch as it came, ``{"batch_id", "items": [...]}``; otherwise as ``take``.

        Raises:
            InputError: it is no batch.
        """
        self._enter(len(body))
        try:
            batch_id, ready, count = await self._preparer.split(body, caller.agents, "sdk")
            if batch_id is not None:
                require_name(batch_id[:200], "batch id")
            return await self._record(ready, count, caller, "sdk", batch_id)
        finally:
            self._leave(len(body))

    def _enter(self, size: int) -> None:
        if self._stopping:
            raise UnavailableError("the collector is stopping", hint="send the same batch again shortly")
        pending = self._pending_bytes + size
        if self._pending_requests >= self._bounds.pending_requests or (
            self._pending_requests and pending > self._bounds.pending_bytes
        ):
            self.busy += 1
            raise BusyError("too much waits for its record", hint="send the same batch again, more slowly")
        self._pending_bytes = pending
        self._pending_requests += 1

    def _leave(self, size: int) -> None:
        self._pending_bytes -= size
        self._pending_requests -= 1

    async def _record(
        self, ready: Ready, count: int, caller: Identity, source: Source, batch_id: str | None
    ) -> BatchResult:
        waiting: list[asyncio.Future[BatchRecorded]] = []
        coverage = COVERAGE[source]
        for group in ready.groups:
            outbox = self._outboxes[group.authority]
            if batch_id is None:
                waiting.append(outbox.share(group, caller, source, coverage))
            else:
                waiting.append(outbox.send(group, caller, coverage, f"{batch_id}:{group.digest()}"))
        done = await asyncio.gather(*(asyncio.shield(each) for each in waiting), return_exceptions=True)
        receipts = []
        for result in done:
            if isinstance(result, BaseException):
                raise result
            receipts.append(result.receipt)
        for refused in ready.rejected:
            self.rejected[refused.code] = self.rejected.get(refused.code, 0) + 1
        accepted = count - len(ready.rejected)
        self.accepted[source] += accepted
        return BatchResult(batch_id, accepted, ready.rejected, receipts)

    def readiness(self) -> dict[str, Any]:
        """Return whether items can be recorded now, and what is wrong where they cannot."""
        checks = {f"authority {name}".strip(): state for name, state in self._states.items()}
        checks["stopping"] = "yes" if self._stopping else "ok"
        return {"ready": all(state == "ok" for state in checks.values()), "checks": checks}

    def metrics(self) -> Mapping[str, float]:
        """Return counters and gauges by Prometheus name."""
        return {
            **{f"sealgate_collector_accepted_{source}_total": float(n) for source, n in self.accepted.items()},
            "sealgate_collector_rejected_total": float(sum(self.rejected.values())),
            "sealgate_collector_busy_total": float(self.busy),
            "sealgate_collector_pending_bytes": float(self._pending_bytes),
            "sealgate_collector_pending_requests": float(self._pending_requests),
            "sealgate_collector_requests_total": float(sum(box.requests for box in self._outboxes.values())),
            "sealgate_collector_failures_total": float(sum(box.failures for box in self._outboxes.values())),
        }

    async def start(self) -> None:
        """Begin to watch the authorities and to listen. An authority that is away is no reason to stay down."""
        for listener in self.listeners:
            await listener.start()
        self._probe = asyncio.create_task(self._watch(), name="watch authorities")

    async def _watch(self) -> None:
        while True:
            for name, box in self._outboxes.items():
                try:
                    state = await box.destination.ready()
                except SealgateError as error:
                    state = error.message
                if state != self._states[name]:
                    level = logging.INFO if state == "ok" else logging.WARNING
                    _LOG.log(level, "authority %s: %s", name or "of this site", state)
                self._states[name] = state
            await asyncio.sleep(_PROBE_S)

    async def stop(self) -> None:
        """Take nothing new; give every answer that is under way."""
        self._stopping = True
        for listener in self.listeners:
            await listener.stop()
        if self._probe is not None:
            self._probe.cancel()
        for box in self._outboxes.values():
            await box.close()
        self._preparer.close()
