"""Items as our SDK sends them: the tool calls of recorded AgentDojo runs where they are at hand, else similar ones."""

import hashlib
import itertools
import os
from collections.abc import Iterator
from typing import Any

import orjson

from bench import dojo_runs
from bench.harness import data_folder
from sealgate.encoding import contents
from sealgate.model import items
from sealgate.model.attributes import ToolCall
from sealgate.model.identifiers import uuid7

_TEXT = "Please pay the rent for march to the usual account and tell Anna when it is done."
_CALLS = (
    ("send_money", {"recipient": "GB29NWBK60161331926819", "amount": 50, "subject": _TEXT, "date": "2026-11-01"}),
    ("send_email", {"recipients": ["anna.meyer@example.com"], "subject": "Rent", "body": _TEXT}),
    ("read_file", {"path": "bills/2026-10.txt"}),
    ("search_hotels", {"city": "Zürich", "guests": 2, "from": "2026-12-01", "to": "2026-12-05", "note": _TEXT}),
)


def proposed() -> list[tuple[str, dict[str, Any]]]:
    """Return tool calls (name, arguments) to choose from."""
    folder = data_folder()
    found = sorted((folder / "agentdojo").glob("runs_dev.jsonl.xz")) if folder else []
    if not found:
        return list(_CALLS)
    runs = itertools.islice(dojo_runs.read(found[0]), 300)
    return [(call.tool, call.arguments) for run in runs for call in run.calls] or list(_CALLS)


def make(count: int, unix_ms: int) -> Iterator[bytes]:
    """Yield that many items as canonical texts, each with ids of its own, arguments kept so that there is work."""
    calls = itertools.cycle(proposed())
    epoch = os.urandom(16).hex()
    for number in range(count):
        name, arguments = next(calls)
        task = number // 12
        trace = hashlib.sha256(b"%d" % task).hexdigest()[:32]
        salt = os.urandom(16)
        content = orjson.dumps(arguments)
        kept: dict[str, Any] = {
            "digest": contents.digest(salt, content),
            "size_bytes": len(content),
            "media_type": "application/json",
            "value": arguments,
        }
        attributes = items.attributes(
            ToolCall,
            tool={
                "name": name,
                "server": "bank",
                "version": "1.2.0",
                "publisher": "example",
                "trust_level": None,
                "verification_score": None,
                "definition_sha256": None,
            },
            call_id=f"call_{number}",
            tool_type="function",
            input=kept,
            outcome="succeeded",
        )
        yield orjson.dumps(
            {
                "item_id": uuid7(unix_ms, os.urandom(10)),
                "kind": "tool.call",
                "time": "2026-11-21T03:00:00.000Z",
                "agent": f"agent-{task % 4}",
                "session_id": f"session-{task}",
                "task_id": f"task-{task}",
                "trace_id": trace,
                "span_id": os.urandom(8).hex(),
                "parent_span_id": None,
                "duration_ms": 12,
                "status": "ok",
                "producer": {"epoch": epoch, "seq": number},
                "coverage": "captured",
                "source": "sdk",
                "salt": contents.salt_text(salt),
                "attributes": attributes,
            },
            option=orjson.OPT_SORT_KEYS,
        )


def batches(count: int, each: int, unix_ms: int) -> list[bytes]:
    """Return so many native batches of so many items."""
    texts = make(count * each, unix_ms)
    made = []
    for _ in range(count):
        joined = b",".join(itertools.islice(texts, each))
        made.append(b'{"batch_id":"%s","items":[%s]}' % (os.urandom(16).hex().encode(), joined))
    return made
