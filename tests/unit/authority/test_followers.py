"""After a checkpoint: cosignatures and timestamps are fetched behind the publisher; a fork comes through."""

import threading

import pytest
from nacl.signing import SigningKey

from sealgate.authority.followers import TimestampFollower, WitnessFollower
from sealgate.model.errors import ForkError, UnavailableError
from sealgate.proofs import checkpoints, notes, tiles, tree
from sealgate.proofs.quorum import VerifiedCheckpoint

ORIGIN = "ledger.example/acme"
LOG = SigningKey(b"\x01" * 32)


class _Log:
    """A log in memory that keeps what is attached."""

    key = notes.VerifierKey(ORIGIN, notes.ED25519, LOG.verify_key.encode())

    def __init__(self, size):
        builder = tiles.TileBuilder()
        for number in range(20):
            builder.append(tree.leaf_hash(b"%d" % number))
        self._tiles = {(tile.level, tile.index): data for tile, data in builder.take().items()}
        self.size, self.lines, self.stamps = size, [], {}
        self.attached = threading.Event()

    def _read(self, level, index, width):
        return self._tiles[level, index][: width * 32]

    def point(self, size):
        return checkpoints.Checkpoint(ORIGIN, size, tiles.root(size, self._read))

    def checkpoint(self):
        point = self.point(self.size)
        return checkpoints.encode(point, [checkpoints.sign_line(self.key, LOG.sign(point.text.encode()).signature)])

    def consistency(self, old, new):
        return tiles.prove_consistency(old, new, self._read)

    def attach_cosignatures(self, size, lines):
        self.lines += [(size, line.name) for line in lines]
        self.attached.set()
        return True

    def attach_timestamp(self, size, response):
        self.stamps[size] = response
        self.attached.set()


class _Witness:
    """A witness that answers as it is told: ``seen`` is its latest checkpoint, ``error`` what it raises."""

    def __init__(self, name, error=None, seen=None):
        self.key = notes.VerifierKey(name, notes.COSIGNATURE_ED25519, bytes(32))
        self.error, self.seen = error, seen

    def cosign(self, checkpoint, prove):  # noqa: ARG002  # the port's
        if self.error:
            raise self.error
        return notes.SignatureLine(self.key.name, b"1234", b"signature")

    def latest(self, log, origin=None):  # noqa: ARG002  # the port's
        if self.error:
            raise self.error
        return None if self.seen is None else VerifiedCheckpoint(self.seen, (), b"")


@pytest.fixture(name="follow")
def _follow():
    """A maker of followers that are closed after the test, and a way to wait for a round."""
    made = []

    def start(follower):
        made.append(follower)
        return follower

    yield start
    for follower in made:
        follower.close()


def _turn(follower):
    """Start a round, wait for its end, and raise its outcome by the next call."""
    follower()
    follower._rounds._running.exception(timeout=60)
    follower()


def test_cosignatures_are_attached_once(follow):
    """Each witness's line is attached to its size, and a witness that signed is not asked again for it."""
    log = _Log(7)
    follower = follow(WitnessFollower(log, [_Witness("a"), _Witness("b")]))

    _turn(follower)
    _turn(follower)

    assert log.lines == [(7, "a"), (7, "b")]


def test_a_missing_witness_does_not_hold_up_the_others(follow):
    """What there is gets attached; the failure is told, and the witness is asked again."""
    log, absent = _Log(7), _Witness("b", UnavailableError("witness `b` is away"))
    follower = follow(WitnessFollower(log, [_Witness("a"), absent]))

    with pytest.raises(UnavailableError, match="away"):
        _turn(follower)
    absent.error = None
    _turn(follower)

    assert log.lines == [(7, "a"), (7, "b")]


def test_a_fork_comes_through(follow):
    """One objecting witness is a fork, whatever the others say."""
    log = _Log(7)
    follower = follow(
        WitnessFollower(log, [_Witness("a"), _Witness("x", UnavailableError("away")), _Witness("b", ForkError("two"))])
    )

    with pytest.raises(ForkError, match="two"):
        _turn(follower)
    assert log.lines == [(7, "a")]


def test_a_slow_witness_does_not_block(follow):
    """While a round runs, calls return at once and start nothing."""
    log, release, asked = _Log(7), threading.Event(), []

    class Slow(_Witness):
        def cosign(self, checkpoint, prove):
            asked.append(1)
            release.wait(60)
            return super().cosign(checkpoint, prove)

    follower = follow(WitnessFollower(log, [Slow("a")]))
    for _ in range(5):
        follower()
    release.set()
    follower._rounds._running.result(timeout=60)

    assert len(asked) == 1


def test_comparison_at_start(follow):
    """A witness that saw more, or another history, stops the log; one that saw less or nothing does not."""
    log = _Log(7)
    larger, other = log.point(9), checkpoints.Checkpoint(ORIGIN, 5, bytes(32))

    follow(WitnessFollower(log, [_Witness("a"), _Witness("b", seen=log.point(5))])).compare()
    follow(WitnessFollower(log, [_Witness("a"), _Witness("b", UnavailableError("away"))])).compare()
    for seen in (larger, other):
        with pytest.raises(ForkError):
            follow(WitnessFollower(log, [_Witness("a", seen=seen)])).compare()
    with pytest.raises(UnavailableError):
        follow(WitnessFollower(log, [_Witness("a", UnavailableError("away"))])).compare()


def test_timestamps_follow_their_interval(follow):
    """A checkpoint is stamped over its note text, then not before the interval is over and the log has grown."""
    log, now = _Log(7), [0.0]

    class Authority:
        def timestamp(self, message):
            return b"stamped " + message

    follower = follow(TimestampFollower(log, Authority(), interval_s=10, monotonic_s=lambda: now[0]))
    for moment, size in ((0, 7), (5, 8), (11, 8), (22, 8), (33, 9)):  # the interval is 10
        now[0], log.size = float(moment), size
        follower()
        follower._rounds._running.result(timeout=60)

    assert sorted(log.stamps) == [7, 8, 9]
    assert log.stamps[7] == b"stamped " + log.point(7).text.encode()


def test_a_missing_timestamp_is_asked_for_again(follow):
    """After a failure the next attempt comes within a minute, not an interval later."""
    log, now, asked = _Log(7), [0.0], []

    class Absent:
        def timestamp(self, message):
            asked.append(message)
            raise UnavailableError("the authority is away")

    follower = follow(TimestampFollower(log, Absent(), interval_s=3600, monotonic_s=lambda: now[0]))
    follower()
    follower._rounds._running.exception(timeout=60)
    now[0] = 61.0
    with pytest.raises(UnavailableError, match="away"):
        follower()
    follower()
    follower._rounds._running.exception(timeout=60)

    assert len(asked) == 2
