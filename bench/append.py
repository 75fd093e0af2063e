"""Bar 3, first half: the cost of appending to the log does not grow with the log.

Real journal, real ledger, real files, every group and every checkpoint synced. On logs of each power of ten, batches of
500 records are appended, published and timed: ``journal_us`` a record until it is durable, ``publish_us`` a record
until it is under the published checkpoint, and one inclusion proof. The statements are signed once and used again:
making them is the gate's cost, not the log's. Processor time is told apart from wall time: a shared disk varies.
"""

import itertools
import os
import shutil
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.harness import Options, Result
from bench.ledger_world import Producer, World, make, open_world
from bench.syncs import watched
from sealgate.ports.journal import JournalRecord

BATCH: Final = 500
BATCHES: Final = 30
MAX_GROWTH: Final = 1.5
"""Flat: the dearest decade's processor time a record at most so many times the cheapest's.

The least over the batches is compared: what the work costs, not what the machine did besides."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Over the batches measured at one size: medians, the least processor time, the quickest proof."""

    journal_us: float
    publish_us: float
    cpu_us: float
    least_cpu_us: float
    proof_ms: float


def run(options: Options) -> Result:
    """Grow logs to 10^4, 10^5 and 10^6 (``--full``: 10^7), then time batches on all of them in turn.

    In turn, because other work on the machine then troubles all sizes alike. Growing stops after one and a half times
    ``--seconds``; the figures then name the size that was reached.
    """
    root = Path(tempfile.mkdtemp(prefix="sealgate-append-", dir=os.environ.get("SEALGATE_BENCH_DIR")))
    producer = Producer()
    records = [JournalRecord(producer.record(n).statement, bytes(64)) for n in range(BATCH)]
    stop_at = None if options.full else time.perf_counter() + 1.5 * options.seconds
    worlds: dict[int, World] = {}
    try:
        for decade in (4, 5, 6, 7) if options.full else (4, 5, 6):
            directory = root / str(decade)
            make(directory)
            world = open_world(directory)
            _fill(world, records, 10**decade, stop_at)
            worlds[world.ledger.size()] = world
        costs = _measure_in_turn(worlds, records)
        largest = worlds[max(worlds)]
        largest.ledger.close()  # settle what the growing left, so that only the batches are counted
        syncs = _count_syncs(largest, records)
        reopened_s = _reopen(largest, directory)
    finally:
        for world in worlds.values():
            world.close()
        shutil.rmtree(root)
    return _result(costs, syncs, reopened_s)


def _result(costs: dict[int, Cost], syncs: float | None, reopened_s: float) -> Result:
    # A size against every smaller one: a small log that costs more was measured while the host did something else.
    least = [costs[size].least_cpu_us for size in sorted(costs)]
    growth = max(late / early for early, late in itertools.combinations_with_replacement(least, 2))
    figures: dict[str, Any] = {}
    for size, cost in costs.items():
        figures |= {
            f"journal_us_at_{size}": round(cost.journal_us, 2),
            f"publish_us_at_{size}": round(cost.publish_us, 2),
            f"cpu_us_at_{size}": round(cost.cpu_us, 2),
            f"least_cpu_us_at_{size}": round(cost.least_cpu_us, 2),
            f"proof_ms_at_{size}": round(cost.proof_ms, 3),
        }
    figures |= {"cpu_growth": round(growth, 3), "syncs_per_publication": syncs, "reopen_s": round(reopened_s, 3)}
    missed = [] if growth <= MAX_GROWTH else [f"processor time a record grew {growth:.2f} times"]
    measured = f"{BATCHES} batches of {BATCH} records at each size, statements of about 220 bytes, bodies of 64"
    return Result("append", figures, BATCHES * len(costs), measured, missed)


def _append(world: World, records: list[JournalRecord]) -> None:
    """Append records and wait until all are durable."""
    done, left = threading.Event(), len(records)

    def complete(result: object) -> None:
        nonlocal left
        if not isinstance(result, int):
            raise TypeError(f"not recorded: {result}")
        left -= 1
        if not left:
            done.set()

    for record in records:
        world.journal.append(record, complete)
    if not done.wait(60):
        raise TimeoutError("the journal does not answer")


def _fill(world: World, records: list[JournalRecord], size: int, stop_at: float | None) -> None:
    """Grow the log to ``size``, or as far as the time allows."""
    while (count := size - world.journal.size) > 0 and (stop_at is None or time.perf_counter() < stop_at):
        part = min(count, 4000)
        _append(world, (records * (part // len(records) + 1))[:part])
        if world.journal.size - world.ledger.size() >= 16_000:
            world.ledger.step()
    world.ledger.step()


def _measure_in_turn(worlds: dict[int, World], records: list[JournalRecord]) -> dict[int, Cost]:
    samples: dict[int, list[tuple[float, float, float, float]]] = {size: [] for size in worlds}
    for _ in range(BATCHES):
        for size, world in worlds.items():
            samples[size].append(_sample(world, records))
    costs = {}
    for size, rows in samples.items():
        journal, publish, processor, proofs = zip(*rows, strict=True)
        costs[size] = Cost(
            statistics.median(journal),
            statistics.median(publish),
            statistics.median(processor),
            min(processor),
            min(proofs),
        )
    return costs


def _sample(world: World, records: list[JournalRecord]) -> tuple[float, float, float, float]:
    start, spent = time.perf_counter(), time.process_time()
    _append(world, records)
    durable = time.perf_counter()
    world.ledger.step()
    published = time.perf_counter()
    processor = time.process_time() - spent
    index = world.ledger.size() // 3
    world.ledger.tlog_proof(index, records[index % BATCH].statement)
    proved = time.perf_counter() - published
    share = 1e6 / BATCH
    return (durable - start) * share, (published - durable) * share, processor * share, proved * 1e3


def _count_syncs(world: World, records: list[JournalRecord]) -> float | None:
    """Return the syncs that one batch takes from append to publication, by the kernel's count."""
    rounds = 64
    done, outcome = threading.Event(), []

    def work() -> None:
        for _ in range(rounds):
            _append(world, records[:10])
            world.ledger.step()
        outcome.append(True)
        done.set()

    with watched(os.getpid()) as syncs:
        thread = threading.Thread(target=work)
        thread.start()
        done.wait(60)
        thread.join()
    return None if syncs.count is None or not outcome else round(syncs.count / rounds, 2)


def _reopen(world: World, directory: Path) -> float:
    """Return how long a start takes at this size."""
    world.close()
    start = time.perf_counter()
    again = open_world(directory)
    took = time.perf_counter() - start
    again.close()
    return took
