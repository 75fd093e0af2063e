"""Quotas and limits: exact, atomic, and the same after a restart."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealgate.model.decisions import Reason
from sealgate.model.errors import InputError
from sealgate.policy.limits import Claim, LimitLedger, read_limits
from sealgate.policy.tools import read_tool

_PAY = {
    "type": "object",
    "properties": {"amount": {"type": "number"}, "n": {"type": "integer"}, "s": {"type": "string"}},
}
TOOLS = {name: read_tool({"name": name, "inputSchema": _PAY}, "s") for name in ("pay", "look")}
A1, A2, ROLE = ("Agent", "a1"), ("Agent", "a2"), ("Role", "intern")


def _ledger(*rules):
    return LimitLedger(read_limits(rules, TOOLS))


def _claim(amount=None, *, who=A1, action="pay", task=""):
    arguments = {} if amount is None else {"amount": amount}
    return Claim(who, frozenset({who, ROLE}), action, frozenset({("McpServer", "bank")}), arguments, task)


def _rule(**members):
    return {"id": "r", "action": "pay", "max": 2, "per": "minute", **members}


def test_count_in_a_sliding_window():
    """The window slides: a use counts for exactly its span."""
    ledger = _ledger(_rule())

    assert [ledger.reserve(_claim(), str(n), n * 1000) is None for n in range(3)] == [True, True, False]
    assert ledger.reserve(_claim(), "x", 59_999).reason is Reason.QUOTA_EXCEEDED
    assert ledger.reserve(_claim(), "y", 60_000) is None
    assert ledger.reserve(_claim(), "z", 60_500) is not None


def test_sums_are_exact():
    """Ten payments of 0.1 are exactly 1: no binary rounding."""
    ledger = _ledger(_rule(sum="amount", max="1.0", per="day"))

    assert all(ledger.reserve(_claim(0.1), str(n), n) is None for n in range(10))
    assert "1.0 per day" in ledger.reserve(_claim(0.0001), "x", 11).message


def test_who_is_counted_together():
    """Each principal has its own quota unless the rule is shared; tasks are counted apart."""
    own, shared, task = _ledger(_rule(max=1)), _ledger(_rule(max=1, shared=True)), _ledger(_rule(max=1, per="task"))

    for ledger, other in ((own, True), (shared, False)):
        assert ledger.reserve(_claim(), "1", 0) is None
        assert (ledger.reserve(_claim(who=A2), "2", 0) is None) is other
    assert task.reserve(_claim(task="t1"), "1", 0) is None
    assert task.reserve(_claim(task="t2"), "2", 0) is None
    assert task.reserve(_claim(task="t1"), "3", 10**12) is not None
    task.forget_task("t1")
    assert task.reserve(_claim(task="t1"), "4", 0) is None


def test_rules_match_groups_and_tools():
    """A rule on a role holds for who is in it, and a rule on one tool leaves others alone."""
    ledger = _ledger(_rule(max=0, principal='Role::"intern"'))

    assert ledger.reserve(_claim(), "1", 0) is not None
    assert ledger.reserve(_claim(action="look"), "2", 0) is None
    assert _ledger(_rule(max=0, resource='McpServer::"other"')).reserve(_claim(), "1", 0) is None


def test_bounds_on_an_argument():
    """A bound needs no state and names what is allowed."""
    ledger = _ledger({"id": "b", "action": "pay", "argument": "amount", "max": "100", "min": "0"})

    assert ledger.reserve(_claim(100), "1", 0) is None
    assert ledger.reserve(_claim(), "2", 0) is None
    for amount in (100.01, -1):
        exceeded = ledger.reserve(_claim(amount), "3", 0)
        assert (exceeded.rule, exceeded.reason) == ("b", Reason.LIMIT_EXCEEDED)


def test_all_or_nothing():
    """Where one rule says no, the others keep what they had."""
    ledger = _ledger(_rule(id="many", max=5), _rule(id="few", max=1))
    ledger.reserve(_claim(), "1", 0)

    before = ledger.dump()
    assert ledger.reserve(_claim(), "2", 0).rule == "few"

    assert ledger.dump() == before


def test_release_gives_back_and_settle_keeps():
    """An action that did not run gives its share back, once; one that ran cannot."""
    ledger = _ledger(_rule(max=1, per="task"))
    ledger.reserve(_claim(), "1", 0)
    ledger.release("1")
    ledger.release("1")
    assert ledger.reserve(_claim(), "2", 0) is None
    ledger.settle("2")
    ledger.release("2")

    assert ledger.reserve(_claim(), "3", 0) is not None


def test_negative_amounts_do_not_give_credit():
    """A negative payment cannot make room for a larger one."""
    ledger = _ledger(_rule(sum="amount", max=10, per="day"))

    assert ledger.reserve(_claim(-100), "1", 0) is not None
    assert ledger.reserve(_claim(11), "2", 0) is not None
    assert ledger.reserve(_claim(10), "3", 0) is None


def test_clock_that_goes_back():
    """Time never runs backwards for a quota, so setting the clock back forgives nothing."""
    ledger = _ledger(_rule(max=1))
    ledger.reserve(_claim(), "1", 100_000)

    assert ledger.reserve(_claim(), "2", 0) is not None


@given(st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 50), st.booleans()), max_size=40))
def test_state_survives_a_restart(events):
    """A dumped and loaded ledger answers as the one that never stopped, and never exceeds its maximum."""
    rules = (_rule(sum="amount", max=60), _rule(id="n", max=7, per="hour"))
    kept, carried = _ledger(*rules), _ledger(*rules)
    now = 0
    spent: list[tuple[int, int]] = []
    for number, (delay, amount, released) in enumerate(events):
        now += delay
        fresh = _ledger(*rules)
        fresh.load(carried.dump())
        carried = fresh
        one = kept.reserve(_claim(amount), str(number), now)
        other = carried.reserve(_claim(amount), str(number), now)
        assert one == other
        if one is None and released:
            kept.release(str(number))
            carried.release(str(number))
        elif one is None:
            spent.append((now, amount))
        assert sum(Decimal(used) for at, used in spent if at > now - 60_000) <= 60


def test_new_rules_keep_what_was_counted():
    """Publishing a policy set with a rule of the same id does not reset it."""
    ledger = _ledger(_rule(max=1, per="day"))
    ledger.reserve(_claim(), "1", 0)

    stricter = ledger.under(read_limits([_rule(max=1, per="day"), _rule(id="other", per="day")], TOOLS))

    assert stricter.reserve(_claim(), "2", 1).rule == "r"


@pytest.mark.parametrize(
    "members",
    [
        {"id": ""},
        {"per": "week"},
        {"max": 1.5},
        {"max": "many"},
        {"max": "NaN"},
        {"max": True},
        {"max": None},
        {"sum": "s"},
        {"sum": "no_such"},
        {"action": "no_such"},
        {"action": [1]},
        {"action": [], "sum": "amount"},
        {"per": None, "sum": "amount"},
        {"argument": "amount"},
        {"principal": "intern"},
        {"shared": "yes"},
        {"surprise": 1},
    ],
)
def test_malformed_rules(members):
    """A rule that does not say exactly one thing is refused; the unchanged rule is read (positive control)."""
    assert len(read_limits([_rule()], TOOLS)) == 1

    with pytest.raises(InputError):
        read_limits([_rule(**members)], TOOLS)
    with pytest.raises(InputError, match="twice"):
        read_limits([_rule(), _rule()], TOOLS)


@pytest.mark.parametrize(
    "state", [None, {}, {"now_ms": 0, "usage": [[1]], "open": []}, {"now_ms": "x", "usage": [], "open": []}]
)
def test_malformed_state(state):
    """A state that is not ours is refused and changes nothing."""
    with pytest.raises(InputError):
        _ledger(_rule()).load(state)
