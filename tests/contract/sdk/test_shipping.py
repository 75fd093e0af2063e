"""Items on their way to the collector: each counted once, whoever sends it and however often; none lost in silence."""

import json
import pathlib
import subprocess
import sys

import pytest
from click.testing import CliRunner

from bench.loss_collector import Collector, stored
from sealgate.cli.spool import command
from sealgate.sdk import Client, SpoolFull
from sealgate.sdk.itemspool import ItemSpool
from sealgate.sdk.shipping import Shipment
from sealgate.sdk.transport import UnixTransport


def arrived(collector):
    """Return the numbers of the events that arrived, in order."""
    return [item["attributes"]["data"]["n"] for item in collector.items()]


def record(client, numbers):
    """Record numbered events."""
    for number in numbers:
        client.log_event("e", {"n": number})


def test_items_leave_in_the_background(client, collector, wait_until):
    """Nobody flushes: what was recorded arrives by itself, in order and in few batches."""
    record(client, range(600))
    wait_until(lambda: len(collector.items()) == 600)
    assert arrived(collector) == list(range(600))


def test_a_batch_whose_answer_was_lost_counts_once(client, collector):
    """The collector stores and says nothing; the same batch comes again with the same id."""
    collector.server.mode = "forget"  # before anything is recorded: the shipping thread may be quick
    record(client, range(5))
    assert client.flush() == 5
    collector.server.mode = ""
    assert client.flush(60) == 0
    assert arrived(collector) == list(range(5))


def test_a_batch_under_way_survives_its_process(tmp_path, collector):
    """The process dies after the collector took the batch; the next one sends the very same batch, and more."""
    code = f"""
import os, pathlib
from bench.loss_collector import Collector
from sealgate.sdk import Client
from sealgate.sdk.shipping import Shipment
client = Client(agent="a1", socket="{tmp_path}/a.sock", spool="{tmp_path}/spool")
client.core.recorder.shipper.notify = lambda: None  # its own thread would have sent them after a moment
for number in range(3):
    client.log_event("e", {{"n": number}})
def send(call):
    client.core._send_batch(call)
    os._exit(9)  # it arrived, and we die before we know
Shipment(client.core.recorder.spool, send).ship()
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 9
    assert arrived(collector) == [0, 1, 2]
    with Client(agent="a1", socket=tmp_path / "a.sock", spool=tmp_path / "spool") as client:
        record(client, [3])
        assert client.flush(60) == 0
    assert arrived(collector) == [0, 1, 2, 3]
    assert len({item_id for item_id, _ in stored(collector.store.path)}) == 4


def test_a_busy_collector_is_tried_again(client, collector):
    """503 takes nothing; later all is taken once."""
    collector.server.mode = "busy"
    record(client, range(3))
    assert client.flush() == 3
    collector.server.mode = ""
    assert client.flush(60) == 0
    assert arrived(collector) == [0, 1, 2]


def test_refused_items_are_kept_aside_and_shown(client, collector, tmp_path):
    """Items refused for good are moved aside, sealed; `sealgate spool` counts and prints them; the others arrive."""
    collector.server.mode = "reject"
    record(client, [0])
    client.error(ValueError("broken"), where="here")
    record(client, [1])
    assert client.flush(60) == 0
    assert arrived(collector) == [0, 1]
    (file,) = (client.core.recorder.spool.folder / "refused").iterdir()
    assert b"broken" not in file.read_bytes()
    folder = ["--folder", str(tmp_path / "spool")]
    assert "0 items waiting, 1 refused" in CliRunner().invoke(command, ["show", *folder]).output
    entry = json.loads(CliRunner().invoke(command, ["refused", *folder]).output)
    assert entry["reason"] == "refused by the test"
    assert json.loads(entry["item"])["attributes"]["error"]["message"] == "broken"


def test_a_full_spool_is_an_error_and_loses_nothing(tmp_path):
    """With no collector the spool fills; the caller is told; afterwards exactly what was acknowledged arrives."""
    client = Client(agent="a1", socket=tmp_path / "a.sock", spool=tmp_path / "spool", spool_bytes=64 * 1024)
    kept = 0
    full = None
    while full is None:
        try:
            client.log_event("e", {"n": kept})
            kept += 1
        except SpoolFull as error:
            full = error
    assert "sealgate spool flush" in full.hint
    assert 20 < kept < 1000
    collector = Collector(tmp_path / "collector.sock", tmp_path / "db")
    assert client.flush(60) == 0
    client.log_event("e", {"n": kept})  # there is room again
    assert client.flush(60) == 0
    assert arrived(collector) == list(range(kept + 1))
    client.close()
    collector.stop()


def test_a_clean_end_leaves_nothing_on_disk(tmp_path, collector):
    """Once all is acknowledged and the client closed, key and address are all that is left."""
    with Client(agent="a1", socket=tmp_path / "a.sock", spool=tmp_path / "spool") as client:
        record(client, range(3))
        assert client.flush(60) == 0
    left = [file.name for file in (tmp_path / "spool").rglob("*") if file.is_file()]
    assert sorted(left) == ["key", "target"]


def test_the_interpreters_end_sends_what_is_left(tmp_path, collector):
    """A short program that never flushes: its items arrive before it ends."""
    code = f"""
