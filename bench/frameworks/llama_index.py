"""LlamaIndex's workflow agents with its scripted model."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, Final

from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.tools import FunctionTool

from bench.frameworks.cases import Call, run_again
from bench.frameworks.world import Bodies
from sealgate.integrations import llama_index as adapter
from sealgate.integrations.core import Gate

name: Final = "llama-index"
shapes: Final = ("async", "handoff", "direct", "direct async")
_ids = itertools.count()


def scripted(calls: list[Call], heard: list[str]) -> Any:
    """Make a model that makes the calls in one message, then ends."""
    script = [
        [ToolCallBlock(tool_call_id=f"c{next(_ids)}", tool_name=made, tool_kwargs=dict(given)) for made, given in calls]
    ]

    def answer(messages: Any, **options: Any) -> Any:
        del options
        heard.append(str(messages))
        blocks = script.pop(0) if script else [TextBlock(text="end")]
        return ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks)

    return MockFunctionCallingLLM(response_generator=answer, is_chat_model=True)


def run(gate: Gate, bodies: Bodies, calls: list[Call], shape: str) -> str:
    """Drive one agent, one that another hands off to, or the tools themselves."""
    adapter.install(gate)
    tools = [FunctionTool.from_defaults(body) for body in bodies.functions().values()]
    by_name = {made.metadata.name: made for made in tools}
    if shape == "direct":
        return "\n".join(str(by_name[made].call(**given)) for made, given in calls)
    if shape == "direct async":
        return "\n".join(str(asyncio.run(by_name[made].acall(**given))) for made, given in calls)
    heard: list[str] = []
    child = FunctionAgent(name="child", description="works", tools=tools, llm=scripted(calls, heard), streaming=False)
    agents = [child]
    if shape == "handoff":
        script: list[Call] = [("handoff", {"to_agent": "child", "reason": "go"})]
        parent = FunctionAgent(
            name="parent",
            description="asks",
            tools=[],
            llm=scripted(script, heard),
            streaming=False,
            can_handoff_to=["child"],
        )
        agents = [parent, child]

    async def drive() -> None:
        await AgentWorkflow(agents=agents, root_agent=agents[0].name).run(user_msg="go")

    asyncio.run(drive())
    return "\n".join(heard)


def approve(gate: Gate, bodies: Bodies, call: Call, answer: Callable[[], None]) -> str:
    """The model is told, and asks again."""
    import sys  # noqa: PLC0415  # this module is the driver

    return run_again(sys.modules[__name__], gate, bodies, call, answer)  # type: ignore[arg-type]  # a module is one
