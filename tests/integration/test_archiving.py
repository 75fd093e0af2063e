"""Segments archived in another process: the same records, also when it dies, lags, lies, fails or is told no key."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.ingest_world import children
from bench.owning import wait_until_nobody_owns
from sealgate.adapters.archiving import process
from sealgate.adapters.archiving.process import LARGE
from sealgate.adapters.journals.file import nobody_else
from sealgate.adapters.keys.datakeys import SqliteDataKeys
from sealgate.authority.archiving import LEDGER_SCOPE
from sealgate.authority.pacing import Pace
from sealgate.demo.authority import Authority
from sealgate.encoding import sealed_body
from sealgate.model.errors import AlteredError, ConfigurationError, UnavailableError
from tests.integration import archiving_world
from tests.integration.archiving_world import SUBJECTS, copied, files, held, open_world, rekeyed
from tests.integration.standing import stand_still

ARCHIVED = ["00000001-0001.archive", "00000002-0001.archive", "00000003.segment"]


@pytest.fixture(scope="module", name="template")
def _template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled") / "one"
    asyncio.run(archiving_world.fill(folder))
    return folder


@pytest.fixture(scope="module", name="expected")
def _expected(template, tmp_path_factory):
    """What an authority without such a process makes of it."""
    folder = copied(template, tmp_path_factory.mktemp("here") / "one")

    async def scenario():
        world = await open_world(folder, elsewhere=False)
        await world.retention.compact()
        found = held(world)
        world.close()
        return found

    return asyncio.run(scenario())


@pytest.fixture
def folder(template, tmp_path):
    """A journal with two closed segments."""
    return copied(template, tmp_path / "one")


class Said:
    """Listens to what the process says; ``once`` calls back at the first message of a kind."""

    def __init__(self, monkeypatch) -> None:
        self.kinds: list[str] = []
        self._real = process.messages.decode_said
        self._once = {}
        monkeypatch.setattr(process.messages, "decode_said", self._decode)

    def once(self, kind, act) -> None:
        """Call ``act`` when the first such message has come."""
        self._once[kind] = act

    def _decode(self, payload):
        said = self._real(payload)
        kind = type(said).__name__
        self.kinds.append(kind)
        act = self._once.pop(kind, None)
        if act is not None:
            act()
        return said


@pytest.fixture
def said(monkeypatch):
    """What the process says."""
    return Said(monkeypatch)


async def _whole(world, expected) -> None:
    """Everything is archived, nothing but that changed; a start finds the same."""
    assert held(world) == expected
    assert files(world.folder) == ARCHIVED
    world.close()
    again = await open_world(world.folder, elsewhere=False)
    assert held(again) == expected
    again.close()


def test_the_records_are_the_same_wherever_they_are_archived(folder, expected, said):
    """Bodies, statements, labels, scopes of keys; what was said shows that it was there; then no process is left."""

    async def scenario():
        world = await open_world(folder)
        pids = []
        keys = [
            len(
                {
                    sealed_body.key_id_of(record.sealed_body)
                    for _, record in world.journal.read(segment.start, segment.stop)
                }
            )
            for segment in world.journal.closed()
        ]

        def note():
            pids.append(world.archiver.pid)
            pids.append(os.getpriority(os.PRIO_PROCESS, pids[0]))

        said.once("Done", note)
        done = await world.retention.compact()
        left = world.archiver.pid
        await _whole(world, expected)
        return done, sum(keys), *pids, left

    done, keys, pid, nice, left = asyncio.run(scenario())

    assert done == 2
    assert said.kinds.count("Done") == 2
    assert said.kinds.count("Find") == keys  # each key of a segment once
    assert said.kinds.count("Facts") == 2
    assert said.kinds.count("Current") == sum(rekeyed(index) for index, *_ in expected[1]) > 0
    assert said.kinds.count("Written") == 2
    assert nice == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
    assert not Path(f"/proc/{pid}").exists()
    assert left is None
    assert any(scope == LEDGER_SCOPE for _, _, _, scope, _ in expected[1])
    assert {f"default/{one}/default" for one in SUBJECTS} < {scope for _, _, _, scope, _ in expected[1]}


def test_an_archive_that_expires_is_written_anew_here(folder, said):
    """What it decides to keep stays with the authority: a second generation is not asked for."""

    async def scenario():
        world = await open_world(folder)
        await world.retention.compact()
        first = len(said.kinds)
        sequence = world.journal.closed()[0].sequence
        world.journal.rewrite(sequence, world.retention._packer(), world.archiver)
        world.close()
        return first

    assert asyncio.run(scenario()) == len(said.kinds) > 0
    assert files(folder)[0] == "00000001-0002.archive"


def test_it_gives_way_where_nobody_waits(folder, expected, said, monkeypatch):
    """After each block it waits for as long as decisions need."""

    async def scenario():
        world = await open_world(folder)
        steps = []
        monkeypatch.setattr(Pace, "step", lambda pace: steps.append((pace._every, said.kinds[-1])))
        await world.retention.compact(paced=True)
        await _whole(world, expected)
        return steps

    assert asyncio.run(scenario()) == [(1, "Written")] * 2


def test_it_does_not_where_somebody_waits(folder, expected, monkeypatch):
    """The control is the test before."""
    monkeypatch.setattr(Pace, "step", lambda _: pytest.fail("it waited"))

    async def scenario():
        world = await open_world(folder)
        await world.retention.compact()
        await _whole(world, expected)

    asyncio.run(scenario())


def test_a_small_segment_needs_no_process(folder, said, monkeypatch):
    """Nothing is started for it; the control is every other test."""

    async def scenario():
        world = await open_world(folder)
        monkeypatch.setattr(world.archiver, "_large", LARGE)
        await world.retention.compact()
        world.close()

    asyncio.run(scenario())

    assert said.kinds == []
    assert files(folder) == ARCHIVED


@pytest.mark.parametrize("kind", ["Find", "Facts", "Current", "Written", "Done"])
def test_a_killed_process_is_made_good(folder, expected, said, kind):
    """Killed at each message: the authority archives the segment itself, and the process is started once more."""

    async def scenario():
        world = await open_world(folder)
        said.once(kind, lambda: os.kill(world.archiver.pid, signal.SIGKILL))
        await world.retention.compact()
        await _whole(world, expected)

    asyncio.run(scenario())

    assert said.kinds.count("Done") == 1


def test_what_dies_twice_is_not_started_again(folder, expected, said):
    """The authority then archives by itself, for good."""

    async def scenario():
        world = await open_world(folder)

        def kill():
            os.kill(world.archiver.pid, signal.SIGKILL)
            said.once("Written", kill)

        said.once("Written", kill)
        await world.retention.compact()
        started = world.archiver._child.start()
        await _whole(world, expected)
        return started

    assert asyncio.run(scenario()) is False
    assert "Done" not in said.kinds


def test_ending_it_in_order_does_not_count(folder):
    """As often as there is work; the control is the test before."""

    async def scenario():
        world = await open_world(folder)
        for _ in range(4):
            assert world.archiver._child.start()
            world.archiver.close()
        world.close()

    asyncio.run(scenario())


def test_a_stop_of_the_service_leaves_it_at_work(folder, expected, said):
    """SIGTERM and SIGINT, which reach every process of a service or terminal, are the authority's to obey."""

    async def scenario():
        world = await open_world(folder)

        def stop():
            for number in (signal.SIGTERM, signal.SIGINT):
                os.kill(world.archiver.pid, number)
            time.sleep(0.05)

        said.once("Find", stop)
        await world.retention.compact()
        await _whole(world, expected)

    asyncio.run(scenario())

    assert said.kinds.count("Done") == 2


