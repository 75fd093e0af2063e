"""Agents of the OpenAI Agents SDK with a scripted model."""

import asyncio
import itertools
import json
import os
from collections.abc import Callable
from typing import Any, Final

os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"

from agents import Agent, Runner, function_tool, handoff  # tracing is off before
from agents.testing import ScriptedModel, assistant_message, function_call

from bench.frameworks.cases import Call
from bench.frameworks.world import Bodies
from sealgate.integrations import openai_agents as adapter
from sealgate.integrations.core import Gate

name: Final = "openai-agents"
shapes: Final = ("sync", "async", "stream", "sub-agent", "handoff")


_ids = itertools.count()


def scripted(calls: list[Call]) -> Any:
    """Make a model that makes the calls in one message, then ends."""
    asked = [function_call(tool, json.dumps(args), call_id=f"c{next(_ids)}") for tool, args in calls]
    return ScriptedModel(
        [[assistant_message("I will"), *asked], [assistant_message("end")], [assistant_message("end")]]
    )


def agent_of(bodies: Bodies, calls: list[Call], named: str = "child") -> Any:
    """Make an agent with the tools."""
    return Agent(name=named, model=scripted(calls), tools=[function_tool(body) for body in bodies.functions().values()])


def run(gate: Gate, bodies: Bodies, calls: list[Call], shape: str) -> str:
    """Drive one agent, or a parent that uses it as a tool, or hands off to it."""
    adapter.install(gate)
    child = agent_of(bodies, calls)
    if shape == "sync":
        return results(Runner.run_sync(child, "go").new_items)
    if shape == "async":
        return results(asyncio.run(Runner.run(child, "go")).new_items)
    if shape == "stream":
        return asyncio.run(_streamed(child))
    if shape == "handoff":
        parent = Agent(name="parent", model=scripted([("transfer_to_child", {})]), handoffs=[handoff(child)])
        return results(asyncio.run(Runner.run(parent, "go")).new_items)
    seen: list[Any] = []

    async def keep(result: Any) -> str:
        seen.extend(result.new_items)
        return "delegated"

    tool = child.as_tool("delegate", "asks the child", custom_output_extractor=keep)
    tool.params_json_schema = {"type": "object", "properties": {"input": {"type": "string"}}}
    parent = Agent(name="parent", model=scripted([("delegate", {"input": "go"})]), tools=[tool])
    done = asyncio.run(Runner.run(parent, "go"))
    return results(seen) + results(done.new_items)


async def _streamed(agent: Any) -> str:
    result = Runner.run_streamed(agent, "go")
    async for _ in result.stream_events():
        pass
    return results(result.new_items)


def results(items: list[Any]) -> str:
    """Return what the tools answered."""
    return "\n".join(str(item.output) for item in items if item.type == "tool_call_output_item")


def approve(gate: Gate, bodies: Bodies, call: Call, answer: Callable[[], None]) -> str:
    """Interrupt, grant, approve the state, go on."""
    adapter.install(gate)
    agent = agent_of(bodies, [call])
    paused = asyncio.run(Runner.run(agent, "go"))
    answer()
    state = paused.to_state()
    for item in paused.interruptions:
        state.approve(item)
    done = asyncio.run(Runner.run(agent, state))
    return f"approve {len(paused.interruptions)}\n" + results(done.new_items)
