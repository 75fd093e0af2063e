"""Bar 3, the verifier's part: records verified a second on one core in flat memory, and the time of one receipt.

Each figure is measured in a process of its own, pinned to one processor, and judged by that process's processor time
(wall clock is printed beside it: a busy machine takes the core away, a slow disk is not our speed). Its peak memory is
compared with that of the same work on a log a tenth as long. The log has bodies of about 600 bytes, so digests and
canonical form are included.
"""

import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.harness import Options, Result, percentile
from bench.logmaker import Keys, make_log, make_log_in
from sealgate.verifier.log import LogOptions, verify_log
from sealgate.verifier.receipt import Extras, verify_receipt
from sealgate.verifier.report import Verdict

RECORDS: Final = 100_000
FULL_RECORDS: Final = 1_000_000
RECEIPTS: Final = 500
MIN_TREE_RATE: Final = 20_000
MIN_SIGNED_RATE: Final = 10_000
MAX_RECEIPT_MS: Final = 1.0
MAX_GROWTH_MIB: Final = 8.0
"""Peak memory may differ by this much between a log and one ten times as long: flat, up to the allocator's mood."""


def _pinned(work: Callable[..., Any], *arguments: Any) -> Any:
    """Return what ``work`` returns in a fresh process on one processor."""
    with multiprocessing.get_context("spawn").Pool(1, _pin) as pool:
        return pool.apply(work, arguments)


def _pin() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def verify_one(folder: str, *, signatures: bool) -> dict[str, float]:
    """Verify a log; return seconds of wall clock and of processor, and the process's peak memory in MiB."""
    trust = (Path(folder) / "trust.json").read_bytes()
    wall, cpu = time.perf_counter(), time.process_time()
    report = verify_log(Path(folder), trust, LogOptions(signatures=signatures))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    expected = Verdict.VERIFIED if signatures else Verdict.NOT_PROVEN
    if report.verdict is not expected:
        raise AssertionError(report.reason)
    return {"wall": wall, "cpu": cpu, "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def verify_receipts(count: int) -> list[float]:
    """Return the sorted milliseconds of ``count`` receipts with body, trust file and one witness, all parsed anew."""
    log = make_log(2000, keys=Keys(witnesses=1), quorum=1)
    trust, times = log.trust(), []
    receipts = [log.proof(index).encode() for index in range(count)]
    for index, receipt in enumerate(receipts):
        extras = Extras(body=log.sealed[index][1])
        started = time.perf_counter()
        report = verify_receipt(receipt, trust, extras)
        times.append((time.perf_counter() - started) * 1000)
        if report.verdict is not Verdict.VERIFIED:
            raise AssertionError(report.reason)
    return sorted(times)


def _tree(folder: str) -> dict[str, float]:
    return verify_one(folder, signatures=False)


def _signed(folder: str) -> dict[str, float]:
    return verify_one(folder, signatures=True)


def run(options: Options) -> Result:
    """Measure on 10^5 records, with ``--full`` on 10^6."""
    records = FULL_RECORDS if options.full else RECORDS
    with tempfile.TemporaryDirectory() as folder:
        long, short = Path(folder) / "long", Path(folder) / "short"
        make_log_in(long, records)
        make_log_in(short, records // 10)
        tree, signed, small = _pinned(_tree, str(long)), _pinned(_signed, str(long)), _pinned(_signed, str(short))
    receipts = _pinned(verify_receipts, RECEIPTS)
    figures = {
        "records": records,
        "tree_order_digests_rate_per_core_s": round(records / tree["cpu"]),
        "with_signatures_rate_per_core_s": round(records / signed["cpu"]),
        "tree_order_digests_wall_rate_per_s": round(records / tree["wall"]),
        "with_signatures_wall_rate_per_s": round(records / signed["wall"]),
        "max_rss_mib": round(signed["rss_mib"], 1),
        "max_rss_tenth_mib": round(small["rss_mib"], 1),
        "receipt_p50_ms": round(percentile(receipts, 0.5), 3),
        "receipt_p99_ms": round(percentile(receipts, 0.99), 3),
    }
    return Result("verify", figures, 1, "one pinned core, bodies of 600 bytes", _missed(figures))


def _missed(figures: dict[str, Any]) -> list[str]:
    missed = []
    if figures["tree_order_digests_rate_per_core_s"] < MIN_TREE_RATE:
        missed.append(f"{figures['tree_order_digests_rate_per_core_s']}/s without signatures, {MIN_TREE_RATE} asked")
    if figures["with_signatures_rate_per_core_s"] < MIN_SIGNED_RATE:
        missed.append(f"{figures['with_signatures_rate_per_core_s']}/s with signatures, {MIN_SIGNED_RATE} asked")
    if figures["max_rss_mib"] - figures["max_rss_tenth_mib"] > MAX_GROWTH_MIB:
        missed.append(f"memory grew from {figures['max_rss_tenth_mib']} to {figures['max_rss_mib']} MiB")
    if figures["receipt_p50_ms"] > MAX_RECEIPT_MS:
        missed.append(f"{figures['receipt_p50_ms']} ms a receipt, {MAX_RECEIPT_MS} asked")
    return missed
