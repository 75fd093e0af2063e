"""Bar `ingest`: what is captured and observed goes in: validated, redacted, sealed, durable, and then searchable.

One command is started as a user starts it (`sealgate init`, `sealgate serve`); a light process sends over a few
connections and counts only what was acknowledged. Then every acknowledged record must be in the journal, counted by the
authority. Three measurements: native batches as fast as they go, OTLP spans as fast as they go, and native batches at
the rate of the bar while the service that reads evidence follows. The same spans go to Arize Phoenix from PyPI.
"""

import importlib.util
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from bench import items, otel_throughput
from bench.harness import Options, Result, data_folder
from bench.ingest_world import CONNECTIONS, PROTOBUF, World, free_port, gauge, send, used_us
from bench.peers import phoenix

BAR_RECORDS_PER_S: Final = 20_000
BAR_SPANS_PER_S: Final = 10_000
BAR_TIMES_PHOENIX: Final = 40
BAR_LAG_S: Final = 5.0
SUSTAINED_RECORDS_PER_S: Final = 10_000
BATCH: Final = 512
_SPANS: Final = otel_throughput.SPANS_A_REQUEST
_PHOENIX_REQUESTS: Final = 8


def run(options: Options) -> Result:
    """Measure; see the module."""
    figures: dict[str, Any] = {}
    missed: list[str] = []
    seconds = 60.0 if options.full else min(options.seconds / 4, 5.0)
    spans = _spans(seconds)
    with tempfile.TemporaryDirectory(prefix="sealgate-bench-") as folder:
        place = Path(folder)
        with World(place / "a", evidence=False) as world:
            acknowledged = _native(world, seconds, figures, missed)
            acknowledged += _otlp(world, spans, figures, missed)
            _nothing_lost(world, acknowledged, figures, missed)
        if importlib.util.find_spec("sealgate.evidence") is None:
            missed.append("searchable lag: this version has no evidence store")
        else:
            with World(place / "b", evidence=True) as world:
                _searchable(world, max(seconds, 6.0), figures, missed)
        _phoenix(place, spans[:_PHOENIX_REQUESTS], seconds * 2, figures, missed)
    measured_on = (
        f"native: batches of {BATCH} AgentDojo calls; OTLP: {_SPANS} spans a request, of real captures; "
        f"{CONNECTIONS} connections, one machine, all processes on it"
    )
    return Result("ingest", figures, 1, measured_on, missed)


def _spans(seconds: float) -> list[bytes]:
    folder = data_folder()
    if folder is None:
        return []
    count = max(_PHOENIX_REQUESTS, int(12_000 * seconds / _SPANS))
    return list(otel_throughput.requests(folder / "otel", count, now_ns=time.time_ns()))


def _native(world: World, seconds: float, figures: dict[str, Any], missed: list[str]) -> int:
    warm = world.send_native(items.batches(16, BATCH, _now()))
    bodies = items.batches(max(16, int(warm["accepted"] / warm["seconds"] * seconds / BATCH)), BATCH, _now())
    before, bytes_before = world.cpu(), world.authority.journal_bytes()
    syncs_before = world.authority.metric("sealgate_journal_syncs_total") or 0
    sent = world.send_native(bodies)
    records = sent["accepted"]
    syncs = (world.authority.metric("sealgate_journal_syncs_total") or 0) - syncs_before
    cpu = used_us(world.cpu(), before, sent["cpu_s"], records)
    figures |= {
        "native_records_per_s": round(records / sent["seconds"]),
        "native_p50_ms": round(sent["p50_ms"], 1),
        "native_p99_ms": round(sent["p99_ms"], 1),
        "native_cpu_us_per_record": cpu,
        "native_records_per_cpu_s": round(1e6 / cpu["all"]),
        "records_per_sync": round(records / syncs) if syncs else None,
        "journal_bytes_per_record": round((world.authority.journal_bytes() - bytes_before) / records),
        "sent_bytes_per_record": round(sum(map(len, bodies)) / records),
        "told_to_wait": sent["told_to_wait"],
        "refused_records": sent["rejected"],
    }
    _at_least("native_records_per_s", BAR_RECORDS_PER_S, figures, missed)
    if sent["rejected"]:
        missed.append(f"{sent['rejected']} records were refused")
    return int(warm["accepted"] + records)


