"""Bytes a record at rest, proof included, on recorded AgentDojo runs: journal, public log and (where it is) evidence.

Each run of a real model becomes a session, its input, its model calls (captured items, many under one signed
statement), and for every proposed tool call a decision and an outcome (enforced: a signed statement each). Bodies have
the members that the gate writes. The journal is then archived as the running authority does by itself.
"""

import asyncio
import base64
import json
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from bench import retained
from bench.dojo_runs import Recorded, read
from bench.harness import Options, Result, data_folder
from sealgate.model.records import Kind
from sealgate.retention.classes import Classes, Rule
from sealgate.retention.terms import Terms

BAR_BYTES: Final = 500
EVIDENCE_BYTES: Final = 120
"""Left for the evidence store where it is not part of the measurement."""

_SAMPLE_EVERY: Final = 12
_BATCH_ITEMS: Final = 30
"""Items in one batch here: what fits in a record of 32 KiB, far below the 512 of a busy collector."""

_CLASSES: Final = Classes([Rule("default", Terms())])


def run(options: Options) -> Result:
    """Measure the mix, then enforced records alone and captured items alone."""
    folder = data_folder()
    if folder is None:
        return Result("at_rest", {}, 0, "nothing: no real data", ["no data (set SEALGATE_DATA)"])
    runs = list(read(folder / "agentdojo" / "runs_dev.jsonl.xz", 1 if options.full else _SAMPLE_EVERY))
    figures: dict[str, Any] = {}
    missed = []
    for name, enforced, captured in (("mix", True, True), ("enforced", True, False), ("captured", False, True)):
        measured = asyncio.run(measure(runs, enforced=enforced, captured=captured))
        figures |= {f"{name}_{key}": value for key, value in measured.items()}
        if name == "mix" and measured["bytes_all"] + EVIDENCE_BYTES > BAR_BYTES:
            missed.append(f"{measured['bytes_all']} bytes a record without the evidence store, at most 380")
    return Result("at_rest", figures, len(runs), "recorded AgentDojo runs, journal and public log archived", missed)


async def measure(runs: Iterable[Recorded], *, enforced: bool, captured: bool) -> dict[str, Any]:
    """Record the runs, archive, and return bytes a record by part, before and after."""
    with tempfile.TemporaryDirectory(prefix="sealgate-bench-") as name:
        data = Path(name)
        retained.make(data)
        clock = retained.SetClock()
        world = await retained.open_world(data, _CLASSES, clock, segment_bytes=16 << 20)
        count = await _record(world, clock, runs, enforced=enforced, captured=captured)
        world.ledger.step()
        world.ledger.close()
        written = retained.bytes_per_record(data, count)["all"]
        await world.retention.compact(roll=True)
        world.close()
        rest = retained.bytes_per_record(data, count)
    return {
        "records": count,
        "bytes_as_written": round(written),
        **{f"bytes_{part}": round(size) for part, size in rest.items() if size >= 1},
    }


async def _record(
    world: retained.World, clock: retained.SetClock, runs: Iterable[Recorded], *, enforced: bool, captured: bool
) -> int:
    count, items = 1, []
    for item in runs:
        for kind, fields, is_item in _steps(item):
            clock.now_ms += 37
            if is_item and captured:
                items.append(json.dumps(_item(kind, item, fields, clock.now_ms), sort_keys=True, separators=(",", ":")))
                count += 1
            elif not is_item and enforced:
                await world.record(kind, fields, **_context(item))
                count += 1
            if len(items) == _BATCH_ITEMS:
                await _batch(world, items)
                items = []
    if items:
        await _batch(world, items)
    return count


async def _batch(world: retained.World, items: list[str]) -> None:
    fields = {
        "batch_id": str(uuid.uuid4()),
        "coverage": "captured",
        "principal": "agent-host-1",
        "count": len(items),
        "subject": None,
        "items": items,
    }
    await world.record(Kind.RECORDS_CAPTURED, fields)


