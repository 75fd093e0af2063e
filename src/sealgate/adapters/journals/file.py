"""The file journal: append-only segments, group commit, one fdatasync for a whole group.

``append`` hands a record to a writer thread through a lock-free queue. The thread takes all that is waiting as one
group, writes it, syncs once, and delivers the completions of the group with one call, so that an event loop is woken
once for a group. While it syncs, the next group gathers: load makes groups larger, not latencies longer. An event loop
whose kernel can sync by itself does the same without the thread (``loop_writer``); the thread then does the rest.
"""

import asyncio
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Self

from sealgate.adapters.journals.kernel_sync import KernelSync
from sealgate.adapters.journals.loop_writer import Append, Control, LoopWriter
from sealgate.adapters.journals.patience import Patience
from sealgate.adapters.journals.reading import RecentBlocks, read_records, read_statements
from sealgate.adapters.journals.recovery import recover
from sealgate.adapters.journals.rewriting import Rewriter
from sealgate.adapters.journals.segment import MAX_SEALED_BYTES
from sealgate.adapters.journals.writer import SegmentWriter, create_first_segment
from sealgate.model.errors import ConfigurationError, InputError, JournalError, SealgateError
from sealgate.model.limits import MAX_STATEMENT_BYTES
from sealgate.ports.archiving import Archiver, ClosedSegment, Label, Packer, Wanted
from sealgate.ports.journal import Completion, JournalRecord

DEFAULT_SEGMENT_BYTES: Final = 64 * 1024 * 1024
"""A segment is closed when it reached this length; also the most that a start has to read."""

DEFAULT_QUEUE_RECORDS: Final = 8192
"""Records that may wait for the disk; beyond, an append fails at once and the decision is SILENCE."""

MAX_GROUP_RECORDS: Final = 1024
"""Records in one group: bounds one write and the time the last of them waits for the first."""

MAX_GROUP_BYTES: Final = 4 << 20
"""Bytes after which no further record joins a group: batch records are large, and a decision may wait behind them."""

MAX_QUEUE_BYTES: Final = 128 << 20
"""Bytes of sealed bodies that may wait for the disk; beyond, an append fails at once."""


Deliver = Callable[[Callable[[], None]], object]
"""Runs one callable where completions belong, for example ``loop.call_soon_threadsafe``."""


def run_directly(run: Callable[[], None]) -> None:
    """Deliver completions on the writer thread itself."""
    run()


