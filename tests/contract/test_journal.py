"""Every journal keeps the port's contract."""

import asyncio
import threading
from pathlib import Path

import pytest

from sealgate.adapters.journals import file
from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.journals.memory import MemoryJournal
from sealgate.model.errors import JournalError
from sealgate.model.limits import MAX_BATCH_BODY_BYTES
from sealgate.ports.journal import Journal, JournalRecord


def record(number: int) -> JournalRecord:
    """A record that its number determines."""
    return JournalRecord(b"statement %d" % number, b"body %d" % number * (number % 7))


def append(journal: Journal, *records: JournalRecord) -> list[int | JournalError]:
    """Append and wait for all answers."""
    results: list[int | JournalError] = []
    done = threading.Event()

    def complete(result: int | JournalError) -> None:
        results.append(result)
        if len(results) == len(records):
            done.set()

    for item in records:
        journal.append(item, complete)
    assert done.wait(60)
    return results


class OnLoop(FileJournal):
    """A file journal whose appends all come from an event loop in another thread."""

    def __init__(self, directory: Path, origin: str, **options) -> None:
        self.loop = asyncio.new_event_loop()
        self.runner = threading.Thread(target=self.loop.run_forever)
        self.runner.start()
        super().__init__(directory, origin, deliver=self.loop.call_soon_threadsafe, loop=self.loop, **options)
        assert self._on_loop is not None, "this kernel has no asynchronous sync"

    def append(self, record, completion, *, alone=False):
        """Append on the loop's thread."""
        self.loop.call_soon_threadsafe(lambda: FileJournal.append(self, record, completion, alone=alone))

    def end(self) -> None:
        """Close the journal, then the loop, when it has nothing to do any more."""
        self.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.runner.join()
        self.loop.close()


@pytest.fixture(params=["file", "loop", "memory"])
def journal(request, tmp_path: Path):
    """Each adapter in turn."""
    if request.param == "memory":
        yield MemoryJournal()
        return
    FileJournal.create(tmp_path / "journal", "example.com/log")
    if request.param == "loop":
        made = OnLoop(tmp_path / "journal", "example.com/log", segment_bytes=4096)
        yield made
        made.end()
        return
    with FileJournal(tmp_path / "journal", "example.com/log", segment_bytes=4096) as plain:
        yield plain


def test_indexes_follow_the_order_of_appends(journal):
    """Indexes are consecutive from 0 in call order, and reading gives the same records."""
    assert append(journal, *map(record, range(300))) == list(range(300))
    assert append(journal, record(300)) == [300]
    assert journal.size == 301
    assert list(journal.read(0)) == [(i, record(i)) for i in range(301)]


def test_syncs_are_counted(journal):
    """Records that wait together share a sync; what is not durable by itself counts none."""
    append(journal, record(0))
    append(journal, *map(record, range(1, 100)))

    assert 2 <= journal.syncs <= 100 if isinstance(journal, FileJournal) else journal.syncs == 0


def test_any_range_can_be_read(journal):
    """Random ranges, single records and statements, empty and beyond the end."""
    append(journal, *map(record, range(300)))
    for start, stop in ((0, 1), (63, 65), (64, 64), (150, 290), (299, 400), (300, 301)):
        expected = [(i, record(i)) for i in range(start, min(stop, 300))]
        assert list(journal.read(start, stop)) == expected
        assert journal.statements(start, stop) == [item.statement for _, item in expected]


def test_reading_goes_on_while_appending(journal):
    """Another thread reads whole, right records at any moment; what it sees only grows."""
    sizes, problems = [], []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            found = list(journal.read(0))
            if found != [(i, record(i)) for i in range(len(found))]:
                problems.append(len(found))
            sizes.append(len(found))

    reader = threading.Thread(target=look)
    reader.start()
    for start in range(0, 600, 20):
        append(journal, *map(record, range(start, start + 20)))
    stop.set()
    reader.join()
    assert not problems
    assert sizes == sorted(sizes)
    assert journal.size == 600


def test_an_empty_journal_reads_as_nothing(journal):
    """No record, no failure."""
    assert (journal.size, journal.failure, list(journal.read(0))) == (0, None, [])


def test_healing_a_healthy_journal_changes_nothing(journal):
    """``heal`` is harmless when there is nothing to heal."""
    append(journal, record(0))
    journal.heal()
    assert append(journal, record(1)) == [1]


def test_a_closed_journal_refuses(journal):
    """After ``close`` an append completes with a JournalError; closing twice is fine; reading still works."""
    append(journal, record(0))
    journal.close()
    journal.close()
    [result] = append(journal, record(1))
    assert isinstance(result, JournalError)
    assert list(journal.read(0)) == [(0, record(0))]


def test_large_and_small_records_are_read_alike(tmp_path):
    """Records of a mebibyte beside small ones: each is found alone, in a range and after a new start."""
    FileJournal.create(tmp_path / "journal", "example.com/log")
    sizes = [9, MAX_BATCH_BODY_BYTES, 100, 300_000, 300_000, 5, *([70_000] * 70), 3, 262_144, 1]
    records = [JournalRecord(b"statement %d" % number, bytes([number]) * size) for number, size in enumerate(sizes)]
    with FileJournal(tmp_path / "journal", "example.com/log", segment_bytes=3 << 20) as journal:
        assert append(journal, *records) == list(range(len(records)))
    for again in range(2):
        with FileJournal(tmp_path / "journal", "example.com/log") as journal:
            if again:
                assert list(journal.read(0)) == list(enumerate(records))
            for index in reversed(range(len(records))):
                assert list(journal.read(index, index + 1)) == [(index, records[index])]
            assert journal.statements(0, len(records)) == [item.statement for item in records]


def test_the_queue_is_bounded_in_bytes(tmp_path, monkeypatch):
    """Large records that wait for a slow disk do not fill memory; once they are written there is room again."""
    monkeypatch.setattr(file, "MAX_QUEUE_BYTES", 1_000_000)
    FileJournal.create(tmp_path / "journal", "example.com/log")
    with FileJournal(tmp_path / "journal", "example.com/log") as journal:
        gate, results = threading.Event(), []
        journal._queue.put(gate.wait)
        for _ in range(5):
            journal.append(JournalRecord(b"s", bytes(400_000)), results.append)
        assert [type(result) for result in results] == [JournalError, JournalError]
        gate.set()
        journal.heal()  # comes behind what waits
        assert sorted(result for result in results if isinstance(result, int)) == [0, 1, 2]
        assert append(journal, record(3)) == [3]
