"""Groups committed on an event loop: they stay in order with the writer thread's, and fail as its do."""

import asyncio
import errno
import os
import random

import pytest

from sealgate.adapters.journals import kernel_sync, patience, writer
from sealgate.adapters.journals.file import FileJournal, run_directly
from sealgate.adapters.journals.kernel_sync import KernelSync
from sealgate.model.errors import JournalError
from sealgate.ports.journal import JournalRecord

ORIGIN = "example.com/log"


def record(number: int, size: int = 40) -> JournalRecord:
    """A record that its number determines."""
    return JournalRecord(b"statement %d" % number, b"%d" % (number % 10) * size)


class Appender:
    """A journal on the running loop, and the answers to what was appended."""

    def __init__(self, folder, *, deliver=None, **options):
        if not (folder / "journal").exists():
            FileJournal.create(folder / "journal", ORIGIN)
        loop = asyncio.get_running_loop()
        self.journal = FileJournal(
            folder / "journal", ORIGIN, deliver=deliver or loop.call_soon_threadsafe, loop=loop, **options
        )
        assert self.journal._on_loop is not None
        self.results = []

    def append(self, *records, alone=False):
        """Append all in this turn of the loop."""
        for item in records:
            self.journal.append(item, self.results.append, alone=alone)

    async def answered(self, number):
        """Wait for so many answers and return them all."""
        async with asyncio.timeout(60):
            while len(self.results) < number:  # noqa: ASYNC110  # the journal calls back
                await asyncio.sleep(0.001)
        return self.results


def test_the_thread_syncs_nothing_while_the_kernel_does(tmp_path, monkeypatch):
    """What is appended in one turn shares one sync of the kernel; nobody calls fdatasync."""
    calls = []

    async def scenario():
        one = Appender(tmp_path)
        monkeypatch.setattr(writer.os, "fdatasync", calls.append)
        one.append(*map(record, range(50)))
        await one.answered(50)
        syncs = one.journal.syncs
        one.journal.close()
        return one.results, syncs

    results, syncs = asyncio.run(scenario())
    assert (results, syncs, calls) == (list(range(50)), 1, [])
    with FileJournal(tmp_path / "journal", ORIGIN) as again:
        assert list(again.read(0)) == [(number, record(number)) for number in range(50)]


@pytest.mark.parametrize("deliver", [None, run_directly], ids=["on the loop", "on the writing thread"])
def test_order_holds_whoever_writes(tmp_path, deliver):
    """Small and large records, lone ones, new segments and rolls, in bursts: told, numbered and kept as appended."""
    chance = random.Random(7)  # noqa: S311  # dice of a test
    records = [record(number, chance.choice((10, 100, 3000, 400_000))) for number in range(400)]

    async def scenario():
        one = Appender(tmp_path, segment_bytes=200_000, deliver=deliver)
        rolled = []
        at = 0
        while at < len(records):
            burst = records[at : at + chance.randrange(1, 12)]
            one.append(*burst, alone=len(burst) == 1 and len(one.results) == at)
            at += len(burst)
            if chance.random() < 0.1:
                one.journal.roll(rolled.append)
            await asyncio.sleep(chance.choice((0, 0, 0, 0.002)))
        await one.answered(len(records))
        one.journal.close()
        return one.results, rolled

    results, rolled = asyncio.run(scenario())
    assert results == list(range(400))
    assert rolled
    assert set(rolled) == {None}
    with FileJournal(tmp_path / "journal", ORIGIN) as again:
        assert list(again.read(0)) == list(enumerate(records))


@pytest.mark.parametrize("where", ["write", "sync"])
def test_a_failure_is_told_and_healed(tmp_path, monkeypatch, where):
    """A write or sync that fails: nobody is told that the group is durable, nor what gathered behind it."""
    broken = [False]
    real_write, real_begin = os.pwrite, KernelSync.begin

    def pwrite(*arguments):
        if broken[0]:
            raise OSError(errno.EIO, "input/output error")
        return real_write(*arguments)

    def begin(sync, descriptor, done):
        failed = OSError(errno.EIO, "input/output error") if broken[0] else None
        real_begin(sync, descriptor, lambda error: done(failed or error))

    async def scenario():
        one = Appender(tmp_path)
        monkeypatch.setattr(patience, "SLOW_S", 60.0)  # or a slow disk would send the groups that fail to the thread
        one.append(record(0))
        await one.answered(1)
        if where == "write":
            monkeypatch.setattr(os, "pwrite", pwrite)
        else:
            monkeypatch.setattr(KernelSync, "begin", begin)
        broken[0] = True
        one.append(record(1), record(2))
        await asyncio.sleep(0)
        one.append(record(3))
        await one.answered(4)
        assert one.journal.failure is not None
        assert one.journal.size == 1
        broken[0] = False
        one.journal.heal()
        one.append(record(4), record(5))
        await one.answered(6)
        one.journal.close()
        return one.results

    results = asyncio.run(scenario())
    assert [type(result) for result in results] == [int, JournalError, JournalError, JournalError, int, int]
    assert results[4:] == [1, 2]
    with FileJournal(tmp_path / "journal", ORIGIN) as again:
        assert [item for _, item in again.read(0)] == [record(0), record(4), record(5)]


