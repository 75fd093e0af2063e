"""The witness's decisions, request by request, and its state on disk."""

import hashlib
import threading

import pytest
from nacl.signing import SigningKey

from bench.corpora import torchwood_dialogue
from sealgate.model.errors import ConfigurationError, EncodingError
from sealgate.proofs import checkpoints, notes, tiles, tree
from sealgate.proofs.quorum import verify_checkpoint
from sealgate.witness import keyfile, state, wire
from sealgate.witness.core import Witness

ORIGIN = "ledger.example/acme"
LOG = SigningKey(b"\x01" * 32)
LOG_KEY = notes.VerifierKey(ORIGIN, notes.ED25519, LOG.verify_key.encode())
OTHER_KEY = notes.VerifierKey(ORIGIN, notes.ED25519, SigningKey(b"\x02" * 32).verify_key.encode())


class _Tree:
    """A log in memory; ``salt`` makes another history."""

    def __init__(self, size, salt=b""):
        builder = tiles.TileBuilder()
        for number in range(size):
            builder.append(tree.leaf_hash(salt + b"%d" % number))
        self.size = size
        self._tiles = {(tile.level, tile.index): data for tile, data in builder.take().items()}

    def read(self, level, index, width):
        return self._tiles[level, index][: width * 32]

    def note(self, size, key=LOG, origin=ORIGIN):
        point = checkpoints.Checkpoint(origin, size, tiles.root(size, self.read))
        return checkpoints.encode(point, [checkpoints.sign_line(LOG_KEY, key.sign(point.text.encode()).signature)])

    def request(self, old, size, **parts):
        proof = tiles.prove_consistency(old, size, self.read) if 0 < old < size else []
        return wire.AddCheckpoint(old, tuple(proof), self.note(size, **parts)).encode()


@pytest.fixture(name="folder")
def _folder(tmp_path):
    signer = keyfile.generate(tmp_path / "witness.key")
    state.create(tmp_path / "witness.sqlite", "witness.example", signer.public_key)
    return tmp_path


def _open(folder, logs=None, alarms=None):
    return Witness(
        state.State(folder / "witness.sqlite"),
        keyfile.FileSigner(folder / "witness.key"),
        logs or {ORIGIN: [LOG_KEY]},
        unix_s=lambda: 1_790_000_000,
        alarm=(alarms if alarms is not None else []).append,
    )


LOG_OF_9 = _Tree(9)


def test_a_growing_log_is_cosigned(folder):
    """First contact, growth, and the same tree again: each is cosigned, verifies, and is shown to monitors."""
    witness = _open(folder)

    for old, size in ((0, 3), (3, 9), (9, 9)):
        answer = witness.add_checkpoint(LOG_OF_9.request(old, size))
        assert answer.status == 200
        whole = LOG_OF_9.note(size) + answer.body
        assert verify_checkpoint(whole, log=LOG_KEY, witnesses=[witness.key], quorum=1).size == size
        shown = witness.latest("/" + hashlib.sha256(ORIGIN.encode()).hexdigest() + "/checkpoint")
        assert shown.body == whole


def test_refusals(folder):
    """Each check answers with its own status, and none of the refused requests changes the state."""
    witness, other = _open(folder), _Tree(9, salt=b"other")
    good = LOG_OF_9.request(3, 9)
    assert witness.add_checkpoint(LOG_OF_9.request(0, 3)).status == 200

    for body, status in (
        (LOG_OF_9.request(0, 9), 409),
        (LOG_OF_9.request(2, 9), 409),
        (LOG_OF_9.request(3, 9, key=SigningKey(b"\x02" * 32)), 403),
        (LOG_OF_9.request(3, 9, origin="unknown.example"), 404),
        (other.request(3, 9), 422),
        (other.request(3, 3), 422),
        (wire.AddCheckpoint(3, (), LOG_OF_9.note(9)).encode(), 422),
        (wire.AddCheckpoint(9, (), LOG_OF_9.note(3)).encode(), 400),
        (good.replace(b"old 3", b"old 03"), 400),
        (good[:-1], 400),
        (b"", 400),
        (good + b"x" * wire.MAX_REQUEST, 400),
    ):
        assert witness.add_checkpoint(body).status == status
    conflict = witness.add_checkpoint(LOG_OF_9.request(0, 9))
    assert (conflict.body, conflict.content_type) == (b"3\n", "text/x.tlog.size")
    assert witness.add_checkpoint(good).status == 200


def test_forks_raise_an_alarm(folder):
    """Another root at the stored size, and a history that does not extend it, are told to the operator."""
    alarms = []
    witness = _open(folder, alarms=alarms)
    witness.add_checkpoint(LOG_OF_9.request(0, 3))

    witness.add_checkpoint(_Tree(9, salt=b"fork").request(3, 3))
    witness.add_checkpoint(_Tree(9, salt=b"fork").request(3, 9))

    assert len(alarms) == 2
    assert ORIGIN in alarms[0]


