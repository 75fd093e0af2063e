"""Which item a span becomes: an id that says the same thing when the same span is sent again.

An item id is a UUIDv7 whose time is the span's own and whose other bits are the SHA-256 of who sent it, its trace, its
span and the part of it that the item is. Exporters repeat what was not acknowledged, and load balancers send it another
way: the second copy gets the same ids and counts once. The sender is in it, so that nobody can take the place of
another's span by sending its ids first.
"""

import hashlib
from functools import lru_cache

from sealgate.model.identifiers import uuid7

_LABEL = b"sealgate-otlp-item-v1"
_NS_PER_MS = 1_000_000


@lru_cache(maxsize=1024)
def _prefix(principal: str) -> bytes:
    return hashlib.sha256(_LABEL + b"\0" + principal.encode()).digest()


def item_id(principal: str, trace_id: str, span_id: str, part: str, time_ns: int) -> str:
    """Return the id of one item of a span. ``part`` is empty for the span itself."""
    said = f"{trace_id}{span_id}{part}".encode()
    return uuid7(time_ns // _NS_PER_MS, hashlib.sha256(_prefix(principal) + said).digest()[:10])


def log_item_id(principal: str, time_ns: int, said: bytes) -> str:
    """Return the id of a log record's item. Log records have no id: their whole content stands in for it."""
    return uuid7(time_ns // _NS_PER_MS, hashlib.sha256(_prefix(principal) + b"log\0" + said).digest()[:10])
