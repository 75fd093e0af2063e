"""Group commit on the event loop's own thread: write here, let the kernel sync, gather the next group meanwhile.

It shares the segment with the journal's writer thread, and never at the same time: a group is begun here only while the
thread has nothing, and while one is under way everything that is appended gathers here. What would hold up the loop
(much data, a new segment, a slow disk, a control) is handed to the thread, in order, as soon as nothing is under way.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from sealgate.adapters.journals.kernel_sync import KernelSync
from sealgate.adapters.journals.patience import Patience
from sealgate.adapters.journals.writer import SegmentWriter, Written
from sealgate.ports.journal import Completion, JournalRecord

Append = tuple[JournalRecord, Completion]
Control = Callable[[], None]

MAX_BYTES: Final = 256 * 1024
"""Sealed bytes of one group that are written here; a larger one would hold up the loop."""


class Owner(Protocol):
    """What the journal does for its loop writer."""

    @property
    def failure(self) -> str | None:
        """Why nothing can be recorded; None when it can."""

    def ended(self, group: list[Append], error: Exception | None) -> Control:
        """Take in that a group is durable or lost; return what tells its callers."""

    def finished(self, group: list[Append]) -> None:
        """Count a group as done with."""

    def to_thread(self, items: Sequence[Append | Control]) -> None:
        """Queue these for the writer thread, in order."""


class LoopWriter:
    """Gathers and commits groups. All but ``drain`` runs on the loop's thread."""

    def __init__(
        self, sync: KernelSync, writer: SegmentWriter, owner: Owner, call_soon: Callable[[Control], object]
    ) -> None:
        self._sync = sync
        self._writer = writer
        self._owner = owner
        self._call_soon = call_soon
        self._turn = threading.RLock()  # against ``drain``, which another thread may call
        self._gathered: list[Append | Control] = []
        self._group: list[Append] = []
        self._deliver: Callable[[Control], object] = _directly
        self._waits = False
        self._tells: list[Control] = []
        self._ending = False
        self._usable = True
        self._patience = Patience()

    @property
    def busy(self) -> bool:
        """Whether what is appended now must come here, to stay in order."""
        return bool(self._gathered or self._group)

    @property
    def ready(self) -> bool:
        """Whether a first group may be begun here."""
        return self._usable and self._patience.lasts(time.monotonic())

    def add(self, item: Append | Control) -> None:
        """Let a record, or something for the thread to do, come next."""
        with self._turn:
            self._gathered.append(item)
            if not self._group and not self._waits:
                self._waits = True
                self._call_soon(self._next)  # what else this turn of the loop appends shares the sync

    def _next(self) -> None:
        """Begin a group of what has gathered, or hand it to the thread."""
        with self._turn:
            self._waits = False
            self._begin_next()
            if self._gathered and not self._group:
                gathered, self._gathered = self._gathered, []
                self._owner.to_thread(gathered)

    def _begin_next(self) -> None:
        """Begin a group of what has gathered, if it may be written here and nothing is under way."""
        if self._group or not self._gathered or not self.ready or self._writer.full or self._owner.failure is not None:
            return
        group = [item for item in self._gathered if isinstance(item, tuple)]
        size = sum(len(record.sealed_body) for record, _ in group)
        if len(group) == len(self._gathered) and size <= MAX_BYTES:
            self._gathered = []
            self._group = group
            self._begin(group)

    def _begin(self, group: list[Append]) -> None:
        started = time.monotonic()
        try:
            written = self._writer.put([record for record, _ in group])
        except Exception as error:  # noqa: BLE001 - whatever it was, the callers get an answer
            self._end(None, error)
            return
        self._patience.waited(started, time.monotonic())
        try:
            self._sync.begin(self._writer.descriptor, lambda error: self._end(written, error))
        except OSError:  # this kernel or file system cannot: sync once more by hand, then leave it to the thread
            self._usable = False
            problem: OSError | None = None
            try:
                os.fdatasync(self._writer.descriptor)
            except OSError as error:
                problem = error
            self._end(written, problem)

    def _end(self, written: Written | None, error: Exception | None) -> None:
        with self._turn:
            group, self._group = self._group, []
            if error is None and written is not None:
                self._writer.settle(written)
            self._tells.append(self._owner.ended(group, error))
            self._owner.finished(group)
            if self._ending:
                return  # the group that was begun below ended at once: its callers are told after those before it
            self._ending = True
            self._begin_next()  # before anybody is told: the disk works while they are
            self._ending = False
            tells, self._tells = self._tells, []
        for tell in tells:
            self._deliver(tell)
        self._next()

    def drain(self, deliver: Callable[[Control], object]) -> None:
        """Wait for the group under way, hand what has gathered to the thread; any thread may call it.

        ``deliver`` runs completions where they belong.
        """
        with self._turn:
            self._deliver = deliver
            self._usable = False  # no further group is begun here
        self._sync.wait()  # not under the lock: the loop's side may be ending the group just now, and takes it
        self._next()

    def close(self) -> None:
        """End; after ``drain``."""
        self._sync.close()


def _directly(tell: Control) -> None:
    tell()