def test_a_stuck_process_is_given_up(folder, expected, said):
    """It is killed after a while, and the segment is archived without it."""

    async def scenario():
        world = await open_world(folder)
        stuck = []

        def stop():
            stuck.append(world.archiver.pid)
            world.archiver._child._connection.settimeout(0.2)
            stand_still(stuck[0])

        said.once("Facts", stop)
        await world.retention.compact()
        await _whole(world, expected)
        return stuck[0]

    assert not Path(f"/proc/{asyncio.run(scenario())}").exists()
    assert said.kinds.count("Done") == 1


LIAR = """
import os, socket, sys
from dataclasses import replace
from pathlib import Path
from sealgate.adapters.archiving import messages, worker
from sealgate.adapters.archiving.asking import Conversation
from sealgate.adapters.archiving.messages import *
from sealgate.adapters.children import frames
from sealgate.ports.archiving import Kept
connection = socket.socket(fileno=int(sys.argv[1]))
conversation = Conversation(connection)
while True:
    work = conversation.hear()
    made, target = worker.archive(work, conversation), Path(work.target)
    data = target.read_bytes()
    raw = messages.encode(made)
    LIE
    connection.sendall(frames.frame(raw))
"""
LIES = {
    "nothing": "raw = b''",
    "noise": "raw = b'?' * 30",
    "an order": "raw = messages.encode(work)",
    "a short key id": "raw = messages.encode(Find(b'short'))",
    "a time without a period": "raw = messages.encode(Current(1 << 62))",
    "no end of questions": "while True: conversation.ask(Written())",
    "no file": "target.unlink()",
    "an empty file": "target.write_bytes(b'')",
    "a part": "target.write_bytes(data[:-1])",
    "a header alone": "target.write_bytes(work.header)",
    "an archive of nothing": "target.write_bytes(replace(worker.decode_header(work.header), records=0).encode())",
    "no bodies": "worker.Packer.keep = lambda _, index, record: Kept(record.statement, 1, 'c')\n"
    "    worker.archive(work, conversation)",
    "no statements": "worker.Packer.keep = lambda _, index, record: Kept(b'', 1, 'c', sealed=record.sealed_body)\n"
    "    worker.archive(work, conversation)",
    "something behind": "target.write_bytes(data + b'x')",
    "another byte": "target.write_bytes(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])",
    "another segment's": "target.write_bytes(data if work.header == data[:len(work.header)] else b'')\n"
    "    other = sorted(target.parent.glob('*.archive')); target.write_bytes(other[0].read_bytes() if other else b'')",
}


