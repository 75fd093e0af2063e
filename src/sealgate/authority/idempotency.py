"""Idempotency: one request id, one record. Kept lean, because every request leaves an entry.

A repeated request finds the index of its record; the answer is rebuilt from the record itself, so that it is the
same after a restart. While the first is still on its way to stable storage, a repeat waits for it.
"""

import asyncio
from collections import OrderedDict
from typing import Any, Final

from sealgate.encoding.canonical import sha256

MAX_REMEMBERED: Final = 500_000
"""Requests remembered at most; at about 200 bytes each. The oldest are forgotten first."""


class Remembered:
    """Request ids of the idempotency window, oldest first. Not thread-safe: one event loop owns it."""

    def __init__(self, *, window_ms: int, limit: int = MAX_REMEMBERED) -> None:
        self._window_ms = window_ms
        self._limit = limit
        self._entries: OrderedDict[bytes, tuple[int, int | asyncio.Future[Any]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    @staticmethod
    def key(agent: str, request_id: str) -> bytes:
        """Return the key of a request: agents cannot collide with each other's ids."""
        return sha256(agent.encode() + b"\x00" + request_id.encode())[:16]

    def find(self, key: bytes) -> int | asyncio.Future[Any] | None:
        """Return the index of the request's record, or the future of its answer, or None."""
        entry = self._entries.get(key)
        return entry[1] if entry else None

    def remember(self, key: bytes, what: int | asyncio.Future[Any], now_ms: int) -> None:
        """Remember a request; forget those that are too old or too many."""
        self._entries[key] = (now_ms, what)
        while self._entries:
            oldest = next(iter(self._entries))
            if len(self._entries) <= self._limit and self._entries[oldest][0] >= now_ms - self._window_ms:
                return
            del self._entries[oldest]

    def forget(self, key: bytes) -> None:
        """Forget a request that never became durable: its repeat is a new one."""
        self._entries.pop(key, None)
