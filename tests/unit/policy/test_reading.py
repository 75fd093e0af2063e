"""The reading policies that ship: every role, operation and part, against a table written by hand."""

import itertools

import pytest

from sealgate.adapters import reading_policies
from sealgate.model.errors import ConfigurationError, InputError
from sealgate.policy.reading import EVERYTHING, READING_OPERATIONS, ROLES, Box, Part, Reading, ReadingPoint

OWN = Box(frozenset({"a1"}), None, 0, 100)
ENVELOPE = {Part.ENVELOPE, Part.DECISION}
ASK = {"trace", "search", "aggregate", "explain"}
#            without a reason          with one                    over all agents   parts seen with a reason
TABLE = {
    "agent": ({"trace", "search", "explain"}, {"trace", "search", "explain"}, False, ENVELOPE),
    "developer": (ASK, ASK, False, ENVELOPE),
    "analyst": (ASK | {"status"}, ASK | {"status"}, True, ENVELOPE),
    "investigator": (set(), ASK | {"status", "export"}, True, set(Part)),
    "compliance": (ASK | {"status"}, ASK | {"status", "export"}, True, set(Part) - {Part.CONTENT}),
    "administrator": ({"status", "rebuild"}, {"status", "rebuild"}, True, set()),
    "auditor": (set(), ASK | {"status", "export"}, False, set(Part)),
}


@pytest.fixture(name="point", scope="module")
def _point() -> ReadingPoint:
    return reading_policies.load()


def _reading(role: str) -> Reading:
    boxed = role == "auditor"
    box = Box(frozenset({"a1", "a3"}), None, 0, 1000) if boxed else EVERYTHING
    return Reading("who", role, frozenset({"a1", "a2"}), box=box, boxed=boxed, valid_until_ms=10_000)


def test_the_table_has_every_role():
    """No role is left untested."""
    assert set(TABLE) == set(ROLES)


@pytest.mark.parametrize(("role", "operation"), list(itertools.product(ROLES, READING_OPERATIONS)))
def test_each_role_may_ask_what_the_table_says(point, role, operation):
    """With and without a reason, within its own agents and beyond them."""
    without, with_reason, beyond, seen = TABLE[role]
    for reasoned, may in ((False, without), (True, with_reason)):
        sight = point.judge(_reading(role), operation, OWN, now_ms=5, reasoned=reasoned)
        assert sight.allowed is (operation in may), (reasoned, sight.message)
        if sight.allowed and operation not in {"status", "rebuild"}:
            expected = seen if reasoned else seen - {Part.CONTENT}
            assert sight.parts == expected
    everything = point.judge(_reading(role), operation, EVERYTHING, now_ms=5, reasoned=True)
    may = with_reason if beyond else with_reason & {"status"}
    assert everything.allowed is (operation in may)


@pytest.mark.parametrize(
    ("asked", "now_ms", "allowed"),
    [
        (Box(frozenset({"a1"}), frozenset({"decision"}), 100, 200), 500, True),
        (Box(frozenset({"a2"}), frozenset({"decision"}), 100, 200), 500, False),
        (Box(None, frozenset({"decision"}), 100, 200), 500, False),
        (Box(frozenset({"a1"}), frozenset({"access"}), 100, 200), 500, False),
        (Box(frozenset({"a1"}), frozenset({"*"}), 100, 200), 500, False),
        (Box(frozenset({"a1"}), None, 100, 200), 500, False),
        (Box(frozenset({"a1"}), frozenset({"decision"}), 99, 200), 500, False),
        (Box(frozenset({"a1"}), frozenset({"decision"}), 100, 201), 500, False),
        (Box(frozenset({"a1"}), frozenset({"decision"}), 100, 200), 399, False),
        (Box(frozenset({"a1"}), frozenset({"decision"}), 100, 200), 600, False),
    ],
)
def test_an_auditor_stays_in_the_box(point, asked, now_ms, allowed):
    """Agents, kinds, the records' time and the grant's own time all bound, to the millisecond."""
    reading = Reading(
        "eve",
        "auditor",
        frozenset(),
        box=Box(frozenset({"a1"}), frozenset({"decision"}), 100, 200),
        boxed=True,
        valid_from_ms=400,
        valid_until_ms=600,
    )

    assert point.judge(reading, "search", asked, now_ms=now_ms, reasoned=True).allowed is allowed


def test_nothing_is_allowed_that_no_policy_allows():
    """With one policy of an operator's own, only what it says; a part that none speaks of is hidden."""
    schema = "src/sealgate/policy/reading/schema.cedarschema"
    text = """
    @id("search") permit (principal in Role::"analyst", action == Action::"search", resource);
    @id("see") permit (principal in Role::"analyst", action == Action::"see", resource == Part::"envelope");
    """
    with open(schema, encoding="utf-8") as file:  # noqa: PTH123  # the shipped schema
        point = ReadingPoint({"own": text}, file.read())
    analyst = Reading("who", "analyst")

    assert point.judge(analyst, "search", OWN, now_ms=5, reasoned=True).parts == {Part.ENVELOPE}
    assert not point.judge(analyst, "trace", OWN, now_ms=5, reasoned=True).allowed
    assert not point.judge(Reading("who", "investigator"), "search", OWN, now_ms=5, reasoned=True).allowed


def test_a_policy_that_cannot_match_does_not_load(tmp_path):
    """An unknown attribute, or no policy at all, is refused; a good folder loads and has its own digest."""
    with pytest.raises(ConfigurationError):
        reading_policies.load(tmp_path)
    (tmp_path / "own.cedar").write_text("permit (principal, action, resource) when { principal.wealth > 3 };")
    with pytest.raises((ConfigurationError, InputError)):
        reading_policies.load(tmp_path)
    (tmp_path / "own.cedar").write_text('permit (principal in Role::"analyst", action, resource);')

    assert reading_policies.load(tmp_path).version != reading_policies.load().version
