"""LangChain agents with a scripted chat model."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from langchain.agents import create_agent, factory
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import StructuredTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command

from bench.frameworks.cases import Call
from bench.frameworks.world import Bodies
from sealgate.integrations import langchain as adapter
from sealgate.integrations.core import Gate

name: Final = "langchain"
shapes: Final = ("sync", "async", "stream", "sub-agent", "deepagents", "bare graph", "direct")


class Model(GenericFakeChatModel):
    """Says what the script says."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        """Ignore the tools."""
        del tools, kwargs
        return self


def scripted(calls: list[Call]) -> Model:
    """Make a model that makes the calls in one message, then ends."""
    asked = [{"name": tool, "args": dict(args), "id": f"c{place}"} for place, (tool, args) in enumerate(calls)]
    return Model(messages=iter([AIMessage(content="I will", tool_calls=asked), *[AIMessage(content="end")] * 3]))


def tools_of(bodies: Bodies) -> list[Any]:
    """Wrap the bodies."""
    return [StructuredTool.from_function(body) for body in bodies.functions().values()]


def results(messages: list[Any]) -> str:
    """Return what the tools answered."""
    return "\n".join(str(message.content) for message in messages if isinstance(message, ToolMessage))


def run(gate: Gate, bodies: Bodies, calls: list[Call], shape: str) -> str:
    """Drive one agent. Agents of the first three shapes have the middleware; the others only the backstop."""
    tools, start = tools_of(bodies), {"messages": [("user", "go")]}
    if shape in ("sync", "async", "stream"):
        agent = create_agent(scripted(calls), tools, middleware=[adapter.GateMiddleware(gate)])
        if shape == "async":
            return results(asyncio.run(agent.ainvoke(start))["messages"])
        if shape == "stream":
            return results([state["messages"] for state in agent.stream(start, stream_mode="values")][-1])
        return results(agent.invoke(start)["messages"])
    adapter.install(gate)
    if shape == "direct":
        return "\n".join(str(_tool(tools, tool).invoke(dict(args))) for tool, args in calls)
    if shape == "sub-agent":
        return _sub_agent(tools, calls)
    if shape == "deepagents":
        return _deep(tools, calls)
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode(tools))
    graph.add_edge(START, "tools")
    message = scripted(calls).invoke("go")
    return results(graph.compile().invoke({"messages": [message]})["messages"])


def _tool(tools: list[Any], named: str) -> Any:
    return next(tool for tool in tools if tool.name == named)


def _sub_agent(tools: list[Any], calls: list[Call]) -> str:
    """A parent whose tool asks a child made by the framework's own unpatched function."""
    seen: list[str] = []

    def delegate(request: str) -> str:
        """Ask the child."""
        child = factory.create_agent.__wrapped__(scripted(calls), tools)
        seen.append(results(child.invoke({"messages": [("user", request)]})["messages"]))
        return "delegated"

    parent = create_agent(scripted([("delegate", {"request": "go"})]), [StructuredTool.from_function(delegate)])
    seen.append(results(parent.invoke({"messages": [("user", "go")]})["messages"]))
    return "\n".join(seen)


def _deep(tools: list[Any], calls: list[Call]) -> str:
    from deepagents import create_deep_agent  # noqa: PLC0415  # heavy, and only this shape needs it

    agent = create_deep_agent(model=scripted(calls), tools=tools)
    return results(agent.invoke({"messages": [("user", "go")]})["messages"])


def approve(gate: Gate, bodies: Bodies, call: Call, answer: Callable[[], None]) -> str:
    """Interrupt, grant, resume."""
    agent = create_agent(
        scripted([call]), tools_of(bodies), middleware=[adapter.GateMiddleware(gate)], checkpointer=InMemorySaver()
    )
    config: Any = {"configurable": {"thread_id": "t1"}}
    paused = agent.invoke({"messages": [("user", "go")]}, config)
    why = str(paused["__interrupt__"][0].value["why"])
    answer()
    return why + results(agent.invoke(Command(resume="approve"), config)["messages"])
