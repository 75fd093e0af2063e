"""Crashes tear the journal's end; bit rot alters its middle. The first is cut, the second refuses to start."""

import shutil
import threading
from pathlib import Path

import pytest

from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.journals.segment import HEADER_BYTES
from sealgate.model.errors import AlteredError, ConfigurationError
from sealgate.ports.journal import JournalRecord

ORIGIN = "example.com/log"

pytestmark = pytest.mark.timeout(600)  # thousands of syncs


def record(number: int) -> JournalRecord:
    """A record that its number determines."""
    return JournalRecord(b"s%d" % number, b"b" * 9)


def fill(journal: FileJournal, *groups: int) -> None:
    """Append groups of records; each group is one write."""
    for size in groups:
        gate, done, left = threading.Event(), threading.Event(), [size]

        def complete(result, left=left, done=done):
            assert isinstance(result, int)
            left[0] -= 1
            if not left[0]:
                done.set()

        journal._queue.put(gate.wait)  # hold the writer so that the whole group waits for it
        for _ in range(size):
            journal.append(record(journal._appended), complete)
        gate.set()
        assert done.wait(60)


def made(directory: Path, *groups: int, **options) -> Path:
    """Make a journal with these groups; return its last segment."""
    FileJournal.create(directory, ORIGIN)
    with FileJournal(directory, ORIGIN, **options) as journal:
        fill(journal, *groups)
    return max(directory.glob("*.segment"))


def reopened(directory: Path) -> int:
    """Open, check every record, append one more; return the size found."""
    with FileJournal(directory, ORIGIN) as journal:
        size = journal.size
        assert list(journal.read(0)) == [(i, record(i)) for i in range(size)]
        journal._appended = size
        fill(journal, 1)
        assert list(journal.read(0)) == [(i, record(i)) for i in range(size + 1)]
    return size


@pytest.fixture
def segment(tmp_path):
    """A segment with a group of four records and a group of three."""
    return made(tmp_path / "journal", 4, 3)


def frame_ends(data: bytes) -> list[int]:
    """Where each frame of a segment ends."""
    ends, at = [], HEADER_BYTES
    while at < len(data):
        at += 8 + int.from_bytes(data[at : at + 4], "little")
        ends.append(at)
    return ends


def test_truncation_at_every_byte_of_the_last_group_is_cut_to_whole_records(segment, tmp_path):
    """Wherever the file ends, every whole record stays, the rest is cut, and appending goes on."""
    data = segment.read_bytes()
    ends = frame_ends(data)
    assert len(ends) == 7
    for length in range(ends[3], len(data) + 1):
        copy = tmp_path / "copy"
        shutil.copytree(segment.parent, copy)
        (copy / segment.name).write_bytes(data[:length])
        assert reopened(copy) == sum(end <= length for end in ends)
        shutil.rmtree(copy)


@pytest.mark.parametrize("damage", [b"\x00", b"\xff"], ids=["zeros", "ones"])
def test_a_last_group_damaged_at_any_byte_is_torn(segment, tmp_path, damage):
    """A byte of the last group that never reached the disk: records before it stay, none is invented."""
    data = segment.read_bytes()
    ends = frame_ends(data)
    for at in range(ends[3], len(data)):
        copy = tmp_path / "copy"
        shutil.copytree(segment.parent, copy)
        (copy / segment.name).write_bytes(data[:at] + damage + data[at + 1 :])
        expected = 7 if data[at : at + 1] == damage else sum(end <= at for end in ends)
        assert reopened(copy) == expected
        shutil.rmtree(copy)


def test_a_damaged_byte_before_the_last_group_is_an_alteration(segment, tmp_path):
    """Any flip in a group that was synced before the last was written refuses to start and names the record."""
    data = segment.read_bytes()
    ends = frame_ends(data)
    for at in range(HEADER_BYTES, ends[3]):
        copy = tmp_path / "copy"
        shutil.copytree(segment.parent, copy)
        (copy / segment.name).write_bytes(data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :])
        with pytest.raises(AlteredError) as caught:
            FileJournal(copy, ORIGIN)
        assert caught.value.index == sum(end <= at for end in ends)
        shutil.rmtree(copy)
    assert reopened(segment.parent) == 7


def test_garbage_behind_the_end_is_cut(segment):
    """A write that only extended the file leaves zeros; they are cut."""
    with segment.open("ab") as file:
        file.write(bytes(5000))
    assert reopened(segment.parent) == 7


