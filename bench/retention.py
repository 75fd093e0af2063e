"""Bar 8: fourteen days of records, three retention classes, a hold and a fast clock: exactly the right ones go.

The real recorder, journal, ledger, key store and retention run under a clock that is set hour by hour; retention runs
once a day. What must be there is told by an oracle that knows only times, classes and the hold, and that shares no code
with the planner. Checked each day: the bodies and statements that are gone, that each is named by exactly one expiry
record, and at the end that the verifier still verifies the log, and that keys of days past are destroyed.
"""

import asyncio
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import retained
from bench.harness import Options, Result
from sealgate.adapters.stores.directory import DirectoryLog
from sealgate.authority.retention_survey import decode_indexes
from sealgate.ledger.export import export
from sealgate.model.evaluation import Identity
from sealgate.model.records import Kind
from sealgate.retention.classes import Classes, Rule
from sealgate.retention.terms import DAY_MS, Terms
from sealgate.verifier.log import LogOptions, verify_log

_HOUR_MS: Final = 3_600_000
_DAYS: Final = 14
_CLASSES: Final = Classes(
    [
        Rule("default", Terms(maximum=5, receipt=9)),
        Rule("brief", Terms(maximum=2, receipt=4), kinds=(Kind.EVENT_LOGGED.value,)),
        Rule("audit", Terms(minimum=10, maximum=3, receipt=10), kinds=(Kind.REASONING.value,)),
    ]
)
_BODY_DAYS: Final = {"default": 5, "brief": 2, "audit": 3}
_STATEMENT_DAYS: Final = {"default": 9, "brief": 4, "audit": 10}
"""What the classes above mean, told to the oracle in its own words."""

_KINDS: Final = {
    Kind.EVENT_LOGGED: "brief",
    Kind.REASONING: "audit",
    Kind.SESSION_STARTED: "default",
    Kind.MODEL_CALL: "default",
}
_ANNA: Final = Identity(principal="anna", proof="unix_peer")
_BERT: Final = Identity(principal="bert", proof="unix_peer")


@dataclass(frozen=True, slots=True)
class Made:
    """What the oracle knows of one record."""

    time_ms: int
    name: str
    task: str


def run(options: Options) -> Result:
    """Live through the days; see the module."""
    per_hour = 400 if options.full else 12
    with tempfile.TemporaryDirectory(prefix="sealgate-bench-") as name:
        started = time.monotonic()
        figures, missed = asyncio.run(live(Path(name), per_hour))
        figures["seconds"] = round(time.monotonic() - started, 1)
    return Result("retention", figures, 1, f"{_DAYS} days of records, a run each day, a clock set by the hour", missed)


async def live(folder: Path, per_hour: int) -> tuple[dict[str, Any], list[str]]:
    """Return figures and what was not as the oracle says."""
    random.seed(8)
    retained.make(folder)
    clock = retained.SetClock()
    world = await retained.open_world(folder, _CLASSES, clock, segment_bytes=1 << 20)
    made: dict[int, Made] = {}
    missed: list[str] = []
    counts: Counter[str] = Counter()
    hold: str | None = None
    held_days = range(1, 12)  # the hold is placed on day 1 and released on day 12
    for day in range(_DAYS):
        for hour in range(24):
            clock.now_ms = retained.START_MS + day * DAY_MS + hour * _HOUR_MS
            await _record(world, made, per_hour)
        if day == held_days.start:
            hold = (await world.holds.place({"tasks": ["case-7"]}, "case 7", _ANNA))["hold_id"]
            await world.holds.confirm(hold, _BERT)
        if day == held_days.stop and hold:
            await world.holds.release(hold, "case 7 is closed", _BERT)
            await world.holds.confirm(hold, _ANNA)
        world.ledger.step()
        clock.now_ms += _HOUR_MS
        now, edge = clock.now_ms, (world.journal.size - 1) // 256 * 256
        done = await world.retention.run()
        counts.update(bodies=done["bodies"], statements=done["statements"], keys=done["keys_destroyed"])
        counts["held_most"] = max(counts["held_most"], done["held"])
        world.ledger.step()
        missed += await asyncio.to_thread(
            _compare, world, made, now, held="case-7" if day in held_days else "", edge=edge
        )
    missed += _named_once(world)
    figures = {"records": len(made), **counts, **retained.bytes_at_rest(folder)}
    missed += _verified(world)
    world.close()
    return figures, [f"day comparisons: {text}" for text in missed[:5]]


async def _record(world: retained.World, made: dict[int, Made], per_hour: int) -> None:
    async def one(kind: Kind, task: str) -> None:
        time_ms = world.clock.now_ms
        receipt = await world.record(kind, {"data_json": '{"n":1}', "claimed": True}, task_id=task)
        made[receipt.index] = Made(time_ms, _KINDS[kind], task)

    kinds = list(_KINDS)
    await asyncio.gather(*(one(random.choice(kinds), f"case-{random.randrange(10)}") for _ in range(per_hour)))


def _compare(world: retained.World, made: dict[int, Made], now: int, *, held: str, edge: int) -> list[str]:
    """Compare what is there with what must be. A statement in the bundle at the log's edge may stay a day longer."""
    wrong = []
    for index, record in made.items():
        age_days = (now - record.time_ms) / DAY_MS
        stored = world.reader.read(index)
        kept = record.task == held
        body_gone = age_days >= _BODY_DAYS[record.name] and not kept
        statement_gone = age_days >= _STATEMENT_DAYS[record.name] and not kept and index < edge
        if (stored.body is None) != body_gone:
            wrong.append(f"body of record {index} ({record.name}, {age_days:.2f} days old)")
        if (not stored.statement) != statement_gone:
            wrong.append(f"statement of record {index} ({record.name}, {age_days:.2f} days old)")
    return wrong


def _named_once(world: retained.World) -> list[str]:
    """Each content that is gone is named by one expiry record, and nothing else is."""
    named: dict[str, Counter[int]] = {"body": Counter(), "statement": Counter()}
    gone: dict[str, set[int]] = {"body": set(), "statement": set()}
    for index in range(world.journal.size):
        stored = world.reader.read(index)
        content = stored.content()
        if content is None:
            gone["body"].add(index)
        elif content["kind"] == Kind.RETENTION_EXPIRED and content["indexes"] is not None:
            named[content["layer"]].update(decode_indexes(content["indexes"], content["from_index"]))
        if not stored.statement:
            gone["statement"].add(index)
    return [
        f"{layer}: {len(gone[layer])} gone, {len(named[layer])} named"
        for layer in named
        if set(named[layer]) != gone[layer] or any(count != 1 for count in named[layer].values())
    ]


def _verified(world: retained.World) -> list[str]:
    reader = world.reader
    out = world.folder / "export"
    export(
        DirectoryLog(world.folder / "log"),
        DirectoryLog(out),
        bodies=lambda low, high: [reader.read(index).body for index in range(low, high)],
    )
    report = verify_log(out, retained.trust_file(), LogOptions())
    return [] if report.verdict == "verified" else [f"the verifier says {report.verdict}: {report.reason}"]
