"""OpenAI Agents SDK: every agent's tools, at every turn, wrapped around their very bodies.

There is no global hook, and guardrails are not inherited by hand-offs or ``as_tool``. But every agent asks
``get_all_tools`` for its tools before each turn, so ``install`` wraps them there: function tools, tools of local MCP
servers and agents that serve as tools. Guardrails of the application run before, the gate judges what they let through.
Tools without a body in this process (hosted search, code interpreter, hosted MCP, computer, shell) are refused unless
they are allowed by name.
"""

import json
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import Any, Final

from agents import Agent, FunctionTool, Handoff, handoff
from agents.agent import AgentBase
from agents.tracing import get_current_trace

from sealgate.integrations.core import Call, Gate
from sealgate.integrations.verdicts import Verdict
from sealgate.integrations.versions import require_known
from sealgate.sdk.errors import ActionNotRun, NotCoverable

NAME: Final = "openai-agents"
_installed: Final[dict[str, Any]] = {}


def install(gate: Gate, *, hosted: Iterable[str] = ()) -> None:
    """Gate the tools of every agent of this process. Once is enough; another gate replaces the first.

    Args:
        gate: that is asked.
        hosted: names of tools without a local body that may be used ungated.

    Raises:
        ConfigurationError: this release is not known.
    """
    require_known(NAME)
    _installed.update(gate=gate, hosted=frozenset(hosted))
    if "original" in _installed:
        return
    original = AgentBase.get_all_tools
    _installed["original"] = original

    @wraps(original)
    async def gated(self: Any, *args: Any, **kwargs: Any) -> Any:
        tools = await original(self, *args, **kwargs)
        for tool in tools:
            if isinstance(tool, FunctionTool):
                _wrap(tool)
            elif tool.name not in _installed["hosted"]:
                raise NotCoverable(
                    f"the tool `{tool.name}` runs outside of this process's functions, ungated",
                    hint="remove it, or allow it by name with `hosted=`",
                )
        return tools

    AgentBase.get_all_tools = gated


def _wrap(tool: Any) -> None:
    body = tool.on_invoke_tool
    if getattr(body, "sealgate_gated", False):
        return

    async def invoke(context: Any, arguments: str) -> Any:
        gate: Gate = _installed["gate"]
        asked = _call(tool, context, arguments)
        if asked is None:
            return f"`{tool.name}` was not run: its arguments are not a JSON object."
        kept = gate.take(tool.name, asked.about["call_id"], asked.arguments, NAME)
        return await gate.acall(asked, lambda final: body(context, json.dumps(final)), _reason, kept)

    invoke.sealgate_gated = True  # type: ignore[attr-defined]  # so that the next turn does not wrap it twice
    tool.on_invoke_tool = invoke
    tool.needs_approval = _pausing(tool, tool.needs_approval)


def _call(tool: Any, context: Any, arguments: str) -> Call | None:
    try:
        values = json.loads(arguments or "{}")
    except ValueError:
        return None
    return Call(NAME, tool.name, values, **_about(context)) if isinstance(values, dict) else None


def _about(context: Any) -> dict[str, Any]:
    agent, trace = getattr(context, "agent", None), get_current_trace()
    return {
        "call_id": getattr(context, "tool_call_id", None),
        "agent": getattr(agent, "name", None),
        "session": getattr(trace, "group_id", None) or getattr(trace, "trace_id", None),
    }


def _pausing(tool: Any, theirs: Any) -> Callable[[Any, dict[str, Any], str], Awaitable[bool]]:
    """Pause the run where the authority wants a person's approval, as well as where the application does.

    ``RunState.approve`` lets the run go on; whether the call is approved is asked of the authority then.
    """

    async def needs_approval(context: Any, arguments: dict[str, Any], call_id: str) -> bool:
        if not isinstance(theirs, bool):
            if await theirs(context, arguments, call_id):
                return True
        elif theirs:
            return True
        gate: Gate = _installed["gate"]
        verdict = await gate.acheck(NAME, tool.name, arguments, call_id=call_id)
        gate.keep(verdict, NAME)
        return verdict.effect == "ask"

    return needs_approval


def _reason(verdict: Verdict) -> str:
    return verdict.reason


class HandoffRefused(ActionNotRun):
    """The gate refused a hand-off; the SDK has no other way to stop one than to end the run."""


def gated_handoff(gate: Gate, target: Agent[Any], **options: Any) -> Handoff[Any, Any]:
    """Return a hand-off that asks first, as the tool ``transfer_to_<agent>``, and ends the run when refused."""
    made: Handoff[Any, Any] = handoff(target, **options)
    body = made.on_invoke_handoff

    async def invoke(context: Any, arguments: str) -> Any:
        def refuse(verdict: Verdict) -> Any:
            raise HandoffRefused(verdict.reason)

        asked = Call(NAME, made.tool_name, json.loads(arguments or "{}"), agent=target.name)
        return await gate.acall(asked, lambda final: body(context, json.dumps(final)), refuse)

    made.on_invoke_handoff = invoke
    return made
