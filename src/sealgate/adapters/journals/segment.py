"""The bytes of a journal segment. Pure: what is on disk, not how it gets there.

::

    header   8s magic · u32 version · u32 sequence · u64 first index · u64 durable bytes of the previous segment
             · 32s SHA-256(origin) · u32 crc32 of all before
    frame    u32 length · u32 crc32 of payload · payload
    payload  u64 index · u32 distance to the group's first byte · u16 statement length · statement · sealed body

All numbers are little-endian. Bytes of a segment beyond the durable length that its successor names are void.

The distance tells torn from altered. A group is written only after the group before it was synced, so a good frame
whose group starts behind a bad frame proves that the bad frame was durable once: it was altered. A bad frame without
such a witness is the torn end of a write that nobody was told about.
"""

import struct
import zlib
from array import array
from dataclasses import dataclass
from typing import Final, NamedTuple

from sealgate.model.limits import MAX_BATCH_BODY_BYTES, MAX_STATEMENT_BYTES
from sealgate.ports.journal import JournalRecord

MAGIC: Final = b"SEALJRNL"
VERSION: Final = 1
MAX_SEALED_BYTES: Final = MAX_BATCH_BODY_BYTES + 8192
"""A sealed body: the body, its key id, nonce and tag, and what a body that does not compress grows by."""

SPARSE_EVERY: Final = 64
"""One remembered offset for so many records: 1 KiB of memory for 8,000 records; to find one, at most so many heads."""

_HEADER = struct.Struct("<8sIIQQ32s")
_CRC = struct.Struct("<I")
HEADER_BYTES: Final = _HEADER.size + _CRC.size

_FRAME = struct.Struct("<II")
_PAYLOAD = struct.Struct("<QIH")
WHOLE: Final = struct.Struct("<IIQIH")
"""Frame and payload heads in one: length, checksum, index, distance, statement length."""
FRAME_BYTES: Final = WHOLE.size
CHECKED_FROM: Final = _FRAME.size
"""Where in a frame the bytes begin that its checksum and length cover."""
LEAST_BYTES: Final = _PAYLOAD.size
MOST_BYTES: Final = LEAST_BYTES + MAX_STATEMENT_BYTES + MAX_SEALED_BYTES


@dataclass(frozen=True, slots=True)
class Header:
    """What a segment says about itself. ``previous_bytes`` is 0 in the first segment."""

    sequence: int
    first_index: int
    previous_bytes: int
    origin: bytes

    def encode(self) -> bytes:
        """Return the header's bytes."""
        head = _HEADER.pack(MAGIC, VERSION, self.sequence, self.first_index, self.previous_bytes, self.origin)
        return head + _CRC.pack(zlib.crc32(head))


def decode_header(data: bytes) -> Header | None:
    """Return the header at the start of ``data``, or None if it is not one of ours, whole and unaltered."""
    if len(data) < HEADER_BYTES or _CRC.unpack_from(data, _HEADER.size)[0] != zlib.crc32(data[: _HEADER.size]):
        return None
    magic, version, sequence, first_index, previous_bytes, origin = _HEADER.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        return None
    return Header(sequence, first_index, previous_bytes, origin)


def encode_group(first_index: int, records: list[JournalRecord]) -> tuple[bytes, list[int]]:
    """Return one group's bytes and where each record starts in them."""
    parts: list[bytes] = []
    starts: list[int] = []
    at = 0
    crc32 = zlib.crc32
    for index, record in enumerate(records, first_index):
        statement, sealed = record.statement, record.sealed_body
        tail = statement + sealed
        inner = _PAYLOAD.pack(index, at, len(statement))
        parts += (_FRAME.pack(LEAST_BYTES + len(tail), crc32(tail, crc32(inner))), inner, tail)
        starts.append(at)
        at += FRAME_BYTES + len(tail)
    return b"".join(parts), starts


class Frame(NamedTuple):
    """One frame found in a buffer. ``record`` is its index, ``end`` the offset behind it."""

    record: int
    distance: int
    statement_end: int
    start: int
    end: int


def frame_at(data: bytes | memoryview, at: int, end: int) -> Frame | None:
    """Return the frame that starts at ``at`` and lies before ``end`` with a right checksum, or None."""
    if at + FRAME_BYTES > end:
        return None
    length, crc, index, distance, statement_bytes = WHOLE.unpack_from(data, at)
    stop = at + _FRAME.size + length
    if not LEAST_BYTES <= length <= MOST_BYTES or stop > end or LEAST_BYTES + statement_bytes > length:
        return None
    if zlib.crc32(memoryview(data)[at + _FRAME.size : stop]) != crc:
        return None
    return Frame(index, distance, at + FRAME_BYTES + statement_bytes, at, stop)


def witness_behind(data: bytes, bad: int, index: int) -> Frame | None:
    """Return a good frame behind offset ``bad`` that was written after a sync of it, or None: the end is torn.

    ``index`` is the index expected at ``bad``. Every offset is tried, because a damaged length hides where the next
    frame starts; but not in the zeros that were written ahead, a megabyte of them, as a length is never zero.
    """
    unpack = WHOLE.unpack_from
    written = bad + len(data[bad:].rstrip(b"\0"))
    for at in range(bad + 1, min(written, len(data) - FRAME_BYTES + 1)):
        length, _, found, distance, _ = unpack(data, at)
        if LEAST_BYTES <= length <= MOST_BYTES and index <= found <= index + (1 << 32) and at - distance > bad:
            frame = frame_at(data, at, len(data))
            if frame is not None:
                return frame
    return None


class SparseIndex:
    """Where every 64th record of one segment starts. Written by one thread, read by any."""

    def __init__(self) -> None:
        self._offsets = array("Q")
        self._count = 0

    def add(self, offset: int) -> None:
        """Note the start of the next record."""
        if self._count % SPARSE_EVERY == 0:
            self._offsets.append(offset)
        self._count += 1

    @property
    def count(self) -> int:
        """How many records were noted."""
        return self._count

    def nearest(self, position: int) -> tuple[int, int]:
        """Return (position, offset) of the last remembered record at or before ``position`` in the segment."""
        slot = min(position // SPARSE_EVERY, len(self._offsets) - 1)
        return slot * SPARSE_EVERY, self._offsets[slot]
