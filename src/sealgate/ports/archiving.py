"""Archiving: closed parts of the journal are written anew, smaller and without what expired. Order never changes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sealgate.ports.datakeys import DataKey
from sealgate.ports.journal import JournalRecord


@dataclass(frozen=True, slots=True)
class ClosedSegment:
    """One part of the journal that no append touches any more. ``archived`` tells that it was written anew before."""

    sequence: int
    start: int
    stop: int
    stored_bytes: int
    archived: bool


@dataclass(frozen=True, slots=True)
class Label:
    """What an archive knows of a record without opening it. ``key_id`` is None where the body is gone."""

    index: int
    time_ms: int
    retention_class: str
    key_id: bytes | None
    statement: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """What remains of one record: its statement (empty: expired), its body under ``key``, or its sealed bytes as is.

    Neither ``body`` nor ``sealed``: the body expired.
    """

    statement: bytes
    time_ms: int
    retention_class: str
    body: bytes | None = None
    key: DataKey | None = None
    sealed: bytes = b""


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of a block of records at a glance: whether anything in it can be due."""

    classes: tuple[str, ...]
    earliest_ms: int
    bodies: bool
    statements: bool


Wanted = Callable[[Summary], bool]


class Packer(Protocol):
    """Says what remains. Called on the thread that rewrites."""

    def touches(self, start: int, stop: int) -> bool:
        """Tell whether any record from ``start`` to ``stop`` of an archived segment changes."""

    def keep(self, index: int, record: JournalRecord) -> Kept:
        """Return what remains of a record."""

    def nonce(self) -> bytes:
        """Return 12 fresh random bytes."""


class Archiver(Protocol):
    """Whoever writes archives elsewhere. It only ever adds speed: without it the journal writes them by itself.

    ``pace`` is called by the waiting thread once for each block that is written; the next one waits for it.
    """

    pace: Callable[[], None]

    def write(self, segment: ClosedSegment, *, source: Path, target: Path, header: bytes) -> bool:
        """Write all that the never archived ``segment`` in ``source`` holds into ``target``, behind this header.

        Blocks; called by one thread at a time. True: the content is whole and durable. False: nobody could, or who
        began was given up; then nobody writes into ``target`` any more, and what is in it means nothing.

        Raises:
            AlteredError: the segment or a data key was altered.
            UnavailableError: the disk or the key store refuses.
        """

    def close(self) -> None:
        """Let the other process end, until there is work again. Idempotent."""


class ArchivingJournal(Protocol):
    """A journal whose closed segments can be written anew while it is appended to and read."""

    def closed(self) -> list[ClosedSegment]:
        """Return the closed segments, in order."""

    def labels(self, sequence: int, wanted: Wanted | None = None) -> Iterator[Label]:
        """Yield what an archived segment knows of its records; of the blocks that are ``wanted`` where that is given.

        Raises:
            AlteredError: the segment was altered.
        """

    def key_ids(self, sequence: int) -> set[bytes]:
        """Return the data keys that bodies of an archived segment need."""

    def rewrite(self, sequence: int, packer: Packer, archiver: Archiver | None = None) -> ClosedSegment:
        """Write one closed segment anew. Durable on return, and the former content has no name any more.

        A crash before leaves the former content or the new one, never a part. ``archiver``, given only with a packer
        that keeps everything, may write the content of a segment that was never archived.

        Raises:
            AlteredError: the segment was altered; it stays.
            UnavailableError: the disk refuses; the segment stays.
        """
