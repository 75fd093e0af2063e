"""Every public log, staging area and lock database keeps its port's contract."""

import pytest

from sealgate.adapters.stores.directory import DirectoryLog, DirectoryStaging
from sealgate.adapters.stores.lock_sqlite import SqliteLock
from sealgate.adapters.stores.memory import LockRow, MemoryLock, MemoryLog, MemoryStaging
from sealgate.model.errors import ConfigurationError, ForkError

ORIGIN = "example.com/log"


@pytest.fixture(name="public", params=["directory", "memory"])
def _public(request, tmp_path):
    return MemoryLog() if request.param == "memory" else DirectoryLog(tmp_path / "log")


@pytest.fixture(name="staging", params=["directory", "memory"])
def _staging(request, tmp_path):
    return MemoryStaging() if request.param == "memory" else DirectoryStaging(tmp_path / "staging")


@pytest.fixture(name="opened", params=["sqlite", "memory"])
def _opened(request, tmp_path):
    """A function that opens the same lock again and again."""
    if request.param == "memory":
        row = LockRow()
        return lambda: MemoryLock(row)
    SqliteLock.create(tmp_path / "lock", ORIGIN)
    return lambda: SqliteLock(tmp_path / "lock", ORIGIN)


def test_a_public_file_is_written_once(public):
    """The same bytes again are nothing; other bytes are a fork and change nothing."""
    assert public.read("tile/0/000.p/3") is None
    public.create("tile/0/000.p/3", b"abc")
    public.create("tile/0/000.p/3", b"abc")
    with pytest.raises(ForkError):
        public.create("tile/0/000.p/3", b"abd")
    assert public.read("tile/0/000.p/3") == b"abc"


def test_restoring_overwrites_what_a_crash_left(public):
    """``restore`` makes the file right whatever is there."""
    public.create("tile/0/000", b"")
    public.restore("tile/0/000", b"whole")
    assert public.read("tile/0/000") == b"whole"


def test_settling_counts_what_is_left(public):
    """Partial files that were replaced need no sync; a second settle has nothing to do."""
    for width in (1, 2, 3):
        public.create(f"tile/0/000.p/{width}", b"x" * width)
    public.create("tile/0/000", b"full")
    public.create("tile/0/000123", b"another")
    public.remove_partials("tile/0/000")
    public.remove_partials("tile/0/999")
    assert public.read("tile/0/000.p/3") is None
    assert (public.read("tile/0/000"), public.read("tile/0/000123")) == (b"full", b"another")
    assert public.settle() == 2
    assert public.settle() == 0


def test_the_checkpoint_is_replaced(public):
    """``replace`` makes and changes."""
    public.replace("checkpoint", b"1")
    public.replace("checkpoint", b"2")
    assert public.read("checkpoint") == b"2"


def test_staging_keeps_and_drops(staging):
    """Put, list, get, drop; dropping what is not there is nothing."""
    assert staging.names() == []
    staging.put("2-b", b"two")
    staging.put("1-a", b"one")
    staging.put("1-a", b"one again")
    assert staging.names() == ["1-a", "2-b"]
    assert staging.get("1-a") == b"one again"
    staging.drop(["1-a", "3-c"])
    assert staging.names() == ["2-b"]


def test_the_lock_swaps_only_what_it_holds(opened):
    """The right old value and a growing size swap; anything else is a fork and changes nothing."""
    lock = opened()
    assert (lock.read().body, lock.read().size) == (b"", 0)
    lock.advance(b"", b"one", 1)
    for old, new, size in ((b"", b"x", 2), (b"one", b"x", 1), (b"one", b"x", 0)):
        with pytest.raises(ForkError):
            lock.advance(old, new, size)
    lock.advance(b"one", b"five", 5)
    assert (lock.read().body, lock.read().size, lock.read().closed) == (b"five", 5, False)
    lock.close()
    lock.close()


def test_a_later_opener_fences_the_former(opened):
    """After a second opening the first can read and no longer write."""
    first = opened()
    first.advance(b"", b"one", 1)
    second = opened()
    with pytest.raises(ForkError):
        first.advance(b"one", b"two", 2)
    with pytest.raises(ForkError):
        first.freeze(b"one")
    second.advance(b"one", b"two", 2)
    assert first.read().body == b"two"


def test_a_frozen_lock_stays(opened):
    """Freezing needs the held checkpoint, may be repeated, and ends all swaps, also for later openers."""
    lock = opened()
    lock.advance(b"", b"last", 7)
    with pytest.raises(ForkError):
        lock.freeze(b"other")
    lock.freeze(b"last")
    lock.freeze(b"last")
    for each in (lock, opened()):
        assert each.read().closed
        with pytest.raises(ForkError):
            each.advance(b"last", b"more", 8)


def test_the_lock_database_is_never_made_on_the_way(tmp_path):
    """Missing file, unknown origin, second creation: refused. Two logs may share a file."""
    with pytest.raises(ConfigurationError, match="missing"):
        SqliteLock(tmp_path / "lock", ORIGIN)
    assert not (tmp_path / "lock").exists()
    SqliteLock.create(tmp_path / "lock", ORIGIN)
    with pytest.raises(ConfigurationError, match="exists"):
        SqliteLock.create(tmp_path / "lock", ORIGIN)
    with pytest.raises(ConfigurationError, match="does not know"):
        SqliteLock(tmp_path / "lock", "other.example.com")
    SqliteLock.create(tmp_path / "lock", "other.example.com")
    SqliteLock(tmp_path / "lock", "other.example.com").advance(b"", b"x", 1)
    assert SqliteLock(tmp_path / "lock", ORIGIN).read().size == 0
