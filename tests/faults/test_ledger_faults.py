"""The fault table: each write of a step, lost or persisted but reported as failed, then the same process or a new one.

After every fault: the log loads, goes on, every durable record gets under a checkpoint, and every checkpoint that was
ever signed lies on the one tree.
"""

import itertools
import shutil
from contextlib import suppress
from hashlib import sha256

import pytest

from bench.ledger_world import LOG_KEY, ORIGIN, Producer, SeedSigner, keys
from sealgate.adapters.journals.memory import MemoryJournal
from sealgate.adapters.stores.memory import LockRow, MemoryLock, MemoryLog, MemoryStaging
from sealgate.ledger.fsck import fsck
from sealgate.ledger.log import Keys, Ledger
from sealgate.ledger.recovery import Stores
from sealgate.model.errors import AlteredError, ForkError, InputError, UnavailableError
from sealgate.proofs import checkpoints, tree

PRODUCER = Producer()
RECORDS = [PRODUCER.record(number) for number in range(1200)]
ENTRIES = [tree.leaf_hash(sha256(r.statement).digest()) for r in RECORDS]

WRITES = {
    "staging": ("staging", "put"),
    "sign": ("signer", "sign"),
    "commit": ("lock", "advance"),
    "tile": ("public", "create"),
    "checkpoint": ("public", "replace"),
    "partials": ("public", "remove_partials"),
    "settle": ("public", "settle"),
    "drop": ("staging", "drop"),
}


class Flaky:
    """Stands before a part and fails the ``nth`` call of one method, before or after the real call."""

    def __init__(self, part, method: str, nth: int, *, persisted: bool) -> None:
        self._part, self._method, self._left, self._persisted = part, method, nth, persisted
        self.hit = False

    def __getattr__(self, name):
        real = getattr(self._part, name)
        if name != self._method:
            return real

        def call(*args, **kwargs):
            self._left -= 1
            if self._left:
                return real(*args, **kwargs)
            self.hit = True
            if self._persisted:
                real(*args, **kwargs)
            raise UnavailableError("injected")

        return call


class Signing(SeedSigner):
    """Remembers every checkpoint it was asked to sign."""

    def __init__(self, seen: list) -> None:
        super().__init__("log")
        self._seen = seen

    def sign(self, message: bytes) -> bytes:
        """Remember, then sign."""
        self._seen.append(checkpoints.parse_text(message.decode()))
        return super().sign(message)


