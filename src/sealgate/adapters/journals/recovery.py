"""Opening a journal directory: what is durable, what is void, what was altered.

Segment headers form a chain: each names its sequence number, the index of its first record and the durable length of
the segment before. Only the last segment is read whole at the start. Its end may be torn by a crash and is then cut;
the cut is synced before anything is appended behind it.

A closed segment may have been written anew as an archive (``archive``), under a name with a generation. Its header
carries what the segment's said, and its durable length then, so the chain holds. Where several are there, a crash came
between the last rename and the removal of what it replaced: the newest counts, the others are removed.
"""

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sealgate.adapters.durable import forget_cached, sync_directory
from sealgate.adapters.journals import archive
from sealgate.adapters.journals.segment import (
    HEADER_BYTES,
    Header,
    SparseIndex,
    decode_header,
    frame_at,
    witness_behind,
)
from sealgate.model.errors import AlteredError, ConfigurationError

SUFFIX: Final = ".segment"
ARCHIVE_SUFFIX: Final = ".archive"
_NAME: Final = re.compile(r"([0-9]{8})(?:\.segment|-([0-9]{4})\.archive)", re.ASCII)
_RESTORE: Final = (
    "stop here: keep a copy of the directory, check the disk, run `sealgate log fsck`, "
    "and restore the journal from a replica or continue under a new origin"
)


@dataclass(slots=True)
class Segment:
    """One segment file. ``durable_bytes`` grows only after a sync; ``index`` is None until a record is looked up.

    ``generation`` is 0 for a segment as it was written, else that of the archive which replaced it.
    """

    path: Path
    header: Header
    durable_bytes: int
    index: SparseIndex | None = field(default=None, repr=False)
    generation: int = 0


def origin_digest(origin: str) -> bytes:
    """Return what a segment header holds of the log's origin."""
    return hashlib.sha256(origin.encode()).digest()


def segment_path(directory: Path, sequence: int) -> Path:
    """Return the name of a segment."""
    return directory / f"{sequence:08d}{SUFFIX}"


def archive_path(directory: Path, sequence: int, generation: int) -> Path:
    """Return the name of an archived segment."""
    return directory / f"{sequence:08d}-{generation:04d}{ARCHIVE_SUFFIX}"


def recover(directory: Path, origin: str) -> tuple[list[Segment], int]:
    """Return the segments and the number of durable records, after cutting a torn end.

    Raises:
        ConfigurationError: there is no journal, or it belongs to another log.
        AlteredError: a header, the chain of headers or a durable record was changed, or a segment is missing.
    """
    for leftover in directory.glob("*.new"):  # a segment that a crash kept from getting its name
        leftover.unlink()
    segments = open_chain(directory, origin)
    last = segments[-1]
    remove_replaced(directory, segments)
    descriptor = os.open(last.path, os.O_RDWR | os.O_CLOEXEC)
    try:
        # Records written but not synced before the crash: sync them, then believe only what comes from the disk.
        os.fsync(descriptor)
        forget_cached(descriptor)
        data = read_whole(descriptor)
        last.index, last.durable_bytes, size = scan(data, last.header, len(data))
        if last.durable_bytes < len(data):
            _require_torn(data, last, size)
            os.ftruncate(descriptor, last.durable_bytes)
            os.fsync(descriptor)  # if we die before this, the next start finds the same torn end and cuts it again
    finally:
        os.close(descriptor)
    sync_directory(directory)
    return segments, size


