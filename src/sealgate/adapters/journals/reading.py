"""The reading half of the file journal: records of its segments, from any thread, each with its checksum checked."""

import os
import threading
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from sealgate.adapters.journals.archive_reading import ArchiveFile
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
from sealgate.ports.journal import JournalRecord

_READ_BYTES: Final = 256 * 1024
_KEPT_BLOCKS: Final = 4
_LOOKUP_BYTES: Final = 48 * 1024  # more than the frame of any record but a batch; that takes a second read


class RecentBlocks:
    """The archived records read last, decoded: who bisects or reads one by one comes back to the same block."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, int], list[JournalRecord]] = {}

    def records(self, file: ArchiveFile, name: str, index: int) -> tuple[int, list[JournalRecord]]:
        """Return the block's first index and the records of the block that holds ``index``."""
        with self._lock:
            for (known, first), records in self._kept.items():
                if known == name and first <= index < first + len(records):
                    return first, records
        block = next(file.blocks(index, index + 1))
        records = block.records()
        with self._lock:
            self._kept[name, block.first] = records
            while len(self._kept) > _KEPT_BLOCKS:
                del self._kept[next(iter(self._kept))]
        return block.first, records

    def clear(self) -> None:
        """Forget all: something was written anew."""
        with self._lock:
            self._kept.clear()


def read_records(
    segments: list[Segment], start: int, end: int, recent: RecentBlocks
) -> Iterator[tuple[int, JournalRecord]]:
    """Yield (index, record) from ``start`` to ``end``. ``segments`` may change meanwhile: one is archived."""
    while start < end:
        segment, stop = _segment_of(segments, start, end)
        try:
            if segment.generation:
                with ArchiveFile(segment.path) as file:
                    if stop - start == 1:
                        first, records = recent.records(file, segment.path.name, start)
                        found: Iterator[tuple[int, JournalRecord]] = iter([(start, records[start - first])])
                    else:
                        found = file.records(start, stop)
                    for index, record in found:
                        yield index, record
                        start = index + 1
            else:
                for index, data, at, middle, behind in segment_frames(segment, start, stop):
                    yield index, JournalRecord(data[at:middle], data[middle:behind])
                    start = index + 1
        except FileNotFoundError:
            _require_replaced(segments, segment, start, end)


def read_statements(segments: list[Segment], start: int, end: int) -> Iterator[bytes]:
    """Yield the statements from ``start`` to ``end``; empty where one expired."""
    while start < end:
        segment, stop = _segment_of(segments, start, end)
        try:
            if segment.generation:
                with ArchiveFile(segment.path) as file:
                    for statement in file.statements(start, stop):
                        yield statement
                        start += 1
            else:
                for _, data, at, middle, _ in segment_frames(segment, start, stop):
                    yield data[at:middle]
                    start += 1
        except FileNotFoundError:
            _require_replaced(segments, segment, start, end)


def _segment_of(segments: list[Segment], start: int, end: int) -> tuple[Segment, int]:
    slot = bisect_right(segments, start, key=lambda segment: segment.header.first_index) - 1
    behind = slot + 1
    stop = segments[behind].header.first_index if behind < len(segments) else end
    return segments[slot], min(stop, end)


def _require_replaced(segments: list[Segment], segment: Segment, start: int, end: int) -> None:
    """Return if the missing file was replaced by an archive meanwhile; then reading goes on there."""
    if _segment_of(segments, start, end)[0] is segment:
        raise AlteredError(f"journal file `{segment.path.name}` is missing", index=start)


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
