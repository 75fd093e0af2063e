"""CrewAI's agents with a scripted model."""

import asyncio
import itertools
import json
import os
from collections.abc import Callable
from typing import Any, Final

os.environ.update(CREWAI_DISABLE_TELEMETRY="true", OTEL_SDK_DISABLED="true", CREWAI_TRACING_ENABLED="false")

from crewai import Agent, Crew, Task  # telemetry is off before
from crewai.llms.base_llm import BaseLLM
from crewai.tools import tool as tool_of

from bench.frameworks.cases import Call, run_again
from bench.frameworks.world import Bodies
from sealgate.integrations import crewai as adapter
from sealgate.integrations.core import Gate

name: Final = "crewai"
shapes: Final = ("native", "async", "react", "kickoff", "direct", "functions")
_ids = itertools.count()


class Model(BaseLLM):
    """Says what the script says, and keeps what it was told."""

    script: Any = None
    native: bool = True
    heard: Any = None

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
        """Answer once with calls, then end."""
        del args, kwargs
        self.heard.append(messages if isinstance(messages, str) else [dict(message) for message in messages])
        if self.script:
            return self.script.pop(0)
        return "end" if self.native else "Thought: I know\nFinal Answer: end"

    async def acall(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
        """See ``call``."""
        return self.call(messages, *args, **kwargs)

    def supports_function_calling(self) -> bool:
        """Native or ReAct."""
        return self.native


def scripted(calls: list[Call], *, native: bool) -> Model:
    """Make a model that makes the calls: in one message, or one after the other in ReAct."""
    if native:
        asked: list[Any] = [
            [
                {
                    "id": f"c{next(_ids)}",
                    "type": "function",
                    "function": {"name": tool, "arguments": json.dumps(arguments)},
                }
                for tool, arguments in calls
            ]
        ]
    else:
        asked = [f"Thought: I will\nAction: {tool}\nAction Input: {json.dumps(args)}" for tool, args in calls]
    return Model(model="scripted", script=asked, native=native, heard=[])


def run(gate: Gate, bodies: Bodies, calls: list[Call], shape: str) -> str:
    """Drive a crew of one, an agent alone, or the tools themselves."""
    adapter.install(gate)
    functions = bodies.functions()
    if shape == "functions":
        model = scripted([], native=True)
        return "\n".join(
            str(model._handle_tool_execution(tool, dict(args), functions)) for tool, args in calls
        )  # the way that has no hook
    tools: list[Any] = [tool_of(body) for body in functions.values()]
    if shape == "direct":
        by_name = {made.name: made for made in tools}
        return "\n".join(str(by_name[tool].run(**args)) for tool, args in calls)
    model = scripted(calls, native=shape != "react")
    agent = Agent(role="worker", goal="work", backstory="works", tools=tools, llm=model, verbose=False)
    if shape == "kickoff":
        agent.kickoff("go")
        return heard(model)
    crew = Crew(agents=[agent], tasks=[Task(description="go", expected_output="end", agent=agent)], verbose=False)
    if shape == "async":
        asyncio.run(crew.akickoff())
    else:
        crew.kickoff()
    return heard(model)


def heard(model: Model) -> str:
    """Return all that the model was told."""
    return json.dumps(model.heard, default=str)


def approve(gate: Gate, bodies: Bodies, call: Call, answer: Callable[[], None]) -> str:
    """There is no way of its own but a blocking prompt: the model is told, and asks again."""
    import sys  # noqa: PLC0415  # this module is the driver

    return run_again(sys.modules[__name__], gate, bodies, call, answer)  # type: ignore[arg-type]  # a module is one
