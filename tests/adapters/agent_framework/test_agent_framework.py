"""The Microsoft Agent Framework behind the gate."""

import pytest

from bench.frameworks import agent_framework as driver
from tests.adapters import matrix


@pytest.mark.parametrize(("case", "shape"), matrix.cases(driver))
def test_matrix(world, case, shape):
    """Every case in every shape."""
    matrix.check(driver, world, case, shape)


@pytest.mark.parametrize("case", matrix.approvals(driver))
def test_approval(world, case):
    """The model asks again."""
    matrix.check_approval(world, case)


@pytest.mark.parametrize(
    ("call", "ran", "seen"),
    [
        (("pay", {"to": "bob", "amount": 5}), [("pay", {"to": "bob", "amount": 5})], "pay done"),
        (("pay", {"to": "mallory", "amount": 5}), [], "policy"),
        (("tip", {"to": "bob", "amount": 80}), [("tip", {"to": "bob", "amount": 50})], "tip done"),
    ],
)
def test_as_an_interceptor_of_agent_hooks(world, call, ran, seen):
    """The same judgement through the neutral contract, in front of the framework's own loop."""
    import asyncio

    from agent_framework import Agent, create_agent_hooks_middleware, tool

    from bench.frameworks.world import Bodies
    from sealgate.integrations import agent_framework as adapter

    bodies, gate = Bodies(), world.gate()
    adapter.install(gate)
    client = driver.Scripted([call])
    tools = [tool(body, approval_mode="never_require") for body in bodies.functions().values()]
    middleware = create_agent_hooks_middleware([adapter.Interceptor(gate)])
    asyncio.run(Agent(client, tools=tools, middleware=[middleware]).run("go"))
    assert bodies.ran == ran
    assert seen in "\n".join(client.heard)
