"""A log under any order of appends, steps, crashes, restarts and faults keeps its promises."""

from hashlib import sha256

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bench.ledger_world import ISSUER, LOG_KEY, ORIGIN, Producer, SeedSigner
from sealgate.adapters.journals.memory import MemoryJournal
from sealgate.adapters.stores.memory import LockRow, MemoryLock, MemoryLog, MemoryStaging
from sealgate.ledger.building import FileBuilder
from sealgate.ledger.fsck import fsck
from sealgate.ledger.log import Keys, Ledger
from sealgate.ledger.recovery import Stores, edge
from sealgate.model.errors import UnavailableError
from sealgate.ports.building import BuilderLostError
from sealgate.proofs import checkpoints, quorum, tlog_proof, tree

PRODUCER = Producer()
RECORDS = [PRODUCER.record(number) for number in range(64)]


class Dies(Exception):  # noqa: N818 - the process dies; no handler of ours may see it
    """The process ends here."""


class Gate:
    """Stands before all writes: lets ``left`` of them pass, then dies or fails, before or after the write."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.error: type[Exception] = Dies
        self.persisted = False

    def around(self, call):
        """Return ``call`` behind the gate."""

        def guarded(*args):
            if self.left is None:
                return call(*args)
            self.left -= 1
            if self.left >= 0:
                return call(*args)
            self.left = None
            if self.persisted:
                call(*args)
            raise self.error("here")

        return guarded


WRITES = ("put", "drop", "create", "restore", "replace", "remove_partials", "settle", "advance")


class Guarded:
    """A store whose writes go through the gate."""

    def __init__(self, part, gate: Gate) -> None:
        self._part, self._gate = part, gate

    def __getattr__(self, name):
        real = getattr(self._part, name)
        return self._gate.around(real) if name in WRITES else real


class Signing(SeedSigner):
    """Remembers what it signs."""

    def __init__(self, seen: list) -> None:
        super().__init__("log")
        self.seen = seen

    def sign(self, message: bytes) -> bytes:
        """Remember, sign."""
        self.seen.append(checkpoints.parse_text(message.decode()))
        return super().sign(message)


class Elsewhere:
    """Builds over the same stores as a process beside the ledger does, and is lost when it is told to be."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self.left: int | None = None
        self.after = False
        self.built = 0

    def busy(self, leaves):
        """Take over after batches of every usual size."""
        return leaves >= 256

    def begin(self, size, root):
        """Begin from what is published."""
        stores = self._stores
        if stores.journal.size < size:
            return None
        sequencer = edge(stores.journal.statements, stores.public, size, root)
        self._builder = FileBuilder(stores.journal.statements, stores.public, stores.staging, sequencer)
        return self

    def __getattr__(self, name):
        real = getattr(self._builder, name)

        def asked(*args):
            self.built += 1
            if self.left is None:
                return real(*args)
            self.left -= 1
            if self.left >= 0:
                return real(*args)
            self.left = None
            if self.after:
                real(*args)
            raise BuilderLostError("lost")

        return asked

    def close(self) -> None:
        """Nothing is held."""


class LogMachine(RuleBasedStateMachine):
    """The model: a list of entries that only grows."""

    @initialize(max_batch=st.sampled_from([1, 7, 300, 1000]))
    def make(self, max_batch) -> None:
        """Start with an empty log."""
        self.max_batch = max_batch
        self.journal, self.public, self.staging, self.row = MemoryJournal(), MemoryLog(), MemoryStaging(), LockRow()
        self.gate, self.signed, self.entries = Gate(), [], []
        self.published = 0
        self.hasher, self.roots = tree.TreeHasher(), {}
        self.open()

    def open(self) -> None:
        """Load, as a new process does."""
        stores = Stores(
            self.journal,
            Guarded(self.public, self.gate),
            Guarded(self.staging, self.gate),
            Guarded(MemoryLock(self.row), self.gate),
        )
        keys = Keys(Signing(self.signed), SeedSigner("receipt"), ISSUER)
        self.elsewhere = Elsewhere(stores)
        self.ledger = Ledger(ORIGIN, stores, keys, max_batch=self.max_batch, building=self.elsewhere)

    @rule(count=st.sampled_from([1, 2, 5, 100, 256, 300]))
    def append(self, count) -> None:
        """The journal grows."""
        for _ in range(count):
            record = RECORDS[len(self.entries) * 7 % len(RECORDS)]
            self.journal.append(record, lambda _: None)
            self.entries.append(sha256(record.statement).digest())
            self.hasher.append(tree.leaf_hash(self.entries[-1]))
            self.roots[self.hasher.size] = self.hasher.root()

    @rule()
    def step(self) -> None:
        """Publish all."""
        if self.ledger.step():
            assert self.ledger.size() == len(self.entries)

    @rule(left=st.integers(0, 25), persisted=st.booleans(), dies=st.booleans())
    def step_with_a_fault(self, left, persisted, dies) -> None:
        """One write dies or fails; the process restarts or goes on."""
        self.gate.left, self.gate.persisted = left, persisted
        self.gate.error = Dies if dies else UnavailableError
        try:
            self.ledger.step()
        except Dies:
            self.gate.left = None
            self.open()
        except UnavailableError:
            pass
        self.gate.left = None

    @rule(left=st.integers(0, 6), after=st.booleans(), close=st.booleans())
    def step_that_loses_its_builder(self, left, after, close) -> None:
        """Whoever builds elsewhere is lost, before or after what it was asked; the step ends as if nothing was."""
        self.elsewhere.left, self.elsewhere.after = left, after
        self.step()
        if close:
            self.ledger.close()
        self.elsewhere.left = None

    @rule(left=st.integers(0, 12), persisted=st.booleans())
    def restart_that_dies(self, left, persisted) -> None:
        """Recovery itself is cut short, then done again."""
        self.gate.left, self.gate.persisted, self.gate.error = left, persisted, Dies
        try:
            self.open()
        except Dies:
            self.gate.left = None
            self.open()
        self.gate.left = None

    @rule()
    def close_and_open(self) -> None:
        """A clean stop and start; staging holds at most what a failed commit left."""
        self.ledger.close()
        self.open()

    @precondition(lambda self: self.ledger.size() > 0)
    @rule(where=st.floats(0, 1))
    def prove(self, where) -> None:
        """Any published record is provable under the published checkpoint."""
        index = int(where * (self.ledger.size() - 1))
        statement = self.journal.statements(index, index + 1)[0]
        proof = tlog_proof.parse(self.ledger.tlog_proof(index, statement))
        head = quorum.verify_checkpoint(proof.checkpoint, log=LOG_KEY).checkpoint
        tree.verify_inclusion(index, head.size, tree.leaf_hash(self.entries[index]), proof.hashes, head.root)

    @invariant()
    def every_signed_checkpoint_is_on_the_one_tree(self) -> None:
        """I2: nothing else was ever signed."""
        assert all(self.roots[item.size] == item.root for item in self.signed)

    @invariant()
    def what_is_published_is_whole_and_only_grows(self) -> None:
        """I1, I3: the public files verify at any moment, and never go back."""
        if self.public.read("checkpoint") is not None:
            report = fsck(self.public, key=LOG_KEY)
            assert report.size >= self.published
            self.published = report.size


TestLog = LogMachine.TestCase
TestLog.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
