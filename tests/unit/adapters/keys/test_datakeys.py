"""Data keys: made once, found again, destroyed without a trace."""

import os
import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealgate.adapters.keys import datakeys, datakeys_file
from sealgate.adapters.keys.datakeys import SqliteDataKeys
from sealgate.adapters.keys.file import FileWrappingKey
from sealgate.model.errors import AlteredError, ConfigurationError, UnavailableError
from sealgate.model.scopes import Period, subject_prefix
from sealgate.ports.datakeys import KeyFact

NOVEMBER = 1_795_219_200_000  # 2026-11-21
DECEMBER = 1_796_083_200_000  # 2026-12-01


class _Wrapping:
    """A real wrapping key that remembers what it wrapped, so that the test can look for it."""

    def __init__(self) -> None:
        self._inner = FileWrappingKey(os.urandom(32))
        self.wrapped: list[bytes] = []
        self.calls = 0

    def wrap(self, key: bytes) -> bytes:
        self.wrapped.append(self._inner.wrap(key))
        return self.wrapped[-1]

    def unwrap(self, wrapped: bytes) -> bytes:
        self.calls += 1
        return self._inner.unwrap(wrapped)


@pytest.fixture(name="wrapping")
def _wrapping() -> _Wrapping:
    """A key-encryption key."""
    return _Wrapping()


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    """A new database."""
    path = tmp_path / "data-keys.db"
    SqliteDataKeys.create(path)
    return path


@pytest.fixture(name="store")
def _store(path, wrapping):
    """The open store."""
    store = SqliteDataKeys(path, wrapping)
    yield store
    store.close()


def _bytes_on_disk(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()))


def test_one_key_per_scope_and_month(store):
    """The same scope and month give the same key; another scope or month gives another."""
    first = store.current("acme", NOVEMBER)

    assert store.current("acme", NOVEMBER + 1) is first
    assert store.current("other", NOVEMBER).key_id != first.key_id
    assert store.current("acme", DECEMBER).key_id != first.key_id
    assert store.current("acme", DECEMBER - 1).key_id != first.key_id  # the clock stepped back: the newest key stays


def test_a_key_outlives_the_process(store, path, wrapping):
    """After a restart the same key is current, and opens what was sealed."""
    key = store.current("acme", NOVEMBER)
    sealed = key.cipher.encrypt(bytes(12), b"body", None)
    store.close()
    again = SqliteDataKeys(path, wrapping)

    assert again.current("acme", NOVEMBER).key_id == key.key_id
    assert again.find(key.key_id).cipher.decrypt(bytes(12), sealed, None) == b"body"
    assert again.find(bytes(16)) is None
    again.close()


def test_current_answers_from_memory(store, wrapping, path):
    """After the first call neither the database nor the wrapping key is asked again."""
    store.current("acme", NOVEMBER)
    seen: list[str] = []
    store._database.set_trace_callback(seen.append)
    for _ in range(100):
        store.current("acme", NOVEMBER)

    assert seen == []
    assert wrapping.calls == 0


def test_destroyed_is_gone_from_every_byte(store, path, wrapping):
    """No byte of any file keeps the wrapped key or its id; before, both were there (positive control)."""
    keys = [store.current(f"scope {number}", NOVEMBER) for number in range(50)]
    victim, wrapped = keys[17], wrapping.wrapped[17]
    assert wrapped in _bytes_on_disk(path)

    assert store.destroy(victim.key_id) is True

    assert wrapped not in _bytes_on_disk(path)
    assert victim.key_id not in _bytes_on_disk(path)
    assert wrapping.wrapped[18] in _bytes_on_disk(path)
    assert store.find(victim.key_id) is None
    assert store.destroy(victim.key_id) is False
    assert store.current("scope 17", NOVEMBER).key_id != victim.key_id


