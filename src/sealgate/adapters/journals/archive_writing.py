"""Writes the content of an archived segment, and looks whether one keeps all. What gives it its name is ``rewriting``.

It runs on the thread that archives, or in a process beside it (``ports.archiving.Archiver``).
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from sealgate.adapters.durable import write_all
from sealgate.adapters.journals.archive import ArchiveHeader, BlockBuilder
from sealgate.adapters.journals.archive_reading import ArchiveFile
from sealgate.adapters.journals.reading import segment_frames
from sealgate.adapters.journals.recovery import Segment
from sealgate.model.errors import AlteredError
from sealgate.ports.archiving import Packer
from sealgate.ports.journal import JournalRecord

_MODE: Final = 0o600


def write_archive(path: Path, header: ArchiveHeader, frames: Iterable[bytes]) -> None:
    """Write header and frames into ``path``, from its start; the content is durable on return, its name is not.

    What was there is gone. A crash leaves any part of it, which no reader takes for an archive: its name is none.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
    try:
        data = header.encode()
        write_all(descriptor, data, 0)
        at = len(data)
        for frame in frames:
            write_all(descriptor, frame, at)
            at += len(frame)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def pack_segment(origin: str, segment: Segment, stop: int, packer: Packer) -> Iterator[bytes]:
    """Yield the blocks of a segment that was never archived."""
    first = segment.header.first_index
    frames = segment_frames(segment, first, stop)
    records = (
        (index, JournalRecord(data[at:middle], data[middle:behind])) for index, data, at, middle, behind in frames
    )
    return pack(origin, records, first, packer)


def pack(
    origin: str, records: Iterator[tuple[int, JournalRecord]], first: int, packer: Packer, *, whole: bool = False
) -> Iterator[bytes]:
    """Yield blocks of these records. ``whole``: one block, as it was archived before; places stay where they are."""
    builder = BlockBuilder(origin, first)
    draw: Callable[[], bytes] = packer.nonce
    for index, record in records:
        builder.add(packer.keep(index, record))
        if builder.full and not whole:
            yield builder.encode(draw)
            builder = BlockBuilder(origin, index + 1)
    if len(builder):
        yield builder.encode(draw)


def keeps_all(path: Path, header: ArchiveHeader) -> bool:
    """Tell whether an archive with this header is there, each of its records with statement and body, nothing behind.

    Reads it all and opens nothing: what statements and bodies say is checked by who reads them.
    """
    try:
        with ArchiveFile(path) as file:
            end = max((offset + length for _, offset, length in file.places()), default=0)
            ours = file.header == header and end == path.stat().st_size
            return ours and all(block.complete for block in file.blocks())
    except (AlteredError, OSError):
        return False
