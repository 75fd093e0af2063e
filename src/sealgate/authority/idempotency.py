"""Idempotency: one request id, one record. Kept lean, because every request leaves an entry.

A repeated request finds the index of its record; the answer is rebuilt from the record itself, so that it is the
same after a restart. While the first is still on its way to stable storage, a repeat waits for it.
"""

import asyncio
import struct
from collections import OrderedDict
from typing import Any, Final

from sealgate.encoding.canonical import sha256

MAX_REMEMBERED: Final = 500_000
"""Requests remembered at most; at about 200 bytes each. The oldest are forgotten first."""


MAX_BATCHES: Final = 65_536
"""Batches remembered at most: at 100 a second, those of eleven minutes; the oldest are forgotten first."""

_PACKED: Final = struct.Struct("<16sQ")


class RememberedBatches:
    """Ids of the newest batches, each with the index of its record. Not thread-safe: one event loop owns it.

    They are saved with a snapshot, because reading so many large records again would make a start long. For that they
    are kept packed, too, and saving them is one copy.
    """

    def __init__(self, limit: int = MAX_BATCHES) -> None:
        self._limit = limit
        self._entries: dict[bytes, int | asyncio.Future[Any]] = {}
        self._packed = bytearray()

    def __len__(self) -> int:
        return len(self._entries)

    @staticmethod
    def key(principal: str, batch_id: str) -> bytes:
        """Return the key of a batch: principals cannot collide with each other's ids."""
        return sha256(b"batch\x00" + principal.encode() + b"\x00" + batch_id.encode())[:16]

    def find(self, key: bytes) -> int | asyncio.Future[Any] | None:
        """Return the index of the batch's record, or the future of its receipt, or None."""
        return self._entries.get(key)

    def begin(self, key: bytes, future: "asyncio.Future[Any]") -> None:
        """Let repetitions wait for a batch that is on its way to stable storage."""
        self._entries[key] = future

    def remember(self, key: bytes, index: int) -> None:
        """Remember a durable batch; forget the oldest if there are too many."""
        if isinstance(self._entries.get(key), int):
            return
        self._entries[key] = index
        self._packed += _PACKED.pack(key, index)
        if len(self._packed) > self._limit * _PACKED.size:
            oldest, _ = _PACKED.unpack_from(self._packed)
            del self._packed[: _PACKED.size]
            self._entries.pop(oldest, None)

    def forget(self, key: bytes) -> None:
        """Forget a batch that never became durable: its repetition is a new one."""
        self._entries.pop(key, None)

    def dump(self) -> bytes:
        """Return all durable ones, packed."""
        return bytes(self._packed)

    def load(self, packed: bytes) -> None:
        """Take in what ``dump`` returned."""
        for key, index in _PACKED.iter_unpack(packed[: len(packed) // _PACKED.size * _PACKED.size]):
            self.remember(key, index)


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
        """Remember a request; with a new one, forget those that are too old or too many."""
        known = key in self._entries
        self._entries[key] = (now_ms, what)
        while not known and self._entries:
            oldest = next(iter(self._entries))
            if len(self._entries) <= self._limit and self._entries[oldest][0] >= now_ms - self._window_ms:
                return
            del self._entries[oldest]

    def forget(self, key: bytes) -> None:
        """Forget a request that never became durable: its repeat is a new one."""
        self._entries.pop(key, None)
