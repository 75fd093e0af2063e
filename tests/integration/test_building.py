"""A log whose files are built in another process: the same files, also when that process dies, lags, lies or fails."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.ledger_world import ISSUER, LOG_KEY, ORIGIN, Producer, SeedSigner
from bench.owning import wait_until_nobody_owns
from sealgate.adapters.building import process
from sealgate.adapters.building.process import MANY, ProcessBuilding
from sealgate.adapters.journals.file import FileJournal, nobody_else
from sealgate.adapters.stores.directory import DirectoryLog, DirectoryStaging
from sealgate.adapters.stores.lock_sqlite import SqliteLock
from sealgate.ledger.fsck import fsck
from sealgate.ledger.log import Keys, Ledger
from sealgate.ledger.recovery import Stores
from sealgate.model.errors import ConfigurationError, ForkError, UnavailableError
from sealgate.ports.building import BuilderLostError

from .standing import stand_still

PRODUCER = Producer()
RECORDS = [PRODUCER.record(number) for number in range(2 * MANY)]


class World:
    """One log on a disk, whose ledger may build elsewhere."""

    def __init__(self, folder, *, elsewhere=True) -> None:
        folder.mkdir()
        self.folder = folder
        FileJournal.create(folder / "journal", ORIGIN)
        SqliteLock.create(folder / "lock.db", ORIGIN)
        self.elsewhere = elsewhere
        self.open()

    def open(self) -> None:
        """Open everything as a new authority does."""
        folder = self.folder
        self.journal = FileJournal(folder / "journal", ORIGIN, segment_bytes=1 << 20)
        self.lock = SqliteLock(folder / "lock.db", ORIGIN)
        self.building = ProcessBuilding(
            ORIGIN,
            journal=folder / "journal",
            public=folder / "log",
            staging=folder / "staging",
            lock=self.journal.lock,
        )
        stores = Stores(self.journal, DirectoryLog(folder / "log"), DirectoryStaging(folder / "staging"), self.lock)
        keys = Keys(SeedSigner("log"), SeedSigner("receipt"), ISSUER)
        self.ledger = Ledger(ORIGIN, stores, keys, building=self.building if self.elsewhere else None)

    def append(self, count) -> None:
        """Make ``count`` more records durable."""
        last = self.journal.size + count
        for number in range(self.journal.size, last):
            self.journal.append(RECORDS[number % len(RECORDS)], lambda _: None)
        while self.journal.size < last:
            assert self.journal.failure is None
            time.sleep(0.001)

    def publish(self, count) -> None:
        """Append and publish them."""
        self.append(count)
        assert self.ledger.step()

    def files(self):
        """Return what everybody can read."""
        root = self.folder / "log"
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def check(self) -> None:
        """The log is whole up to the journal's end."""
        assert fsck(DirectoryLog(self.folder / "log"), key=LOG_KEY).size == self.journal.size

    def close(self) -> None:
        """Stop in order."""
        self.ledger.close()
        self.lock.close()
        self.journal.close()


@pytest.fixture
def world(tmp_path):
    """A log that has just begun to build elsewhere."""
    made = World(tmp_path / "one")
    made.publish(MANY)
    assert made.building.pid is not None
    yield made
    made.close()


def test_the_files_are_the_same_wherever_they_are_built(tmp_path):
    """Sizes around every edge, segments that roll: byte for byte what the ledger's own thread writes."""
    there, here = World(tmp_path / "there"), World(tmp_path / "here", elsewhere=False)
    for count in (MANY, 1, 255, 256, 257, 1000, 1, 3000):
        there.publish(count)
        here.publish(count)
        assert there.files() == here.files()
    there.check()
    pids = there.building.pid, here.building.pid
    there.close()
    here.close()

    assert there.files() == here.files()
    assert pids[0] is not None
    assert pids[1] is None
    assert list((there.folder / "staging").iterdir()) == []


def test_it_leaves_the_processors_to_decisions(world):
    """It runs at a lower priority than who asks it."""
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    world.publish(1)  # it answers: it is past its start

    assert os.getpriority(os.PRIO_PROCESS, world.building.pid) == min(19, ours + 10)


def test_few_records_need_no_process(tmp_path):
    """Nothing is started for them; the control is the fixture's: for many it is."""
    made = World(tmp_path / "one")
    for _ in range(4):
        made.publish(MANY - 1)
    pid = made.building.pid
    made.close()

    assert pid is None


