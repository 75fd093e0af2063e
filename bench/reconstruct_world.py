"""What ``reconstruct`` measures: recorded runs in a real journal, followed by a real evidence service."""

import base64
import json
import os
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson

from bench import at_rest, retained
from bench.dojo_runs import Recorded
from sealgate.adapters.evidence import service, tables
from sealgate.adapters.evidence.service import Bounds, EvidenceService, Places
from sealgate.adapters.evidence.store import DuckStore
from sealgate.adapters.keys.file import FileWrappingKey
from sealgate.model.identifiers import uuid7
from sealgate.model.records import Kind
from sealgate.retention.classes import Classes, Rule
from sealgate.retention.terms import Terms

_CLASSES: Final = Classes([Rule("default", Terms())])
_BATCH_ITEMS: Final = 30
_STEP_MS: Final = 37


async def record(data: Path, runs: Iterable[Recorded]) -> int:
    """Record the runs, publish, archive; return how many records and items there are."""
    retained.make(data)
    clock = retained.SetClock()
    world = await retained.open_world(data, _CLASSES, clock, segment_bytes=16 << 20)
    count = 1
    waiting: list[str] = []
    decided = ""
    for item in runs:
        context = _context(item)
        for kind, fields, is_item in _steps(item):
            clock.now_ms += _STEP_MS
            count += 1
            if is_item:
                waiting.append(_item(kind, item, fields, clock.now_ms, context["trace"]["trace_id"]))
            else:
                told = {**fields, "decision_id": decided} if kind is Kind.OUTCOME else fields
                decided = (await world.record(kind, told, **_with_span(context))).record_id
            if len(waiting) == _BATCH_ITEMS:
                await _batch(world, waiting)
                waiting = []
    if waiting:
        await _batch(world, waiting)
    world.ledger.step()
    world.ledger.close()
    await world.retention.compact(roll=True)
    world.close()
    (data / "trust.json").write_bytes(retained.trust_file())
    return count


def follow(data: Path, bounds: Bounds) -> EvidenceService:
    """Open the evidence service over the data directory."""
    places = Places(
        journal=data / "journal",
        log=data / "log",
        data_keys=data / "data-keys.db",
        trust=data / "trust.json",
        evidence=data / "evidence",
    )
    return service.open_service(places, FileWrappingKey(sha256(b"wrapping").digest()), bounds)


bytes_per_record = retained.bytes_per_record


def copy(store: DuckStore, copies: int, days: int) -> None:
    """Copy the rows that are there so often, spread over days, through the store's own tables and segments."""
    engine, database = store._engine, store.database  # noqa: SLF001  # loads rows that no journal has
    with store.session() as session:
        relation = " UNION ALL ".join(f"SELECT * FROM {part.relation}" for part in session.parts)
        high, first = session.fetch(f"SELECT max(journal_index), min(time) FROM ({relation})")[0]
    engine.execute(f"CREATE OR REPLACE TEMP TABLE sample AS SELECT * FROM ({relation})")
    width, begin = high + 1, f"TIMESTAMP '2026-01-01' - TIMESTAMP '{first}'"
    for number in range(1, copies):
        shift_s = number * days * 86_400 // copies
        columns = _shifted(number, width, f"({begin} + INTERVAL {shift_s} SECOND)")
        database = store.database
        engine.execute(f"CREATE OR REPLACE TEMP TABLE shifted AS SELECT {columns} FROM sample")
        ordered = f"SELECT {tables.NAMES} FROM shifted ORDER BY journal_index, position"
        with store._hot.transaction() as execute:  # noqa: SLF001  # see above
            execute(f"INSERT INTO {database}.rows {ordered}")
            execute(f"INSERT INTO {database}.chains {tables.chains_of('shifted')}")
            execute(f"UPDATE {database}.state SET next_index = {(number + 1) * width}")
        if number % 16 == 0:
            store.roll()
    store.roll()


