"""Reconstructing a task, aggregating a month, bytes a record at rest with the evidence store.

Recorded AgentDojo runs are recorded by the real recorder, archived, followed and projected by the real consumer: that
part gives the bytes. For size its rows are then copied inside the store with other ids, tasks, traces and times (the
same columns, the real segments and chains, but no journal behind them): to 200,000 rows, to 1 million with
`--seconds 60` or more, to 10 million with `--full`.
"""

import asyncio
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from bench import reconstruct_world as world
from bench.dojo_runs import read
from bench.harness import Options, Result, data_folder
from sealgate.adapters.evidence.service import Bounds, EvidenceService
from sealgate.adapters.evidence.store import DuckStore
from sealgate.evidence import projection
from sealgate.evidence.answers import Filter
from sealgate.evidence.queries import Queries

ROWS: Final = 200_000
LONG_ROWS: Final = 1_000_000
FULL_ROWS: Final = 10_000_000
SMALL_ROWS: Final = 20_000
_DAYS: Final = 60
_TASKS: Final = 30
_SAMPLE_EVERY: Final = 12
_BATCH: Final = 5_000


def run(options: Options) -> Result:
    """Measure with the usual or the full number of rows."""
    folder = data_folder()
    if folder is None:
        return Result("reconstruct", {}, 0, "nothing: no real data", ["no data (set SEALGATE_DATA)"])
    rows = FULL_ROWS
    if not options.full:
        rows = SMALL_ROWS if options.seconds < 5 else ROWS if options.seconds < 60 else LONG_ROWS
    runs = read(folder / "agentdojo" / "runs_dev.jsonl.xz", 1 if options.full else _SAMPLE_EVERY)
    with tempfile.TemporaryDirectory(prefix="sealgate-bench-") as name:
        data = Path(name)
        count = asyncio.run(world.record(data, runs))
        service = world.follow(data, Bounds(segment_rows=max(20_000, min(rows // 8, 1_000_000))))
        try:
            figures = _at_rest(data, service, count) | _grow(service.store, rows) | _measure(service.queries)
            figures |= _sustained(service)
        finally:
            service.close()
    missed = [text for bad, text in _bars(figures) if bad]
    return Result("reconstruct", figures, _TASKS, "rows of recorded AgentDojo runs, copied for size", missed)


def _bars(figures: dict[str, Any]) -> Iterator[tuple[bool, str]]:
    yield figures["trace_max_ms"] > 100, f"one task took {figures['trace_max_ms']} ms, bar 100"
    yield figures["aggregate_max_ms"] > 1000, f"a month's aggregate took {figures['aggregate_max_ms']} ms, bar 1000"
    yield figures["bytes_all"] > 500, f"{figures['bytes_all']} bytes a record at rest, bar 500"
    yield figures["append_rows_per_s"] < 10_000, f"{figures['append_rows_per_s']} rows/s beside queries, bar 10000"


def _at_rest(data: Path, service: EvidenceService, count: int) -> dict[str, Any]:
    """Return bytes a record, the store rolled over as it is after some time."""
    before = time.perf_counter()
    while service.consumer.step():
        pass
    took = time.perf_counter() - before
    service.store.roll(everything=True)
    rest = world.bytes_per_record(data, count)
    warm = sum(path.stat().st_size for path in (service.store.directory / "warm").iterdir())
    return {
        "records_at_rest": count,
        **{f"bytes_{part}": round(size) for part, size in rest.items() if size >= 1},
        "bytes_warm": round(warm / max(1, service.store.counts()[1])),
        "projected_per_s": round(count / took),
    }


def _grow(store: DuckStore, rows: int) -> dict[str, Any]:
    """Copy the rows until there are enough, over sixty days."""
    have = store.counts()[1]
    copies = -(-rows // have)
    before = time.perf_counter()
    world.copy(store, copies, _DAYS)
    hot, warm = store.counts()
    size = sum(path.stat().st_size for path in store.directory.rglob("*") if path.is_file())
    return {
        "rows": hot + warm,
        "rows_warm": warm,
        "store_bytes_per_row": round(size / (hot + warm)),
        "copied_per_s": round((hot + warm) / (time.perf_counter() - before)),
    }


def _timed(ask: Callable[[], object]) -> float:
    before = time.perf_counter()
    ask()
    return (time.perf_counter() - before) * 1000


def _measure(queries: Queries) -> dict[str, Any]:
    choose = random.Random(7)
    page = queries.aggregate(Filter(), group_by=("task_id",), limit=5000)
    tasks = [row[0] for row in choose.sample(page.rows, min(_TASKS, len(page.rows))) if row[0]]
    traces = [_timed(lambda name=task: queries.trace(name)) for task in tasks]  # type: ignore[misc]  # a default argument
    month = Filter(since="2026-01-10T00:00:00Z", until="2026-02-10T00:00:00Z", kind="decision")
    questions = [
        (month, ("agent", "outcome"), "count"),
        (month, ("tool",), "p95_ms"),
        (month, ("day", "policy"), "count"),
        (Filter(since=month.since, until=month.until, text="banking"), ("agent",), "tasks"),
    ]
    groups = [
        _timed(lambda q=question: queries.aggregate(q[0], group_by=q[1], measure=q[2]))  # type: ignore[misc]  # same
        for question in questions
    ]
    search = [_timed(lambda: queries.search(Filter(tool="send_money", outcome="PERMIT"), limit=50)) for _ in range(3)]
    return {
        "trace_first_ms": round(traces[0], 1),
        "trace_p50_ms": round(statistics.median(traces), 1),
        "trace_max_ms": round(max(traces), 1),
        "aggregate_p50_ms": round(statistics.median(groups), 1),
        "aggregate_max_ms": round(max(groups), 1),
        "search_ms": round(statistics.median(search), 1),
    }


def _sustained(service: EvidenceService) -> dict[str, Any]:
    """Append projected rows for some seconds while questions are asked."""
    stop, asked = threading.Event(), [0]

    def ask() -> None:
        while not stop.is_set():
            service.queries.aggregate(Filter(since="2026-02-20T00:00:00Z"), group_by=("agent",))
            asked[0] += 1

    thread = threading.Thread(target=ask)
    thread.start()
    first = service.store.next_index
    bodies = world.fresh_bodies(first, 8 * _BATCH)
    before = time.perf_counter()
    done = 0
    while time.perf_counter() - before < 4 and done < len(bodies):
        rows = [
            row
            for index, body in enumerate(bodies[done : done + _BATCH], first + done)
            for row in projection.rows(body, index, bytes(16))
        ]
        service.store.append(rows, first + done + len(rows))
        done += len(rows)
    took = time.perf_counter() - before
    stop.set()
    thread.join()
    return {"append_rows_per_s": round(done / took), "questions_beside": asked[0], "load": os.getloadavg()[0]}
