"""Replaying decisions of the past: what is certain, what is not known, what would have changed."""

import json

from sealgate.policy import DecisionPoint
from sealgate.policy.history import Past, kept_of, replay

TOOLS = [
    {"name": "pay", "inputSchema": {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}},
    {"name": "read", "inputSchema": {"type": "object", "properties": {}}},
]


def point(policies):
    """A decision point of these policies."""
    value = {
        "format": "sealgate-policy/v1",
        "schema": None,
        "policies": [{"id": "p", "text": policies}],
        "tools": [{"server": "bank", "tools": TOOLS}],
        "limits": [],
        "entities": [],
    }
    return DecisionPoint.from_bundle(json.dumps(value).encode())


def past(tool="pay", outcome="PERMIT", **more):
    """One decision of the past."""
    return Past("r1", "a", tool, ("tool_server", "bank"), outcome, **more)


def test_without_arguments_only_the_certain_is_said():
    """A rule on arguments is not known; one on the tool alone is."""
    on_arguments = point(
        'permit (principal, action, resource) when { context.input has to && context.input.to == "x" };'
    )
    on_tools = point('permit (principal, action == Action::"read", resource);')

    assert replay(on_tools, [past()]).changes[0].outcome == "SILENCE"
    assert replay(on_tools, [past("read")]).same == 1
    assert (
        replay(
            point('permit (principal, action == Action::"pay", resource) when { context.input.to == "x" };'), [past()]
        ).unknown
        == 1
    )
    del on_arguments


def test_with_arguments_everything_is():
    """Runs bring the arguments, so that a rule on them is asked again."""
    rule = point('permit (principal, action == Action::"pay", resource) when { context.input.to == "bob" };')

    report = replay(rule, [past(arguments={"to": "bob"}), past(arguments={"to": "eve"})])

    assert (report.same, len(report.changes)) == (1, 1)
    assert report.changes[0].as_json()["would_be"] == "SILENCE"


def test_kept_facts_of_the_record_are_asked_again():
    """Provenance that was recorded serves a rule on it; what was not recorded is not known."""
    rule = point(
        'permit (principal, action == Action::"pay", resource) when { context.provenance.to.contains("person") };'
    )
    body = {"kept": {"session": None, "provenance": [{"argument": "to", "origins": ["untrusted"]}]}}

    report = replay(rule, [past(kept=kept_of(body)), past()])

    assert [change.outcome for change in report.changes] == ["SILENCE"]
    assert report.unknown == 1


def test_what_no_policy_decided_is_left_out():
    """A pause is not the policy set's doing."""
    report = replay(point("permit (principal, action, resource);"), [past(outcome="DENY", reason="agent_paused")])

    assert (report.left_out, report.decisions) == (1, 1)


def test_unknown_tool_is_certain():
    """A tool that the new set does not publish would be silent."""
    assert replay(point("permit (principal, action, resource);"), [past("gone")]).changes[0].reason == "unknown_tool"
