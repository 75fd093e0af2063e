"""Agents of Strands with a scripted model."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from strands import Agent, tool
from strands.models import Model

from bench.frameworks.cases import Call, run_again
from bench.frameworks.world import Bodies
from sealgate.integrations import strands as adapter
from sealgate.integrations.core import Gate

name: Final = "strands"
shapes: Final = ("sync", "async", "stream", "sub-agent", "direct")
_ids = itertools.count()


class Scripted(Model):
    """Says what the script says, and keeps what it was told."""

    def __init__(self, calls: list[Call]) -> None:
        self.script = [calls]
        self.heard: list[str] = []

    def update_config(self, **config: Any) -> None:
        """Take no configuration."""

    def get_config(self) -> Any:
        """Return none."""
        return {}

    def structured_output(self, *args: Any, **kwargs: Any) -> Any:
        """Have none."""
        raise NotImplementedError

    async def stream(self, messages: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Answer once with calls, then end."""
        del args, kwargs
        self.heard.append(str(messages))
        calls = self.script.pop(0) if self.script else []
        yield {"messageStart": {"role": "assistant"}}
        yield {"contentBlockStart": {"start": {}}}
        yield {"contentBlockDelta": {"delta": {"text": "I will" if calls else "end"}}}
        yield {"contentBlockStop": {}}
        for made, given in calls:
            yield {"contentBlockStart": {"start": {"toolUse": {"name": made, "toolUseId": f"c{next(_ids)}"}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(given)}}}}
            yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use" if calls else "end_turn"}}


def run(gate: Gate, bodies: Bodies, calls: list[Call], shape: str) -> str:
    """Drive one agent, one inside of another's tool, or the tools themselves."""
    adapter.install(gate)
    model = Scripted(calls)
    tools = [tool(body) for body in bodies.functions().values()]
    agent = Agent(model=model, tools=tools, callback_handler=None)
    if shape == "direct":
        return "\n".join(
            str(getattr(agent.tool, made)(**given, record_direct_tool_call=False)) for made, given in calls
        )
    if shape == "async":
        asyncio.run(agent.invoke_async("go"))
    elif shape == "stream":
        asyncio.run(_stream(agent))
    elif shape == "sub-agent":

        def delegate(request: str) -> str:
            """Ask the child."""
            return str(agent(request))

        asking = Scripted([("delegate", {"request": "go"})])
        Agent(model=asking, tools=[tool(delegate)], callback_handler=None)("go")
        model.heard += asking.heard
    else:
        agent("go")
    return "\n".join(model.heard)


async def _stream(agent: Any) -> None:
    async for _ in agent.stream_async("go"):
        pass


def approve(gate: Gate, bodies: Bodies, call: Call, answer: Callable[[], None]) -> str:
    """The model is told, and asks again."""
    import sys  # noqa: PLC0415  # this module is the driver

    return run_again(sys.modules[__name__], gate, bodies, call, answer)  # type: ignore[arg-type]  # a module is one
