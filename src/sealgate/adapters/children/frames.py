"""How the authority and its helping processes cut the stream between them: each message has its length before it.

Both ends are the same program of the same user over a socket pair; nothing of it is kept.
"""

import asyncio
import logging
import struct
from collections.abc import Callable
from io import IOBase
from typing import Final

_LOG = logging.getLogger(__name__)
_LENGTH: Final = struct.Struct(">I")
_HEAD_BYTES: Final = _LENGTH.size
MAX_BYTES: Final = 64 << 20
"""A policy set of 16 MiB fits, and 1024 questions of the largest size are never in one message."""


def frame(payload: bytes) -> bytes:
    """Return a message with its length before it."""
    return _LENGTH.pack(len(payload)) + payload


def length_of(head: bytes) -> int:
    """Return the length that a frame's head announces.

    Raises:
        ValueError: longer than any message of ours.
    """
    length: int = _LENGTH.unpack(head)[0]
    if length > MAX_BYTES:
        raise ValueError(length)
    return length


def read(stream: IOBase) -> bytes | None:
    """Return the next message of a blocking stream, or None when the other side has closed it."""
    head: bytes = stream.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES:
        return None
    length = length_of(head)
    payload: bytes = stream.read(length)
    return payload if len(payload) == length else None


class Cutter(asyncio.Protocol):
    """Cuts what a process sends into messages. One that cannot be taken in ends the connection."""

    def __init__(self, received: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        self._received = received
        self._lost = lost
        self._buffer = b""
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Know what to end."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take in every message that is whole; most arrive alone."""
        buffer = self._buffer + data if self._buffer else data
        at = 0
        try:
            while len(buffer) - at >= _HEAD_BYTES:
                end = at + _HEAD_BYTES + length_of(buffer[at : at + _HEAD_BYTES])
                if len(buffer) < end:
                    break
                self._received(buffer[at + _HEAD_BYTES : end])
                at = end
        except Exception:  # noqa: BLE001 - whatever it was, the owner goes on alone
            _LOG.exception("a helping process answered what it was not asked; it is ended")
            if isinstance(self._transport, asyncio.WriteTransport):
                self._transport.abort()
        self._buffer = buffer[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that nothing more will come."""
        del exc
        self._lost()