def _context(item: Recorded) -> dict[str, Any]:
    return {
        "agent": {
            "id": f"{item.suite}-assistant",
            "principal": "agent-host-1",
            "proof": "unix_peer",
            "on_behalf_of": [],
        },
        "trace": {
            "trace_id": os.urandom(16).hex(),
            "span_id": os.urandom(8).hex(),
            "parent_span_id": os.urandom(8).hex(),
        },
        "task_id": f"dojo-{item.number}",
        "request_id": str(uuid.uuid4()),
    }


def _digest() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()


def _steps(item: Recorded) -> Iterator[tuple[Kind, dict[str, Any], bool]]:
    """Yield (kind, members, whether it is an item) of everything that a run leaves."""
    yield Kind.SESSION_STARTED, {"name": item.suite}, True
    yield Kind.INPUT_RECEIVED, {"content": {"digest": _digest(), "size_bytes": len(item.request)}}, True
    for call in (*item.calls, None):
        usage = {"provider": "local", "model": "llama-3-70b", "input_tokens": len(item.request), "output_tokens": 97}
        output = {
            "prompt": {"digest": _digest(), "size_bytes": 2048},
            "output": {"digest": _digest(), "size_bytes": 310},
        }
        yield Kind.MODEL_CALL, {**usage, **output, "finish_reasons": ["stop"]}, True
        if call is not None:
            size = len(json.dumps(call.arguments))
            yield Kind.DECISION, _decision(call.tool, item.suite, size), False
            yield Kind.OUTCOME, _outcome(), False


def _decision(tool: str, suite: str, size: int) -> dict[str, Any]:
    return {
        "tool": {
            "name": tool,
            "server": suite,
            "version": None,
            "publisher": None,
            "trust_level": None,
            "verification_score": None,
            "definition_sha256": tool.encode().hex().ljust(64, "0")[:64],
        },
        "resource": {"type": "tool_server", "id": suite},
        "input_digest": _digest(),
        "input_size_bytes": size,
        "decision": {
            "outcome": "PERMIT",
            "reason": "policy",
            "message": f"permitted by role-{suite}-{tool}",
            "policies": [f"role-{suite}-{tool}"],
            "policy_version": "sha256:" + "5e" * 32,
            "obligations": [],
            "charges": [],
            "authorization_method": "policy",
            "duration_us": 180 + size,
        },
        "permit": {
            "expires_at": "2026-11-21T04:20:01.123Z",
            "redeemed": True,
            "outcome_due": "2026-11-21T04:30:01.123Z",
        },
        "data": {"classification": None, "systems": [suite], "subjects": []},
        "permissions": {"used": [f"{tool} on {suite}"], "denied": []},
    }


def _outcome() -> dict[str, Any]:
    return {
        "decision_id": str(uuid.uuid4()),
        "status": "succeeded",
        "cause": None,
        "duration_ms": 12,
        "output_digest": _digest(),
        "output_size_bytes": 640,
        "error": None,
        "late": False,
    }


def _item(kind: Kind, item: Recorded, attributes: dict[str, Any], now_ms: int) -> dict[str, Any]:
    return {
        "item_id": str(uuid.uuid4()),
        "kind": kind.value,
        "time": f"2026-11-21T04:{now_ms // 60_000 % 60:02}:{now_ms // 1000 % 60:02}.{now_ms % 1000:03}Z",
        "agent": f"{item.suite}-assistant",
        "session_id": f"session-{item.number}",
        "task_id": f"dojo-{item.number}",
        "trace_id": os.urandom(16).hex(),
        "span_id": os.urandom(8).hex(),
        "parent_span_id": os.urandom(8).hex(),
        "links": [],
        "duration_ms": 900,
        "status": "ok",
        "producer": {"epoch": "0f" * 16, "seq": now_ms % 100_000},
        "coverage": "captured",
        "source": "sdk",
        "convention": None,
        "classification": None,
        "subjects": [],
        "region": "eu",
        "environment": "bench",
        "deployment": None,
        "redactions": [],
        "privacy_policy": "7d" * 32,
        "salt": _digest()[:22],
        "attributes": attributes,
    }
