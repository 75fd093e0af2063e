"""The collector's promises: bounds, one answer after the durable one, shared records for those without an id."""

import asyncio
import json

import pytest

from sealgate.adapters.preparers import HerePreparer, WorkerPreparer
from sealgate.adapters.redaction import PolicyRedactor
from sealgate.collector.batching import Outbox
from sealgate.collector.preparing import Enrichment, Preparation
from sealgate.collector.routing import Route, Routing
from sealgate.collector.service import Bounds, Collector
from sealgate.model.batches import BatchRecorded
from sealgate.model.errors import BusyError, JournalError, UnavailableError
from sealgate.model.evaluation import Identity, ReceiptReference
from sealgate.model.limits import MAX_BATCH_ITEMS

CALLER = Identity("billing", "unix_peer", frozenset({"*"}), frozenset({"enforce"}))


def item(number, source="sdk"):
    """One good item."""
    return {
        "item_id": f"01a1fc46-fe05-7ad7-895d-{number:012x}",
        "kind": "event.logged",
        "time": "2026-11-21T03:00:00.000Z",
        "agent": "a1",
        "coverage": {"sdk": "captured", "otlp": "observed"}[source],
        "source": source,
        "attributes": {"event_type": "x"},
    }


class Memory:
    """An authority in memory: remembers, waits while told to, fails when told to."""

    def __init__(self):
        self.batches = []
        self.requests = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = None

    async def record(self, batches):
        """Take them."""
        self.requests += 1
        await self.gate.wait()
        if self.fails is not None:
            raise self.fails
        self.batches += batches
        return [BatchRecorded(each.batch_id, "r", ReceiptReference("signed", "r", 0, "")) for each in batches]

    async def ready(self):
        """Answer."""
        return "ok"

    async def close(self):
        """Nothing to close."""


def preparation():
    """The smallest."""
    return Preparation(
        routing=Routing([Route("", "default")]), enrichment=Enrichment(), redactor=PolicyRedactor({}, None)
    )


def collector(memory, *, linger_s=0.01, **bounds):
    """A collector before that authority."""
    return Collector(
        preparer=HerePreparer(preparation()),
        outboxes={"": Outbox(memory, linger_s=linger_s)},
        bounds=Bounds(**bounds),
    )


def test_the_answer_comes_after_the_authoritys():
    """Not before: while the authority has not answered there is none; then count, refusals and receipts."""

    async def run():
        memory = Memory()
        memory.gate.clear()
        service = collector(memory)
        taking = asyncio.ensure_future(service.take([item(1), {}, item(2)], CALLER, "sdk", batch_id="b"))
        await asyncio.sleep(0.05)
        assert not taking.done()
        memory.gate.set()
        result = await taking
        assert (result.batch_id, result.accepted, len(result.receipts)) == ("b", 2, 1)
        assert [refused.position for refused in result.rejected] == [1]
        assert memory.batches[0].batch_id.startswith("b:")
        assert service.accepted == {"sdk": 2, "otlp": 0}

    asyncio.run(run())


def test_over_the_bounds_nothing_is_taken():
    """429: by number and by bytes; when what waited is recorded there is room again. A lone large one always passes."""

    async def run():
        memory = Memory()
        memory.gate.clear()
        service = collector(memory, pending_requests=2, pending_bytes=10_000)
        first = asyncio.ensure_future(service.take([item(1)], CALLER, "sdk", batch_id="1", size=20_000))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await service.take([item(2)], CALLER, "sdk", batch_id="2", size=1)
        assert service.busy == 1
        memory.gate.set()
        await first
        memory.gate.clear()
        two = [asyncio.ensure_future(service.take([item(n)], CALLER, "sdk", batch_id=str(n), size=1)) for n in (3, 4)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await service.take([item(5)], CALLER, "sdk", batch_id="5", size=1)
        memory.gate.set()
        await asyncio.gather(*two)
        assert len(memory.batches) == 3
        assert service.metrics()["sealgate_collector_pending_bytes"] == 0

    asyncio.run(run())


def test_an_authority_that_cannot_record_is_an_error_of_the_sender_to_repeat():
    """And the repetition has the same id."""

    async def run():
        memory = Memory()
        memory.fails = JournalError("the disk is full")
        service = collector(memory)
        for _ in range(2):
            with pytest.raises(UnavailableError):
                await service.take([item(1)], CALLER, "sdk", batch_id="b")
        memory.fails = None
        await service.take([item(1)], CALLER, "sdk", batch_id="b")
        await service.take([item(2)], CALLER, "sdk", batch_id="b")
        first, second = memory.batches
        assert first.batch_id != second.batch_id  # other items: nothing is swallowed

    asyncio.run(run())


def test_what_gathers_goes_together():
    """While one request is under way the next gathers; batches with ids stay records of their own."""

    async def run():
        memory = Memory()
        memory.gate.clear()
        service = collector(memory)
        many = [asyncio.ensure_future(service.take([item(n)], CALLER, "sdk", batch_id=f"b{n}")) for n in range(50)]
        await asyncio.sleep(0.02)
        memory.gate.set()
        await asyncio.gather(*many)
        assert len(memory.batches) == 50
        assert memory.requests <= 4

    asyncio.run(run())


def test_items_without_a_batch_id_share_a_record():
    """Of one sender, within the linger time, up to what a record holds; another sender's are apart."""

    async def run():
        memory = Memory()
        service = collector(memory, linger_s=0.05)
        other = Identity("other", "unix_peer", frozenset({"*"}), frozenset({"enforce"}))
        takes = [service.take([item(n, "otlp")], CALLER, "otlp") for n in range(40)]
        results = await asyncio.gather(*takes, service.take([item(99, "otlp")], other, "otlp"))
        assert sorted(len(batch.items) for batch in memory.batches) == [1, 40]
        assert {batch.coverage for batch in memory.batches} == {"observed"}
        assert all(len(result.receipts) == 1 for result in results)
        await service.take([item(n, "otlp") for n in range(1300)], CALLER, "otlp")
        assert max(len(batch.items) for batch in memory.batches) <= MAX_BATCH_ITEMS
        assert sum(len(batch.items) for batch in memory.batches) == 41 + 1300

    asyncio.run(run())


def test_stopping_answers_what_is_under_way_and_takes_nothing_new():
    """What lingers is sent, its sender gets its answer."""

    async def run():
        memory = Memory()
        service = collector(memory, linger_s=60)
        await service.start()
        taking = asyncio.ensure_future(service.take([item(1, "otlp")], CALLER, "otlp"))
        await asyncio.sleep(0.05)
        assert not taking.done()
        await service.stop()
        assert (await taking).accepted == 1
        with pytest.raises(UnavailableError):
            await service.take([item(2)], CALLER, "sdk", batch_id="b")

    asyncio.run(run())


def test_a_worker_that_dies_is_replaced():
    """Its batch is an error to repeat; the next is prepared by a new process, and alike."""

    async def run():
        workers = WorkerPreparer(preparation(), 1)
        body = json.dumps({"batch_id": "b", "items": [item(1)]}).encode()
        try:
            _, ready, count = await workers.split(body, CALLER.agents, "sdk")
            assert (len(ready.groups[0].items), count) == (1, 1)
            for process in list(workers._pool._processes.values()):
                process.kill()
                process.join()
            with pytest.raises(UnavailableError):
                await workers.split(body, CALLER.agents, "sdk")
            again = await workers.prepare([item(1)], CALLER.agents, "sdk")
            assert again.groups[0].items == ready.groups[0].items
        finally:
            workers.close()

    asyncio.run(run())
