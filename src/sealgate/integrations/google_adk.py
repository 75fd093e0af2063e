"""Google ADK: a plugin, and a backstop where the runner calls the tool.

A plugin stands before the agent's own callbacks, which may still change the arguments, and ``AgentTool`` can leave
plugins out. So the plugin judges first and hands its permit to the place that calls the tool; there the call is judged
anew if its arguments are others than those that were judged, or if no plugin stood in between. Sub-agents, transfers,
``AgentTool``, thread pools and the live path all pass there. Transfers are calls of the tool ``transfer_to_agent``.
"""

import importlib
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final

from google.adk.plugins.base_plugin import BasePlugin
from google.adk.runners import Runner

from sealgate.integrations.core import Call, Gate
from sealgate.integrations.verdicts import Verdict
from sealgate.integrations.versions import require_known
from sealgate.sdk.errors import NotCoverable

NAME: Final = "google-adk"
_PLACES: Final = (
    ("google.adk.flows.llm_flows.tools._caller", "_call_tool_async"),
    ("google.adk.flows.llm_flows.tools._live_caller", "_call_tool_async"),
    ("google.adk.flows.llm_flows.tools._thread_pool", "_call_tool_in_thread_pool"),
    ("google.adk.flows.llm_flows.tools._caller", "_call_tool_in_thread_pool"),
    ("google.adk.flows.llm_flows.tools._live_caller", "_call_tool_in_thread_pool"),
)
"""Where the runner calls a tool, by every name under which it finds that function."""

_installed: Final[dict[str, Any]] = {}


class GatePlugin(BasePlugin):
    """Judges each tool call before the agent's callbacks. Give it to ``App(plugins=[...])``."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(name="sealgate")
        _patch_callers(gate)
        self._gate = gate

    async def before_model_callback(self, *, callback_context: Any, llm_request: Any) -> None:
        """Refuse to offer the model what the provider runs on its own side, where no gate is."""
        del callback_context
        _refuse_hosted(llm_request)

    async def before_tool_callback(
        self, *, tool: Any, tool_args: dict[str, Any], tool_context: Any
    ) -> dict[str, Any] | None:
        """Judge; a returned dictionary is the tool's answer, and its body does not run."""
        verdict = await self._gate.acheck(NAME, tool.name, tool_args, **_about(tool_context))
        if not verdict.permitted:
            return _refuse(tool_context, verdict)
        self._gate.keep(verdict, NAME)
        return None


def _refuse_hosted(llm_request: Any) -> None:
    for tool in getattr(llm_request.config, "tools", None) or ():
        names = [name for name, value in dict(tool).items() if value is not None and name != "function_declarations"]
        ungated = [name for name in names if name not in _installed["hosted"]]
        if ungated:
            raise NotCoverable(
                f"the provider runs `{ungated[0]}` itself, ungated",
                hint="remove it, or allow it by name with `hosted=`",
            )


def _about(context: Any) -> dict[str, Any]:
    session = getattr(context, "session", None)
    said = [event for event in reversed(getattr(session, "events", None) or ()) if event.author != "user"]
    parts = said[0].content.parts if said and said[0].content else None
    texts = [part.text for part in parts or () if part.text]
    return {
        "call_id": context.function_call_id,
        "agent": context.agent_name,
        "session": getattr(session, "id", None),
        "rationale": "\n".join(texts) or None,
    }


def _refuse(context: Any, verdict: Verdict) -> dict[str, Any]:
    """Answer for the tool. Where a person must approve, ask in ADK's way first; the authority decides all the same."""
    if verdict.effect == "ask" and context.tool_confirmation is None:
        context.request_confirmation(hint=verdict.reason)
        context.actions.skip_summarization = True
    return {"error": verdict.reason}


def _patch_callers(gate: Gate) -> None:
    require_known(NAME)
    _installed["gate"] = gate
    _installed.setdefault("hosted", frozenset())
    if "callers" in _installed:
        return
    _installed["callers"] = True
    wrapped: dict[Any, Any] = {}
    for module_name, name in _PLACES:
        module = importlib.import_module(module_name)
        body = getattr(module, name, None)
        if body is not None:
            wrapped.setdefault(body, _gated(body))
            setattr(module, name, wrapped[body])


def _gated(body: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(body)
    async def gated(tool: Any, args: dict[str, Any], tool_context: Any, *rest: Any, **more: Any) -> Any:
        gate: Gate = _installed["gate"]
        asked = Call(NAME, tool.name, args, **_about(tool_context))
        kept = gate.take(tool.name, asked.about["call_id"], args, NAME)

        async def run(final: dict[str, Any]) -> Any:
            return await body(tool, final, tool_context, *rest, **more)

        return await gate.acall(asked, run, lambda verdict: _refuse(tool_context, verdict), kept)

    return gated


def install(gate: Gate, *, hosted: Any = ()) -> None:
    """Gate every tool that ADK calls in this process, and add the plugin to every runner that is made from now on.

    Raises:
        ConfigurationError: this release is not known.
    """
    _patch_callers(gate)
    _installed["hosted"] = frozenset(hosted)
    if "runner" in _installed:
        return
    _installed["runner"] = original = Runner.__init__

    @wraps(original)
    def gated(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if not any(isinstance(plugin, GatePlugin) for plugin in self.plugin_manager.plugins):
            self.plugin_manager.register_plugin(GatePlugin(_installed["gate"]))

    Runner.__init__ = gated