@pytest.mark.parametrize("lie", [None, *LIES])
def test_a_lie_is_not_taken_for_an_archive(folder, expected, said, tmp_path, monkeypatch, caplog, lie):
    """It ends the process, and the segment is archived here. The control: without a lie it is believed."""
    (tmp_path / "liar.py").write_text(LIAR.replace("LIE", LIES.get(lie, "pass")))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def scenario():
        world = await open_world(folder)
        world.archiver._child._module = "liar"
        await world.retention.compact()
        again = world.archiver._child.start()
        world.archiver.close()
        await _whole(world, expected)
        return again

    assert asyncio.run(scenario()) is (lie is None)
    assert ("archiving process did not do what it was asked" in caplog.text) is (lie is not None)


def test_an_altered_segment_stays(folder, said):
    """The error names the record as the authority's own would; nothing was exchanged."""
    path = folder / "journal" / "00000001.segment"

    async def scenario():
        world = await open_world(folder)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        found = []
        for archiver in (world.archiver, None):
            with pytest.raises(AlteredError) as caught:
                world.journal.rewrite(1, world.retention._packer(), archiver)
            found.append((caught.value.message, caught.value.index, caught.value.hint))
        world.archiver.close()
        world.close()
        return found, bytes(data)

    (there, here), data = asyncio.run(scenario())

    assert there == here
    assert there[1] is not None
    assert said.kinds[-1] == "Failed"
    assert path.read_bytes() == data
    assert "00000001-0001.archive" not in files(folder)


def test_a_disk_that_refuses_costs_no_segment(folder, expected, said):
    """A write that fails in the middle, a file that cannot be made: the segment stays, and is archived later."""
    target = folder / "journal" / "00000001-0001.archive.new"

    async def scenario():
        world = await open_world(folder)

        def fill():
            resource.prlimit(world.archiver.pid, resource.RLIMIT_FSIZE, (4096, 4096))

        said.once("Find", fill)
        with pytest.raises(UnavailableError, match="File too large"):
            await world.retention.compact()
        assert target.exists()
        assert held(world) == (expected[0], [])
        target.unlink()
        target.mkdir()
        with pytest.raises(UnavailableError, match="Is a directory"):
            await world.retention.compact()
        target.rmdir()
        assert held(world) == (expected[0], [])
        await world.retention.compact()
        await _whole(world, expected)

    asyncio.run(scenario())

    assert said.kinds.count("Failed") == 2
    assert said.kinds.count("Done") == 2  # an error of the disk is no fault of the process


def test_a_part_that_a_failure_left_means_nothing(folder, expected, said):
    """The next start removes it and archives the segment."""

    async def scenario():
        world = await open_world(folder)
        said.once("Find", lambda: resource.prlimit(world.archiver.pid, resource.RLIMIT_FSIZE, (4096, 4096)))
        with pytest.raises(UnavailableError):
            await world.retention.compact()
        world.close()
        left = files(folder)
        again = await open_world(folder)
        gone = files(folder)
        await again.retention.compact()
        await _whole(again, expected)
        return left, gone

    left, gone = asyncio.run(scenario())

    assert set(left) - set(gone) == {"00000001-0001.archive.new"}


