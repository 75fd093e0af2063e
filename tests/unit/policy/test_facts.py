"""Facts that are checked here are checked as the engine does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealgate.model.decisions import Outcome, Reason
from sealgate.policy import DecisionPoint, PolicyRequest
from sealgate.policy.facts import FactTypes
from sealgate.policy.stub import read_stub

STUB = """
@mcp_context("task")
type Task = {
  "all words": Set<Word>, // a set of a declared type
  n?: Long,
  @doc("type Task = { other: Long };") where?: { deep: Set<Set<Long>>, type?: Bool },
};
@mcp_context("other")
type Other = { flag?: __cedar::Bool };
type Word = String;
@mcp_principal("Agent")
entity Agent;
@mcp_resource("McpServer")
entity McpServer;
"""
POLICY = """
@id("some") permit(principal, action, resource)
when { context.task["all words"].contains("a") && context.other has flag }
unless { context.task has n && context.task.n + 1 > 9 };
@id("never") forbid(principal, action, resource)
when { context.task has where && context.task.where.deep.contains([1]) };
"""


@pytest.fixture(name="points", scope="module")
def _points():
    """The same decision point twice; the second leaves every fact to the engine."""
    value = {
        "format": "sealgate-policy/v1",
        "schema": STUB,
        "policies": [{"id": "x", "text": POLICY}],
        "tools": [{"server": "s", "tools": [{"name": "t", "inputSchema": {"type": "object", "properties": {}}}]}],
        "limits": [],
        "entities": [],
    }
    points = DecisionPoint.from_bundle(value), DecisionPoint.from_bundle(value)
    points[1]._contexts._fact_types.fit = lambda _facts: False
    return points


def _ask(point, facts):
    return point.decide(PolicyRequest(("Agent", "a"), "t", ("McpServer", "s"), {}, facts))


NUMBERS = st.one_of(st.integers(-3, 12), st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 1.0, True]))
TEXTS = st.one_of(st.sampled_from(["a", "b", "é", "\ud800"]), st.integers(0, 1))
LISTS = st.one_of(st.lists(st.lists(NUMBERS, max_size=2), max_size=2), st.lists(NUMBERS, max_size=2), st.none())
WHERE = st.fixed_dictionaries({}, optional={"deep": LISTS, "type": st.sampled_from([True, False, 0, "x"])})
ESCAPE = st.just({"__extn": {"fn": "decimal", "arg": "1.0"}})
TASK = st.fixed_dictionaries(
    {"all words": st.one_of(st.lists(TEXTS, max_size=3), st.just(["a"]), ESCAPE)},
    optional={"n": st.one_of(NUMBERS, ESCAPE), "where": WHERE, "unknown": st.just(1), "__entity": st.just({})},
)
OTHER = st.fixed_dictionaries({}, optional={"flag": st.one_of(st.booleans(), st.just(1), st.none())})
FACTS = st.fixed_dictionaries({}, optional={"task": st.one_of(TASK, st.just([])), "other": OTHER, "third": OTHER})


@given(facts=FACTS)
def test_same_answers_as_the_engine(points, facts):
    """Whatever the facts, checking them here or in the engine gives one answer."""
    ours, engines = (_ask(point, facts) for point in points)

    assert (ours.outcome, ours.reason, ours.policies) == (engines.outcome, engines.reason, engines.policies)


def test_common_facts_are_checked_here(points):
    """The property is not empty: good facts take the short way to a PERMIT, bad ones the long way to SILENCE."""
    good = {"task": {"all words": ["a", "é"], "where": {"deep": [[2], []], "type": False}}, "other": {"flag": True}}
    bad = {**good, "task": {**good["task"], "n": "7"}}
    fit = FactTypes(read_stub(STUB)).fit

    assert fit(good)
    assert _ask(points[0], good).outcome is _ask(points[1], good).outcome is Outcome.PERMIT
    assert not fit(bad)
    assert _ask(points[0], bad).reason is _ask(points[1], bad).reason is Reason.POLICY_ERROR


@pytest.mark.parametrize(
    "declared",
    ["type T = { e?: Agent };", "type T = { d?: decimal };", "type T = { s?: String }; entity String;"],
)
def test_other_types_are_left_to_the_engine(declared):
    """A context with an entity or extension type is never taken for checked, and nor is one beside it."""
    stub = read_stub(STUB + '@mcp_context("third")\n' + declared)

    assert not FactTypes(stub).fit({"task": {"all words": []}, "other": {}, "third": {}})
    understood = read_stub(STUB + '@mcp_context("third")\ntype T = { s?: String };')
    assert FactTypes(understood).fit({"task": {"all words": []}, "other": {}, "third": {}})
