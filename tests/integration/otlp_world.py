"""Real receivers over the real collector, on free ports in a thread; the authority behind it is a list in memory."""

import asyncio
import contextlib
import json
import threading

from sealgate.adapters.preparers import HerePreparer
from sealgate.collector.batching import Outbox
from sealgate.collector.preparing import Enrichment, Preparation
from sealgate.collector.routing import Route, Routing
from sealgate.collector.service import Bounds, Collector
from sealgate.model.batches import BatchRecorded
from sealgate.model.errors import UnavailableError
from sealgate.model.evaluation import Identity, ReceiptReference
from sealgate.server.otlp.http import HttpReceiver, PlainListener
from sealgate.server.otlp.intake import Intake
from sealgate.server.otlp.rpc import GrpcListener, GrpcReceiver
from sealgate.telemetry.bounds import Bounds as OtlpBounds

KEY = "Bearer good-key"
OTHER_KEY = "Bearer key-without-role"
SENDER = Identity(principal="exporter", proof="api_key", agents=frozenset({"*"}), roles=frozenset({"observe"}))


class Keys:
    """Knows two keys, and a certificate where one is named."""

    def __init__(self, certificate=None):
        self._certificate = certificate

    def resolve(self, peer, authorization):
        """Return the caller."""
        if authorization is not None:
            known = {KEY: SENDER, OTHER_KEY: Identity(principal="other", proof="api_key", roles=frozenset({"read"}))}
            return known.get(authorization)
        if peer.certificate is not None and self._certificate == peer.certificate:
            return Identity(principal="by-cert", proof="mutual_tls", agents=SENDER.agents, roles=SENDER.roles)
        return None


class Unchanged:
    """Redacts nothing, so that tests see what the mapper made."""

    def redact(self, item):
        """Return the item."""
        return item


class Memory:
    """An authority that keeps batches in memory, or is away."""

    def __init__(self):
        self.batches = []
        self.away = False

    async def record(self, batches):
        """Keep the batches."""
        if self.away:
            raise UnavailableError("the authority is away", hint="send the batch again")
        self.batches += batches
        receipt = ReceiptReference(state="signed", record_id="r", index=0, statement="")
        return [BatchRecorded(batch.batch_id, "r", receipt) for batch in batches]

    async def ready(self):
        """Tell that it is."""
        return "ok"

    async def close(self):
        """Nothing to close."""

    def items(self):
        """Return all items that were recorded."""
        return [json.loads(text) for batch in self.batches for text in batch.items]


class World:
    """A running collector with both receivers. ``http`` and ``grpc`` are their ports."""

    def __init__(self):
        self.authority = Memory()
        self.http = self.grpc = 0
        self.intake = None
        self.loop = None
        self.collector = None


@contextlib.contextmanager
def running(*, resolver=None, listeners=None, bounds=None, collector_bounds=None, unknown="event"):
    """Run the receivers until the block ends."""
    world, ready, failed = World(), threading.Event(), []

    async def main():
        preparation = Preparation(
            routing=Routing([Route("", "default")]), enrichment=Enrichment("test"), redactor=Unchanged()
        )
        world.collector = Collector(
            preparer=HerePreparer(preparation),
            outboxes={"": Outbox(world.authority, linger_s=0.001)},
            bounds=collector_bounds or Bounds(),
        )
        world.intake = Intake(world.collector, bounds=bounds or OtlpBounds(), unknown=unknown)
        http, grpc = listeners or (PlainListener("127.0.0.1", 0), GrpcListener("127.0.0.1", 0))
        known = resolver or Keys()
        receivers = HttpReceiver(world.intake, known, http), GrpcReceiver(world.intake, known, grpc)
        world.collector.listeners += receivers
        try:
            await world.collector.start()
        except BaseException:
            await world.collector.stop()
            raise
        world.http, world.grpc = (receiver.port for receiver in receivers)
        world.loop, stop = asyncio.get_running_loop(), asyncio.Event()
        world.stop = lambda: world.loop.call_soon_threadsafe(stop.set)
        ready.set()
        await stop.wait()
        await world.collector.stop()

    def run():
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001  # told to the test's own thread
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(60)
    if failed:
        thread.join()
        raise failed[0]
    try:
        yield world
    finally:
        world.stop()
        thread.join(60)
    if failed:
        raise failed[0]