def test_a_kernel_that_refuses_is_not_asked_again(tmp_path, monkeypatch):
    """Where the file system has no asynchronous sync, the group is synced by hand and the thread goes on."""
    asked = []

    def refuse(sync, descriptor, done):
        asked.append(descriptor)
        raise OSError(errno.EINVAL, "invalid argument")

    async def scenario():
        one = Appender(tmp_path)
        monkeypatch.setattr(KernelSync, "begin", refuse)
        one.append(record(0), record(1))
        await one.answered(2)
        one.append(record(2), record(3))
        await one.answered(4)
        one.journal.close()
        return one.results

    assert asyncio.run(scenario()) == [0, 1, 2, 3]
    assert len(asked) == 1


def test_without_the_kernels_help_the_thread_does_it_all(tmp_path, monkeypatch):
    """On another system there is no loop writer, and nothing else changes."""
    monkeypatch.setattr(kernel_sync.platform, "system", lambda: "Other")

    async def scenario():
        loop = asyncio.get_running_loop()
        FileJournal.create(tmp_path / "journal", ORIGIN)
        results = []
        with FileJournal(tmp_path / "journal", ORIGIN, loop=loop, deliver=loop.call_soon_threadsafe) as journal:
            assert journal._on_loop is None
            for number in range(3):
                journal.append(record(number), results.append)
            async with asyncio.timeout(60):
                while len(results) < 3:  # noqa: ASYNC110  # as above
                    await asyncio.sleep(0.001)
        return results

    assert asyncio.run(scenario()) == [0, 1, 2]


def test_a_slow_write_sends_the_next_groups_to_the_thread(tmp_path, monkeypatch):
    """A loop waits for a slow disk once; then the thread does, for a while."""

    async def scenario():
        monkeypatch.setattr(patience, "LEAST_S", 60.0)  # however busy the machine, the while is not over
        one = Appender(tmp_path)
        monkeypatch.setattr(patience, "SLOW_S", -1.0)
        one.append(record(0))
        await one.answered(1)
        ready = one.journal._on_loop.ready
        one.append(record(1))
        gathered = one.journal._on_loop.busy
        await one.answered(2)
        one.journal.close()
        return one.results, ready, gathered

    assert asyncio.run(scenario()) == ([0, 1], False, False)


def test_a_lone_record_waits_on_the_loop_until_the_disk_was_slow(tmp_path, monkeypatch):
    """Answered before ``append`` returns; after a slow sync not any more, after the pause it is again."""

    async def scenario():
        monkeypatch.setattr(patience, "LEAST_S", 60.0)  # however busy the machine, the pause is not over
        one, done = Appender(tmp_path), []

        def append(slow):
            monkeypatch.setattr(patience, "SLOW_S", -1.0 if slow else 60.0)
            one.append(record(len(done)), alone=True)
            done.append(len(one.results) > len(done))

        append(slow=False)
        append(slow=True)
        append(slow=False)
        await one.answered(3)
        one.journal._patience._until -= patience.LEAST_S  # now it is
        append(slow=False)
        one.journal.close()
        return done, await one.answered(4)

    assert asyncio.run(scenario()) == ([True, True, False, True], [0, 1, 2, 3])


@pytest.mark.parametrize("elsewhere", [False, True], ids=["on the loop", "in another thread"])
def test_closing_answers_what_is_under_way(tmp_path, elsewhere):
    """Closing waits for the kernel and for what gathered; everybody gets an answer, and the records are there."""

    async def scenario():
        one = Appender(tmp_path)
        one.append(*map(record, range(20)))
        await asyncio.sleep(0)  # the group is with the kernel
        one.append(*map(record, range(20, 30)))
        if elsewhere:
            await asyncio.get_running_loop().run_in_executor(None, one.journal.close)
        else:
            one.journal.close()
        return await one.answered(30)

    assert asyncio.run(scenario()) == list(range(30))
    with FileJournal(tmp_path / "journal", ORIGIN) as again:
        assert again.size == 30
