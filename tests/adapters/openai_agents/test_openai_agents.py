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


@pytest.mark.parametrize("to", ["bob", "mallory"])
def test_tools_of_a_local_mcp_server_are_gated(world, to, tmp_path):
    """A real server over stdio: what is refused never reaches it."""
    import asyncio
    import sys

    from agents import Agent, Runner
    from agents.mcp import MCPServerStdio

    from sealgate.integrations import openai_agents as adapter

    adapter.install(world.gate())
    ran = tmp_path / "ran"
    (tmp_path / "server.py").write_text(_SERVER.format(ran=str(ran)))
    call = ("pay", {"to": to, "amount": 5})

    async def go():
        async with MCPServerStdio({"command": sys.executable, "args": [str(tmp_path / "server.py")]}) as server:
            await Runner.run(Agent(name="a", model=driver.scripted([call]), mcp_servers=[server]), "go")

    asyncio.run(go())
    assert ran.exists() is (to == "bob")


_SERVER = """
from pathlib import Path
try:
    from mcp.server import MCPServer as Server
except ImportError:
    from mcp.server.fastmcp import FastMCP as Server
server = Server("bench")
@server.tool()
def pay(to: str, amount: int) -> str:
    Path({ran!r}).write_text(to)
    return "pay done"
server.run()
"""


@pytest.mark.parametrize("made", ["LocalShellTool", "ApplyPatchTool", "ShellTool"])
def test_tools_with_executors_of_their_own_are_refused(world, made):
    """Shells and editors do not pass `on_invoke_tool`; no run begins with one, unless it is allowed by name."""
    import agents

    from sealgate.integrations import openai_agents as adapter
    from sealgate.sdk import NotCoverable

    def never(*args):
        raise AssertionError("ran")

    class Editor:
        create_file = update_file = delete_file = never

    tool = agents.ApplyPatchTool(editor=Editor()) if made == "ApplyPatchTool" else getattr(agents, made)(executor=never)
    adapter.install(world.gate())
    with pytest.raises(NotCoverable, match="ungated"):
        agents.Runner.run_sync(agents.Agent(name="a", model=driver.scripted([]), tools=[tool]), "go")
