"""The writing half of the file journal: the one place that changes a segment, run by one thread.

A failed write or sync leaves the active segment behind for good. Nothing is retried in place: after a failed sync the
page cache no longer tells what the disk has.
"""

import contextlib
import os
from pathlib import Path
from typing import Final, NamedTuple

from sealgate.adapters.durable import create_synced, forget_cached, sync_directory, write_all
from sealgate.adapters.journals.recovery import Segment, origin_digest, read_whole, scan, segment_path
from sealgate.adapters.journals.segment import HEADER_BYTES, Header, SparseIndex, encode_group
from sealgate.model.errors import JournalError
from sealgate.ports.journal import JournalRecord

_RESERVE_BYTES: Final = 1 << 20
"""Zeros written ahead at a time: some 700 records. A sync then takes a third less (bench/RESULTS.md)."""


def create_first_segment(directory: Path, origin: str) -> None:
    """Create an empty journal in ``directory``, durable on return."""
    _create(directory, Header(1, 0, 0, origin_digest(origin)))
    sync_directory(directory.parent)


def _create(directory: Path, header: Header) -> Segment:
    path = segment_path(directory, header.sequence)
    create_synced(path, header.encode())
    # If we die here, the segment may or may not be found; it is empty, and the one before it ends where it says.
    sync_directory(directory)
    return Segment(path, header, HEADER_BYTES, SparseIndex())


class Written(NamedTuple):
    """A group that was written and is not synced yet: where each record starts in it, where it lies in the segment."""

    starts: list[int]
    base: int
    length: int


class SegmentWriter:
    """Appends groups to the last of ``segments`` and opens new ones. Not thread-safe: one thread owns it."""

    def __init__(self, directory: Path, segments: list[Segment], size: int, segment_bytes: int) -> None:
        self._directory = directory
        self._segments = segments
        self._segment_bytes = segment_bytes
        self.size = size
        self._descriptor = os.open(segments[-1].path, os.O_RDWR | os.O_CLOEXEC)
        self._reserved_bytes = 0

    @property
    def descriptor(self) -> int:
        """The file to sync after ``put``."""
        return self._descriptor

    @property
    def full(self) -> bool:
        """Whether the next record opens a new segment."""
        return self._segments[-1].durable_bytes >= self._segment_bytes

    def write(self, records: list[JournalRecord]) -> None:
        """Make the records durable behind all others: one write, one fdatasync.

        Raises:
            OSError: unknown outcome; only ``reopen`` may follow.
        """
        written = self.put(records)
        os.fdatasync(self._descriptor)
        self.settle(written)

    def put(self, records: list[JournalRecord]) -> Written:
        """Write the records behind all others and do not sync; after the sync comes ``settle``, and nothing between.

        Raises:
            OSError: unknown outcome; only ``reopen`` may follow.
        """
        if self.full:
            self._start_segment()
        active = self._segments[-1]
        data, starts = encode_group(self.size, records)
        base = active.durable_bytes
        if base + len(data) > self._reserved_bytes and len(data) < _RESERVE_BYTES:
            self._reserve(base + len(data))
        write_all(self._descriptor, data, base)
        return Written(starts, base, len(data))

    def settle(self, written: Written) -> None:
        """Take in that what was put is synced: it is durable."""
        active = self._segments[-1]
        if active.index is not None:
            for start in written.starts:
                active.index.add(written.base + start)
        active.durable_bytes = written.base + written.length
        self.size += len(written.starts)

    def _reserve(self, end: int) -> None:
        """Write zeros ahead, so that the syncs to come change no length and need no journal of the file system.

        The group's own sync makes them durable with it. Zeros behind the last record are a torn end like any other. If
        there is no room for them, records go on without.
        """
        try:
            write_all(self._descriptor, bytes(_RESERVE_BYTES), end)
            self._reserved_bytes = end + _RESERVE_BYTES
        except OSError:
            self._reserved_bytes = 0

    def reopen(self) -> None:
        """Verify the durable tail from the disk and go on in a new segment; what lies behind the tail becomes void.

        Raises:
            JournalError: durable records are not there any more.
            OSError: the disk still refuses; the call may be repeated.
        """
        active = self._segments[-1]
        forget_cached(self._descriptor)
        data = read_whole(self._descriptor)
        if len(data) < active.durable_bytes:
            raise JournalError(f"journal segment `{active.path.name}` is shorter than what was durable")
        _, end, size = scan(data, active.header, active.durable_bytes)
        if (end, size) != (active.durable_bytes, self.size):
            raise JournalError(
                f"journal record {size} was durable and cannot be read back from `{active.path.name}`",
                hint="replace the disk; restore the journal from a replica or continue under a new origin",
            )
        self._start_segment()

    def roll(self) -> None:
        """Go on in a new segment, if this one has records. Raises OSError as ``write``."""
        if self._segments[-1].header.first_index < self.size:
            self._start_segment()

    def _start_segment(self) -> None:
        active = self._segments[-1]
        header = Header(active.header.sequence + 1, self.size, active.durable_bytes, active.header.origin)
        # An earlier attempt may have left this very file with an unknown outcome; it holds no record and is replaced.
        created = _create(self._directory, header)
        descriptor = os.open(created.path, os.O_RDWR | os.O_CLOEXEC)
        self._give_back()
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._reserved_bytes = 0
        self._segments.append(created)

    def close(self) -> None:
        """Close the active segment's file. What was written is durable already."""
        self._give_back()
        os.close(self._descriptor)

    def _give_back(self) -> None:
        """Cut the zeros behind the last record. Only tidiness: a start, and the next segment's header, ignore them."""
        if self._reserved_bytes:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._segments[-1].durable_bytes)
