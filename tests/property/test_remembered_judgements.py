"""A remembered judgement is the one that the engine would give: random requests against the banking role's policies."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealgate.authority.rulebook import Rulebook
from sealgate.cli.policy_directory import read_directory
from sealgate.demo.agentdojo.suites import PROFILES
from sealgate.encoding import canonical
from sealgate.model.decisions import Outcome, Reason
from sealgate.model.evaluation import EvaluationRequest
from sealgate.policy.decision_point import DecisionPoint
from sealgate.policy.verdicts import PolicyRequest
from sealgate.ports.judging import Judgement

_BUNDLE = canonical.encode_arguments(read_directory(PROFILES["banking"].policy_directory), max_depth=64)
_NAMES = st.sampled_from(["GB29NWBK60161331926819", "US133000000121212121212", "owner", ""])
_ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from([1, 7, "7"]),
        "recipient": _NAMES,
        "amount": st.sampled_from([0, 0.01, 100, 2500, 2500.01, 1e9, "many"]),
        "subject": _NAMES,
        "password": _NAMES,
        "n": st.integers(0, 3),
    },
)
_FACTS = st.fixed_dictionaries(
    {name: st.lists(_NAMES, max_size=2) for name in ("asked", "from_user", "vouched", "used")}
)


def _request(agent, tool, arguments, facts):
    return msgspec.convert(
        {
            "subject": {"type": "agent", "id": agent},
            "action": {"name": tool},
            "resource": {"type": "tool_server", "id": "banking"},
            "context": {"input": arguments, "facts": {"task": facts} if facts else {}},
        },
        EvaluationRequest,
    )


_REQUESTS = st.builds(
    _request,
    st.sampled_from(["banking-assistant", "stranger"]),
    st.sampled_from(["send_money", "update_scheduled_transaction", "update_password", "get_balance", "no_such_tool"]),
    _ARGUMENTS,
    st.one_of(st.none(), _FACTS),
)


@pytest.fixture(scope="module", name="rulebook")
def _rulebook():
    return Rulebook.load(_BUNDLE)


@pytest.fixture(scope="module", name="point")
def _point():
    return DecisionPoint.from_bundle(_BUNDLE)


def _judged(rulebook, request):
    found = rulebook.recall(request)
    return found if isinstance(found, Judgement) else rulebook.judge(found, lambda: 1.0)


def _fresh(point, request):
    return point.decide(
        PolicyRequest(
            principal=(request.subject.type, request.subject.id),
            action=request.action.name,
            resource=(request.resource.type, request.resource.id),
            arguments=request.context.input,
            facts=request.context.facts,
        )
    )


@settings(max_examples=400)
@given(request=_REQUESTS)
def test_same_as_fresh(rulebook, point, request):
    """Whatever was asked before, the answer is the engine's; asked again it is remembered or the same."""
    fresh = _fresh(point, request)
    for _ in range(2):
        judged = _judged(rulebook, request)
        assert (judged.outcome, judged.reason, tuple(judged.policies), judged.message) == (
            fresh.outcome,
            fresh.reason,
            fresh.policies,
            fresh.message,
        )


def _payment(amount, vouched=("GB29NWBK60161331926819",)):
    facts = {"asked": [], "from_user": [], "vouched": list(vouched), "used": []}
    arguments = {"id": 7, "recipient": "GB29NWBK60161331926819", "amount": amount}
    return _request("banking-assistant", "update_scheduled_transaction", arguments, facts)


def test_what_is_remembered():
    """A judged request is known the next time; another amount, or another fact that a policy reads, is not."""
    rulebook = Rulebook.load(_BUNDLE)
    assert _judged(rulebook, _payment(100)).outcome is Outcome.PERMIT
    assert isinstance(rulebook.recall(_payment(100)), Judgement)
    assert not isinstance(rulebook.recall(_payment(101)), Judgement)
    assert not isinstance(rulebook.recall(_payment(100, vouched=())), Judgement)
    assert _judged(rulebook, _payment(100, vouched=())).outcome is Outcome.DENY


def test_errors_and_deadlines_are_not_remembered():
    """What could not be judged is judged anew; what was judged stays (the positive control)."""
    rulebook = Rulebook.load(_BUNDLE)
    prepared = rulebook.recall(_payment(100))
    assert rulebook.judge(prepared, lambda: 0.0).reason is Reason.DEADLINE
    erred = Judgement(Outcome.SILENCE, Reason.POLICY_ERROR, "", [], [])
    assert rulebook.remember(prepared, erred) is erred
    assert not isinstance(rulebook.recall(_payment(100)), Judgement)
    rulebook.judge(prepared, lambda: 1.0)
    assert rulebook.recall(_payment(100)).outcome is Outcome.PERMIT


def test_memory_is_bounded(monkeypatch):
    """The oldest judgement goes first."""
    monkeypatch.setattr("sealgate.authority.rulebook.MAX_JUDGED", 3)
    rulebook = Rulebook.load(_BUNDLE)
    for amount in (1, 2, 3, 4):
        _judged(rulebook, _payment(amount))
    assert [isinstance(rulebook.recall(_payment(amount)), Judgement) for amount in (1, 2, 3, 4)] == [
        False,
        True,
        True,
        True,
    ]
