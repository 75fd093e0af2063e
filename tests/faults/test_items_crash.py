"""kill -9, full disks and failing syncs while items are written: what was acknowledged is there, whole and once."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from bench.loss_collector import Collector
from sealgate.sdk import Client, segments
from sealgate.sdk.errors import SpoolUnusable
from sealgate.sdk.itemspool import ItemSpool
from sealgate.sdk.sealing import load_key
from sealgate.sdk.segments import SegmentReader, SegmentWriter

WRITER = """
import pathlib, sys, threading
from sealgate.sdk.itemspool import ItemSpool
spool = ItemSpool(pathlib.Path(sys.argv[1]), "unix:x", segment_bytes=512)
lock = threading.Lock()
def work(name):
    number = 0
    while True:
        text = f"{sys.argv[2]}-{name}-{number}"
        spool.append(lambda epoch, seq: f'"{text}"'.encode())
        with lock:
            print(text, flush=True)
        number += 1
for name in "abc":
    threading.Thread(target=work, args=(name,)).start()
"""


def contents(folder: pathlib.Path, spool: ItemSpool) -> list[str]:
    """Return every item that can be read, in the order of files."""
    key = load_key(folder)
    found = []
    for path in spool.files():
        reader = SegmentReader(path, key)
        while (frame := reader.next()) is not None:
            found.append(frame[1].decode().strip('"'))
        reader.close()
    return found


def test_acknowledged_items_survive_kill_9(tmp_path):
    """Ten writers of three threads are killed at random moments; every acknowledged item is there, no torn one is."""
    moments = random.Random(7)  # noqa: S311  # a seed, so that a failure can be repeated
    acknowledged: list[str] = []
    for turn in range(10):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path, str(turn)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        first = "".join(writer.stdout.readline() for _ in range(40))
        time.sleep(moments.random() * 0.05)
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate()
        acknowledged += [line for line in (first + rest).split("\n")[:-1] if line]

    spool = ItemSpool(tmp_path, "unix:x")
    found = contents(tmp_path, spool)
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)
    assert len(set(found) - set(acknowledged)) <= 10 * 3  # what each thread was about to acknowledge
    assert len(spool.files()) > 10  # positive control: files were changed while they were written


def test_a_file_cut_anywhere_gives_whole_items_only(tmp_path):
    """For every length that a crash could leave, the items before the cut are read and nothing else."""
    key = load_key(tmp_path)
    writer = SegmentWriter(tmp_path, key, b"e" * 16, 5)
    sizes = []
    for number in range(4):
        writer.append(f"item {number}".encode())
        sizes.append(writer.size)
    writer.close()
    whole = writer.path.read_bytes()
    for length in range(len(whole) + 1):
        writer.path.write_bytes(whole[:length])
        reader = SegmentReader(writer.path, key)
        found = list(iter(reader.next, None))
        reader.close()
        assert [seq for seq, _ in found] == list(range(5, 5 + sum(size <= length for size in sizes)))
        assert segments.count(writer.path, 0) == len(found)
        assert segments.count(writer.path, 7) == max(0, len(found) - 2)


def test_altered_bytes_are_noticed_and_never_dropped_in_silence(tmp_path):
    """A flipped bit anywhere: what came before is shipped, the file is kept in `refused/`."""
    for position in (3, 20, 60, 70, 100, -1):
        folder = tmp_path / str(position)
        with Client(agent="a1", socket=folder / "a.sock", spool=folder / "spool") as client:
            client.log_event("x")
            client.log_event("y")
            (path,) = client.core.recorder.spool.files()
        data = bytearray(path.read_bytes())
        data[position] ^= 1
        path.write_bytes(data)
        running = Collector(folder / "collector.sock", folder / "db")
        with Client(agent="a1", socket=folder / "a.sock", spool=folder / "spool") as client:
            client.flush(60)
            refused = list((client.core.recorder.spool.folder / "refused").iterdir())
        assert len(running.items()) == (1 if position == -1 else 0)
        assert [file.name for file in refused] == [f"{path.name}.damaged"]
        running.stop()


class _Disk:
    """Lets calls of ``os`` fail on demand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.broken = False
        real = getattr(os, name)

        def call(*arguments, **options):
            if self.broken:
                raise OSError(28, "No space left on device")
            return real(*arguments, **options)

        monkeypatch.setattr(segments.os, name, call)


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_a_disk_that_refuses_is_an_error_and_then_heals(tmp_path, monkeypatch, call):
    """While writes or syncs fail every caller is told; afterwards items are recorded again, and none comes twice."""
    disk = _Disk(monkeypatch, call)
    client = Client(agent="a1", socket=tmp_path / "a.sock", spool=tmp_path / "spool")
    kept = [client.log_event("before").item_id]
    disk.broken = True
    for _ in range(3):
        with pytest.raises(SpoolUnusable, match="No space"):
            client.log_event("never")
    disk.broken = False
    kept.append(client.log_event("after").item_id)

    running = Collector(tmp_path / "collector.sock", tmp_path / "db")
    assert client.flush(60) == 0
    arrived = [item["item_id"] for item in running.items()]
    assert set(kept) <= set(arrived)
    assert len(arrived) == len(set(arrived))
    if call == "write":  # what was never whole in the file is not there
        assert arrived == kept
    client.close()
    running.stop()


def test_every_caller_that_waits_for_a_failed_sync_is_told(tmp_path, monkeypatch):
    """Threads share a sync; if it fails, none of them returns as if its item were safe."""
    spool = ItemSpool(tmp_path, "unix:x")
    spool.append(lambda *_: b'"first"')
    disk = _Disk(monkeypatch, "fdatasync")
    disk.broken = True
    told = []

    def work() -> None:
        try:
            spool.append(lambda *_: b'"x"')
        except SpoolUnusable:
            told.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 8
    disk.broken = False
    spool.append(lambda *_: b'"last"')
    assert contents(tmp_path, spool)[-1] == "last"


def test_a_forked_child_has_files_of_its_own(tmp_path):
    """Parent and child record at the same time; all items arrive, each producer counts from 0 without a gap."""
    client = Client(agent="a1", socket=tmp_path / "a.sock", spool=tmp_path / "spool")
    client.log_event("parent", {"n": 0})
    child = os.fork()
    if child == 0:
        for number in range(20):
            client.log_event("child", {"n": number})
        os._exit(0)
    for number in range(1, 20):
        client.log_event("parent", {"n": number})
    assert os.waitpid(child, 0)[1] == 0
    running = Collector(tmp_path / "collector.sock", tmp_path / "db")
    assert client.flush(60) == 0
    producers: dict[str, list[int]] = {}
    for item in running.items():
        producers.setdefault(item["producer"]["epoch"], []).append(item["producer"]["seq"])
    assert sorted(producers.values()) == [list(range(20)), list(range(20))]
    client.close()
    running.stop()
