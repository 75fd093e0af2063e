"""Key events: who may endorse them, when a key may sign, what can never happen to a key."""

import base64
import os

import pytest
from nacl.signing import SigningKey

from sealgate.authority import key_events as builders
from sealgate.model.errors import AlteredError, EncodingError
from sealgate.proofs.key_events import ADDED, GENESIS, RETIRED, REVOKED, KeyHistory
from sealgate.proofs.notes import ED25519, VerifierKey

ORIGIN = "log.example/2026h2"


class _Key:
    """An Ed25519 key pair."""

    def __init__(self) -> None:
        self._key = SigningKey(os.urandom(32))
        self.public = bytes(self._key.verify_key)

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message).signature


@pytest.fixture(name="root")
def _root():
    """The root key."""
    return _Key()


@pytest.fixture(name="first")
def _first():
    """The first statement key."""
    return _Key()


def _genesis(root, first, **members):
    log = VerifierKey(ORIGIN, ED25519, _Key().public).encode()
    arguments = {
        "origin": ORIGIN,
        "authority_id": "a1",
        "log_key": log,
        "root_key": root.public,
        "statement_key": first.public,
        "receipt_key": _Key().public,
        "predecessor": None,
        "sign": root.sign,
    }
    return builders.genesis(**{**arguments, **members})


@pytest.fixture(name="history")
def _history(root, first):
    """The history of a log with one record."""
    return KeyHistory.from_genesis(_genesis(root, first), root_key=root.public, origin=ORIGIN)


def _event(root, kind, key, *, origin=ORIGIN, purpose="statement"):
    return builders.key_changed(kind, origin=origin, purpose=purpose, public_key=key.public, sign=root.sign)


def _kid(key):
    return builders.key_id(key.public)


def test_a_rotation_has_no_hole_and_no_end_too_late(history, root, first):
    """The old key signs up to its retirement, the new one from its addition; between them both may."""
    second = _Key()
    rotated = history.apply(7, _event(root, ADDED, second)).apply(9, _event(root, RETIRED, first))

    assert [index for index in range(12) if rotated.key(_kid(first), index)] == list(range(9))
    assert [index for index in range(12) if rotated.key(_kid(second), index)] == [7, 8, 9, 10, 11]
    assert [(key.public_key, key.from_index, key.to_index) for key in rotated.statement_keys()] == [
        (first.public, 0, 9),
        (second.public, 7, None),
    ]


def test_other_records_change_nothing(history):
    """A decision is no key event."""
    assert history.apply(3, {"kind": "decision"}) is history


def test_members_of_the_record_are_not_endorsed(history, root):
    """Record id, time and salt are the authority's; the endorsement holds with any."""
    second = _Key()
    body = {**_event(root, ADDED, second), "record_id": "x", "time": "y", "salt": "z"}

    assert history.apply(1, body).key(_kid(second), 1)


@pytest.mark.parametrize("name", ["origin", "key_id", "purpose", "algorithm", "public_key", "kind", "root_signature"])
def test_every_claim_is_endorsed(history, root, first, name):
    """No claim can be exchanged for that of another event that the root key endorsed too."""
    body = _event(root, ADDED, _Key())
    other = _event(root, RETIRED, first, purpose="statement", origin="other.example")
    other |= {"purpose": "receipt", "algorithm": "rsa"}
    history.apply(1, body)
    with pytest.raises((AlteredError, EncodingError)):
        history.apply(1, {**body, name: other[name]})
    if name != "kind":
        with pytest.raises(EncodingError):
            history.apply(1, {member: value for member, value in body.items() if member != name})


@pytest.mark.parametrize("name", ["origin", "authority_id", "log_key", "statement_key", "receipt_key", "predecessor"])
def test_every_claim_of_the_genesis_is_endorsed(root, first, name):
    """The first record cannot be mixed from two that the root key endorsed."""
    body, other = _genesis(root, first), _genesis(root, _Key(), authority_id="a2", origin="o", predecessor="p")
    KeyHistory.from_genesis(body, root_key=root.public, origin=ORIGIN)
    with pytest.raises((AlteredError, EncodingError)):
        KeyHistory.from_genesis({**body, name: other[name]}, root_key=root.public, origin=ORIGIN)


