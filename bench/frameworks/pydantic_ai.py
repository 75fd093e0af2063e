"""Pydantic AI's agents with a model that is a function."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, RunContext
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import DeltaToolCall, FunctionModel

from bench.frameworks.cases import Call
from bench.frameworks.world import Bodies
from sealgate.integrations import pydantic_ai as adapter
from sealgate.integrations.core import Gate

name: Final = "pydantic-ai"
shapes: Final = ("sync", "async", "stream", "sub-agent")


def scripted(calls: list[Call]) -> Any:
    """Make a model that makes the calls in one message, then ends."""

    def answer(messages: list[Any], info: Any) -> Any:
        del info
        if any(isinstance(message, ModelResponse) for message in messages):
            return ModelResponse(parts=[TextPart("end")])
        asked = [ToolCallPart(tool, dict(args), tool_call_id=f"c{place}") for place, (tool, args) in enumerate(calls)]
        return ModelResponse(parts=[TextPart("I will"), *asked])

    async def stream(messages: list[Any], info: Any) -> AsyncIterator[Any]:
        for place, part in enumerate(answer(messages, info).parts):
            if isinstance(part, TextPart):
                if len(messages) > 1:
                    yield part.content
            else:
                call = DeltaToolCall(part.tool_name, part.args_as_json_str(), tool_call_id=part.tool_call_id)
                yield {place: call}

    return FunctionModel(answer, stream_function=stream)


def agent_of(gate: Gate, bodies: Bodies, calls: list[Call], **options: Any) -> Any:
    """Make an agent with the tools and the gate."""
    tools = list(bodies.functions().values())
    return Agent(scripted(calls), tools=tools, capabilities=[adapter.GateCapability(gate)], **options)


def results(messages: list[Any]) -> str:
    """Return what the tools answered."""
    parts = [part for message in messages for part in message.parts]
    return "\n".join(str(part.content) for part in parts if isinstance(part, ToolReturnPart))


def run(gate: Gate, bodies: Bodies, calls: list[Call], shape: str) -> str:
    """Drive one agent, or a parent whose tool asks a child that only ``install`` gates."""
    if shape == "sub-agent":
        return _sub_agent(gate, bodies, calls)
    agent = agent_of(gate, bodies, calls)
    if shape == "stream":
        return asyncio.run(_streamed(agent))
    done = agent.run_sync("go") if shape == "sync" else asyncio.run(agent.run("go"))
    return results(done.all_messages())


async def _streamed(agent: Any) -> str:
    async with agent.run_stream("go") as stream:
        await stream.get_output()
        return results(stream.all_messages())


def _sub_agent(gate: Gate, bodies: Bodies, calls: list[Call]) -> str:
    adapter.install(gate)
    child = Agent(scripted(calls), tools=list(bodies.functions().values()))
    seen: list[str] = []

    async def delegate(ctx: RunContext[None], request: str) -> str:
        del ctx
        seen.append(results((await child.run(request)).all_messages()))
        return "delegated"

    parent: Any = Agent(scripted([("delegate", {"request": "go"})]), tools=[delegate])
    seen.append(results(asyncio.run(parent.run("go")).all_messages()))
    return "\n".join(seen)


def approve(gate: Gate, bodies: Bodies, call: Call, answer: Callable[[], None]) -> str:
    """Defer, grant, resume."""
    agent = agent_of(gate, bodies, [call], output_type=[str, DeferredToolRequests])
    first = asyncio.run(agent.run("go"))
    waiting = first.output
    answer()
    decided = DeferredToolResults(approvals={part.tool_call_id: True for part in waiting.approvals})
    again = agent.run(message_history=first.all_messages(), deferred_tool_results=decided)
    return str(waiting.metadata) + results(asyncio.run(again).all_messages())
