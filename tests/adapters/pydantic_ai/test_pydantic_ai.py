"""Pydantic AI behind the gate."""

import pytest

from bench.frameworks import pydantic_ai as driver
from tests.adapters import matrix


@pytest.mark.parametrize(("case", "shape"), matrix.cases(driver))
def test_matrix(world, case, shape):
    """Every case in every shape."""
    matrix.check(driver, world, case, shape)


@pytest.mark.parametrize("case", matrix.approvals(driver))
def test_approval(world, case):
    """By deferral and resumption."""
    matrix.check_approval(world, case)


@pytest.mark.parametrize("to", ["bob", "mallory"])
def test_output_functions_are_gated(world, to):
    """A model may end with a function that acts; it is judged like a tool."""
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelResponse, ToolCallPart
    from pydantic_ai.models.function import FunctionModel

    from bench.frameworks.world import Bodies
    from sealgate.integrations import pydantic_ai as adapter

    bodies = Bodies()

    def answer(messages, info):
        return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, {"to": to, "amount": 5})])

    agent = Agent(
        FunctionModel(answer),
        output_type=bodies.functions()["pay"],
        capabilities=[adapter.GateCapability(world.gate())],
    )
    if to == "bob":
        agent.run_sync("go")
        assert bodies.ran == [("pay", {"to": "bob", "amount": 5})]
        return
    with pytest.raises(adapter.OutputRefused, match="never-mallory"):
        agent.run_sync("go")
    assert bodies.ran == []
