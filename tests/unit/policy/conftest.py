"""A small bundle that the policy tests share."""

import pytest

from sealgate.policy import DecisionPoint, PolicyRequest

POLICIES = """
@id("pay") @obligation("redact:subject notify:treasury")
permit(principal in Role::"payer", action == Action::"send_money", resource == McpServer::"bank")
when { context.input.amount.lessThanOrEqual(decimal("100.0")) };
@id("blocked") forbid(principal, action == Action::"send_money", resource)
when { context.input.recipient == "BLOCKED" };
@id("read") permit(principal in Role::"payer", action == Action::"read_file", resource)
when { context.normalized.path.path like "/data/*" };
@id("wire") @require_approval("treasurer:2")
permit(principal in Role::"payer", action == Action::"wire", resource);
@id("overflow") permit(principal in Role::"payer", action == Action::"count", resource)
when { context.input.n + 9223372036854775807 > 0 };
"""
TOOLS = [
    {
        "name": "send_money",
        "inputSchema": {
            "type": "object",
            "properties": {
                "recipient": {"type": "string"},
                "amount": {"type": "number"},
                "subject": {"type": "string"},
                "urgent": {"type": "boolean"},
            },
            "required": ["recipient", "amount"],
        },
    },
    {
        "name": "read_file",
        "inputSchema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    },
    {"name": "wire", "inputSchema": {"type": "object", "properties": {}}},
    {"name": "count", "inputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
]
ENTITIES = [
    {"uid": {"type": "Agent", "id": "a1"}, "attrs": {}, "parents": [{"type": "Role", "id": "payer"}]},
    {"uid": {"type": "Role", "id": "payer"}, "attrs": {}, "parents": []},
]


@pytest.fixture(name="bundle")
def _bundle():
    """A factory of bundles: what is given replaces a member."""

    def make(**members):
        return {
            "format": "sealgate-policy/v1",
            "schema": None,
            "policies": [{"id": "bank", "text": POLICIES}],
            "tools": [{"server": "bank", "tools": TOOLS}],
            "limits": [],
            "entities": ENTITIES,
            **members,
        }

    return make


@pytest.fixture(name="point")
def _point(bundle):
    """A factory of decision points."""
    return lambda **members: DecisionPoint.from_bundle(bundle(**members))


@pytest.fixture(name="ask")
def _ask():
    """A factory of requests of agent a1 on the bank."""

    def make(tool, arguments=None, *, agent="a1", facts=None):
        return PolicyRequest(("agent", agent), tool, ("tool_server", "bank"), arguments or {}, facts or {})

    return make
