"""Opening a journal directory: what is durable, what is void, what was altered.

Segment headers form a chain: each names its sequence number, the index of its first record and the durable length of
the segment before. Only the last segment is read whole at the start. Its end may be torn by a crash and is then cut;
the cut is synced before anything is appended behind it.
"""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sealgate.adapters.durable import forget_cached, sync_directory
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
_RESTORE: Final = (
    "stop here: keep a copy of the directory, check the disk, run `sealgate log fsck`, "
    "and restore the journal from a replica or continue under a new origin"
)


@dataclass(slots=True)
class Segment:
    """One segment file. ``durable_bytes`` grows only after a sync; ``index`` is None until a record is looked up."""

    path: Path
    header: Header
    durable_bytes: int
    index: SparseIndex | None = field(default=None, repr=False)


def origin_digest(origin: str) -> bytes:
    """Return what a segment header holds of the log's origin."""
    return hashlib.sha256(origin.encode()).digest()


def segment_path(directory: Path, sequence: int) -> Path:
    """Return the name of a segment."""
    return directory / f"{sequence:08d}{SUFFIX}"


def recover(directory: Path, origin: str) -> tuple[list[Segment], int]:
    """Return the segments and the number of durable records, after cutting a torn end.

    Raises:
        ConfigurationError: there is no journal, or it belongs to another log.
        AlteredError: a header, the chain of headers or a durable record was changed, or a segment is missing.
    """
    for leftover in directory.glob("*.new"):  # a segment that a crash kept from getting its name
        leftover.unlink()
    segments = _chain(directory, origin)
    last = segments[-1]
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


def _chain(directory: Path, origin: str) -> list[Segment]:
    paths = sorted(directory.glob(f"*{SUFFIX}")) if directory.is_dir() else []
    if not paths:
        raise ConfigurationError(
            f"there is no journal in `{directory}`", hint="`sealgate init` makes one; a lost journal is never remade"
        )
    segments: list[Segment] = []
    for sequence, path in enumerate(paths, 1):
        header = _header(path, origin)
        if path != segment_path(directory, sequence) or header.sequence != sequence:
            raise AlteredError(f"journal segment {sequence} is missing or misnamed: `{path.name}`", hint=_RESTORE)
        size = path.stat().st_size
        if segments:
            _close_previous(segments[-1], header)
        segments.append(Segment(path, header, size))
    return segments


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
    if header.origin != origin_digest(origin):
        raise ConfigurationError(
            f"the journal in `{path.parent}` does not belong to the log `{origin}`",
            hint="set the origin that the log was created with",
        )
    return header