def _shifted(number: int, width: int, by: str) -> str:
    def moved(name: str) -> str:
        ms = f"CAST('0x' || substr(CAST({name} AS VARCHAR), 1, 8) || substr(CAST({name} AS VARCHAR), 10, 4) AS BIGINT)"
        ms = f"{ms} + epoch_ms({by})"
        rest = f"substr(md5(CAST({name} AS VARCHAR) || '{number}'), 1, 20)"
        return f"CAST(lpad(lower(to_hex({ms})), 12, '0') || {rest} AS UUID)"

    made = {
        "journal_index": f"journal_index + {number * width}",
        "time": f"time + {by}",
        "task_id": f"task_id || '-{number}'",
        "session_id": f"session_id || '-{number}'",
        "request_id": f"CAST(CAST(md5(request_id || '{number}') AS UUID) AS VARCHAR)",
        "trace_id": f"CAST(md5(CAST(trace_id AS VARCHAR) || '{number}') AS UUID)",
        "span_id": f"hash(span_id, {number})",
        "parent_span_id": f"hash(parent_span_id, {number})",
        **{name: moved(name) for name in ("id", "record_id", "refers_to")},
    }
    names = [name.strip('"') for name in tables.NAMES.split(", ")]
    return ", ".join(f'{made.get(name, name)} AS "{name}"' for name in names)


def fresh_bodies(first: int, count: int) -> list[bytes]:
    """Return the bodies of new decisions."""
    bodies = []
    for index in range(first, first + count):
        ms = 1_772_000_000_000 + index
        body = {
            "kind": "decision",
            "record_id": uuid7(ms, os.urandom(10)),
            "time": "2026-02-25T06:13:20.000Z",
            "agent": {"id": "banking-assistant", "principal": "agent-host-1", "proof": "unix_peer", "on_behalf_of": []},
            "trace": {"trace_id": os.urandom(16).hex(), "span_id": os.urandom(8).hex(), "parent_span_id": None},
            "task_id": f"fresh-{index // 10}",
            "request_id": None,
            "region": "eu",
            "environment": "bench",
            "retention_class": "default",
            **at_rest._decision("send_money", "banking", 90),  # noqa: SLF001  # one bench, two modules
        }
        bodies.append(orjson.dumps(body))
    return bodies


async def _batch(world: retained.World, texts: list[str]) -> None:
    fields = {
        "batch_id": uuid7(1_772_000_000_000, os.urandom(10)),
        "coverage": "captured",
        "principal": "agent-host-1",
        "count": len(texts),
        "subject": None,
        "items": texts,
    }
    await world.record(Kind.RECORDS_CAPTURED, fields)


def _context(item: Recorded) -> dict[str, Any]:
    agent = {"id": f"{item.suite}-assistant", "principal": "agent-host-1", "proof": "unix_peer", "on_behalf_of": []}
    return {
        "agent": agent,
        "trace": {"trace_id": os.urandom(16).hex(), "span_id": None, "parent_span_id": None},
        "task_id": f"dojo-{item.number}",
    }


def _with_span(context: dict[str, Any]) -> dict[str, Any]:
    return {**context, "trace": {**context["trace"], "span_id": os.urandom(8).hex()}, "request_id": None}


def _steps(item: Recorded) -> Iterator[tuple[Kind, dict[str, Any], bool]]:
    """Yield (kind, members, whether it is an item) of everything that a run leaves."""
    yield Kind.SESSION_STARTED, {"framework": "agentdojo", "goal": item.user_task}, True
    yield Kind.INPUT_RECEIVED, {"channel": "user", "content": _content(len(item.request))}, True
    for call in (*item.calls, None):
        usage = {"provider": "local", "model": "llama-3-70b", "tokens": {"input": len(item.request), "output": 97}}
        sizes = {"input": _content(2048), "output": _content(310)}
        yield Kind.MODEL_CALL, {**usage, **sizes, "finish_reasons": ["stop"]}, True
        if call is not None:
            size = len(json.dumps(call.arguments))
            yield Kind.DECISION, at_rest._decision(call.tool, item.suite, size), False  # noqa: SLF001
            yield Kind.OUTCOME, at_rest._outcome(), False  # noqa: SLF001
    yield Kind.SESSION_ENDED, {"outcome": "completed"}, True


def _content(size: int) -> dict[str, Any]:
    return {"digest": base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode(), "size_bytes": size}


def _item(kind: Kind, item: Recorded, attributes: dict[str, Any], now_ms: int, trace_id: str) -> str:
    made = {
        **at_rest._item(kind, item, attributes, now_ms),  # noqa: SLF001  # one bench, two modules
        "item_id": uuid7(now_ms, os.urandom(10)),
        "trace_id": trace_id,
    }
    return json.dumps(made, sort_keys=True, separators=(",", ":"))
