"""What the log gives out: proofs at every size, states as witnesses and time are added, exports, shards, fsck."""

import itertools
from hashlib import sha256

import pytest

from bench.ledger_world import ISSUER, LOG_KEY, ORIGIN, Producer, SeedSigner
from sealgate.adapters.journals.memory import MemoryJournal
from sealgate.adapters.stores.memory import LockRow, MemoryLock, MemoryLog, MemoryStaging
from sealgate.ledger import shards
from sealgate.ledger.export import export
from sealgate.ledger.fsck import fsck
from sealgate.ledger.log import Keys, Ledger
from sealgate.ledger.recovery import Stores
from sealgate.model.errors import AlteredError, ForkError, InputError, NotProvenError
from sealgate.proofs import bundles, checkpoints, cosignatures, quorum, tlog_proof, transparent, tree
from sealgate.proofs.notes import COSIGNATURE_ED25519, VerifierKey

PRODUCER = Producer()
RECORDS = [PRODUCER.record(number) for number in range(1100)]
SIGNERS = [SeedSigner("witness one"), SeedSigner("witness two"), SeedSigner("stranger")]
WITNESSES = [VerifierKey(f"witness-{i}.example.com", COSIGNATURE_ED25519, s.public_key) for i, s in enumerate(SIGNERS)]


class Parts:
    """Storage of one log and its ledger."""

    def __init__(self, needed: int = 2) -> None:
        self.journal, self.public, self.row = MemoryJournal(), MemoryLog(), LockRow()
        self.staging, self.needed = MemoryStaging(), needed
        self.ledger = self.open()

    def open(self) -> Ledger:
        """Open it, anew."""
        keys = Keys(SeedSigner("log"), SeedSigner("receipt"), ISSUER, tuple(WITNESSES[:2]), self.needed)
        return Ledger(ORIGIN, Stores(self.journal, self.public, self.staging, MemoryLock(self.row)), keys)

    def grow(self, upto: int) -> None:
        """Append and publish."""
        for record in RECORDS[self.journal.size : upto]:
            self.journal.append(record, lambda _: None)
        self.ledger.step()


def line(number: int, text: str, time: int = 1_790_000_000):
    """A cosignature line of one witness."""
    signature = SIGNERS[number].sign(cosignatures.message_v1(time, text))
    return cosignatures.signature_line(WITNESSES[number], time, signature)


def text_of(parts: Parts) -> str:
    """The newest checkpoint's text."""
    return checkpoints.parse(parts.ledger.checkpoint())[1].text


def verify(proof: bytes, index: int) -> int:
    """Verify a proof of ours; return the size it is under."""
    parsed = tlog_proof.parse(proof)
    head = quorum.verify_checkpoint(parsed.checkpoint, log=LOG_KEY).checkpoint
    assert parsed.extra == RECORDS[index].statement
    leaf = tree.leaf_hash(sha256(parsed.extra).digest())
    tree.verify_inclusion(index, head.size, leaf, parsed.hashes, head.root)
    return head.size


def test_what_becomes_durable_during_a_step_waits_for_the_next(monkeypatch):
    """One checkpoint a step, however busy the gate is: each replacement of the checkpoint makes ten more records."""
    parts, more = Parts(), iter(RECORDS[300:])
    real = parts.public.replace

    def replace(path, data):
        real(path, data)
        if path == "checkpoint":
            for record in itertools.islice(more, 10):
                parts.journal.append(record, lambda _: None)

    monkeypatch.setattr(parts.public, "replace", replace)
    parts.grow(300)
    assert (parts.ledger.size(), parts.journal.size) == (300, 310)

    assert parts.ledger.step()

    assert (parts.ledger.size(), parts.journal.size) == (310, 320)


def test_a_step_takes_as_many_batches_as_it_needs():
    """All that was durable when it began is under the checkpoint when it ends."""
    parts = Parts()
    parts.ledger = Ledger(ORIGIN, parts.ledger._stores, parts.ledger._keys, max_batch=7)

    parts.grow(100)

    assert parts.ledger.size() == 100