@pytest.mark.parametrize("what", ["stage", "write", "tidy", "settle"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_killed_process_is_made_good(world, monkeypatch, what, after):
    """Killed before or after it did what it was asked: the step ends all the same; it is started once more."""
    kill = [world.building.pid]
    real = process._Remote.do

    def do(self, request):
        mine = type(request).__name__.lower() == what and kill
        answer = real(self, request) if after or not mine else None
        if mine:
            os.kill(kill.pop(), signal.SIGKILL)
            if after:
                self._child.close()
                raise BuilderLostError("its answer did not come any more")
            answer = real(self, request)
        return answer

    monkeypatch.setattr(process._Remote, "do", do)
    for _ in range(3):
        world.append(MANY)
        world.ledger.step()
    if what == "settle":
        world.ledger.close()

    assert not kill
    world.check()
    if what != "settle":
        assert world.building.pid is not None


def test_what_dies_twice_is_not_started_again(world):
    """The ledger then builds by itself, for good."""
    for _ in range(2):
        os.kill(world.building.pid, signal.SIGKILL)
        world.publish(MANY)
        world.check()

    assert world.building.pid is None
    world.publish(MANY)
    world.check()
    assert world.building.pid is None


def test_a_stop_of_the_service_leaves_it_at_work(world):
    """SIGTERM and SIGINT, which reach every process of a service or terminal, are the authority's to obey."""
    pid = world.building.pid
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(pid, number)
    time.sleep(0.05)
    world.publish(300)

    assert world.building.pid == pid
    world.check()


def test_a_stuck_process_is_given_up(world, monkeypatch):
    """It is killed after a while, and the step goes on without it."""
    world.building._child._connection.settimeout(0.2)
    stuck = world.building.pid
    stand_still(stuck)
    world.publish(300)
    world.check()

    assert world.building.pid != stuck


@pytest.mark.parametrize(
    "lie", ["b''", "b'?' * 30", "messages.encode(Done())", "messages.encode(Done(Staged(7, bytes(32))))"]
)
def test_an_answer_to_something_else_ends_it(tmp_path, monkeypatch, lie):
    """A process that does not answer what it was asked is ended, and nothing of its answer is signed."""
    liar = tmp_path / "liar.py"
    liar.write_text(
        "import socket, sys\n"
        "from sealgate.adapters.building import messages\n"
        "from sealgate.adapters.building.messages import Begin, Done\n"
        "from sealgate.adapters.children import frames\n"
        "from sealgate.ports.building import Staged\n"
        "connection = socket.socket(fileno=int(sys.argv[1]))\n"
        "stream = connection.makefile('rb')\n"
        "while (payload := frames.read(stream)) is not None:\n"
        "    begun = isinstance(messages.decode_request(payload), Begin)\n"
        f"    connection.sendall(frames.frame(messages.encode(Done()) if begun else {lie}))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    world = World(tmp_path / "one")
    world.building._child._module = "liar"
    world.publish(MANY)
    begun = world.building.pid
    world.publish(10)
    world.check()
    pid = world.building.pid
    world.close()

    assert begun is not None
    assert pid is None


def test_its_errors_are_the_ledgers(world):
    """A public file with other bytes is a fork; a staging folder that refuses is a disk that failed, and heals."""
    world.append(10)
    staging = world.folder / "staging"
    staging.rename(world.folder / "away")
    staging.write_text("in the way")
    with pytest.raises(UnavailableError):
        world.ledger.step()
    staging.unlink()
    (world.folder / "away").rename(staging)
    assert world.ledger.step()
    world.check()

    world.publish(MANY)  # it builds elsewhere again
    world.append(256)
    taken = world.folder / "log" / "tile" / "entries" / f"{world.ledger.size() // 256:03d}"
    taken.write_bytes(b"another history")
    assert world.building.pid is not None
    with pytest.raises(ForkError, match="exists with other content"):
        world.ledger.step()
    taken.unlink()


DIES = """
import os, signal, sys
from pathlib import Path
from tests.integration.test_building import MANY, World
world = World(Path(sys.argv[1]))
world.publish(MANY)
print(world.building.pid, flush=True)
signal.pause()
"""


def test_it_ends_with_its_authority_and_keeps_others_out_until_then(tmp_path):
    """Killed, the authority leaves it nothing to do; while it is not gone, nobody else may own the journal."""
    asker = subprocess.Popen(
        [sys.executable, "-c", DIES, str(tmp_path / "one")], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    pid = int(asker.stdout.readline())
    stand_still(pid)  # as a whole: no thread of it sees the end of the pipe
    asker.kill()
    asker.wait()
    asker.stdout.close()  # the building process holds its other end
    with pytest.raises(ConfigurationError, match="another process owns"), nobody_else(tmp_path / "one" / "journal"):
        pass
    os.kill(pid, signal.SIGCONT)
    wait_until_nobody_owns(tmp_path / "one" / "journal")