def test_a_crash_between_deletion_and_rewrite_is_finished_on_open(store, path, wrapping):
    """A log that still holds the deleted pages is emptied by the next open."""
    store.current("acme", NOVEMBER)
    survivor = wrapping.wrapped[0]
    store.current("gone", NOVEMBER)
    store._database.execute("DELETE FROM data_keys WHERE scope='gone'")
    copy = path.parent.parent / "crashed"
    copy.mkdir()
    for file in path.parent.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    assert wrapping.wrapped[1] in _bytes_on_disk(copy / path.name)

    SqliteDataKeys(copy / path.name, wrapping).close()

    assert wrapping.wrapped[1] not in _bytes_on_disk(copy / path.name)
    assert survivor in _bytes_on_disk(copy / path.name)


def test_a_reader_that_keeps_old_pages_fails_the_destruction(store, path):
    """Destruction does not claim success while another connection holds a snapshot; afterwards it succeeds."""
    key = store.current("acme", NOVEMBER)
    store._database.execute("PRAGMA busy_timeout=10")
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM data_keys").fetchall()
    with pytest.raises(UnavailableError):
        store.destroy(key.key_id)
    reader.close()
    store.destroy(key.key_id)

    assert key.key_id not in _bytes_on_disk(path)


def test_rotates_before_the_bound(store, path, wrapping, monkeypatch):
    """Uses are reserved in blocks that survive a restart, and no key passes the bound."""
    monkeypatch.setattr(datakeys, "USES_PER_RESERVATION", 4)
    monkeypatch.setattr(datakeys, "MAX_USES", 12)
    used: dict[bytes, int] = {}
    for restart in range(4):
        again = SqliteDataKeys(path, wrapping)
        for _ in range(7 - restart):
            key_id = again.current("acme", NOVEMBER).key_id
            used[key_id] = used.get(key_id, 0) + 1
        again.close()

    assert len(used) > 1
    assert max(used.values()) <= 12


def test_a_scope_names_its_keys(store):
    """An erasure finds all keys of its scope and none of others."""
    ids = {store.current("acme", time).key_id for time in (NOVEMBER, DECEMBER)}
    store.current("other", NOVEMBER)

    assert set(store.key_ids("acme")) == ids


def test_a_changed_row_is_found(store, path, wrapping):
    """A wrapped key that was changed does not open."""
    key = store.current("acme", NOVEMBER)
    store._database.execute("UPDATE data_keys SET wrapped=zeroblob(40)")
    again = SqliteDataKeys(path, wrapping)
    with pytest.raises(AlteredError):
        again.find(key.key_id)
    again.close()


def test_creation_never_overwrites(path, tmp_path, wrapping):
    """An existing database stays; a missing one is an error and not a new one."""
    with pytest.raises(ConfigurationError, match="exists"):
        SqliteDataKeys.create(path)
    with pytest.raises(ConfigurationError, match="does not exist"):
        SqliteDataKeys(tmp_path / "none.db", wrapping)

    assert path.stat().st_mode & 0o777 == 0o600


def test_many_are_destroyed_in_one_step(store, path, wrapping):
    """Several keys go with one rewriting of the file; the others stay; doing it again is no error."""
    keys = [store.current(f"default/-/class{number}", NOVEMBER) for number in range(20)]
    doomed = [key.key_id for key in keys[3:9]]
    seen: list[str] = []
    store._database.set_trace_callback(seen.append)

    assert store.destroy_many([*doomed, bytes(16)]) == len(doomed)

    assert seen.count("VACUUM") == 1
    assert not any(key_id in _bytes_on_disk(path) for key_id in doomed)
    assert not any(wrapped in _bytes_on_disk(path) for wrapped in wrapping.wrapped[3:9])
    assert store.find(keys[2].key_id) is not None
    assert store.find(keys[3].key_id) is None
    assert store.destroy_many(doomed) == 0


