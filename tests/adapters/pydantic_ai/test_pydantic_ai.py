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


@pytest.mark.parametrize("hosted", [(), ("web_search",)])
def test_provider_tools_are_refused_unless_allowed(world, hosted):
    """No model is asked with a tool that the provider runs itself, unless its kind is allowed."""
    from pydantic_ai import Agent, WebSearchTool
    from pydantic_ai.capabilities import NativeTool
    from pydantic_ai.models.test import TestModel
    from pydantic_ai.profiles import ModelProfile

    from sealgate.integrations.pydantic_ai import GateCapability
    from sealgate.sdk import NotCoverable

    model = TestModel(profile=ModelProfile(supported_native_tools=frozenset({WebSearchTool})))
    gate = GateCapability(world.gate(), frozenset(hosted))
    agent = Agent(model, capabilities=[NativeTool(WebSearchTool()), gate])
    if hosted:
        # The scripted model has no such tool of its own, and says so only once it is asked.
        with pytest.raises(Exception, match="TestModel"):
            agent.run_sync("go")
        return
    with pytest.raises(NotCoverable, match="web_search"):
        agent.run_sync("go")


@pytest.mark.parametrize("edited", [True, False])
def test_an_approval_with_other_arguments_is_another_call(world, edited):
    """Whoever answers in front of the framework may change the arguments there; nobody has approved those."""
    import asyncio

    from pydantic_ai import DeferredToolRequests, DeferredToolResults, ToolApproved

    from bench.frameworks.approvals import new_call
    from bench.frameworks.world import Bodies

    bodies, call = Bodies(), new_call()
    agent = driver.agent_of(world.gate(), bodies, [call], output_type=[str, DeferredToolRequests])
    first = asyncio.run(agent.run("go"))
    world.answer(call, grant=True)
    approved = ToolApproved(override_args={**call[1], "to": "mallory"} if edited else None)
    decided = DeferredToolResults(approvals={part.tool_call_id: approved for part in first.output.approvals})
    asyncio.run(agent.run(message_history=first.all_messages(), deferred_tool_results=decided))
    assert bodies.ran == ([] if edited else [call])
