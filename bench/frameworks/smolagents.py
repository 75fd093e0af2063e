"""Agents of smolagents with a scripted model."""

import itertools
from collections.abc import Callable
from typing import Any, Final

from smolagents import CodeAgent, ToolCallingAgent, tool
from smolagents.models import (
    ChatMessage,
    ChatMessageToolCall,
    ChatMessageToolCallFunction,
    MessageRole,
    Model,
)

from bench.frameworks.cases import Call, run_again
from bench.frameworks.world import Bodies
from sealgate.integrations import smolagents as adapter
from sealgate.integrations.core import Gate

name: Final = "smolagents"
shapes: Final = ("sync", "code", "sub-agent", "direct")
_ids = itertools.count()


class Scripted(Model):
    """Says what the script says, and keeps what it was told."""

    def __init__(self, script: list[Any]) -> None:
        super().__init__(model_id="scripted")
        self.script = script
        self.heard: list[str] = []

    def generate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
        """Answer once with calls, then end."""
        del args, kwargs
        self.heard.append(str(messages))
        content, calls = self.script.pop(0) if self.script else ("", [("final_answer", {"answer": "end"})])
        if not self.script and not calls and not content:
            content = "end"
        asked = [
            ChatMessageToolCall(
                function=ChatMessageToolCallFunction(name=made, arguments=dict(given)),
                id=f"c{next(_ids)}",
                type="function",
            )
            for made, given in calls
        ]
        return ChatMessage(role=MessageRole.ASSISTANT, content=content, tool_calls=asked or None)


def _tools(bodies: Bodies) -> list[Any]:
    return [tool(body) for body in bodies.functions().values()]


def run(gate: Gate, bodies: Bodies, calls: list[Call], shape: str) -> str:
    """Drive one agent, one that writes code, one that another manages, or the tools themselves."""
    adapter.install(gate)
    tools = _tools(bodies)
    if shape == "direct":
        by_name = {made.name: made for made in tools}
        return "\n".join(str(by_name[made](**given)) for made, given in calls)
    if shape == "code":
        lines = [f"print({made}(**{given!r}))" for made, given in calls]
        model = Scripted(
            [("<code>\n" + "\n".join(lines) + "\n</code>", []), ('<code>\nfinal_answer("end")\n</code>', [])]
        )
        CodeAgent(tools=tools, model=model, verbosity_level=0).run("go")
        return "\n".join(model.heard)
    model = Scripted([("I will", calls)])
    agent = ToolCallingAgent(tools=tools, model=model, verbosity_level=0, name="child", description="works")
    if shape == "sync":
        agent.run("go")
        return "\n".join(model.heard)
    manager = Scripted([("I will", [("child", {"task": "go"})])])
    ToolCallingAgent(tools=[], model=manager, managed_agents=[agent], verbosity_level=0).run("go")
    return "\n".join(model.heard)


def approve(gate: Gate, bodies: Bodies, call: Call, answer: Callable[[], None]) -> str:
    """The model is told, and asks again."""
    import sys  # noqa: PLC0415  # this module is the driver

    return run_again(sys.modules[__name__], gate, bodies, call, answer)  # type: ignore[arg-type]  # a module is one
