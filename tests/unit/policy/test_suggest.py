"""Proposed policies: what is permitted, what is left out, and that a proposal is a function of its input."""

import pytest

from sealgate.policy.stub import DEFAULT_STUB, read_stub
from sealgate.policy.suggest import Call, suggest
from sealgate.policy.tool_classes import classify
from sealgate.policy.tools import read_tool


def tool(name, *required, annotations=None, **properties):
    """A tool definition; every property is a string unless it says more."""
    given = {key: value if isinstance(value, dict) else {"type": value} for key, value in properties.items()}
    return {
        "name": name,
        "annotations": annotations or {},
        "inputSchema": {"type": "object", "properties": given, "required": list(required)},
    }


TOOLS = [
    tool("get_balance"),
    tool("get_weather", city="string"),
    tool("send_money", "recipient", "amount", recipient="string", amount="number"),
    tool("delete_file", "file_id", file_id="string"),
    tool("delete_account", "account_id", account_id="string"),
    tool("update_password", "password", password="string"),
]
TASKS = ["What is my balance?", "Delete the largest file", "Please pay 40 to bob", "Change my password to 'x'"]


def proposal(tasks=TASKS, runs=()):
    """A proposal for the tools."""
    tools = [(read_tool(item, "bank"), item) for item in TOOLS]
    return suggest(read_stub(DEFAULT_STUB), tools, tasks, runs, agent="helper")


@pytest.mark.parametrize(
    ("definition", "effect"),
    [
        (tool("get_balance"), "read"),
        (tool("send_money"), "write"),
        (tool("delete_file"), "irreversible"),
        (tool("frobnicate"), "write"),
        (tool("frobnicate", annotations={"readOnlyHint": True}), "read"),
        (tool("send_money", annotations={"readOnlyHint": True}), "write"),
        (tool("get_balance", annotations={"destructiveHint": True}), "irreversible"),
        (tool("deleteFile"), "irreversible"),
    ],
)
def test_annotations_only_make_it_worse(definition, effect):
    """A server that calls its sending tool read-only is not believed."""
    assert classify(read_tool(definition, "s"), definition).effect == effect


def test_only_what_a_task_could_need():
    """Tools that no task speaks of stay silent, and it is said why."""
    found = proposal()

    assert set(found.left_out) == {"get_weather", "delete_account"}
    assert '@id("suggested.get_balance")' in found.policies["permits"]
    assert '@id("suggested.delete_file")' in found.policies["permits"]
    assert "delete_account (" in found.policies["permits"]


def test_a_benign_run_is_a_reason():
    """What a benign run used is permitted, and the rule says so."""
    found = proposal(runs=[[Call("get_weather", {"city": "x"})]])

    assert "get_weather is permitted because 1 calls of benign runs used it" in found.policies["permits"]


def test_every_rule_says_why():
    """Each policy has a comment above it."""
    for text in proposal().policies.values():
        blocks = [block for block in text.split("\n\n") if "@id(" in block]
        assert blocks
        assert all(block.lstrip().startswith("//") for block in blocks)


def test_guards_and_limits():
    """Where money goes and what grants access must be proven; amounts and deletions are bounded."""
    found = proposal(runs=[[Call("send_money", {"recipient": "bob", "amount": 120})]])

    guards = found.policies["guards"]
    assert '@id("suggested.send_money.recipient-unproven")' in guards
    assert 'context.provenance["password"].contains("person")' in guards
    limits = {limit["id"]: limit["max"] for limit in found.limits}
    assert limits == {"suggested.send_money.amount": "240", "suggested.delete_file.count": 1}


def test_no_task_no_permit():
    """Nothing is needed, nothing is permitted: a set that forbids all, and loads."""
    found = proposal(tasks=["hello"])

    assert "permit (" not in found.policies["permits"]


def test_deterministic():
    """The same input gives the same text."""
    assert proposal() == proposal()
