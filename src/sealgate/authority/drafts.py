"""A record before and after it is durable, and where it is made."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from sealgate.model.records import Kind

Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """Where this authority records: identity of the log and the labels that every record carries."""

    origin: str
    authority_id: str
    region: str
    environment: str
    retention_class: str
    regime: str | None = None


class EntropyPool:
    """Hands out random bytes of the operating system, fetched 4 KiB at a time: one system call for sixty records.

    Bytes are handed out once and never kept. Not for keys that live longer than a record, and not across a fork.
    """

    def __init__(self) -> None:
        self._bytes = b""
        self._at = 0

    def take(self, size: int) -> bytes:
        """Return ``size`` fresh random bytes."""
        end = self._at + size
        if end > len(self._bytes):
            self._bytes, self._at, end = os.urandom(max(4096, size)), 0, size
        start, self._at = self._at, end
        return self._bytes[start:end]


class Draft(msgspec.Struct):
    """A record about to be made: ids and salt are fixed before the body is written, so that the body can use them."""

    kind: Kind
    record_id: str
    record_id_bytes: bytes
    unix_ms: int
    salt: bytes
    fields: dict[str, Any] = {}


class Receipt(msgspec.Struct, frozen=True):
    """A durable record: its id, index in the log, the exact statement and body."""

    record_id: str
    index: int
    statement: bytes
    body: bytes
