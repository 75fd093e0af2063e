"""Which records and keys an ``erasure.executed`` or ``retention.expired`` record takes away: pure."""

import base64
import zlib
from collections.abc import Iterator
from typing import Any, Final

import orjson

from sealgate.evidence.columns import NUMBER_OF
from sealgate.model.records import Kind
from sealgate.ports.evidence import Erasure

ERASING: Final = frozenset({Kind.ERASURE_EXECUTED, Kind.RETENTION_EXPIRED})
_MAX_BITMAP_BYTES: Final = 1 << 27


def erasure(row: tuple[Any, ...]) -> Erasure:
    """Return what a row of one of the ERASING kinds takes away."""
    rest = orjson.loads(row[NUMBER_OF["rest"]] or "{}")
    subjects = row[NUMBER_OF["subjects"]]
    low, high, indexes, keys = (rest.get(name) for name in ("from_index", "to_index", "indexes", "key_ids"))
    expired = row[NUMBER_OF["kind"]] == Kind.RETENTION_EXPIRED
    return Erasure(
        index=row[NUMBER_OF["journal_index"]],
        key_ids=tuple(key for key in keys if isinstance(key, str)) if isinstance(keys, list) else (),
        certain=not expired,  # what a hold keeps was sealed under another key before its own is destroyed
        from_index=low if expired and isinstance(low, int) else None,
        to_index=high if expired and isinstance(high, int) else None,
        indexes=indexes if expired and isinstance(indexes, str) else None,
        retention_class=rest.get("expired_class") if expired else None,
        subject=None if expired or not subjects else subjects[0],
    )


def named(indexes: str, start: int) -> Iterator[int]:
    """Yield the indexes of a bitmap: base64url of deflated bytes, in each from the lowest bit, from ``start`` on."""
    packed = base64.urlsafe_b64decode(indexes + "=" * (-len(indexes) % 4))
    bits = zlib.decompressobj().decompress(packed, _MAX_BITMAP_BYTES)
    for place, byte in enumerate(bits):
        for bit in range(8):
            if byte >> bit & 1:
                yield start + place * 8 + bit
