"""Open decisions and permit tokens."""

import hashlib
import itertools

import pytest

from sealgate.authority.permits import SWEPT, OpenDecision, OpenDecisions, PermitMac, record_id_of
from sealgate.encoding.canonical import salted_digest
from sealgate.model.errors import InputError, NotPermittedError
from sealgate.model.lifecycle import Event, State

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
ARGUMENTS = hashlib.sha256(b'{"amount":1}').digest()
SALT = b"s" * 32


def decision(**changes):
    """An open decision for one tool and one digest."""
    values = {
        "record_id": ID,
        "agent": "a1",
        "tool": "pay",
        "policy_version": "v1",
        "salt": SALT,
        "input_digest": salted_digest(SALT, ARGUMENTS),
        "state": State.PERMITTED,
        "expires_ms": 1000,
    }
    return OpenDecision(**{**values, **changes})


@pytest.fixture(name="decisions")
def _decisions():
    """One open decision that expires at 1000."""
    held = OpenDecisions(late_window_ms=500)
    held.add(decision())
    return held


def redeem(decisions, **changes):
    """Redeem with what fits, but for the changes."""
    values = {"tool": "pay", "arguments_sha256": ARGUMENTS, "policy_version": "v1", "now_ms": 10, "due_ms": 5000}
    return decisions.redeem(ID, **{**values, **changes})


def test_redeemed_once(decisions):
    """The first redemption works, the second is refused."""
    assert redeem(decisions).state is State.REDEEMED

    with pytest.raises(NotPermittedError) as caught:
        redeem(decisions)
    assert caught.value.code == "permit-already-redeemed"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tool": "refund"}, "permit-mismatch"),
        ({"arguments_sha256": hashlib.sha256(b"{}").digest()}, "permit-mismatch"),
        ({"policy_version": "v2"}, "permit-mismatch"),
        ({"now_ms": 1000}, "permit-expired"),
    ],
)
def test_misfits_are_refused_and_leave_the_permit_usable(decisions, changes, code):
    """A refused redemption changes nothing: the right one still works."""
    with pytest.raises(NotPermittedError) as caught:
        redeem(decisions, **changes)

    assert caught.value.code == code
    assert redeem(decisions).state is State.REDEEMED


def test_expiry_becomes_unknown_once_then_is_forgotten(decisions):
    """What nobody redeemed falls due once; after the late window it is gone."""
    assert decisions.take_due(999) == []
    ((due, event),) = decisions.take_due(1000)

    assert (due.state, event) == (State.UNKNOWN, Event.EXPIRE)
    assert decisions.take_due(1000) == []
    assert len(decisions) == 1
    decisions.take_due(1500)
    assert len(decisions) == 0


def test_many_fall_due_a_few_at_a_time_oldest_first():
    """So that a question which comes meanwhile does not wait for all of them; none is left out."""
    held = OpenDecisions(late_window_ms=500)
    for number in range(2 * SWEPT + 1):
        held.add(decision(record_id=f"{number:032}", expires_ms=1000 - number))

    turns = [[due.record_id for due, _ in held.take_due(1000)] for _ in range(4)]

    assert [len(turn) for turn in turns] == [SWEPT, SWEPT, 1, 0]
    assert list(itertools.chain(*turns)) == [f"{number:032}" for number in reversed(range(2 * SWEPT + 1))]


def test_a_redeemed_one_falls_due_at_its_outcome_time(decisions):
    """Redeeming moves the due time; the old heap entry is ignored."""
    redeem(decisions)

    assert decisions.take_due(1000) == []
    ((_, event),) = decisions.take_due(5000)
    assert event is Event.OVERDUE


def test_late_reports_are_marked(decisions):
    """A report after unknown is taken in and marked late; a second one is refused."""
    redeem(decisions)
    decisions.take_due(5000)

    _, late = decisions.report(ID)

    assert late
    with pytest.raises(NotPermittedError):
        decisions.report(ID)


def test_a_report_needs_a_redemption(decisions):
    """An outcome of a permit that nobody redeemed is refused."""
    with pytest.raises(NotPermittedError) as caught:
        decisions.report(ID)

    assert caught.value.code == "permit-not-redeemed"


def test_tokens_name_their_decision_and_fit_one_agent():
    """A token fits its agent, not another one, and not after any bit was flipped."""
    mac = PermitMac(b"k" * 32)
    token = mac.token(bytes.fromhex(ID.replace("-", "")), "a1")

    assert record_id_of(token) == ID
    assert mac.fits(token, "a1")
    assert not mac.fits(token, "a2")
    assert not PermitMac(b"x" * 32).fits(token, "a1")
    other = ("A" if token[-2] != "A" else "B") + token[-1]
    assert not mac.fits(token[:-2] + other, "a1")


@pytest.mark.parametrize("token", ["", "!!", "AAAA", "A" * 43 + "é", "A" * 44])
def test_malformed_tokens(token):
    """Anything but 32 bytes of base64url is refused."""
    with pytest.raises(InputError):
        record_id_of(token)
