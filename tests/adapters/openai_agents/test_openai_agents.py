"""The OpenAI Agents SDK behind the gate."""

import pytest

from bench.frameworks import openai_agents as driver
from tests.adapters import matrix


@pytest.mark.parametrize(("case", "shape"), matrix.cases(driver))
def test_matrix(world, case, shape):
    """Every case in every shape."""
    matrix.check(driver, world, case, shape)


@pytest.mark.parametrize("case", matrix.approvals(driver))
def test_approval(world, case):
    """By interruption, state and resume."""
    matrix.check_approval(world, case)


@pytest.mark.parametrize("hosted", [(), ("web_search",)])
def test_hosted_tools_are_refused_unless_allowed(world, hosted):
    """A tool without a local body stops the run before the model is asked, unless it is allowed by name."""
    from agents import Agent, Runner, WebSearchTool

    from sealgate.integrations import openai_agents as adapter
    from sealgate.sdk import NotCoverable

    adapter.install(world.gate(), hosted=hosted)
    agent = Agent(name="a", model=driver.scripted([]), tools=[WebSearchTool()])
    if hosted:
        assert Runner.run_sync(
            Agent(name="b", model=driver.ScriptedModel([[driver.assistant_message("end")]]), tools=[WebSearchTool()]),
            "go",
        ).final_output
        return
    with pytest.raises(NotCoverable, match="web_search"):
        Runner.run_sync(agent, "go")


@pytest.mark.parametrize("permitted", [True, False])
def test_a_gated_handoff_asks_first(world, permitted):
    """A hand-off that policy does not know ends the run; one that it permits goes through."""
    from agents import Agent, Runner

    from bench.frameworks.cases import PERMIT
    from bench.frameworks.world import Bodies
    from sealgate.integrations import openai_agents as adapter

    gate, bodies = world.gate(), Bodies()
    adapter.install(gate)
    made = adapter.gated_handoff(
        gate, driver.agent_of(bodies, [PERMIT]), tool_name_override="transfer_away" if not permitted else "handoff_free"
    )
    parent = Agent(name="parent", model=driver.scripted([(made.tool_name, {})]), handoffs=[made])
    if permitted:
        Runner.run_sync(parent, "go")
        assert bodies.ran == [PERMIT]
        return
    with pytest.raises(adapter.HandoffRefused):
        Runner.run_sync(parent, "go")
    assert bodies.ran == []