def test_a_class_may_change_its_key_every_day(path, wrapping):
    """The store is told the period of each class; the facts say from when to when a key was used."""
    store = SqliteDataKeys(path, wrapping, period_of=lambda name: Period.DAY if name == "payload" else Period.MONTH)
    day = 86_400_000
    ids = {store.current("default/-/payload", NOVEMBER + n * day).key_id for n in range(3)}
    month = {store.current("default/-/receipt", NOVEMBER + n * day).key_id for n in range(3)}
    facts = store.facts("default/-/payload")

    assert len(ids) == 3
    assert len(month) == 1
    assert [(fact.from_ms, fact.until_ms) for fact in facts] == [
        (NOVEMBER + n * day, NOVEMBER + (n + 1) * day) for n in range(3)
    ]
    assert store.facts("default/-/receipt")[0].until_ms == DECEMBER
    store.close()


def test_scopes_are_listed_by_what_they_begin_with(store):
    """All scopes of one subject are found, and of no other, whatever characters stand in them."""
    one, other = "sub_" + "a" * 26, "sub_" + "b" * 26
    for scope in (f"default/{one}/x", f"default/{one}/y", f"default/{other}/x", "default/-/x", "authority/snapshot"):
        store.current(scope, NOVEMBER)
    store.current(f"default/{one}/x", DECEMBER)

    assert store.scopes(subject_prefix(one)) == [f"default/{one}/x", f"default/{one}/y"]
    assert len(store.facts(subject_prefix(one))) == 3
    assert len(store.facts("")) == 6
    assert store.facts("default/%") == []


def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path, wrapping):
    """Its keys open bodies as before, with the span of their month, and are current under their old scope."""
    path = tmp_path / "old.db"
    secret, key_id = os.urandom(32), os.urandom(16)
    _first_version(path, [(key_id, "default/default", 2026 * 12 + 10, wrapping.wrap(secret), 1 << 24)])
    store = SqliteDataKeys(path, wrapping)

    assert store.find(key_id).cipher.decrypt(bytes(12), AESGCM(secret).encrypt(bytes(12), b"x", None), None) == b"x"
    assert store.facts("default/") == [KeyFact(key_id, "default/default", NOVEMBER - 20 * 86_400_000, DECEMBER)]
    assert store.current("default/default", NOVEMBER).key_id == key_id
    assert store.current("default/-/default", NOVEMBER).key_id != key_id
    store.close()


def test_a_crash_in_a_migration_leaves_the_first_version(tmp_path, wrapping):
    """Killed at any statement before the commit: the file is version 1 with its rows, and the next start migrates."""
    row = (os.urandom(16), "default/default", 2026 * 12 + 10, wrapping.wrap(bytes(32)), 0)
    for statement in range(1, 7):
        path = tmp_path / f"{statement}.db"
        _first_version(path, [row])
        child = os.fork()
        if child == 0:
            _migrate_and_die(path, statement)

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        database = sqlite3.connect(path)
        assert database.execute("PRAGMA user_version").fetchone()[0] == 1
        assert database.execute("SELECT * FROM data_keys").fetchall() == [row]
        database.close()
        store = SqliteDataKeys(path, wrapping)
        assert store.find(row[0]) is not None
        store.close()


def _migrate_and_die(path: Path, after: int) -> None:
    """Run the migration in a child that is gone before its next statement."""
    database = datakeys_file._connect(path)
    counted = iter(range(1, 100))
    database.set_trace_callback(lambda _: os._exit(7) if next(counted) > after else None)
    datakeys_file._migrate(database)
    os._exit(0)


def _first_version(path: Path, rows: list[tuple[object, ...]]) -> None:
    """Make the database that version 1 of this program made."""
    database = sqlite3.connect(path)
    database.executescript(
        "PRAGMA journal_mode=WAL; CREATE TABLE data_keys(key_id BLOB PRIMARY KEY, scope TEXT NOT NULL,"
        " month INTEGER NOT NULL, wrapped BLOB NOT NULL, reserved INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE INDEX by_scope ON data_keys(scope, month); PRAGMA user_version = 1;"
    )
    database.executemany("INSERT INTO data_keys VALUES(?,?,?,?,?)", rows)
    database.commit()
    database.close()
