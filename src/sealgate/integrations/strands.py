"""Strands: where the executor streams the tool, behind every hook, intervention and middleware.

Hooks belong to one agent and a sub-agent inside of a tool has none of them; this place is one for the process. Direct
calls (``agent.tool.x()``), parallel and background calls, and tools of MCP servers pass there.
"""

from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import wraps
from typing import Any, Final

from strands.tools.executors import _executor
from strands.types._events import ToolResultEvent

from sealgate.integrations.core import Gate
from sealgate.integrations.verdicts import Verdict
from sealgate.integrations.versions import require_known

NAME: Final = "strands"
_installed: Final[dict[str, Any]] = {}


class ToolFailure(Exception):  # noqa: N818  # what it reports is a failure of the tool
    """A tool ended with an error result."""


def install(gate: Gate) -> None:
    """Gate every tool of this process. Once is enough; another gate replaces the first.

    Raises:
        ConfigurationError: this release is not known.
    """
    require_known(NAME)
    _installed["gate"] = gate
    if "place" in _installed:
        return
    _installed["place"] = body = _executor._run_tool  # noqa: SLF001  # the one place

    @wraps(body)
    async def gated(context: Any, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        current: Gate = _installed["gate"]
        use = context.tool_use
        agent = getattr(context.agent, "name", None)
        about = {"call_id": str(use.get("toolUseId")), "agent": agent, "rationale": _said(context.agent)}
        verdict = await current.acheck(NAME, use["name"], use["input"], **about)
        if not verdict.permitted:
            yield ToolResultEvent(_refused(use, verdict))
            return
        final = replace(context, tool_use={**use, "input": verdict.arguments})
        result: Any = None
        try:
            # No context variable is set around this: a generator's caller would see it between the steps.
            async for event in body(final, *args, **kwargs):
                if isinstance(event, ToolResultEvent):
                    result = event.tool_result
                yield event
        except BaseException as error:
            await current.afailed(verdict, error)
            raise
        if isinstance(result, dict) and result.get("status") == "error":
            await current.afailed(verdict, ToolFailure(str(result.get("content"))[:500]))
        else:
            await current.adone(verdict, result)

    _executor._run_tool = gated  # noqa: SLF001  # as above


def _refused(use: Any, verdict: Verdict) -> Any:
    return {"toolUseId": str(use.get("toolUseId")), "status": "error", "content": [{"text": verdict.reason}]}


def _said(agent: Any) -> str | None:
    messages = getattr(agent, "messages", None) or []
    last = next((message for message in reversed(messages) if message.get("role") == "assistant"), None)
    texts = [block["text"] for block in last["content"] if "text" in block] if last else []
    return "\n".join(texts) or None