def test_another_root_endorses_nothing(history, first):
    """A key that calls itself root is not the pinned one."""
    imposter = _Key()
    with pytest.raises(AlteredError, match="not endorsed") as caught:
        history.apply(5, _event(imposter, ADDED, _Key()))

    assert caught.value.index == 5
    with pytest.raises(AlteredError, match="not endorsed"):
        KeyHistory.from_genesis(_genesis(imposter, first), root_key=history.root_key, origin=ORIGIN)


def test_another_log_is_refused(history, root, first):
    """An endorsement for one log means nothing in another."""
    with pytest.raises(AlteredError, match="another log"):
        history.apply(1, _event(root, ADDED, _Key(), origin="other.example"))
    with pytest.raises(AlteredError, match="another log"):
        KeyHistory.from_genesis(_genesis(root, first), root_key=root.public, origin="other.example")


@pytest.mark.parametrize("kind", [RETIRED, REVOKED])
def test_a_dead_key_stays_dead(history, root, first, kind):
    """Replaying the endorsement of a retired or revoked key does not bring it back."""
    second = _Key()
    added = _event(root, ADDED, second)
    ended = history.apply(1, added).apply(2, _event(root, kind, second))

    assert ended.key(_kid(second), 1)
    assert not ended.key(_kid(second), 2)
    with pytest.raises(AlteredError, match="added again"):
        ended.apply(3, added)


def test_repeating_a_step_changes_nothing(history, root, first):
    """An authority that crashed in a rotation may record the same event again; the first one counts."""
    second = _Key()
    added, retired = _event(root, ADDED, second), _event(root, RETIRED, first)
    once = history.apply(1, added).apply(4, retired)
    twice = history.apply(1, added).apply(2, added).apply(4, retired).apply(6, retired)

    assert twice.periods == once.periods


def test_revocation_after_retirement_keeps_the_earlier_end(history, root, first):
    """What was signed before stays provable, and the key is marked."""
    ended = history.apply(2, _event(root, RETIRED, first)).apply(5, _event(root, REVOKED, first))
    period = next(period for period in ended.periods if period.public_key == first.public)

    assert (period.end, period.revoked) == (2, True)


def test_disorder_is_refused(history, root, first):
    """Unknown keys, a second genesis, an event before the last one, one key for two purposes."""
    with pytest.raises(AlteredError, match="never added"):
        history.apply(1, _event(root, RETIRED, _Key()))
    with pytest.raises(AlteredError, match="out of order"):
        history.apply(1, _genesis(root, first))
    with pytest.raises(AlteredError, match="out of order"):
        history.apply(5, _event(root, ADDED, _Key())).apply(5, _event(root, ADDED, _Key()))
    with pytest.raises(AlteredError, match="two purposes"):
        history.apply(1, _event(root, ADDED, first, purpose="receipt"))
    with pytest.raises(AlteredError, match="not a genesis"):
        KeyHistory.from_genesis(_event(root, ADDED, first), root_key=root.public, origin=ORIGIN)


def test_a_weak_key_is_refused_even_when_endorsed(history, root):
    """The identity point would accept forged signatures."""
    weak = type("Weak", (), {"public": b"\x01" + bytes(31)})
    with pytest.raises(EncodingError, match="weak"):
        history.apply(1, _event(root, ADDED, weak))


def test_a_builder_makes_only_key_events(root, first):
    """Kind and purpose are a closed set."""
    with pytest.raises(ValueError, match="decision"):
        _event(root, "decision", first)
    with pytest.raises(ValueError, match="root"):
        _event(root, ADDED, first, purpose="root")

    assert _genesis(root, first)["kind"] == GENESIS
    assert len(base64.b64decode(_event(root, ADDED, first)["root_signature"])) == 64
