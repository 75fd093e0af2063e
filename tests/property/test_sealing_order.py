"""Whatever is submitted while whoever signs elsewhere answers, fails or lags: one order, and each is told once."""

import asyncio
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealgate.adapters.journals.memory import MemoryJournal
from sealgate.adapters.keys.file import FileSigner
from sealgate.authority.drafts import Draft, Receipt
from sealgate.authority.sealing import Sealing
from sealgate.encoding import canonical, statement
from sealgate.model.errors import JournalError, UnavailableError
from sealgate.model.records import Kind
from sealgate.ports.datakeys import DataKey
from sealgate.proofs.keys import is_signed

KEYS = [FileSigner(bytes([number]) * 32) for number in range(4)]
STEPS = st.sampled_from(
    ["submit"] * 5 + ["alone", "turn", "turn", "answer", "give up", "sync", "rotate", "fail", "no key"]
)
FAULTS = {"no key": UnavailableError("no data key"), "fault": RuntimeError("a fault of ours")}


class Elsewhere:
    """A ``ports.signing.Signing`` that signs for real, when the test says so."""

    def __init__(self):
        self.signer, self.asked, self.groups = None, None, 0

    def use(self, signer):
        """Sign with this key."""
        self.signer = signer

    def busy(self, waiting):
        """One group at a time, of two or more."""
        return waiting >= 2 and self.asked is None

    def ask(self, inputs, answered):
        """Keep the group until ``answer``."""
        self.asked = list(inputs), answered
        self.groups += 1
        return True

    def answer(self, *, signs):
        """Answer the group, if there is one."""
        asked, self.asked = self.asked, None
        if asked is not None:
            asked[1]([self.signer.sign(one) for one in asked[0]] if signs else None)

    def abandon(self):
        """Forget the group."""
        self.asked = None

    def close(self):
        """Nothing runs."""
        self.asked = None


class OneKey:
    """A data key, except when it cannot be had."""

    def __init__(self):
        self.key, self.fails = DataKey.of(bytes(16), bytes(32)), None

    def current(self, _scope, _unix_ms):
        """Return it."""
        if self.fails is not None:
            fails, self.fails = self.fails, None
            raise fails
        return self.key


class SlowJournal(MemoryJournal):
    """A journal whose records are durable when the test says so; it refuses one when told to."""

    def __init__(self):
        super().__init__()
        self.fails, self.queue = False, []

    def append(self, record, completion, *, alone=False):
        """Queue, or refuse."""
        if self.fails:
            self.fails = False
            completion(JournalError("the disk is full"))
        elif alone and not self.queue:
            super().append(record, completion, alone=alone)
        else:
            self.queue.append((record, completion))

    def sync(self):
        """Record what is queued."""
        queue, self.queue = self.queue, []
        for record, completion in queue:
            super().append(record, completion)


async def _run(steps):
    elsewhere, data_keys, journal = Elsewhere(), OneKey(), SlowJournal()
    lost, told, kids = [], {}, []
    sealing = Sealing(
        origin="o",
        authority_id="a",
        epoch=bytes(16),
        journal=journal,
        signer=KEYS[0],
        signing=elsewhere,
        data_keys=data_keys,
        entropy=os.urandom,
        lost=lambda _reason, seq: lost.append(seq),
    )

    def submit(*, alone):
        number = len(kids)
        kids.append(sealing.signer.key_id)
        body = b"%d" % number
        draft = Draft(Kind.DECISION, str(number), b"", 1000, b"")

        def done(result):
            assert number not in told
            told[number] = result

        sealing.submit(draft, body, canonical.sha256(body), done, subject="s", scope="c", alone=alone)

    rotated = 0
    for step in steps:
        if step in ("submit", "alone"):
            submit(alone=step == "alone")
        elif step == "turn":
            await asyncio.sleep(0)
        elif step in ("answer", "give up"):
            elsewhere.answer(signs=step == "answer")
        elif step == "rotate":
            rotated = (rotated + 1) % len(KEYS)
            sealing.use_signer(KEYS[rotated])
        elif step == "sync":
            journal.sync()
        elif step == "fail":
            journal.fails = True
        else:
            data_keys.fails = FAULTS[step]
    sealing.close()
    journal.sync()
    return journal, lost, told, kids, elsewhere.groups


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=60))
def test_one_order_and_each_is_told_once(steps):
    """Numbers grow in the journal as they were given, each key signs what was submitted under it, the rest is lost."""
    journal, lost, told, kids, _ = asyncio.run(_run(steps))

    public = {signer.key_id: signer.public_key for signer in KEYS}
    parsed = [statement.parse(record.statement) for _, record in journal.read(0)]
    seqs = [one.claims.seq for one in parsed]
    assert seqs == sorted(seqs)
    assert sorted(seqs + lost) == list(range(len(kids)))
    for index, one in enumerate(parsed):
        assert one.claims.kid == kids[one.claims.seq]
        assert is_signed(public[one.claims.kid], one.signing_input, one.signature)
        receipt = told[one.claims.seq]
        assert isinstance(receipt, Receipt)
        assert (receipt.index, receipt.body) == (index, b"%d" % one.claims.seq)
    assert all(isinstance(told[seq], UnavailableError) for seq in lost)
    assert len(told) == len(kids)


def test_groups_are_signed_elsewhere():
    """The control: in such a run groups do go away, with others behind them."""
    steps = ["submit"] * 6 + ["turn", "submit", "alone", "answer", "submit", "turn", "answer"]
    journal, lost, _, kids, groups = asyncio.run(_run(steps))

    assert (groups, lost, journal.size) == (2, [], len(kids))


@pytest.mark.parametrize("how", ["answer", "give up"])
def test_a_fault_in_one_record_holds_up_no_other(how):
    """It is missed and told so; its group and what waits behind it are recorded."""
    steps = ["submit"] * 6 + ["turn", "submit", "fault", how, "submit", "turn"]
    journal, lost, told, kids, groups = asyncio.run(_run(steps))

    assert groups
    assert lost == [3]
    assert isinstance(told[3], UnavailableError)
    assert journal.size == len(kids) - 1
