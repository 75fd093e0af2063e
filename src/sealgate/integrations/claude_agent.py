"""Claude Agent SDK: a ``PreToolUse`` hook that blocks when it fails, and hooks that report outcomes.

By default the SDK runs the tool when a hook raises, so the matcher says ``on_failure="block"``. Sub-agents' calls come
through the same hook. A call that a person must approve is refused with the request's id: the SDK's own prompt would be
answered by whoever sits at the agent, and that is not for the agent's side to say.
"""

from collections.abc import Mapping
from functools import wraps
from typing import Any, Final

from claude_agent_sdk import ClaudeAgentOptions, HookMatcher

from sealgate.integrations.core import Gate
from sealgate.integrations.versions import require_known

NAME: Final = "claude-agent"
TIMEOUT_S: Final = 90.0
"""The host's own bound, in seconds: longer than any exchange of the client, and ``on_failure`` blocks at its end."""

_installed: Final[dict[str, Any]] = {}


class ToolFailure(Exception):  # noqa: N818  # what it reports is a failure of the tool
    """A tool failed in the host, which tells its text only."""


class GateHooks:
    """The three hooks. ``options(...)`` of this module makes the SDK's options with them."""

    def __init__(self, gate: Gate) -> None:
        require_known(NAME)
        self._gate = gate

    async def before(self, given: Any, tool_use_id: str | None, context: Any) -> dict[str, Any]:
        """Judge one call. An empty answer leaves the host's own permissions as they are."""
        del context
        tool, server = _named(given["tool_name"])
        call_id = given.get("tool_use_id") or tool_use_id
        verdict = await self._gate.acheck(
            NAME,
            tool,
            given["tool_input"],
            call_id=call_id,
            server=server,
            session=given.get("session_id"),
            agent=given.get("agent_type"),
        )
        if not verdict.permitted:
            return _answer("deny", permissionDecisionReason=verdict.reason)
        self._gate.keep(verdict, NAME)
        if verdict.arguments == given["tool_input"]:
            return {}
        return _answer("allow", updatedInput=verdict.arguments)

    async def after(self, given: Any, tool_use_id: str | None, context: Any) -> dict[str, Any]:
        """Report that a tool ran."""
        del context
        verdict = self._taken(given, tool_use_id)
        if verdict is not None:
            await self._gate.adone(verdict, given.get("tool_response"))
        return {}

    async def failed(self, given: Any, tool_use_id: str | None, context: Any) -> dict[str, Any]:
        """Report that a tool failed."""
        del context
        verdict = self._taken(given, tool_use_id)
        if verdict is not None:
            await self._gate.afailed(verdict, ToolFailure(str(given.get("error", ""))))
        return {}

    def _taken(self, given: Any, tool_use_id: str | None) -> Any:
        return self._gate.take_by_id(_named(given["tool_name"])[0], given.get("tool_use_id") or tool_use_id)

    def matchers(self) -> dict[str, list[HookMatcher]]:
        """Return them in the form of the SDK's options."""
        return {
            "PreToolUse": [HookMatcher(hooks=[self.before], on_failure="block", timeout=TIMEOUT_S)],
            "PostToolUse": [HookMatcher(hooks=[self.after])],
            "PostToolUseFailure": [HookMatcher(hooks=[self.failed])],
        }


def _answer(decision: str, **members: Any) -> dict[str, Any]:
    return {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": decision, **members}}


def _named(tool_name: str) -> tuple[str, str | None]:
    """Return (tool, tool server): ``mcp__bank__pay`` is the tool ``pay`` of ``bank``, others are the host's own."""
    prefix, _, rest = tool_name.partition("__")
    server, found, tool = rest.partition("__")
    return (tool, server) if prefix == "mcp" and found else (tool_name, None)


def options(gate: Gate, **given: Any) -> ClaudeAgentOptions:
    """Return the SDK's options with the gate's hooks added to those that are given."""
    hooks = given.pop("hooks", None)
    return ClaudeAgentOptions(**given, hooks=merged(GateHooks(gate), hooks))


def merged(ours: GateHooks, theirs: Mapping[Any, Any] | None) -> dict[Any, list[Any]]:
    """Return both hooks, ours first, ours of earlier mergings left out."""
    made: dict[Any, list[Any]] = dict(ours.matchers())
    for event, matchers in (theirs or {}).items():
        kept = [item for item in matchers if not any(_is_ours(hook) for hook in item.hooks)]
        made[event] = [*made.get(event, []), *kept]
    return made


def _is_ours(hook: Any) -> bool:
    return isinstance(getattr(hook, "__self__", None), GateHooks)


def install(gate: Gate) -> None:
    """Put the hooks into all options that are made from now on. Once is enough; another gate replaces the first.

    Raises:
        ConfigurationError: this release is not known.
    """
    _installed["hooks"] = GateHooks(gate)
    if "original" in _installed:
        return
    _installed["original"] = original = ClaudeAgentOptions.__init__

    @wraps(original)
    def gated(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.hooks = merged(_installed["hooks"], self.hooks)

    ClaudeAgentOptions.__init__ = gated
