"""Reads a file journal that another process writes: without its lock, and only what is durable.

That never changes its order, so no lock is needed. What the log's signed checkpoint covers is durable. Segments may be
written anew as archives at any time; then their files have other names, and the directory is read again.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sealgate.adapters.journals.reading import RecentBlocks, read_records, read_statements
from sealgate.adapters.journals.recovery import Segment, open_chain
from sealgate.adapters.journals.segment import HEADER_BYTES, LEAST_BYTES, MOST_BYTES, SparseIndex
from sealgate.model.errors import AlteredError, NotProvenError
from sealgate.ports.journal import JournalRecord
from sealgate.ports.public_log import PublicLog
from sealgate.proofs.notes import VerifierKey
from sealgate.proofs.quorum import verify_checkpoint

_TRIES: Final = 8
_HEAD_BYTES: Final = 16


class FollowedSegments:
    """Reads the journal of ``origin`` in one directory. One thread reads on; others may read beside it.

    Only what is durable may be asked for; the reader has to know how far that is.
    """

    def __init__(self, directory: Path, origin: str) -> None:
        self._directory = directory
        self._origin = origin
        self._recent = RecentBlocks()
        self._segments: list[Segment] = []
        self._lock = threading.Lock()
        self._growing: dict[str, _Offsets] = {}

    def read(self, start: int, stop: int) -> Iterator[tuple[int, JournalRecord]]:
        """Yield the records from ``start`` to ``stop``."""
        tries = 0
        while start < stop:
            segments = self._open(start)
            try:
                for index, record in read_records(segments, start, stop, self._recent):
                    yield index, record
                    start, tries = index + 1, 0
            except (AlteredError, FileNotFoundError):
                tries += 1
                self._segments = []  # one may have been replaced since its directory was read: look again
                if tries >= _TRIES:
                    raise

    def statements(self, start: int, stop: int) -> list[bytes]:
        """Return the statements from ``start`` to ``stop``, without their bodies."""
        found: list[bytes] = []
        tries = 0
        while (at := start + len(found)) < stop:
            segments = self._open(at)
            try:
                for statement in read_statements(segments, at, stop):
                    found.append(statement)
                    tries = 0
            except (AlteredError, FileNotFoundError):
                tries += 1
                self._segments = []  # one may have been replaced since its directory was read: look again
                if tries >= _TRIES:
                    raise
        return found

    def _open(self, start: int) -> list[Segment]:
        """Return the chain of segments, the last one with an index up to what is read of it."""
        tries = 0
        while not self._segments or not self._current():
            try:
                self._segments = open_chain(self._directory, self._origin)
            except (AlteredError, FileNotFoundError):
                tries += 1
                if tries >= _TRIES:
                    raise
            else:
                break
        segments = [*self._segments]
        last = segments[-1]
        if start > last.header.first_index:
            index = self._index(last, start - last.header.first_index)
            segments[-1] = Segment(last.path, last.header, last.durable_bytes, index)
        return segments

    def _current(self) -> bool:
        """Tell whether the known chain still is the directory's."""
        last = self._segments[-1]
        following = last.path.with_name(f"{last.header.sequence + 1:08d}.segment")
        return not following.exists() and all(segment.path.exists() for segment in self._segments)

    def _index(self, segment: Segment, position: int) -> SparseIndex:
        """Return where records of the growing segment start, at least up to ``position``; hops from head to head."""
        offsets = self._growing.get(segment.path.name)
        if offsets is None:
            self._growing = {segment.path.name: (offsets := _Offsets())}  # those of closed segments are no longer asked
        with self._lock:
            offsets.extend(segment, position)
        return offsets.sparse


class _Offsets:
    """The starts of a growing segment's records, as far as somebody asked."""

    def __init__(self) -> None:
        self.sparse = SparseIndex()
        self._at = HEADER_BYTES

    def extend(self, segment: Segment, position: int) -> None:
        """Know the starts of all records up to ``position``."""
        if self.sparse.count > position:
            return
        with segment.path.open("rb") as file:
            while self.sparse.count <= position:
                file.seek(self._at)
                head = file.read(_HEAD_BYTES)
                length, index = int.from_bytes(head[:4], "little"), int.from_bytes(head[8:16], "little")
                expected = segment.header.first_index + self.sparse.count
                if not LEAST_BYTES <= length <= MOST_BYTES or index != expected:
                    message = f"journal record {expected} in `{segment.path.name}` was altered"
                    raise AlteredError(message, index=expected)
                self.sparse.add(self._at)
                self._at += 8 + length


class FollowingJournal:
    """A ``ports.evidence.FollowedJournal``: only as far as the log has published. Threads as ``FollowedSegments``."""

    def __init__(self, directory: Path, public: PublicLog, log: VerifierKey) -> None:
        self._segments = FollowedSegments(directory, log.name)
        self._public = public
        self._log = log

    def published(self) -> int:
        """Return the size of the newest published checkpoint, once the log's signature verified; 0 before the first."""
        note = self._public.read("checkpoint")
        return 0 if note is None else verify_checkpoint(note, log=self._log).size

    def read(self, start: int, stop: int) -> Iterator[tuple[int, JournalRecord]]:
        """Yield the records from ``start`` to ``stop``, which the log must have published."""
        if stop > start and stop > self.published():
            raise NotProvenError(f"record {stop - 1} is not published yet")
        yield from self._segments.read(start, stop)