from sealgate.sdk import Client, shipper
shipper.EXIT_S = 60  # one second is what a user has patience for, not what a busy machine needs
Client(agent="a1", socket="{tmp_path}/a.sock", spool="{tmp_path}/spool").log_event("e", {{"n": 1}})
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert arrived(collector) == [1]


def test_two_processes_share_a_folder(tmp_path, collector):
    """Several writers at once: everything arrives once."""
    code = f"""
import sys
from sealgate.sdk import Client
client = Client(agent="a1", socket="{tmp_path}/a.sock", spool="{tmp_path}/spool")
for number in range(50):
    client.log_event("e", {{"n": int(sys.argv[1]) + number}})
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, str(start)]) for start in (0, 100, 200)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    with Client(agent="a1", socket=tmp_path / "a.sock", spool=tmp_path / "spool") as client:
        assert client.flush(60) == 0
    assert sorted(arrived(collector)) == [start + n for start in (0, 100, 200) for n in range(50)]


def test_nothing_readable_is_on_disk(tmp_path):
    """Nothing of what was recorded is readable in the spool, although this redactor keeps all."""
    client = Client(agent="agent-one", socket=tmp_path / "a.sock", spool=tmp_path / "spool", redact=lambda item: item)
    with client.task("a secret goal"):
        client.input_received("the secret input")
        client.log_event("secret.event", {"word": "hunter2"})
    everything = b"".join(file.read_bytes() for file in (tmp_path / "spool").rglob("*") if file.is_file())
    for word in (b"secret", b"hunter2", b"session", b"agent-one"):  # long enough not to come about by chance
        assert word not in everything
    (file, *_) = client.core.recorder.spool.files()
    assert len(everything) > 1000
    assert (file.stat().st_mode & 0o777, (tmp_path / "spool" / "key").stat().st_mode & 0o777) == (0o600, 0o600)


def test_a_lost_key_loses_no_file(tmp_path, collector):
    """Without the key old files cannot be read: they are kept in `refused/`, and new items go on."""
    spool = tmp_path / "spool"
    first = ItemSpool(spool, "unix:x")
    first.append(lambda *_: b'"lost"')
    (spool / "key").unlink()
    second = ItemSpool(spool, "unix:x")
    second.append(lambda *_: b'"kept"')
    first.cursor.close()
    Shipment(second, UnixTransport(pathlib.Path(tmp_path / "nowhere"), 1).send)._adopt()
    with pytest.raises(Exception, match="no connection"):
        Shipment(second, UnixTransport(pathlib.Path(tmp_path / "nowhere"), 1).send).ship(look=True)
    assert len(list(first.folder.glob("refused/*.damaged"))) + len(first.files()) == 2
