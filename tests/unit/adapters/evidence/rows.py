"""Bodies of records for tests of the store, made quickly and always alike."""

import uuid

import orjson

KEY = bytes(range(16))


def record_id(number, ms=1_790_000_000_000):
    """A UUIDv7 that grows with ``number``."""
    return str(uuid.UUID(int=(ms + number) << 80 | 7 << 76 | 2 << 62 | number))


def item(number, **more):
    """One item of a batch."""
    return {
        "item_id": record_id(number),
        "kind": "reasoning",
        "time": f"2026-09-21T14:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
        "agent": f"a{number % 3}",
        "task_id": f"task-{number // 10}",
        "coverage": "captured",
        "source": "sdk",
        "attributes": {"rationale": f"because {number}"},
        **more,
    }


def batch(number, items, **more):
    """The body of a batch record."""
    return orjson.dumps(
        {
            "kind": "records.captured",
            "record_id": record_id(number, 1_790_000_500_000),
            "time": "2026-09-21T15:00:00.000Z",
            "coverage": "captured",
            "principal": "p",
            "region": "eu",
            "environment": "test",
            "retention_class": "default",
            "items": [orjson.dumps(one).decode() for one in items],
            **more,
        }
    )