def test_a_key_that_is_destroyed_meanwhile_seals_nothing(folder, expected, said):
    """An erasure while the process holds the key: what it made is thrown away; who is not erased keeps all."""

    async def scenario():
        world = await open_world(folder)
        doomed = [fact.key_id for fact in world.data_keys.facts(f"default/{SUBJECTS[0]}/")]
        said.once("Written", lambda: world.data_keys.destroy_many(doomed))
        await world.retention.compact()
        world.reader.forget()
        found = held(world)
        grouped = {index for index, record in world.journal.read(0) if record.group is not None}
        world.close()
        return found, grouped, doomed

    (records, labels), grouped, doomed = asyncio.run(scenario())
    last = len(labels)
    theirs = {index for index, _, _, scope, _ in expected[1] if scope == f"default/{SUBJECTS[0]}/default"}

    assert theirs
    assert doomed
    assert grouped == set(range(last)) - theirs
    assert {index for index, (_, body) in enumerate(records[:last]) if body is None} == theirs
    assert [item for item in enumerate(records[:last]) if item[0] not in theirs] == [
        item for item in enumerate(expected[0][:last]) if item[0] not in theirs
    ]
    assert [statement for statement, _ in records] == [statement for statement, _ in expected[0]]
    assert said.kinds.count("Done") == 2


def test_a_key_that_is_destroyed_already_is_not_told(folder, expected, said):
    """Its bodies stay sealed as they are, as they do when the authority archives."""

    async def archived(*, elsewhere):
        world = await open_world(folder)
        doomed = [fact.key_id for fact in world.data_keys.facts(f"default/{SUBJECTS[0]}/")]
        world.data_keys.destroy_many(doomed)
        world.reader.forget()
        world.journal.rewrite(1 if elsewhere else 2, world.retention._packer(), world.archiver if elsewhere else None)
        world.archiver.close()
        found = held(world)
        ids = [world.journal.key_ids(segment.sequence) for segment in world.journal.closed() if segment.archived]
        world.close()
        return found, ids, doomed

    (records, _), ids, doomed = asyncio.run(archived(elsewhere=True))

    assert said.kinds[-1] == "Done"
    assert set(doomed) <= ids[0]
    assert [body for _, body in records].count(None) > 0
    (records, _), ids, _ = asyncio.run(archived(elsewhere=False))
    assert set(doomed) <= ids[1]
    assert [statement for statement, _ in records] == [statement for statement, _ in expected[0]]


def test_a_key_store_that_fails_is_the_error_as_before(folder, expected, said, monkeypatch):
    """The segment stays, and the process is not blamed: it is started as often as this happens."""

    async def scenario():
        world = await open_world(folder)
        real = SqliteDataKeys.facts

        def fails(*_):
            raise UnavailableError("the store is away")

        for _ in range(3):
            monkeypatch.setattr(SqliteDataKeys, "facts", fails)
            with pytest.raises(UnavailableError, match="away"):
                await world.retention.compact()
            assert world.archiver.pid is None
        monkeypatch.setattr(SqliteDataKeys, "facts", real)
        assert held(world) == (expected[0], [])
        await world.retention.compact()
        await _whole(world, expected)

    asyncio.run(scenario())

    assert said.kinds.count("Facts") == 3 + 2
    assert said.kinds.count("Done") == 2


def test_keys_are_in_no_argument_and_no_variable(folder, said, monkeypatch):
    """Nor is anything else of ours that a passphrase could be in; of our files the archive and the lock are open."""
    monkeypatch.setenv("A_PASSPHRASE", "open sesame")
    seen = {}

    async def scenario():
        world = await open_world(folder)
        secrets = [world.data_keys.find(fact.key_id).secret for fact in world.data_keys.facts("")]

        def look():
            place = Path("/proc") / str(world.archiver.pid)
            seen["arguments"] = (place / "cmdline").read_bytes()
            try:
                seen["more"] = (place / "environ").read_bytes()
                seen["files"] = {os.path.basename(str(one.readlink())) for one in (place / "fd").iterdir()}  # noqa: PTH119
            except PermissionError:  # nobody but root may look into what is not dumpable
                seen["more"] = seen["files"] = None

        said.once("Written", look)
        await world.retention.compact()
        world.close()
        return secrets

    secrets = asyncio.run(scenario())

    assert b"sealgate.adapters.archiving.worker" in seen["arguments"]  # the control: this is what was looked through
    assert (seen["more"] is None) == (os.geteuid() != 0)
    for secret in (*secrets, *(one.hex().encode() for one in secrets), b"open sesame"):
        assert secret not in seen["arguments"]
        assert secret not in (seen["more"] or b"")
    if seen["files"] is not None:
        assert {"lock", "00000001-0001.archive.new"} <= seen["files"]
        assert not [name for name in seen["files"] if name.endswith((".db", ".db-wal"))]