def test_every_byte_of_a_header_counts(segment, tmp_path):
    """A damaged header refuses; a log's journal does not open under another origin."""
    data = segment.read_bytes()
    for at in range(HEADER_BYTES):
        segment.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(AlteredError):
            FileJournal(segment.parent, ORIGIN)
    segment.write_bytes(data)
    with pytest.raises(ConfigurationError):
        FileJournal(segment.parent, ORIGIN + "/other")
    assert reopened(segment.parent) == 7


def test_a_missing_or_short_segment_is_an_alteration(tmp_path):
    """A removed segment, a renamed one and one shorter than its successor says: none opens."""
    made(tmp_path / "journal", *[1] * 40, segment_bytes=300)
    names = sorted(path.name for path in (tmp_path / "journal").glob("*.segment"))
    assert len(names) > 4

    def damaged(change) -> None:
        copy = tmp_path / "copy"
        shutil.copytree(tmp_path / "journal", copy)
        change(copy)
        with pytest.raises(AlteredError):
            FileJournal(copy, ORIGIN)
        shutil.rmtree(copy)

    damaged(lambda copy: (copy / names[0]).unlink())
    damaged(lambda copy: (copy / names[2]).unlink())
    damaged(lambda copy: (copy / names[-1]).rename(copy / "00000099.segment"))
    damaged(lambda copy: (copy / names[1]).write_bytes((copy / names[1]).read_bytes()[:-1]))
    assert reopened(tmp_path / "journal") == 40


def test_a_flip_in_an_old_segment_is_found_when_read(tmp_path):
    """Old segments are not read at the start; reading the record finds the flip and names it."""
    made(tmp_path / "journal", *[1] * 40, segment_bytes=300)
    first = min((tmp_path / "journal").glob("*.segment"))
    data = bytearray(first.read_bytes())
    data[HEADER_BYTES + 23] ^= 1
    first.write_bytes(data)
    with FileJournal(tmp_path / "journal", ORIGIN) as journal:
        with pytest.raises(AlteredError) as caught:
            list(journal.read(0))
        assert caught.value.index == 0
        assert [i for i, _ in journal.read(10)] == list(range(10, 40))


def test_two_processes_cannot_own_one_journal(segment):
    """The second opening is refused; after the first closed it works."""
    with (
        FileJournal(segment.parent, ORIGIN),
        pytest.raises(ConfigurationError, match="another process"),
    ):
        FileJournal(segment.parent, ORIGIN)
    assert reopened(segment.parent) == 7


def test_a_journal_is_never_remade(tmp_path):
    """Opening where there is none is refused; creating over one is refused."""
    with pytest.raises(ConfigurationError):
        FileJournal(tmp_path, ORIGIN)
    FileJournal.create(tmp_path / "journal", ORIGIN)
    with pytest.raises(ConfigurationError, match="not empty"):
        FileJournal.create(tmp_path / "journal", ORIGIN)


@pytest.mark.parametrize("kept", [30, 100_000, 600_000, 1_000_000])
def test_a_torn_large_record_is_cut(tmp_path, kept):
    """A crash in the middle of a batch record: what was durable before stays, the rest was told to nobody."""
    directory = tmp_path / "journal"
    FileJournal.create(directory, ORIGIN)
    large = JournalRecord(b"batch", bytes(range(256)) * 4000)
    with FileJournal(directory, ORIGIN) as journal:
        fill(journal, 3)
        whole = journal._segments[-1].durable_bytes
        done = threading.Event()
        journal.append(large, lambda _: done.set())
        assert done.wait(60)
    path = max(directory.glob("*.segment"))
    data = path.read_bytes()
    path.write_bytes(data[: whole + kept])

    assert reopened(directory) == 3


def test_an_altered_large_record_is_noticed(tmp_path):
    """A flipped byte in a durable batch record, with a good record of a later group behind it."""
    directory = tmp_path / "journal"
    FileJournal.create(directory, ORIGIN)
    with FileJournal(directory, ORIGIN) as journal:
        done = threading.Event()
        journal.append(JournalRecord(b"batch", bytes(1_000_000)), lambda _: done.set())
        assert done.wait(60)
        fill(journal, 1)
    path = max(directory.glob("*.segment"))
    data = bytearray(path.read_bytes())
    with FileJournal(directory, ORIGIN) as journal:  # positive control
        assert journal.size == 2
    data[500_000] ^= 1
    path.write_bytes(data)

    with pytest.raises(AlteredError, match="record 0"):
        FileJournal(directory, ORIGIN)
