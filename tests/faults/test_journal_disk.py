"""The disk refuses: every system call of the journal, each as {nothing happened, it happened and still failed}.

The real call runs or does not; only its answer is changed. Then: heal or restart, and nothing acknowledged is lost.
"""

import errno
import os
import threading
from pathlib import Path

import pytest

from sealgate.adapters.journals.file import FileJournal
from sealgate.model.errors import JournalError
from sealgate.ports.journal import JournalRecord

ORIGIN = "example.com/log"
CALLS = ("pwrite", "fdatasync", "fsync", "rename", "open")


def record(number: int) -> JournalRecord:
    """A record that its number determines."""
    return JournalRecord(b"statement %d" % number, b"body" * 10)


def append(journal: FileJournal, number: int) -> int | JournalError:
    """Append and wait for the answer."""
    done, results = threading.Event(), []
    journal.append(record(number), lambda result: (results.append(result), done.set()))
    assert done.wait(60)
    return results[0]


class Fault:
    """Fails one system call of the writer thread, the ``nth``, and all after it until ``over``."""

    def __init__(self, monkeypatch, name: str, nth: int, *, happened: bool) -> None:
        self.left, self.over, self.hit = nth, False, False
        real = getattr(os, name)

        def call(*args, **kwargs):
            if self.over or threading.current_thread().name != "journal":
                return real(*args, **kwargs)
            self.left -= 1
            if self.left > 0:
                return real(*args, **kwargs)
            self.hit = True
            if happened:
                result = real(*args, **kwargs)
                if name == "open":
                    os.close(result)
            raise OSError(errno.EIO, "input/output error")

        monkeypatch.setattr(os, name, call)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("restart", [False, True], ids=["heal", "restart"])
@pytest.mark.parametrize("happened", [False, True], ids=["lost", "persisted"])
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("name", CALLS)
def test_no_acknowledged_record_is_lost(tmp_path: Path, monkeypatch, name, nth, happened, restart):
    """After the fault appends fail and heal fails; when the disk is back, heal or a restart goes on without a loss."""
    FileJournal.create(tmp_path / "journal", ORIGIN)
    journal = FileJournal(tmp_path / "journal", ORIGIN, segment_bytes=300)
    acknowledged = [number for number in range(10) if isinstance(append(journal, number), int)]
    assert len(acknowledged) == 10
    fault = Fault(monkeypatch, name, nth, happened=happened)
    answers = []
    for number in range(10, 40):
        answers.append(answer := append(journal, number))
        if isinstance(answer, int):
            assert answer == len(acknowledged)
            acknowledged.append(number)
    assert fault.hit
    assert journal.failure
    assert isinstance(answers[-1], JournalError)
    with pytest.raises(JournalError):
        journal.heal()
    assert journal.failure
    fault.over = True
    if restart:
        journal.close()
        journal = FileJournal(tmp_path / "journal", ORIGIN, segment_bytes=300)
    else:
        journal.heal()
    assert journal.failure is None
    kept = [r.statement for _, r in journal.read(0)]
    assert kept[: len(acknowledged)] == [record(number).statement for number in acknowledged]
    if not restart:
        assert len(kept) == len(acknowledged)
    for number in range(100, 120):
        assert append(journal, number) == len(kept) + number - 100
    journal.close()
    with FileJournal(tmp_path / "journal", ORIGIN, segment_bytes=300) as again:
        assert [r.statement for _, r in again.read(0)] == kept + [record(n).statement for n in range(100, 120)]


def test_a_full_disk_fails_and_heals(tmp_path):
    """A real file-size limit cuts a write short; appends fail, reads go on, and heal works once there is room."""
    import resource
    import signal

    FileJournal.create(tmp_path / "journal", ORIGIN)
    previous = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with FileJournal(tmp_path / "journal", ORIGIN) as journal:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, previous[1]))
            answers = [append(journal, number) for number in range(20)]
            good = [answer for answer in answers if isinstance(answer, int)]
            assert good == list(range(len(good)))
            assert 0 < len(good) < 20
            assert "File too large" in (journal.failure or "")
            assert journal.size == len(good)
            assert len(list(journal.read(0))) == len(good)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, previous)
            signal.signal(signal.SIGXFSZ, handler)
        journal.heal()
        assert append(journal, 99) == len(good)
    with FileJournal(tmp_path / "journal", ORIGIN) as journal:
        assert journal.size == len(good) + 1


def test_a_full_queue_refuses_at_once(tmp_path):
    """Beyond its bound the queue refuses; what it took is recorded."""
    FileJournal.create(tmp_path / "journal", ORIGIN)
    with FileJournal(tmp_path / "journal", ORIGIN, queue_records=5) as journal:
        gate, results = threading.Event(), []
        journal._queue.put(gate.wait)
        for number in range(8):
            journal.append(record(number), results.append)
        assert [type(r) for r in results] == [JournalError] * 3
        gate.set()
        journal._on_writer(lambda: None)
        assert results[3:] == list(range(5))


def test_a_raising_completion_does_not_starve_the_others(tmp_path):
    """Every record of the group gets its answer; the error reaches the thread that delivers."""
    FileJournal.create(tmp_path / "journal", ORIGIN)
    results, problems = [], []

    def deliver(run) -> None:
        try:
            run()
        except ZeroDivisionError as error:
            problems.append(error)

    with FileJournal(tmp_path / "journal", ORIGIN, deliver=deliver) as journal:
        gate = threading.Event()
        journal._queue.put(gate.wait)
        journal.append(record(0), lambda _: 1 // 0)
        journal.append(record(1), results.append)
        gate.set()
        journal._on_writer(lambda: None)
    assert results == [1]
    assert len(problems) == 1
