"""Data keys read by another process than the one that makes and destroys them."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sealgate.adapters.keys.datakeys import SqliteDataKeys
from sealgate.adapters.keys.file import FileWrappingKey
from sealgate.adapters.keys.reading_keys import ReadingKeys
from sealgate.model.errors import AlteredError, ConfigurationError

NOVEMBER = 1_795_219_200_000


@pytest.fixture(name="kek")
def _kek() -> bytes:
    """The key-encryption key's bytes."""
    return os.urandom(32)


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    """A new database."""
    path = tmp_path / "data-keys.db"
    SqliteDataKeys.create(path)
    return path


@pytest.fixture(name="store")
def _store(path, kek):
    """The open store."""
    store = SqliteDataKeys(path, FileWrappingKey(kek))
    yield store
    store.close()


def test_a_reader_finds_keys_as_they_are_made(store, path, kek):
    """A key is there as soon as it is made, opens what was sealed, and comes from memory the next time."""
    reading = ReadingKeys(path, FileWrappingKey(kek))
    first = store.current("default/-/a", NOVEMBER)
    sealed = first.cipher.encrypt(bytes(12), b"body", None)
    found = reading.find(first.key_id)
    second = store.current("default/-/b", NOVEMBER)

    assert found.cipher.decrypt(bytes(12), sealed, None) == b"body"
    assert reading.find(first.key_id) is found
    assert reading.find(second.key_id) is not None
    assert reading.find(bytes(16)) is None


def test_a_destroyed_key_is_gone_once_dropped(store, path, kek):
    """What is in memory stays until it is dropped; then it is gone, and another key is still there."""
    reading = ReadingKeys(path, FileWrappingKey(kek))
    keys = [store.current(f"default/-/{name}", NOVEMBER) for name in "ab"]
    assert all(reading.find(key.key_id) for key in keys)
    store.destroy(keys[0].key_id)
    assert reading.find(keys[0].key_id) is not None
    reading.drop([keys[0].key_id])

    assert reading.find(keys[0].key_id) is None
    assert reading.find(keys[1].key_id) is not None
    reading.drop()
    assert reading.find(keys[1].key_id) is not None


def test_a_reader_never_fails_a_destruction(store, path, kek):
    """While readers in two threads look up without rest, each of many destructions succeeds."""
    keys = [store.current(f"default/-/{number}", NOVEMBER) for number in range(12)]
    stop, looked_up = threading.Event(), []

    def read() -> None:
        reading = ReadingKeys(path, FileWrappingKey(kek))
        while not stop.is_set():
            reading.drop()
            looked_up.append(sum(reading.find(key.key_id) is not None for key in keys))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + 60
        while not looked_up:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        assert [store.destroy(key.key_id) for key in keys[:10]] == [True] * 10
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert looked_up
    assert {reading for reading in looked_up if reading < 2} == set()


def test_it_reads_while_nobody_writes(store, path, kek):
    """With the authority stopped, and in another process, the keys are found all the same; nothing is changed."""
    key = store.current("default/-/a", NOVEMBER)
    store.close()
    script = (
        "import sys; from pathlib import Path\n"
        "from sealgate.adapters.keys.file import FileWrappingKey\n"
        "from sealgate.adapters.keys.reading_keys import ReadingKeys\n"
        "reading = ReadingKeys(Path(sys.argv[1]), FileWrappingKey(bytes.fromhex(sys.stdin.read())))\n"
        "print(reading.find(bytes.fromhex(sys.argv[2])) is not None, reading.find(bytes(16)))\n"
    )
    before = path.read_bytes()
    command = [sys.executable, "-c", script, str(path), key.key_id.hex()]
    done = subprocess.run(command, input=kek.hex(), capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "True None\n"
    assert path.read_bytes() == before


def test_what_is_wrong_is_said(store, path, kek, tmp_path):
    """Another key-encryption key, a missing file and an unknown version are errors, never an absent key."""
    key = store.current("default/-/a", NOVEMBER)
    with pytest.raises(AlteredError):
        ReadingKeys(path, FileWrappingKey(os.urandom(32))).find(key.key_id)
    with pytest.raises(ConfigurationError, match="does not exist"):
        ReadingKeys(tmp_path / "none.db", FileWrappingKey(kek)).find(key.key_id)
    assert ReadingKeys(path, FileWrappingKey(kek)).find(key.key_id) is not None
    store._database.execute("PRAGMA user_version=9")
    with pytest.raises(ConfigurationError, match="version 9"):
        ReadingKeys(path, FileWrappingKey(kek)).find(key.key_id)
