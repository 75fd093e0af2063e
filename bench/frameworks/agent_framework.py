"""Agents of the Microsoft Agent Framework with a scripted chat client."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

from agent_framework import (
    Agent,
    BaseChatClient,
    ChatMiddlewareLayer,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    FunctionInvocationLayer,
    Message,
    ResponseStream,
    tool,
)

from bench.frameworks.cases import Call, run_again
from bench.frameworks.world import Bodies
from sealgate.integrations import agent_framework as adapter
from sealgate.integrations.core import Gate

name: Final = "agent-framework"
shapes: Final = ("async", "stream", "sub-agent", "direct")
_ids = itertools.count()


class Scripted(FunctionInvocationLayer, ChatMiddlewareLayer, BaseChatClient):
    """Says what the script says, and keeps what it was told."""

    def __init__(self, calls: list[Call]) -> None:
        super().__init__()
        self.script = [calls]
        self.heard: list[str] = []

    def _next(self, messages: Sequence[Any]) -> list[Any]:
        self.heard += [str(content.to_dict()) for message in messages for content in message.contents]
        calls = self.script.pop(0) if self.script else []
        made = [
            Content.from_function_call(f"c{next(_ids)}", called, arguments=json.dumps(given)) for called, given in calls
        ]
        return made or [Content.from_text("end")]

    def _inner_get_response(
        self, *, messages: Sequence[Any], stream: bool, options: Mapping[str, Any], **kwargs: Any
    ) -> Any:
        del options, kwargs
        contents = self._next(messages)
        if stream:

            async def updates() -> AsyncIterator[Any]:
                yield ChatResponseUpdate(role="assistant", contents=contents)

            return ResponseStream(updates(), finalizer=ChatResponse.from_updates)

        async def answer() -> Any:
            return ChatResponse(messages=[Message(role="assistant", contents=contents)])

        return answer()


def run(gate: Gate, bodies: Bodies, calls: list[Call], shape: str) -> str:
    """Drive one agent, one that serves another as a tool, or the tools themselves."""
    adapter.install(gate)
    return asyncio.run(_drive(bodies, calls, shape))


async def _drive(bodies: Bodies, calls: list[Call], shape: str) -> str:
    tools = {made: tool(body, approval_mode="never_require") for made, body in bodies.functions().items()}
    if shape == "direct":
        done = [await tools[made].invoke(arguments=given) for made, given in calls]
        return "\n".join(str(content.text) for contents in done for content in contents)
    client = Scripted(calls)
    agent = Agent(client, name="child", tools=list(tools.values()))
    if shape == "stream":
        async for _ in agent.run("go", stream=True):
            pass
    elif shape == "sub-agent":
        asking = Scripted([("delegate", {"task": "go"})])
        await Agent(asking, name="parent", tools=[agent.as_tool(name="delegate")]).run("go")
        client.heard += asking.heard
    else:
        await agent.run("go")
    return "\n".join(client.heard)


def approve(gate: Gate, bodies: Bodies, call: Call, answer: Callable[[], None]) -> str:
    """The model is told, and asks again."""
    import sys  # noqa: PLC0415  # this module is the driver

    return run_again(sys.modules[__name__], gate, bodies, call, answer)  # type: ignore[arg-type]  # a module is one
