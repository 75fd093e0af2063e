"""Where items wait for the collector: written by this process, durable before ``append`` returns.

One folder for each collector, ``items/<hash>`` in the spool folder. Each process writes files of an epoch of its own
(see ``segments``, ``cursor``), so processes never wait for each other. Threads that append at the same time share one
fdatasync: whoever comes first syncs for all that wrote before.

The spool is bounded. Full means an error for the caller; nothing that was accepted is ever dropped.
"""

import contextlib
import hashlib
import os
import pathlib
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final

from sealgate.model.errors import SealgateError, UnavailableError
from sealgate.sdk import cursor as cursors
from sealgate.sdk import segments
from sealgate.sdk.cursor import Cursor
from sealgate.sdk.errors import SpoolFull, SpoolUnusable
from sealgate.sdk.sealing import SpoolKey, load_key, require_private, sync_folder
from sealgate.sdk.segments import FRAME_OVERHEAD_BYTES, SegmentWriter
from sealgate.sdk.settings import DEFAULT_SPOOL_BYTES

SEGMENT_BYTES: Final = 4 * 1024 * 1024
"""A file is closed at this size and deleted when all its items were acknowledged, in bytes."""

_LOOK_AGAIN_S: Final = 1.0
"""How old the sum of other processes' files may be, in seconds."""

Make = Callable[[str, int], bytes]
"""(epoch in hex, sequence number) → the item's text."""


class ItemSpool:
    """The waiting items for one collector. Safe to use from many threads, and after a fork.

    Args:
        folder: the spool folder, which holds the key.
        target: names the collector; what waits for one is never sent to another.
        max_bytes: beyond this ``append`` refuses.
        segment_bytes: when a file is closed and a new one begun.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        target: str,
        *,
        max_bytes: int = DEFAULT_SPOOL_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.parent = folder
        self.folder = folder / "items" / hashlib.sha256(target.encode()).hexdigest()[:16]
        self.target = target
        self.max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._forget()
        _every.add(self)

    def _forget(self) -> None:
        """Begin anew: in a new object, and in a forked child, which must not write into its parent's files."""
        self._process = os.getpid()
        self._lock = threading.Condition()
        self._cursor: Cursor | None = None
        self._writer: SegmentWriter | None = None
        self._next_seq = 0
        self._durable = 0  # every sequence number below it is on stable storage
        self._syncing = False
        self._used = 0
        self._looked_at = 0.0

    def forked(self) -> None:
        """In a child: close what belongs to the parent, whose locks would otherwise live as long as we do."""
        with contextlib.suppress(OSError):
            if self._cursor is not None:
                self._cursor.close()
            if self._writer is not None:
                self._writer.close()
        self._forget()

    @property
    def cursor(self) -> Cursor | None:
        """The cursor of this process's own epoch, once something was appended."""
        return self._cursor

    @property
    def durable(self) -> int:
        """The first sequence number that is not durable yet: what is below it may be shipped."""
        return self._durable

    def append(self, make: Make) -> None:
        """Make one item durable before returning. ``make`` is called once its sequence number is known.

        Raises:
            SpoolFull: too much waits already.
            SpoolUnusable: the disk refused, or the folder is not ours alone.
        """
        with self._lock:
            try:
                writer = self._append(make)
            except OSError as error:
                self._finish_file()
                if isinstance(error, FileNotFoundError):  # somebody removed the folder
                    self._cursor = None
                raise self._unwritable(error) from error
            mine = writer.next_seq
        self._sync(writer, mine)

    def _append(self, make: Make) -> SegmentWriter:
        if self._cursor is None:
            self._begin()
        assert self._cursor is not None  # noqa: S101  # for the type checker
        item = make(self._cursor.epoch.hex(), self._next_seq)
        self._require_room(len(item) + FRAME_OVERHEAD_BYTES)
        if self._writer is not None and self._writer.size >= self._segment_bytes:
            self._finish_file()
        writer = self._writer
        if writer is None:
            writer = SegmentWriter(self.folder, load_key(self.parent), self._cursor.epoch, self._next_seq)
            self._used += segments.HEADER_BYTES
            self._writer = writer
        writer.append(item)
        self._used += len(item) + FRAME_OVERHEAD_BYTES
        self._next_seq = writer.next_seq
        return writer

    def _sync(self, writer: SegmentWriter, mine: int) -> None:
        """Return when every sequence number below ``mine`` is durable; one thread syncs for all that wrote before."""
        with self._lock:
            while writer.synced < mine and self._syncing:
                self._lock.wait()
            if writer.synced >= mine:
                return
            if writer.failed:
                raise self._unwritable(OSError("its last sync failed"))
            self._syncing = True
        try:
            writer.sync()
        except OSError as error:
            writer.failed = True
            raise self._unwritable(error) from error
        finally:
            with self._lock:
                self._syncing = False
                if writer.failed:
                    self._finish_file()
                self._durable = max(self._durable, writer.synced)
                self._lock.notify_all()

    def _finish_file(self) -> None:
        """Sync and close the present file; called with the lock held.

        After a failed write the torn end of a file must not be written over, and after a failed sync nothing more goes
        into it, because what the page cache says of it may be a lie. Callers whose items were not synced are told so;
        the items may be there and may then be shipped.
        """
        while self._syncing:
            self._lock.wait()
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            if not writer.failed and writer.synced < writer.next_seq:
                writer.sync()
        except OSError:
            writer.failed = True
        finally:
            writer.close()
            self._durable = max(self._durable, writer.synced)
            self._lock.notify_all()

    def _begin(self) -> None:
        try:
            prepare(self.parent, self.folder, self.target)
            self._cursor = Cursor.create(self.folder, os.urandom(16), load_key(self.parent))
        except SealgateError as error:
            raise SpoolUnusable(error.message, hint=error.hint or "set SEALGATE_SPOOL to a folder") from error
        self._next_seq = self._durable = 0

    def _require_room(self, size: int) -> None:
        if self._used + size > self.max_bytes or time.monotonic() - self._looked_at > _LOOK_AGAIN_S:
            self._used = sum(path.stat().st_size for path in self.files())
            self._looked_at = time.monotonic()
        if self._used + size > self.max_bytes:
            raise SpoolFull(
                f"{self._used} bytes wait for the collector in `{self.folder}`",
                hint="start the collector, then `sealgate spool flush`",
            )

    def files(self) -> list[pathlib.Path]:
        """Return the files of all processes."""
        return sorted(self.folder.glob(f"*{segments.SUFFIX}"))

    def close_drained(self, at_least: int) -> None:
        """Close the present file if all in it was acknowledged and it has this many bytes; the shipper deletes it."""
        with self._lock:
            if (
                self._writer is not None
                and self._cursor is not None
                and self._cursor.next >= self._next_seq
                and self._writer.size >= at_least
            ):
                self._finish_file()

    def end_epoch(self) -> bool:
        """Forget this process's epoch if all of it was acknowledged and deleted; the next item begins another."""
        with self._lock:
            if self._cursor is None or self._writer is not None or self._cursor.next < self._next_seq:
                return False
            self._cursor.remove()
            self._cursor = None
            return True

    def leave(self) -> None:
        """Give up this process's epoch with what is left of it: whoever comes next ships it."""
        with self._lock:
            self._finish_file()
            if self._cursor is not None:
                self._cursor.close()
                self._cursor = None

    def undelivered(self) -> int:
        """Return how many items of this process the collector has not acknowledged."""
        with self._lock:
            return 0 if self._cursor is None else self._next_seq - self._cursor.next

    def active(self) -> pathlib.Path | None:
        """Return the file that this process writes now."""
        with self._lock:
            return None if self._writer is None else self._writer.path

    def _unwritable(self, error: OSError) -> SpoolUnusable:
        return SpoolUnusable(
            f"the spool `{self.folder}` cannot be written: {error.strerror or error}", hint="see to the disk"
        )


