"""The reading half of the file journal: records of one segment, from any thread, each with its checksum checked."""

import os
import zlib
from collections.abc import Iterator
from typing import Final

from sealgate.adapters.journals.recovery import Segment, read_whole, scan
from sealgate.adapters.journals.segment import (
    CHECKED_FROM,
    FRAME_BYTES,
    HEADER_BYTES,
    LEAST_BYTES,
    MOST_BYTES,
    WHOLE,
    SparseIndex,
)
from sealgate.model.errors import AlteredError

_READ_BYTES: Final = 256 * 1024
_LOOKUP_BYTES: Final = 48 * 1024  # more than the frame of any record but a batch; that takes a second read


def segment_frames(segment: Segment, start: int, stop: int) -> Iterator[tuple[int, bytes, int, int, int]]:
    """Yield (index, buffer, statement start, statement end, frame end) of the records of one segment.

    The ledger reads every record through this loop while the gate decides, so it is written for speed: no call for a
    record but the checksum's.
    """
    unpack, crc32 = WHOLE.unpack_from, zlib.crc32
    descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        position, offset = _near(descriptor, segment, start - segment.header.first_index)
        index, at, data, held = segment.header.first_index + position, 0, b"", 0
        wanted = _LOOKUP_BYTES if stop - start == 1 else _READ_BYTES
        while index < stop:
            needed, begin = FRAME_BYTES, at + FRAME_BYTES
            if begin <= held:
                length, crc, found, _, statement_bytes = unpack(data, at)
                end = at + CHECKED_FROM + length
                if not LEAST_BYTES <= length <= MOST_BYTES:
                    raise _altered(segment, index)
                if end > held and index < start:  # nothing of this record is wanted: over it without reading it
                    at, index = end, index + 1
                    continue
                needed = end - at
                if end <= held:
                    middle = begin + statement_bytes
                    if found != index or middle > end or crc32(data[at + CHECKED_FROM : end]) != crc:
                        raise _altered(segment, index)
                    if index >= start:
                        yield index, data, begin, middle, end
                    at, index = end, index + 1
                    continue
            offset += at
            data = os.pread(descriptor, max(wanted, needed), offset)
            if len(data) < needed:
                raise _altered(segment, index)  # the file ends inside the record
            at, held = 0, len(data)
    finally:
        os.close(descriptor)


def _near(descriptor: int, segment: Segment, position: int) -> tuple[int, int]:
    """Return (position, offset) of a record at or shortly before ``position``; the start needs no index."""
    if position == 0:
        return 0, HEADER_BYTES
    if segment.index is None:
        segment.index = _index_segment(descriptor, segment)
    return segment.index.nearest(position)


def _index_segment(descriptor: int, segment: Segment) -> SparseIndex:
    """Hop from frame to frame; checksums are checked when a record is read."""
    sparse, at, base, data = SparseIndex(), HEADER_BYTES, 0, b""
    while at < segment.durable_bytes:
        if at + CHECKED_FROM > base + len(data):
            base, data = at, os.pread(descriptor, _READ_BYTES, at)
            if len(data) < CHECKED_FROM:
                break
        sparse.add(at)
        at += CHECKED_FROM + int.from_bytes(data[at - base : at - base + 4], "little")
    if at != segment.durable_bytes:
        _, _, bad = scan(read_whole(descriptor), segment.header, segment.durable_bytes)
        raise _altered(segment, bad)
    return sparse


def _altered(segment: Segment, index: int) -> AlteredError:
    return AlteredError(
        f"journal record {index} in `{segment.path.name}` was altered",
        index=index,
        hint="its checksum does not match; restore the segment from a replica",
    )
