"""Public files made anew from the journal: the same bytes, never a second history, whatever write fails on the way."""

import itertools

import pytest

from bench.ledger_world import LOG_KEY
from sealgate.adapters.journals.memory import MemoryJournal
from sealgate.adapters.stores.memory import MemoryLock, MemoryLog, MemoryStaging
from sealgate.ledger import rebuilding, recovery
from sealgate.ledger.fsck import fsck
from sealgate.model.errors import AlteredError, ForkError, InputError, NotProvenError, UnavailableError
from sealgate.ports.journal import JournalRecord
from tests.faults.test_ledger_faults import RECORDS, Flaky, Parts

SIZE = 1100


@pytest.fixture(name="parts")
def _parts(monkeypatch):
    """A log of 1,100 records, published in batches of 300; rebuilding takes 512 at a time."""
    monkeypatch.setattr(rebuilding, "_BATCH", 512)
    parts = Parts()
    parts.fill(SIZE)
    ledger = parts.open()
    ledger.step()
    ledger.close()
    return parts


def _stores(parts, public=None, journal=None):
    return recovery.Stores(journal or parts.journal, public or parts.public, parts.staging, MemoryLock(parts.row))


def test_a_lost_directory_comes_back_byte_for_byte(parts):
    """The same bytes, but for partial files of earlier sizes; the log goes on and a second run changes nothing."""
    before = dict(parts.public.files)
    parts.public, parts.staging = MemoryLog(), MemoryStaging()

    done = rebuilding.rebuild(_stores(parts), LOG_KEY)

    made = dict(parts.public.files)
    assert (done.size, done.files) == (SIZE, len(made))
    assert made.items() <= before.items()
    assert all(".p/" in path for path in before.keys() - made.keys())
    fsck(parts.public, key=LOG_KEY)
    rebuilding.rebuild(_stores(parts), LOG_KEY)
    assert parts.public.files == made
    parts.fill(1150)
    parts.open().step()
    parts.check(1150)


def test_a_damaged_file_is_made_right(parts):
    """Fsck finds the flip before and nothing afterwards."""
    good = parts.public.files["tile/0/001"]
    parts.public.files["tile/0/001"] = bytes(32) + good[32:]
    with pytest.raises(AlteredError):
        fsck(parts.public, key=LOG_KEY)

    rebuilding.rebuild(_stores(parts), LOG_KEY)

    assert fsck(parts.public, key=LOG_KEY).size == SIZE


@pytest.mark.parametrize("persisted", [False, True], ids=["lost", "persisted"])
@pytest.mark.parametrize("method", ["restore", "settle", "replace"])
def test_a_run_that_dies_is_run_again(parts, method, persisted):
    """After a failure at every write no half log passes for a whole one, and the next run ends it."""
    rebuilding.rebuild(_stores(parts, whole := MemoryLog()), LOG_KEY)
    for nth in itertools.count(1):
        parts.public = MemoryLog()
        flaky = Flaky(parts.public, method, nth, persisted=persisted)
        try:
            rebuilding.rebuild(_stores(parts, flaky), LOG_KEY)
        except UnavailableError:
            assert parts.public.files == whole.files or "checkpoint" not in parts.public.files
        if not flaky.hit:
            break
        rebuilding.rebuild(_stores(parts), LOG_KEY)
        assert parts.public.files == whole.files
    assert nth > 1


def test_another_journal_writes_nothing(parts):
    """A record that was changed, or one too few, is refused before the first file."""
    parts.public = MemoryLog()
    changed, short = MemoryJournal(), MemoryJournal()
    for number, record in enumerate(RECORDS[:SIZE]):
        changed.append(RECORDS[1] if number == 700 else record, lambda _: None)
        if number < SIZE - 1:
            short.append(record, lambda _: None)

    with pytest.raises(AlteredError, match="nothing was written"):
        rebuilding.rebuild(_stores(parts, journal=changed), LOG_KEY)
    with pytest.raises(ForkError, match="set back"):
        rebuilding.rebuild(_stores(parts, journal=short), LOG_KEY)
    assert parts.public.files == {}
    rebuilding.rebuild(_stores(parts), LOG_KEY)
    assert fsck(parts.public, key=LOG_KEY).size == SIZE


def test_an_expired_statement_is_named(parts):
    """What is only in the public files is not invented."""
    parts.public, expired = MemoryLog(), MemoryJournal()
    for number, record in enumerate(RECORDS[:SIZE]):
        expired.append(JournalRecord(b"", b"") if number == 700 else record, lambda _: None)

    with pytest.raises(NotProvenError, match="record 700 has expired"):
        rebuilding.rebuild(_stores(parts, journal=expired), LOG_KEY)
    assert parts.public.files == {}


def test_a_lock_that_was_set_back_writes_nothing(parts):
    """The published checkpoint is newer than the lock: a rebuild would hide a fork."""
    older = Parts()
    older.fill(600)
    older.open().step()
    before = dict(parts.public.files)

    with pytest.raises(ForkError, match="set back"):
        rebuilding.rebuild(recovery.Stores(parts.journal, parts.public, parts.staging, MemoryLock(older.row)), LOG_KEY)
    assert parts.public.files == before


def test_nothing_published_is_nothing_to_rebuild():
    """An empty lock has nothing to compare with."""
    with pytest.raises(InputError, match="nothing was published"):
        rebuilding.rebuild(_stores(Parts()), LOG_KEY)
