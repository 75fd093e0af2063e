"""Archived journal segments: the same records, also while others append and read; what is altered is named."""

import os
import random
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealgate.adapters.journals.file import FileJournal
from sealgate.encoding import sealed_body, sealed_group
from sealgate.model.errors import AlteredError, InputError
from sealgate.ports.archiving import Kept
from sealgate.ports.datakeys import DataKey
from sealgate.ports.journal import JournalRecord

ORIGIN = "example.com/log"
KEYS = {bytes([n]) * 16: AESGCM(bytes([n]) * 32) for n in range(1, 4)}


def body(number: int) -> bytes:
    """The body of a record."""
    return b'{"number":%d}' % number * (1 + number % 5)


def record(number: int) -> JournalRecord:
    """A record whose body is sealed under one of three keys."""
    signed = b"statement %d" % number
    key_id = bytes([1 + number % 3]) * 16
    aad = sealed_body.associated_data(ORIGIN, signed)
    return JournalRecord(signed, sealed_body.seal(KEYS[key_id], key_id, os.urandom(12), body(number), aad))


class Packer:
    """Keeps everything but what ``drop`` names."""

    def __init__(self, drop=()) -> None:
        self.drop = set(drop)
        self.bodies = sealed_group.Bodies(ORIGIN, KEYS.get)

    def touches(self, start, stop):
        """Tell whether something goes."""
        return any(start <= index < stop for index in self.drop)

    def nonce(self):
        """Draw."""
        return os.urandom(12)

    def keep(self, index, item):
        """Keep or drop."""
        if index in self.drop:
            return Kept(item.statement, index * 1000, "c")
        opened = self.bodies.open(item.sealed_body, item.group, lambda: item.statement)
        if opened is None:
            return Kept(item.statement, index * 1000, "c")
        key_id = sealed_body.key_id_of(item.sealed_body)
        return Kept(item.statement, index * 1000, "c", opened, DataKey.of(key_id, bytes([1 + index % 3]) * 32))


def append(journal, numbers):
    """Append and wait."""
    done = threading.Event()
    numbers = list(numbers)
    for number in numbers:
        journal.append(record(number), (lambda _: done.set()) if number == numbers[-1] else (lambda _: None))
    assert done.wait(60)


def opened(journal, start=0):
    """What the journal holds: (statement, body) by index."""
    bodies = sealed_group.Bodies(ORIGIN, KEYS.get)
    return {
        index: (item.statement, bodies.open(item.sealed_body, item.group, lambda item=item: item.statement))
        for index, item in journal.read(start)
    }


def expected(count, dropped=()):
    """What must be there."""
    return {n: (b"statement %d" % n, None if n in dropped else body(n)) for n in range(count)}


@pytest.fixture(name="journal")
def _journal(tmp_path: Path):
    FileJournal.create(tmp_path / "journal", ORIGIN)
    journal = FileJournal(tmp_path / "journal", ORIGIN, segment_bytes=4096)
    yield journal
    journal.close()


def test_an_archive_reads_like_the_segment(journal, tmp_path):
    """All records, any range, single ones, statements; before and after a restart; again without some bodies."""
    for start in range(0, 300, 30):
        append(journal, range(start, start + 30))
    before = sum(segment.stored_bytes for segment in journal.closed())
    for segment in journal.closed():
        assert journal.rewrite(segment.sequence, Packer()).archived
    assert opened(journal) == expected(300)
    assert sum(segment.stored_bytes for segment in journal.closed()) < before
    dropped = {n for n in range(200) if n % 7 == 0}
    for segment in journal.closed():
        journal.rewrite(segment.sequence, Packer(n for n in dropped if segment.start <= n < segment.stop))
    gone = {n for n in dropped if n < journal.closed()[-1].stop}
    assert opened(journal) == expected(300, gone)
    for start, stop in ((0, 1), (63, 65), (64, 64), (150, 290), (299, 400)):
        assert [index for index, _ in journal.read(start, stop)] == list(range(start, min(stop, 300)))
        assert journal.statements(start, stop) == [b"statement %d" % n for n in range(start, min(stop, 300))]
    labels = [label for segment in journal.closed() for label in journal.labels(segment.sequence)]
    assert [label.index for label in labels if label.key_id is None] == sorted(gone)
    journal.close()
    assert len(list((tmp_path / "journal").glob("*.archive"))) == len(journal.closed())
    with FileJournal(tmp_path / "journal", ORIGIN, segment_bytes=4096) as again:
        assert opened(again) == expected(300, gone)
        append(again, range(300, 310))
        assert opened(again) == expected(310, gone)


def test_reading_and_appending_go_on_meanwhile(journal):
    """Readers on other threads see whole, right records while every segment is written anew twice."""
    append(journal, range(400))
    stop, problems, rounds = threading.Event(), [], []

    def look():
        while not stop.is_set():
            found = opened(journal)
            if found != expected(len(found)):
                problems.append(len(found))
            rounds.append(len(found))

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(2):
        for segment in journal.closed():
            journal.rewrite(segment.sequence, Packer())
        append(journal, range(journal.size, journal.size + 40))
    stop.set()
    for reader in readers:
        reader.join()
    assert problems == []
    assert len(rounds) > 1


def test_the_segment_that_is_appended_to_is_closed_on_request(journal):
    """``roll`` closes it; the next record opens no gap; an empty one is left alone."""
    append(journal, range(5))
    for _ in range(2):
        done = threading.Event()
        journal.roll(lambda error, done=done: done.set() if error is None else None)
        assert done.wait(60)
    assert [(segment.start, segment.stop) for segment in journal.closed()] == [(0, 5)]
    append(journal, range(5, 8))
    assert opened(journal) == expected(8)
    with pytest.raises(InputError, match="not closed"):
        journal.rewrite(99, Packer())


def test_what_a_crash_left_of_the_old_file_is_removed(journal, tmp_path):
    """Both files there: the newer generation counts, the older goes; a half-written one means nothing."""
    append(journal, range(60))
    append(journal, range(60, 100))
    first = journal.closed()[0]
    old = tmp_path / "journal" / "00000001.segment"
    content = old.read_bytes()
    journal.rewrite(first.sequence, Packer({3}))
    journal.close()
    old.write_bytes(content)
    (tmp_path / "journal" / "00000002-0001.archive.new").write_bytes(b"half")
    with FileJournal(tmp_path / "journal", ORIGIN, segment_bytes=4096) as again:
        assert opened(again) == expected(100, {3})
    assert not old.exists()
    assert not list((tmp_path / "journal").glob("*.new"))


def test_every_altered_byte_is_noticed(journal, tmp_path):
    """Any flipped byte of an archive: the records read are right, or an error names it; never another body."""
    append(journal, range(60))
    append(journal, range(60, 62))
    for segment in journal.closed():
        journal.rewrite(segment.sequence, Packer())
    journal.close()
    path = min((tmp_path / "journal").glob("*.archive"))
    data = path.read_bytes()
    randomness = random.Random(7)  # noqa: S311
    noticed = 0
    places = [*range(120), *(randomness.randrange(len(data)) for _ in range(80))]
    for at in places:
        changed = bytearray(data)
        changed[at] ^= 1 << randomness.randrange(8)
        path.write_bytes(bytes(changed))
        try:
            with FileJournal(tmp_path / "journal", ORIGIN, segment_bytes=4096) as again:
                found = opened(again)
        except AlteredError:
            noticed += 1
        else:
            assert found == expected(62), at
    assert noticed == len(places)
    path.write_bytes(data)
    with FileJournal(tmp_path / "journal", ORIGIN, segment_bytes=4096) as again:
        assert opened(again) == expected(62)