class Parts:
    """The storage of one log; survives the ledgers that work on it."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        self.public, self.staging, self.row = MemoryLog(), MemoryStaging(), LockRow()
        self.signed: list = []

    def fill(self, upto: int) -> None:
        """Append records up to this size."""
        for number in range(self.journal.size, upto):
            self.journal.append(RECORDS[number], lambda _: None)

    def open(self, flaky=None, nth=1, *, persisted=False) -> Ledger:
        """Open the log, with one flaky write if asked."""
        parts = {
            "public": self.public,
            "staging": self.staging,
            "lock": MemoryLock(self.row),
            "signer": Signing(self.signed),
        }
        if flaky is not None:
            name, method = WRITES[flaky]
            parts[name] = self.flaky = Flaky(parts[name], method, nth, persisted=persisted)
        signing = Keys(parts["signer"], keys().receipt, keys().issuer)
        stores = Stores(self.journal, parts["public"], parts["staging"], parts["lock"])
        return Ledger(ORIGIN, stores, signing, max_batch=300)

    def check(self, size: int) -> None:
        """Everything is under the published checkpoint, on one tree, and nothing else was ever signed."""
        report = fsck(self.public, key=LOG_KEY)
        assert report.size == size == self.journal.size
        hasher, roots = tree.TreeHasher(), {}
        for leaf in ENTRIES[:size]:
            hasher.append(leaf)
            roots[hasher.size] = hasher.root()
        assert all(roots[item.size] == item.root for item in self.signed)


@pytest.mark.parametrize("restart", [False, True], ids=["go_on", "restart"])
@pytest.mark.parametrize("persisted", [False, True], ids=["lost", "persisted"])
@pytest.mark.parametrize("write", WRITES)
def test_the_fault_table(write, persisted, restart):
    """No write, however it fails, loses a record or forks the log; whatever state it left is mended."""
    for nth in itertools.count(1):
        parts = Parts()
        parts.fill(250)
        ledger = parts.open()
        ledger.step()
        ledger.close()
        failed = 0
        try:
            ledger = parts.open(write, nth, persisted=persisted)
        except UnavailableError:
            failed, ledger = 1, parts.open()
        for size in (255, 256, 520, 1100):
            parts.fill(size)
            try:
                ledger.step()
            except UnavailableError:
                failed += 1
                if restart:
                    ledger = parts.open()
        try:
            ledger.close()
        except UnavailableError:
            failed += 1
        if not parts.flaky.hit:
            assert nth > 1
            break
        assert failed == 1
        again = parts.open()
        again.step()
        parts.check(1100)
        parts.fill(1200)
        again.step()
        again.close()
        parts.check(1200)
        assert parts.staging.names() == []
        assert not any(path.startswith(("tile/0/000.p", "stmt/000.p")) for path in parts.public.files)


def test_dying_between_any_two_writes_of_a_load_is_harmless():
    """A load that is cut short anywhere leaves a state that the next load mends."""
    for write in ("tile", "checkpoint", "settle", "drop"):
        for nth in range(1, 6):
            parts = Parts()
            parts.fill(700)
            ledger = parts.open("checkpoint", 1)
            with pytest.raises(UnavailableError):
                ledger.step()
            with suppress(UnavailableError):
                parts.open(write, nth)
            again = parts.open()
            again.step()
            parts.check(700)


def test_a_commit_that_was_reported_failed_and_shows_up_later_is_applied():
    """The lock says no, then, after a crash, yes: the staged batch is still there."""
    parts = Parts()
    parts.fill(300)
    ledger = parts.open()
    ledger.step()
    parts.fill(400)
    before = parts.row.held
    ledger = parts.open("commit", 1, persisted=True)
    with pytest.raises(UnavailableError):
        ledger.step()
    after, parts.row.held = parts.row.held, before
    parts.open()  # loads with the old lock
    parts.row.held = after
    again = parts.open()
    assert again.size() == 400
    parts.check(400)


def test_two_writers_cannot_fork():
    """The later opener wins; the former is told and signs nothing that anybody sees."""
    parts = Parts()
    parts.fill(10)
    first = parts.open()
    first.step()
    second = parts.open()
    parts.fill(20)
    with pytest.raises(ForkError):
        first.step()
    second.step()
    parts.fill(30)
    with pytest.raises(ForkError):
        first.step()
    second.step()
    parts.check(parts.journal.size)


def _published(size: int) -> Parts:
    parts = Parts()
    parts.fill(size)
    ledger = parts.open()
    ledger.step()
    ledger.close()
    return parts


def test_an_older_log_is_refused():
    """Restoring the public files, the journal or the lock from a backup is told apart from a crash."""
    old, new = _published(600), _published(900)
    files, journal, held = new.public.files, new.journal, new.row.held
    new.public.files = dict(old.public.files)
    with pytest.raises(AlteredError, match="not those of its lock"):
        new.open()
    new.public.files = files
    new.journal = old.journal
    with pytest.raises(ForkError, match="journal was set back"):
        new.open()
    new.journal = journal
    new.row.held = old.row.held
    with pytest.raises(ForkError, match="lock database was set back"):
        new.open()
    new.row.held = held
    ledger = new.open()
    assert ledger.size() == 900


def test_another_history_is_refused():
    """Same size with another root, and a journal with other statements, do not load."""
    parts, other = _published(600), Parts()
    other.journal = MemoryJournal()
    for record in reversed(RECORDS[:600]):
        other.journal.append(record, lambda _: None)
    ledger = other.open()
    ledger.step()
    ledger.close()
    right = parts.public.files["checkpoint"]
    parts.public.files["checkpoint"] = other.public.files["checkpoint"]
    with pytest.raises(ForkError, match="two roots"):
        parts.open()
    parts.public.files["checkpoint"] = right
    journal, parts.journal = parts.journal, other.journal
    with pytest.raises(AlteredError) as caught:
        parts.open()
    assert caught.value.index == 512
    parts.journal = journal
    parts.open()


def test_a_lost_checkpoint_file_is_published_again():
    """The lock and the tiles are the truth; the published file follows."""
    parts = _published(300)
    right = parts.public.files.pop("checkpoint")
    parts.open()
    assert parts.public.files["checkpoint"] == right


def test_a_closed_log_takes_no_more():
    """After its last leaf the log refuses more records, in this process and the next; a wrong last leaf is refused."""
    parts = _published(300)
    ledger = parts.open()
    with pytest.raises(InputError, match="not the last"):
        ledger.close_shard(298)
    assert ledger.close_shard(299) == ledger.checkpoint()
    parts.fill(301)
    for each in (ledger, parts.open()):
        with pytest.raises(InputError, match="closed"):
            each.step()
    assert fsck(parts.public, key=LOG_KEY).size == 300


def test_a_whole_copy_is_the_same_log(tmp_path):
    """Real files: a log copied in full, lock included, opens; without its lock it does not."""
    from bench.ledger_world import make, open_world
    from sealgate.model.errors import ConfigurationError

    make(tmp_path / "a")
    world = open_world(tmp_path / "a")
    for record in RECORDS[:300]:
        world.journal.append(record, lambda _: None)
    world.journal._on_writer(lambda: None)
    assert world.ledger.step()
    world.close()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    open_world(tmp_path / "b").close()
    (tmp_path / "b" / "lock.sqlite").unlink()
    with pytest.raises(ConfigurationError, match="missing"):
        open_world(tmp_path / "b")