def test_every_record_is_provable_at_every_size():
    """Sizes around tile edges; all indexes near edges; consistency between all published sizes."""
    parts, heads = Parts(), {}
    sizes = [1, 2, 3, 255, 256, 257, 300, 512, 513, 1000, 1100]
    for size in sizes:
        parts.grow(size)
        heads[size] = checkpoints.parse(parts.ledger.checkpoint())[0]
        for index in {0, 1, size // 2, 255, 256, size - 1}:
            if index < size:
                assert verify(parts.ledger.tlog_proof(index, RECORDS[index].statement), index) == size
        for old in (item for item in sizes if item <= size):
            proof = parts.ledger.consistency(old, size)
            tree.verify_consistency(old, size, proof, heads[old].root, heads[size].root)
    with pytest.raises(NotProvenError):
        parts.ledger.tlog_proof(1100, b"")
    with pytest.raises(NotProvenError):
        parts.ledger.consistency(1, 1101)


def test_a_transparent_statement_verifies_from_the_second_record_on():
    """RFC 9942 has no receipt for one entry; from two on the receipt key's signature covers the root."""
    parts = Parts()
    parts.grow(1)
    with pytest.raises(NotProvenError, match="one entry"):
        parts.ledger.transparent_statement(0, RECORDS[0].statement)
    for size in (2, 700):
        parts.grow(size)
        data = parts.ledger.transparent_statement(1, RECORDS[1].statement)
        statement, [receipt] = transparent.parse_transparent(data)
        assert statement == RECORDS[1].statement
        key = SeedSigner("receipt").public_key
        assert transparent.verify_receipt(receipt, sha256(statement).digest(), key).size == size


def test_a_record_goes_through_its_states():
    """Signed, included, witnessed with the quorum, timestamped; proofs name the checkpoint that says most."""
    parts = Parts()
    assert parts.ledger.receipt_state(0) == "signed"
    parts.grow(10)
    assert parts.ledger.receipt_state(9) == "included"
    assert parts.ledger.receipt_state(10) == "signed"
    text = text_of(parts)
    assert parts.ledger.attach_cosignatures(10, [line(0, text)]) is False
    assert parts.ledger.receipt_state(9) == "included"
    assert parts.ledger.attach_cosignatures(10, [line(1, text), line(2, text)]) is True
    assert parts.ledger.receipt_state(9) == "witnessed"
    assert len(checkpoints.parse(parts.public.files["checkpoint"])[1].signatures) == 3  # no stranger's
    parts.grow(400)
    assert parts.ledger.receipt_state(9) == "witnessed"
    assert parts.ledger.receipt_state(10) == "included"
    assert verify(parts.ledger.tlog_proof(9, RECORDS[9].statement), 9) == 10
    assert verify(parts.ledger.tlog_proof(10, RECORDS[10].statement), 10) == 400
    parts.ledger.attach_timestamp(10, b"token")
    assert parts.ledger.receipt_state(9) == "timestamped"
    assert parts.public.files["timestamps/10.tsr"] == b"token"
    parts.ledger.attach_timestamp(400, b"token without witnesses")
    assert parts.ledger.receipt_state(300) == "included"
    again = parts.open()
    assert [again.receipt_state(index) for index in (9, 300)] == ["witnessed", "included"]
    assert fsck(parts.public, key=LOG_KEY).size == 400


def test_late_cosignatures_do_not_go_back():
    """Lines for an older checkpoint never replace a newer witnessed one or the newest."""
    parts = Parts(needed=1)
    parts.grow(10)
    old = text_of(parts)
    parts.grow(20)
    assert parts.ledger.attach_cosignatures(20, [line(0, text_of(parts))])
    newest = parts.ledger.checkpoint()
    assert parts.ledger.attach_cosignatures(10, [line(0, old)])
    assert parts.ledger.checkpoint() == newest
    assert parts.ledger.endorsed(5).size == 20
    with pytest.raises(InputError):
        parts.ledger.attach_cosignatures(15, [])


def test_a_bad_line_of_a_known_witness_is_refused():
    """Nothing is added when a known witness's line does not verify."""
    parts = Parts(needed=1)
    parts.grow(10)
    before = parts.ledger.checkpoint()
    with pytest.raises(AlteredError):
        parts.ledger.attach_cosignatures(10, [line(0, text_of(parts) + "x")])
    assert parts.ledger.checkpoint() == before
    assert parts.ledger.attach_cosignatures(10, [line(0, text_of(parts))])


def test_exports_verify_and_carry_bodies_where_given():
    """A whole export passes fsck; a range holds its tiles and bodies and proves its records."""
    parts = Parts()
    parts.grow(1100)
    whole = MemoryLog()
    export(parts.public, whole)
    assert fsck(whole, key=LOG_KEY).size == 1100
    part = MemoryLog()
    done = export(parts.public, part, start=300, stop=310, bodies=lambda a, b: [b"{%d}" % i for i in range(a, b)])
    assert (done.start, done.stop, done.bodies) == (300, 310, 10)
    found = bundles.decode_bodies(part.files["body/001"], 256)
    assert [i + 256 for i, body in enumerate(found) if body] == list(range(300, 310))
    assert found[44] == b"{300}"
    with pytest.raises(InputError):
        export(parts.public, MemoryLog(), start=5, stop=1101)


def test_an_export_of_an_older_checkpoint_is_cut_to_its_size():
    """A log that grew between the reading of its checkpoint and its tiles still exports one state."""
    parts = Parts()
    parts.grow(300)
    old = parts.public.files["checkpoint"]
    parts.grow(700)
    grown = MemoryLog()
    grown.files = {**parts.public.files, "checkpoint": old}
    export(grown, out := MemoryLog())
    assert fsck(out, key=LOG_KEY).size == 300


def test_fsck_names_the_first_bad_record():
    """A flip in a statement, an entry, a tile, a missing file, a wrong root: each is found, the clean log passes."""
    parts = Parts()
    parts.grow(700)
    files = parts.public.files
    assert fsck(parts.public, key=LOG_KEY).statements == 700

    def flipped(path: str, at: int) -> AlteredError:
        right = files[path]
        files[path] = right[:at] + bytes([right[at] ^ 4]) + right[at + 1 :]
        with pytest.raises((AlteredError, NotProvenError)) as caught:
            fsck(parts.public, key=LOG_KEY)
        files[path] = right
        return caught.value

    stride = 2 + len(RECORDS[300].statement)
    assert flipped("stmt/001", stride * 3 + 5).index in range(256, 262)
    assert flipped("tile/entries/001", 34 * 7 + 9).index == 263
    assert flipped("tile/entries/001", 34 * 7 + 1).index == 263
    assert flipped("tile/0/001", 32 * 9 + 1).index == 265
    assert flipped("tile/0/002.p/188", 1).index == 512
    assert flipped("tile/1/000.p/2", 33).index == 256
    flipped("checkpoint", 60)
    del files["stmt/001"]
    with pytest.raises(NotProvenError):
        fsck(parts.public, key=LOG_KEY)
    assert fsck(parts.public, key=LOG_KEY, statements_expected=False).statements == 700 - 256


def test_a_shard_is_closed_and_its_successor_knows():
    """The final checkpoint is what the successor's genesis carries; a longer or foreign one is refused."""
    parts = Parts()
    parts.grow(50)
    assert shards.close_members(ORIGIN, "next.example.com")["next_origin"] == "next.example.com"
    with pytest.raises(InputError):
        shards.close_members(ORIGIN, ORIGIN)
    text = shards.close(parts.ledger, 49)
    assert shards.require_successor(text, LOG_KEY, close_index=49).size == 50
    with pytest.raises(ForkError):
        shards.require_successor(text, LOG_KEY, close_index=48)
    with pytest.raises(NotProvenError):
        shards.require_successor(text, VerifierKey("other.example.com", 1, LOG_KEY.public_key), close_index=49)