class FileJournal:
    """A ``ports.journal.Journal`` in one directory, owned by one process.

    ``deliver`` is called by the writer thread once for each group. With the ``loop`` that all appends come from, groups
    are committed on it while the disk is quick, if the kernel can.

    Raises:
        ConfigurationError: no journal there, it belongs to another log, or another process owns it.
        AlteredError: durable records were changed.
    """

    def __init__(
        self,
        directory: Path,
        origin: str,
        *,
        deliver: Deliver = run_directly,
        segment_bytes: int = DEFAULT_SEGMENT_BYTES,
        queue_records: int = DEFAULT_QUEUE_RECORDS,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._lock = _lock(directory)
        try:
            self._segments, size = recover(directory, origin)
            self._writer = SegmentWriter(directory, self._segments, size, segment_bytes)
        except BaseException:
            os.close(self._lock)
            raise
        self._size = size
        self._rewriter = Rewriter(directory, origin, self._segments)
        self._blocks = RecentBlocks()
        self._syncs = 0
        self._deliver = deliver
        self._limit = queue_records
        self._appended = 0  # changed by the appending thread only
        self._finished = 0  # changed by the writer thread only
        self._appended_bytes = 0  # as above
        self._finished_bytes = 0  # as above
        self._failure: str | None = None
        self._patience = Patience()
        self._closing = False
        sync = None if loop is None else KernelSync.create(loop)
        self._on_loop = LoopWriter(sync, self._writer, self, loop.call_soon) if sync and loop else None
        self._control = threading.Lock()  # heal and close never cross
        self._queue: SimpleQueue[Append | Control] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @classmethod
    def create(cls, directory: Path, origin: str) -> None:
        """Make an empty journal for ``origin``; never touches one that exists.

        Raises:
            ConfigurationError: the directory already holds something.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise ConfigurationError(f"`{directory}` is not empty", hint="choose a new directory for the journal")
        create_first_segment(directory, origin)

    # -- appending ---------------------------------------------------------------------------------------------------

    def append(self, record: JournalRecord, completion: Completion, *, alone: bool = False) -> None:
        """Queue one record; returns at once. Call from one thread only.

        A record that is ``alone`` is written here and now while the disk is quick: waking the writer thread and being
        woken by it costs more than the sync (ADR 0098).
        """
        if len(record.statement) > MAX_STATEMENT_BYTES or len(record.sealed_body) > MAX_SEALED_BYTES:
            raise InputError("record is larger than a journal record may be", hint="keep large payloads elsewhere")
        if self._failure is not None or self._closing:
            completion(self._error())
        elif (
            self._appended - self._finished >= self._limit
            or self._appended_bytes - self._finished_bytes >= MAX_QUEUE_BYTES
        ):
            completion(JournalError("the journal's queue is full", hint="the disk is slower than the load"))
        else:
            # Then the writer thread waits for its queue, no group is under way: nothing else touches the segment.
            idle = self._appended == self._finished
            self._appended += 1
            self._appended_bytes += len(record.sealed_body)
            if idle and alone and self._patience.lasts(time.monotonic()):
                lone: list[Append] = [(record, completion)]
                started = time.monotonic()
                tell = self._commit(lone)
                self._patience.waited(started, time.monotonic())
                self.finished(lone)
                tell()
            elif self._on_loop is not None and (self._on_loop.busy or (idle and self._on_loop.ready)):
                self._on_loop.add((record, completion))
            else:
                self._queue.put((record, completion))

    def to_thread(self, items: Sequence[Append | Control]) -> None:
        """Queue these for the writer thread, in order. For the loop writer, while nothing of it is under way."""
        for item in items:
            self._queue.put(item)

    def _error(self) -> JournalError:
        return _not_recorded(self._failure or "the journal is closed")

    def _run(self) -> None:
        """The writer thread: the only one that writes, syncs, fails and heals."""
        queue = self._queue
        while True:
            item = queue.get()
            group: list[Append] = []
            size = 0
            while isinstance(item, tuple):
                group.append(item)
                size += len(item[0].sealed_body)
                if len(group) == MAX_GROUP_RECORDS or size >= MAX_GROUP_BYTES or not queue.qsize():
                    break
                item = queue.get()
            if group:
                self._hand_over(self._commit(group))
                # Only now, or the loop could begin another group and tell its callers before these.
                self.finished(group)
            if not isinstance(item, tuple):
                item()
                if self._closing and not queue.qsize():
                    return

    def _commit(self, group: list[Append]) -> Control:
        """Write and sync a group; return what tells its callers."""
        problem: Exception | None = None
        if self._failure is None:
            try:
                self._writer.write([record for record, _ in group])
            except Exception as error:  # noqa: BLE001 - whatever it was, the callers get an answer
                problem = error
        return self.ended(group, problem)

    def ended(self, group: list[Append], error: Exception | None) -> Control:
        """Take in that a group was synced, or was not; return what tells its callers."""
        first = self._size
        if error is not None:
            # Unknown outcome: a part, all or nothing of the group may be on disk. Nobody is told that it is.
            self._failure = f"the journal cannot write: {getattr(error, 'strerror', None) or error}"
        elif self._failure is None:
            self._size = first + len(group)
            self._syncs += 1
        failure = self._failure
        return lambda: _complete(group, first, failure)

    def finished(self, group: list[Append]) -> None:
        """Count a group as done with: when no other is under way, whoever comes next may write."""
        self._finished += len(group)
        self._finished_bytes += sum(len(record.sealed_body) for record, _ in group)

    def _hand_over(self, tell: Control) -> None:
        try:
            self._deliver(tell)
        except RuntimeError as error:  # the event loop is gone: the records are durable, nobody waits for the answer
            self._failure = f"the journal's owner no longer takes answers: {error}"

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """The number of durable records."""
        return self._size

    def read(self, start: int, stop: int | None = None) -> Iterator[tuple[int, JournalRecord]]:
        """Yield (index, record) of durable records. May be called from any thread."""
        end = self._size if stop is None else min(stop, self._size)
        yield from read_records(self._segments, start, end, self._blocks)

    def statements(self, start: int, stop: int) -> list[bytes]:
        """Return the statements of the durable records ``start`` to ``stop``, without their bodies."""
        return list(read_statements(self._segments, start, min(stop, self._size)))

    @property
    def syncs(self) -> int:
        """How many groups were synced since the start: one fdatasync each."""
        return self._syncs

    @property
    def lock(self) -> int:
        """A descriptor that holds the journal's lock: a process that is given it keeps the journal owned."""
        return self._lock

    # -- archiving: see ports.archiving ------------------------------------------------------------------------------

    def closed(self) -> list[ClosedSegment]:
        """Return the closed segments, in order."""
        return self._rewriter.closed()

    def labels(self, sequence: int, wanted: Wanted | None = None) -> Iterator[Label]:
        """Yield what an archived segment knows of its records."""
        return self._rewriter.labels(sequence, wanted)

    def key_ids(self, sequence: int) -> set[bytes]:
        """Return the data keys that bodies of an archived segment need."""
        return self._rewriter.key_ids(sequence)

    def rewrite(self, sequence: int, packer: Packer, archiver: Archiver | None = None) -> ClosedSegment:
        """Write one closed segment anew. Blocks; from one thread at a time, never the one that appends."""
        done = self._rewriter.rewrite(sequence, packer, archiver)
        self._blocks.clear()
        return done

    def roll(self, done: Callable[[Exception | None], None]) -> None:
        """Close the segment that is appended to, so that it can be archived. Call on the thread that appends.

        ``done`` is called once, perhaps on the writer thread, with what went wrong.
        """
        if self._failure is not None or self._closing:
            done(self._error())
            return

        def roll() -> None:
            problem: Exception | None = None
            try:
                self._writer.roll()
            except OSError as error:  # as with a failed write: only a new segment helps
                self._failure = f"the journal cannot open a new segment: {error.strerror}"
                problem = self._error()
            self._finished += 1
            done(problem)

        self._appended += 1  # until it is done no append takes place on the caller's thread
        if self._on_loop is not None and self._on_loop.busy:
            self._on_loop.add(roll)
        else:
            self._queue.put(roll)

    # -- failing and healing -----------------------------------------------------------------------------------------

    @property
    def failure(self) -> str | None:
        """Why the journal cannot record now; None when it can."""
        return self._failure

    def heal(self) -> None:
        """Go on in a new segment behind the last durable record. Blocks; nothing happens to a healthy journal."""
        problem: list[Exception] = []

        def reopen() -> None:
            if self._failure is None:
                return
            try:
                self._writer.reopen()
            except (OSError, SealgateError) as error:
                problem.append(error)
            else:
                self._failure = None

        with self._control:
            if self._closing:
                raise self._error()
            self._on_writer(reopen)
        if problem:
            raise _not_recorded(f"the journal cannot be healed: {problem[0]}") from problem[0]

    def _on_writer(self, action: Callable[[], None]) -> None:
        done = threading.Event()

        def run() -> None:
            try:
                action()
            finally:
                done.set()

        self._queue.put(run)
        done.wait()

    def close(self) -> None:
        """Complete what is queued, release the lock. Idempotent."""
        with self._control:
            if self._closing:
                return
            self._closing = True
        if self._on_loop is not None:
            self._on_loop.drain(self._hand_over)
        self._queue.put(lambda: None)
        self._thread.join()
        if self._on_loop is not None:
            self._on_loop.close()
        self._writer.close()
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _not_recorded(failure: str) -> JournalError:
    return JournalError(failure, hint="no decision is recorded until the journal is healed")


def _complete(group: list[Append], first: int, failure: str | None) -> None:
    """Call every completion of a group, also where one of them raises."""
    problem: Exception | None = None
    for index, (_, completion) in enumerate(group, first):
        try:
            completion(index if failure is None else _not_recorded(failure))
        except Exception as error:  # noqa: BLE001 - raised below, after the others have their answer
            problem = error
    if problem is not None:
        raise problem


@contextmanager
def nobody_else(directory: Path) -> Iterator[None]:
    """Hold the journal's lock, so that no authority runs meanwhile. Raises ConfigurationError where one does."""
    descriptor = _lock(directory)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(directory: Path) -> int:
    if not directory.is_dir():
        raise ConfigurationError(f"there is no journal in `{directory}`", hint="`sealgate init` makes one")
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigurationError(
            f"another process owns the journal in `{directory}`", hint="stop it first; two writers would fork the log"
        ) from None
    return descriptor
