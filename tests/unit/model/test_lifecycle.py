"""The lifecycle table: what may follow what, exhaustively."""

import itertools

import pytest

from sealgate.model.errors import NotPermittedError
from sealgate.model.lifecycle import TRANSITIONS, Event, State, advance


@pytest.mark.parametrize(("state", "event"), TRANSITIONS)
def test_allowed_steps(state, event):
    """Each row of the table is followed."""
    assert advance(state, event) is TRANSITIONS[state, event]


@pytest.mark.parametrize(
    ("state", "event"), [pair for pair in itertools.product(State, Event) if pair not in TRANSITIONS]
)
def test_all_other_steps_are_refused(state, event):
    """Whatever is not in the table is refused with a code and a hint."""
    with pytest.raises(NotPermittedError) as caught:
        advance(state, event)

    assert caught.value.code
    assert caught.value.hint


def test_a_permit_is_redeemed_at_most_once():
    """No path through the table has two redemptions."""
    after_redeem = {TRANSITIONS[pair] for pair in TRANSITIONS if pair[1] is Event.REDEEM}
    reachable = set(after_redeem)
    while True:
        more = {following for (state, _), following in TRANSITIONS.items() if state in reachable} | reachable
        if more == reachable:
            break
        reachable = more

    assert after_redeem == {State.REDEEMED}
    assert not [pair for pair in TRANSITIONS if pair[0] in reachable and pair[1] is Event.REDEEM]


def test_refused_and_reported_are_final():
    """Nothing follows a refusal or a reported outcome."""
    assert not [pair for pair in TRANSITIONS if pair[0] in (State.REFUSED, State.REPORTED)]