def test_first_contact_is_strict(folder):
    """Without a stored tree, only old size 0 and an empty proof are taken."""
    witness = _open(folder)

    assert witness.add_checkpoint(LOG_OF_9.request(3, 9)).status == 409
    assert witness.add_checkpoint(wire.AddCheckpoint(0, (bytes(32),), LOG_OF_9.note(9)).encode()).status == 422
    assert witness.add_checkpoint(LOG_OF_9.request(0, 9)).status == 200


def test_an_empty_log_may_be_cosigned_first(folder):
    """Size 0 is cosigned, and the growth from it needs no proof."""
    witness = _open(folder)

    assert witness.add_checkpoint(LOG_OF_9.request(0, 0)).status == 200
    assert witness.add_checkpoint(LOG_OF_9.request(0, 9)).status == 200


def test_the_empty_log_has_one_root(folder):
    """A signed checkpoint of size 0 with any other root is refused as the specification asks."""
    point = checkpoints.Checkpoint(ORIGIN, 0, bytes(32))
    note = checkpoints.encode(point, [checkpoints.sign_line(LOG_KEY, LOG.sign(point.text.encode()).signature)])

    assert _open(folder).add_checkpoint(wire.AddCheckpoint(0, (), note).encode()).status == 422


def test_lines_of_others_are_not_shown(folder):
    """Sixty-four copies of the log's line leave a note of two lines."""
    witness = _open(folder)
    note = notes.parse(LOG_OF_9.note(9))
    crowded = notes.Note(note.text, note.signatures * 64).encode()

    assert witness.add_checkpoint(wire.AddCheckpoint(0, (), crowded).encode()).status == 200
    assert len(notes.parse(witness.latest(wire.monitoring_path(ORIGIN)).body).signatures) == 2
    assert witness.latest("/elsewhere").status == 404


def test_no_start_without_its_database(folder):
    """A missing database, a second init and another key are refused: lost state means a retired key."""
    _open(folder)

    with pytest.raises(ConfigurationError, match="exists"):
        state.create(folder / "witness.sqlite", "witness.example", bytes(32))
    with pytest.raises(ConfigurationError, match="made"):
        keyfile.generate(folder / "witness.key")
    keyfile.generate(folder / "other.key")
    with pytest.raises(ConfigurationError, match="belong together"):
        Witness(state.State(folder / "witness.sqlite"), keyfile.FileSigner(folder / "other.key"), {}, int, print)
    (folder / "witness.key").chmod(0o644)
    with pytest.raises(ConfigurationError, match="others"):
        keyfile.FileSigner(folder / "witness.key")
    with pytest.raises(ConfigurationError, match="missing"):
        state.State(folder / "gone.sqlite")
    (folder / "empty.sqlite").touch()
    with pytest.raises(ConfigurationError, match="opened"):
        state.State(folder / "empty.sqlite")


def test_of_two_histories_at_once_one_is_cosigned(folder):
    """Many threads over two connections race with two histories: only one of them ever gets cosignatures."""
    histories = [_Tree(12), _Tree(12, salt=b"fork")]
    witnesses = [_open(folder), _open(folder)]
    cosigned = []
    barrier = threading.Barrier(4)

    def submit(number):
        barrier.wait()
        history = histories[number % 2]
        for old, size in ((0, 4), (4, 8), (8, 12)):
            if witnesses[number // 2].add_checkpoint(history.request(old, size)).status == 200:
                cosigned.append((number % 2, size))

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({history for history, _ in cosigned}) == 1


def test_dialogue_of_another_witness(folder, data_folder):
    """Torchwood's recorded dialogue: all nine requests get its answers, two of its refusals under another status.

    An unknown log is 404, as the specification has it; a signature whose base64 has stray pad bits is malformed (400).
    """
    dialogue = torchwood_dialogue(data_folder)
    witness = _open(folder, logs={dialogue.origin: [dialogue.key]})

    for body, status, asserted in dialogue.calls:
        answer = witness.add_checkpoint(body)
        expected = {"unknown log": 404, "invalid signature": 400}.get(asserted.split('"')[1], status)
        assert answer.status == expected
        if "==" in asserted:
            assert answer.body == asserted.split('"')[1].replace("\\n", "\n").encode()


def test_wire_form():
    """Requests and sizes round-trip; what is not exactly so is refused."""
    request = wire.AddCheckpoint(5, (bytes(32),), LOG_OF_9.note(9))

    assert wire.parse_request(request.encode()) == request
    assert wire.parse_size(b"17\n") == 17
    for bad in (b"17", b" 17\n", b"17\n\n", b"1_7\n", b"\n", b"\xff\n"):
        with pytest.raises(EncodingError):
            wire.parse_size(bad)
    for bad in (b"new 5\n\n", b"old 5\nAAAA\n\n", b"old 5\n" + (b"A" * 43 + b"=\n") * 64 + b"\n"):
        with pytest.raises(EncodingError):
            wire.parse_request(bad + LOG_OF_9.note(9))