def prepare(parent: pathlib.Path, folder: pathlib.Path, target: str) -> None:
    """Make a spool's folders where they are missing and make sure that they are ours alone.

    Raises:
        UnavailableError: they cannot be made.
        ConfigurationError: others could write there.
    """
    try:
        if not (folder / "target").is_file():
            between = [parent / part for part in reversed(folder.relative_to(parent).parents[:-1])]
            for missing in (parent, *between, folder):
                missing.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_target(folder / "target", target)
            sync_folder(folder.parent)
            sync_folder(parent)
        require_private(parent)
        require_private(folder)
    except OSError as error:
        raise UnavailableError(f"the spool `{folder}` cannot be written: {error.strerror or error}") from error


def write_target(path: pathlib.Path, target: str) -> None:
    """Note which server a spool is for: an address, and nothing that is secret."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{target}\n")


def waiting(folder: pathlib.Path, key: SpoolKey) -> int:
    """Return how many items of all processes wait in one collector's folder."""
    total = 0
    for path in folder.glob(f"*{segments.SUFFIX}"):
        epoch = path.name.partition("-")[0]
        try:
            first, _ = cursors.peek(folder / f"{epoch}{cursors.SUFFIX}", key)
        except FileNotFoundError:
            first = 0
        with contextlib.suppress(FileNotFoundError):
            total += segments.count(path, first)
    return total


_every: "Final[weakref.WeakSet[ItemSpool]]" = weakref.WeakSet()


def _after_fork() -> None:
    for spool in list(_every):
        spool.forked()


os.register_at_fork(after_in_child=_after_fork)
