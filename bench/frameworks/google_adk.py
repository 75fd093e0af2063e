"""Google ADK's agents with a scripted model."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from google.adk.agents import LlmAgent
from google.adk.apps import App
from google.adk.models import BaseLlm, LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.agent_tool import AgentTool
from google.genai import types

from bench.frameworks.cases import Call
from bench.frameworks.world import Bodies
from sealgate.integrations import google_adk as adapter
from sealgate.integrations.core import Gate

name: Final = "google-adk"
shapes: Final = ("async", "sub-agent", "handoff", "without plugins")
_ids = itertools.count()


class Model(BaseLlm):
    """Says what the script says, and keeps what it was told."""

    script: Any = None
    heard: Any = None

    async def generate_content_async(self, llm_request: Any, stream: bool = False) -> AsyncIterator[Any]:  # noqa: FBT001, FBT002  # the framework's signature
        """Answer once with calls, then end."""
        del stream
        self.heard.append(llm_request.contents)
        parts = self.script.pop(0) if self.script else [types.Part(text="end")]
        yield LlmResponse(content=types.Content(role="model", parts=parts))


def scripted(calls: list[Call]) -> Model:
    """Make a model that makes the calls in one message, then ends."""
    asked = [
        types.Part(function_call=types.FunctionCall(id=f"c{next(_ids)}", name=tool, args=dict(args)))
        for tool, args in calls
    ]
    return Model(model="scripted", script=[[types.Part(text="I will"), *asked]], heard=[])


def results(model: Model) -> str:
    """Return what the tools answered."""
    parts = [part for contents in model.heard for content in contents for part in content.parts or ()]
    return "\n".join(str(part.function_response.response) for part in parts if part.function_response)


async def _drive(runner: Any, message: Any, session_id: str | None = None) -> tuple[str, list[Any]]:
    if session_id is None:
        session_id = (await runner.session_service.create_session(app_name=runner.app_name, user_id="u")).id
    events = [event async for event in runner.run_async(user_id="u", session_id=session_id, new_message=message)]
    return session_id, events


def _user(*parts: Any) -> Any:
    return types.Content(role="user", parts=list(parts))


def run(gate: Gate, bodies: Bodies, calls: list[Call], shape: str) -> str:
    """Drive one agent, a parent that has it as a tool (with or without plugins), or one that transfers to it."""
    model = scripted(calls)
    child = LlmAgent(name="child", model=model, tools=list(bodies.functions().values()))
    root = child
    if shape == "handoff":
        root = LlmAgent(
            name="parent", model=scripted([("transfer_to_agent", {"agent_name": "child"})]), sub_agents=[child]
        )
    elif shape != "async":
        child.name = "delegate"
        tool = AgentTool(child, include_plugins=shape == "sub-agent")
        root = LlmAgent(name="parent", model=scripted([("delegate", {"request": "go"})]), tools=[tool])
    runner = InMemoryRunner(app=App(name="bench", root_agent=root, plugins=[adapter.GatePlugin(gate)]))
    asyncio.run(_drive(runner, _user(types.Part(text="go"))))
    return results(model) + results(root.model)


def approve(gate: Gate, bodies: Bodies, call: Call, answer: Callable[[], None]) -> str:
    """Request a confirmation, grant, confirm."""
    model = scripted([call])
    agent = LlmAgent(name="child", model=model, tools=list(bodies.functions().values()))
    runner = InMemoryRunner(app=App(name="bench", root_agent=agent, plugins=[adapter.GatePlugin(gate)]))

    async def both() -> str:
        session_id, events = await _drive(runner, _user(types.Part(text="go")))
        asked = [
            found
            for event in events
            for found in event.get_function_calls()
            if found.name == "adk_request_confirmation"
        ]
        answer()
        confirmed = types.FunctionResponse(id=asked[0].id, name=asked[0].name, response={"confirmed": True})
        await _drive(runner, _user(types.Part(function_response=confirmed)), session_id)
        return str(asked[0].args) + results(model)

    return asyncio.run(both())
