"""Writes closed segments anew as archives: smaller, without what expired. The append path never comes here.

The new file gets its content (``archive_writing``), then its name, and only when both are durable the old file loses
its own. A crash leaves the old file, or both, and then a start takes the newer one and removes the other
(``recovery``). A reader that still has the old file open finishes with it; one that comes too late for it finds the new
one in the list of segments.
"""

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from sealgate.adapters.durable import sync_directory
from sealgate.adapters.journals.archive import ArchiveHeader
from sealgate.adapters.journals.archive_reading import ArchiveFile
from sealgate.adapters.journals.archive_writing import pack, pack_segment, write_archive
from sealgate.adapters.journals.recovery import Segment, archive_path
from sealgate.model.errors import InputError, UnavailableError
from sealgate.ports.archiving import Archiver, ClosedSegment, Label, Packer, Wanted

_MAX_GENERATION: Final = 9999


class Rewriter:
    """Archives the closed segments of one journal. ``segments`` is the journal's own list: one slot is exchanged."""

    def __init__(self, directory: Path, origin: str, segments: list[Segment]) -> None:
        self._directory = directory
        self._origin = origin
        self._segments = segments

    def closed(self) -> list[ClosedSegment]:
        """Return all segments but the last, which appends go to."""
        segments = list(self._segments)
        return [
            _describe(segment, after.header.first_index)
            for segment, after in pairwise(segments)
            if after.header.first_index > segment.header.first_index  # else it is empty and nothing can be saved
        ]

    def _find(self, sequence: int) -> tuple[int, Segment, int]:
        for slot, (segment, after) in enumerate(zip(self._segments, self._segments[1:], strict=False)):
            if segment.header.sequence == sequence:
                return slot, segment, after.header.first_index
        raise InputError(f"journal segment {sequence} is not closed", hint="only closed segments are archived")

    def labels(self, sequence: int, wanted: Wanted | None = None) -> Iterator[Label]:
        """Yield what an archived segment knows of its records."""
        _, segment, _ = self._find(sequence)
        with ArchiveFile(segment.path) as file:
            yield from file.labels(wanted)

    def key_ids(self, sequence: int) -> set[bytes]:
        """Return the data keys that bodies of an archived segment need."""
        _, segment, _ = self._find(sequence)
        with ArchiveFile(segment.path) as file:
            return file.key_ids()

    def rewrite(self, sequence: int, packer: Packer, archiver: Archiver | None = None) -> ClosedSegment:
        """Write one closed segment anew; see ``ports.archiving``."""
        slot, segment, stop = self._find(sequence)
        if segment.generation >= _MAX_GENERATION:
            raise InputError(f"journal segment {sequence} was written anew too often")
        path = archive_path(self._directory, sequence, segment.generation + 1)
        header = ArchiveHeader(
            segment.header, segment.durable_bytes, stop - segment.header.first_index, segment.generation + 1
        )
        try:
            temporary = path.with_name(path.name + ".new")
            self._write(temporary, header, segment, stop, packer, archiver)
            os.rename(temporary, path)  # noqa: PTH104 - the system call is the point here
            # If we die before this, the old file is found, or both; the new one is whole.
            sync_directory(self._directory)
            self._segments[slot] = Segment(
                path, segment.header, segment.durable_bytes, generation=segment.generation + 1
            )
            segment.path.unlink()
            # If we die before this, a start may find the old file again and removes it.
            sync_directory(self._directory)
        except OSError as error:
            raise UnavailableError(f"journal segment {sequence} cannot be written anew: {error.strerror}") from error
        return _describe(self._segments[slot], stop)

    def _write(
        self, path: Path, header: ArchiveHeader, segment: Segment, stop: int, packer: Packer, archiver: Archiver | None
    ) -> None:
        """Have the content written elsewhere where that can be, else write it here. Only new archives go elsewhere."""
        if archiver is not None and not segment.generation:
            described = _describe(segment, stop)
            if archiver.write(described, source=segment.path, target=path, header=header.encode()):
                return
        write_archive(path, header, self._frames(segment, stop, packer))

    def _frames(self, segment: Segment, stop: int, packer: Packer) -> Iterator[bytes]:
        if not segment.generation:
            yield from pack_segment(self._origin, segment, stop, packer)
            return
        with ArchiveFile(segment.path) as file:
            places = list(file.places())
            ends = [first for first, _, _ in places[1:]] + [stop]
            for (first, offset, length), end in zip(places, ends, strict=True):
                if packer.touches(first, end):
                    yield from pack(self._origin, file.records(first, end), first, packer, whole=True)
                else:
                    yield file.frame(first, offset, length)


def _describe(segment: Segment, stop: int) -> ClosedSegment:
    return ClosedSegment(
        segment.header.sequence,
        segment.header.first_index,
        stop,
        segment.path.stat().st_size,
        archived=segment.generation > 0,
    )
