"""The process that gets killed: appends really signed records and publishes, and tells of each before it counts.

It reports over a pipe, whose content outlives it: ``a <index> <entry>`` for each acknowledged record, after the journal
said that it is durable; ``c <size> <root>`` for each checkpoint text, before it is signed.
"""

import asyncio
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from bench import ledger_world
from bench.ledger_world import ORIGIN, Producer, SeedSigner
from sealgate.adapters.building import worker
from sealgate.adapters.building.process import ProcessBuilding
from sealgate.adapters.children.waiting import WaitingChild, end_with
from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.stores.directory import DirectoryLog, DirectoryStaging
from sealgate.adapters.stores.lock_sqlite import SqliteLock
from sealgate.ledger.log import Ledger
from sealgate.ledger.recovery import Stores
from sealgate.model.errors import JournalError, SealgateError
from sealgate.proofs import checkpoints

WINDOW = 64
SEGMENT_BYTES = 64 * 1024
_TRIES = 4


class ReportingSigner(SeedSigner):
    """Tells what it signs before it signs it."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__("log")
        self._tell = tell

    def sign(self, message: bytes) -> bytes:
        """Tell, then sign."""
        head = checkpoints.parse_text(message.decode())
        self._tell(f"c {head.size} {head.root.hex()}\n")
        return super().sign(message)


class ForkedBuilder(WaitingChild):
    """The building process, forked: there is no time to start an interpreter before the next kill."""

    def start(self) -> bool:
        """Fork, once."""
        if self._connection is not None or self._starts:
            return self._connection is not None
        self._starts += 1
        self._connection, theirs = socket.socketpair()
        life, self._lifeline = os.pipe()
        if os.fork() == 0:
            try:
                self._connection.close()
                os.close(self._lifeline)
                end_with(life)
                worker.serve(theirs)
            finally:
                os._exit(0)
        theirs.close()
        os.close(life)
        return True


def _building(directory: Path, lock: int) -> ProcessBuilding:
    """Return the building process, which takes over after the first batch."""
    folders = {"journal": directory / "journal", "public": directory / "log", "staging": directory / "staging"}
    building = ProcessBuilding(ORIGIN, **folders, lock=lock, busy=1)
    building._child = ForkedBuilder("", "building process", patience_s=10.0)  # noqa: SLF001
    return building


class Child:
    """One life: an open world, a window of records under way, a report."""

    def __init__(
        self, directory: Path, report: int, boot: int, *, on_loop: bool = False, elsewhere: bool = False
    ) -> None:
        self._report = report
        self._producer = Producer(boot)
        self._flying: deque[bytes] = deque()
        self._room = threading.Semaphore(WINDOW)
        loop = self._loop = asyncio.new_event_loop() if on_loop else None
        if loop is not None:
            threading.Thread(target=loop.run_forever, daemon=True).start()
        self.journal = FileJournal(directory / "journal", ORIGIN, segment_bytes=SEGMENT_BYTES, loop=loop)
        self._stores = Stores(
            self.journal,
            DirectoryLog(directory / "log"),
            DirectoryStaging(directory / "staging"),
            SqliteLock(directory / "lock.sqlite", ORIGIN),
        )
        keys = replace(ledger_world.keys(), log=ReportingSigner(self._tell))
        building = _building(directory, self.journal.lock) if elsewhere else None
        self.ledger = Ledger(ORIGIN, self._stores, keys, building=building)

    def _tell(self, line: str) -> None:
        os.write(self._report, line.encode())  # one write below PIPE_BUF: whole or not at all

    def append(self, number: int) -> None:
        """Append one record when there is room in the window."""
        self._room.acquire()
        record = self._producer.record(number)
        self._flying.append(sha256(record.statement).digest())
        if self._loop is None:
            self.journal.append(record, self._completed)
        else:
            self._loop.call_soon_threadsafe(self.journal.append, record, self._completed)

    def _completed(self, result: int | JournalError) -> None:
        entry = self._flying.popleft()
        if isinstance(result, int):
            self._tell(f"a {result} {entry.hex()}\n")
        self._room.release()

    def drain(self) -> None:
        """Wait until nothing is under way."""
        for _ in range(WINDOW):
            self._room.acquire()
        for _ in range(WINDOW):
            self._room.release()

    def step(self) -> None:
        """Publish; what fails is tried again by the next step."""
        with suppress(SealgateError):
            self.ledger.step()


def run_until_killed(directory: Path, report: int, boot: int) -> None:
    """Append as fast as the window allows, publish all the time, for ever.

    Every other life is on an event loop, every third has its files built elsewhere.
    """
    child = Child(directory, report, boot, on_loop=boot % 2 == 1, elsewhere=boot % 3 == 2)

    def publish() -> None:
        while True:
            child.step()
            time.sleep(0.001)

    threading.Thread(target=publish, daemon=True).start()
    number = 0
    while True:
        child.append(number)
        number += 1


def run_script(
    directory: Path, report: int, boot: int, records: int = 60, *, on_loop: bool = False, elsewhere: bool = False
) -> None:
    """Do a fixed piece of work that meets every system call; heal and go on after a failure, give up in the end."""
    try:
        child = Child(directory, report, boot, on_loop=on_loop, elsewhere=elsewhere)
    except (OSError, SealgateError):
        return  # refused to start: the parent starts it again without a fault
    tries = _TRIES
    for number in range(records):
        child.append(number)
        if number % 6 == 5:
            child.drain()
            child.step()
            while child.journal.failure is not None and tries:
                tries -= 1
                with suppress(JournalError):
                    child.journal.heal()
    child.drain()
    child.step()
    with suppress(SealgateError):
        child.ledger.close()
    child.journal.close()