def _otlp(world: World, bodies: list[bytes], figures: dict[str, Any], missed: list[str]) -> int:
    """Return how many items the spans became."""
    folder = data_folder()
    if folder is None or not bodies:
        missed.append("otlp: the captures are missing")
        return 0
    figures |= otel_throughput.otlp(folder / "otel", 10)
    recorded_before = world.authority.metric("sealgate_items_total") or 0
    before = world.cpu()
    sent = world.send_spans(bodies)
    spans = len(bodies) * _SPANS
    cpu = used_us(world.cpu(), before, sent["cpu_s"], spans)
    recorded = int((world.authority.metric("sealgate_items_total") or 0) - recorded_before)
    figures |= {
        "otlp_spans_per_s": round(spans / sent["seconds"]),
        "otlp_p99_ms": round(sent["p99_ms"], 1),
        "otlp_cpu_us_per_span": cpu,
        "otlp_spans_per_cpu_s": round(1e6 / cpu["all"]),
    }
    _at_least("otlp_spans_per_s", BAR_SPANS_PER_S, figures, missed)
    expected = round(spans * figures["otlp_items_per_span"])
    if abs(recorded - expected) > 0.01 * expected:
        missed.append(f"otlp: {recorded} items recorded of some {expected}")
    return recorded


def _nothing_lost(world: World, acknowledged: int, figures: dict[str, Any], missed: list[str]) -> None:
    recorded = int(world.authority.metric("sealgate_items_total") or 0)
    figures["lost_records"] = acknowledged - recorded
    if acknowledged != recorded:
        missed.append(f"{acknowledged} records were acknowledged, {recorded} recorded")


def _searchable(world: World, seconds: float, figures: dict[str, Any], missed: list[str]) -> None:
    """Send at the rate of the bar; see when the evidence store has what was acknowledged."""
    bodies = items.batches(int(SUSTAINED_RECORDS_PER_S * seconds / BATCH) + 1, BATCH, _now())
    seen: list[tuple[float, float]] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.2):
            projected = gauge(world.evidence, "sealgate_evidence_projected")
            if projected is not None:
                seen.append((time.time(), projected))

    watcher = threading.Thread(target=look)
    watcher.start()
    before = world.cpu()
    try:
        sent = world.send_native(bodies, rate=SUSTAINED_RECORDS_PER_S / BATCH)
        last = sent["recorded"][-1][1]
        deadline = time.monotonic() + 3 * BAR_LAG_S + seconds
        while (not seen or seen[-1][1] <= last) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        ended.set()
        watcher.join()
    worst = lag(sent["recorded"], seen)
    figures |= {
        "sustained_records_per_s": round(sent["accepted"] / sent["seconds"]),
        "searchable_lag_s": None if worst is None else round(worst, 2),
        "sustained_cpu_us_per_record": used_us(world.cpu(), before, sent["cpu_s"], sent["accepted"]),
    }
    if worst is None or worst > BAR_LAG_S:
        missed.append(f"searchable_lag_s is {figures['searchable_lag_s']}, at most {BAR_LAG_S} is the bar")
    if figures["sustained_records_per_s"] < 0.97 * SUSTAINED_RECORDS_PER_S:
        missed.append(f"sustained_records_per_s is {figures['sustained_records_per_s']}")


def lag(recorded: list[tuple[float, int]], seen: list[tuple[float, float]]) -> float | None:
    """Return the longest time from an acknowledgement to when its record was seen, None where one was not seen.

    ``recorded`` has times of acknowledgements and indexes, ``seen`` times and how many records were there; by time.
    """
    worst = 0.0
    for at, index in recorded:
        there = next((when for when, count in seen if count > index), None)
        if there is None:
            return None
        worst = max(worst, there - at)
    return worst


def _phoenix(place: Path, bodies: list[bytes], seconds: float, figures: dict[str, Any], missed: list[str]) -> None:
    if not bodies:
        return

    def export(address: str) -> dict[str, Any]:
        done = send(address, "/v1/traces", PROTOBUF, bodies)
        return done | {"spans": len(bodies) * _SPANS}

    found = phoenix.persisted(place, free_port(), free_port(), seconds, export)
    if found is None:
        figures["phoenix"] = "could not be installed from PyPI here"
        missed.append("no comparison with Phoenix: it could not be installed")
        return
    if not found["persisted"]:
        figures["phoenix"] = found
        missed.append("no comparison with Phoenix: it wrote nothing while it was watched")
        return
    times = figures["otlp_spans_per_s"] / max(found["persisted_per_s"], 0.1)
    figures |= {"phoenix_version": phoenix.VERSION, "phoenix": found, "times_phoenix": round(times, 1)}
    if times < BAR_TIMES_PHOENIX:
        missed.append(f"times_phoenix is {figures['times_phoenix']}, at least {BAR_TIMES_PHOENIX} is the bar")


def _at_least(name: str, bar: int, figures: dict[str, Any], missed: list[str]) -> None:
    if figures[name] < bar:
        missed.append(f"{name} is {figures[name]}, at least {bar} is the bar")


def _now() -> int:
    return time.time_ns() // 1_000_000