PROTECTED = """
import ctypes, os, runpy, socket, sys
ours, theirs = socket.socketpair()
life, other = os.pipe()
sys.argv = ["worker", str(theirs.detach()), str(life)]
dumpable = lambda: ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
print(dumpable(), end=" ")
ours.close()
try:
    runpy.run_module("sealgate.adapters.archiving.worker", run_name="__main__")
except SystemExit:
    print(dumpable())
"""


def test_it_leaves_no_core_dump():
    """Dumpable before, as every process is; not once it serves."""
    done = subprocess.run([sys.executable, "-c", PROTECTED], capture_output=True, text=True, check=True)

    assert done.stdout == "1 0\n"


DIES = """
import asyncio, sys, time
from pathlib import Path
from sealgate.adapters.archiving import process
from tests.integration.archiving_world import open_world
real = process.messages.decode_said
async def main():
    world = await open_world(Path(sys.argv[1]))
    def decode(payload):
        said = real(payload)
        if type(said).__name__ == "Written":
            print(world.archiver.pid, flush=True)
            time.sleep(3600)
        return said
    process.messages.decode_said = decode
    await world.retention.compact()
asyncio.run(main())
"""


def test_it_ends_with_its_authority_and_keeps_others_out_until_then(folder, expected):
    """Killed, the authority leaves it nothing to do; while it is not gone, nobody else may own the journal."""
    with subprocess.Popen(
        [sys.executable, "-c", DIES, str(folder)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    ) as asker:
        pid = int(asker.stdout.readline())
        stand_still(pid)  # as a whole: no thread of it sees the end of the pipe
        asker.kill()
        asker.wait()
        asker.stdout.close()  # the archiving process holds its other end
    with pytest.raises(ConfigurationError, match="another process owns"), nobody_else(folder / "journal"):
        pass
    os.kill(pid, signal.SIGCONT)
    wait_until_nobody_owns(folder / "journal")

    async def scenario():
        world = await open_world(folder)
        assert held(world) == (expected[0], [])
        await world.retention.compact()
        await _whole(world, expected)

    asyncio.run(scenario())


def _archiving(pid):
    """Return the archiving processes of an authority."""
    found = []
    for child in children(pid):
        try:
            if b"sealgate.adapters.archiving.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
        except OSError:  # it has ended
            continue
    return found


@pytest.mark.slow
@pytest.mark.parametrize("archivers", [1, 0])
def test_a_served_authority_does_as_it_is_configured(tmp_path, archivers):
    """A full segment is archived by a process that is gone afterwards; or by none, where none is wanted."""
    settings = {"SEALGATE_RETENTION_ARCHIVERS": str(archivers), "SEALGATE_JOURNAL_SEGMENT_BYTES": str(1 << 20)}
    seen, question = (
        set(),
        b'{"subject":{"type":"agent","id":"a"},"action":{"name":"b"},"resource":{"type":"c","id":"d"}}',
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (settings | {"SEALGATE_RETENTION_COMPACT": "no"}).items():
            patch.setenv(name, value)
        authority = Authority(tmp_path / "a")
        with authority:
            while not (tmp_path / "a" / "journal" / "00000002.segment").exists():
                load = [sys.executable, "-m", "bench.load", str(authority.socket), "16", "1"]
                subprocess.run(load, input=question, check=True, capture_output=True)
            with ThreadPoolExecutor() as threads:
                asked = threads.submit(authority.post, "/v1/log/compact", {})
                while not asked.done():
                    seen.update(_archiving(authority.pid))
            status, _ = asked.result()
            left = _archiving(authority.pid)

    assert status == 200
    assert (tmp_path / "a" / "journal" / "00000001-0001.archive").exists()
    assert bool(seen) is (archivers == 1 and len(os.sched_getaffinity(0)) > 1)
    assert left == []