def read_whole(descriptor: int) -> bytes:
    """Return the file's bytes, from its start."""
    parts: list[bytes] = []
    at = 0
    while part := os.pread(descriptor, 1 << 24, at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def scan(data: bytes, header: Header, end: int) -> tuple[SparseIndex, int, int]:
    """Return the sparse index, the offset behind the last good frame and the index after it."""
    sparse = SparseIndex()
    at, index = HEADER_BYTES, header.first_index
    while (frame := frame_at(data, at, end)) is not None and frame.record == index:
        sparse.add(at)
        at, index = frame.end, index + 1
    return sparse, at, index


def _require_torn(data: bytes, segment: Segment, index: int) -> None:
    witness = witness_behind(data, segment.durable_bytes, index)
    if witness is not None:
        raise AlteredError(
            f"journal record {index} at byte {segment.durable_bytes} of `{segment.path.name}` was altered: "
            f"record {witness.record}, written after it was durable, is intact",
            index=index,
            hint=_RESTORE,
        )


def open_chain(directory: Path, origin: str) -> list[Segment]:
    """Return the segments by their headers alone; also for a process that only reads. Raises as ``recover``."""
    names = _newest(directory)
    if not names:
        raise ConfigurationError(
            f"there is no journal in `{directory}`", hint="`sealgate init` makes one; a lost journal is never remade"
        )
    segments: list[Segment] = []
    for sequence, (number, (generation, path)) in enumerate(sorted(names.items()), 1):
        segment = _open_archive(path, origin) if generation else _open_segment(path, origin)
        if number != sequence or segment.header.sequence != sequence or segment.generation != generation:
            raise AlteredError(f"journal segment {sequence} is missing or misnamed: `{path.name}`", hint=_RESTORE)
        if segments:
            _close_previous(segments[-1], segment.header)
        segments.append(segment)
    if segments[-1].generation:
        raise AlteredError(f"journal segment {len(segments) + 1} is missing", hint=_RESTORE)
    return segments


def _newest(directory: Path) -> dict[int, tuple[int, Path]]:
    """Return for each sequence number the newest generation and its file."""
    found: dict[int, tuple[int, Path]] = {}
    for path in directory.iterdir() if directory.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match is not None:
            number, generation = int(match[1]), int(match[2] or 0)
            if number not in found or found[number][0] < generation:
                found[number] = (generation, path)
        elif path.suffix in {SUFFIX, ARCHIVE_SUFFIX}:
            raise AlteredError(f"journal segment `{path.name}` is misnamed", hint=_RESTORE)
    return found


def remove_replaced(directory: Path, segments: list[Segment]) -> None:
    """Remove what an archive replaced. The caller syncs the directory; until then a crash may bring it back."""
    current = {segment.path.name for segment in segments}
    for path in directory.iterdir():
        if _NAME.fullmatch(path.name) and path.name not in current:
            path.unlink()


def _open_segment(path: Path, origin: str) -> Segment:
    return Segment(path, _header(path, origin), path.stat().st_size)


def _open_archive(path: Path, origin: str) -> Segment:
    with path.open("rb") as file:
        found = archive.decode_header(file.read(archive.HEADER_BYTES))
    if found is None:
        raise AlteredError(f"the header of journal archive `{path.name}` was altered", hint=_RESTORE)
    _require_origin(found.header, path, origin)
    return Segment(path, found.header, found.durable_bytes, generation=found.generation)


def _close_previous(previous: Segment, header: Header) -> None:
    if header.previous_bytes > previous.durable_bytes or header.first_index < previous.header.first_index:
        raise AlteredError(
            f"journal segment `{previous.path.name}` has {previous.durable_bytes} bytes "
            f"where {header.previous_bytes} were durable",
            index=previous.header.first_index,
            hint=_RESTORE,
        )
    previous.durable_bytes = header.previous_bytes


def _header(path: Path, origin: str) -> Header:
    with path.open("rb") as file:
        header = decode_header(file.read(HEADER_BYTES))
    if header is None:
        raise AlteredError(f"the header of journal segment `{path.name}` was altered", hint=_RESTORE)
    _require_origin(header, path, origin)
    return header


def _require_origin(header: Header, path: Path, origin: str) -> None:
    if header.origin != origin_digest(origin):
        raise ConfigurationError(
            f"the journal in `{path.parent}` does not belong to the log `{origin}`",
            hint="set the origin that the log was created with",
        )
