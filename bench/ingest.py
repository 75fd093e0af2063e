"""Bar `ingest`: batches of captured records over the collector's socket: validated, redacted, sealed, durable.

One command is started as a user starts it (`sealgate init`, `sealgate serve`); a light process sends batches over a few
connections and counts only what was acknowledged. Then every acknowledged record must be in the journal, counted by the
authority. Processor time is read from the kernel for each process, because a busy machine stretches the clock.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench import items
from bench.harness import Options, Result
from sealgate.demo.authority import Authority
from sealgate.demo.authority import run as run_command

BAR_RECORDS_PER_S: Final = 20_000
CONNECTIONS: Final = 4
BATCH: Final = 512
WORKERS: Final = 2
"""Processes that validate and redact: as many as the machine of the bar has processors."""

_PATH: Final = "/v1/records/batch"


def run(options: Options) -> Result:
    """Measure; see the module."""
    with tempfile.TemporaryDirectory(prefix="sealgate-bench-") as folder:
        place = Path(folder)
        run_command("init", place / "authority", *Authority.INIT_OPTIONS)
        _set_workers(place / "authority" / "sealgate.toml")
        with Authority(place / "authority") as authority:
            collector = _await_collector(authority)
            warm = _send(collector, items.batches(8, BATCH, _now()))
            figures = _measure(authority, collector, options, warm)
            acknowledged = int(warm["accepted"] + figures.pop("acknowledged"))
            recorded = int(authority.metric("sealgate_items_total") or 0)
    figures["lost_records"] = acknowledged - recorded
    missed = []
    if figures["native_records_per_s"] < BAR_RECORDS_PER_S:
        missed.append(
            f"native_records_per_s is {figures['native_records_per_s']}, at least {BAR_RECORDS_PER_S} is the bar"
        )
    if figures["lost_records"] or figures["refused_records"]:
        missed.append(f"{figures['lost_records']} records were lost, {figures['refused_records']} refused")
    return Result(
        name="ingest",
        figures=figures,
        runs=1,
        measured_on=f"{acknowledged} records in batches of {BATCH}, {CONNECTIONS} connections, one machine",
        missed=missed,
    )


def _set_workers(configuration: Path) -> None:
    text = configuration.read_text("utf-8")
    changed = text.replace("#workers = 0", f"workers = {WORKERS}", 1)
    if changed == text:
        raise RuntimeError("the configuration has no `collector.workers`")
    configuration.write_text(changed, "utf-8")


def _measure(authority: Authority, collector: Path, options: Options, warm: dict[str, Any]) -> dict[str, Any]:
    rate = warm["accepted"] / warm["seconds"]
    seconds = 60.0 if options.full else min(options.seconds / 2, 10.0)
    count = max(16, int(rate * seconds / BATCH))
    bodies = items.batches(count, BATCH, _now())
    processes = {"authority": [authority.pid], "collector": children(authority.pid)}
    before = {name: sum(map(cpu_seconds, pids)) for name, pids in processes.items()}
    bytes_before = authority.journal_bytes()
    syncs_before = authority.metric("sealgate_journal_syncs_total") or 0
    sent = _send(collector, bodies)
    records = sent["accepted"]
    used = {name: sum(map(cpu_seconds, pids)) - before[name] for name, pids in processes.items()}
    syncs = (authority.metric("sealgate_journal_syncs_total") or 0) - syncs_before
    return {
        "native_records_per_s": round(records / sent["seconds"]),
        "native_p50_ms": round(sent["p50_ms"], 1),
        "native_p99_ms": round(sent["p99_ms"], 1),
        "native_cpu_us_per_record": {
            name: round(value / records * 1e6, 1) for name, value in {**used, "sender": sent["cpu_s"]}.items()
        },
        "native_records_per_cpu_s": round(records / (sum(used.values()) + sent["cpu_s"])),
        "records_per_sync": round(records / syncs) if syncs else None,
        "journal_bytes_per_record": round((authority.journal_bytes() - bytes_before) / records),
        "sent_bytes_per_record": round(sum(map(len, bodies)) / records),
        "told_to_wait": sent["told_to_wait"],
        "refused_records": sent["rejected"],
        "acknowledged": records,
    }


def _send(socket: Path, bodies: list[bytes]) -> dict[str, Any]:
    data = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
    done = subprocess.run(
        [sys.executable, "-m", "bench.ingest_load", socket, _PATH, str(CONNECTIONS)],
        input=data,
        capture_output=True,
        check=True,
        timeout=600,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    if result["problem"]:
        raise RuntimeError(f"not all was taken: {result['problem']}")
    return result


def _await_collector(authority: Authority) -> Path:
    path = authority.folder / "collector.sock"
    deadline = time.monotonic() + 20
    while not path.is_socket():
        if time.monotonic() > deadline:
            raise RuntimeError("the collector did not start")
        time.sleep(0.05)
    time.sleep(0.2)
    return path


def children(pid: int) -> list[int]:
    """Return the processes that descend from ``pid``."""
    found: list[int] = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                parent = int((path / "stat").read_text("ascii").rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                found += [int(path.name), *children(int(path.name))]
    return found


def cpu_seconds(pid: int) -> float:
    """Return the processor time of one process, kernel included."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _now() -> int:
    return time.time_ns() // 1_000_000
