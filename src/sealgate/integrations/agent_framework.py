"""Microsoft Agent Framework: around ``FunctionTool.invoke``, and an interceptor of the AGENT-HOOKS contract.

Agent-level middleware does not see the tools of an agent that serves as a tool, nor direct calls; every one of them
ends in ``invoke``, behind all middleware. ``Interceptor`` gives the same judgement to hosts of AGENT-HOOKS-0.1, for
example by ``create_agent_hooks_middleware([Interceptor(gate)])``; where both are in place, the permit that the
interceptor had is the one that ``invoke`` uses.
"""

from collections.abc import Mapping
from functools import wraps
from typing import Any, Final

from agent_framework import Content, FunctionTool

from sealgate.integrations.core import Call, Gate
from sealgate.integrations.verdicts import Verdict
from sealgate.integrations.versions import require_known

NAME: Final = "agent-framework"
_installed: Final[dict[str, Any]] = {}


def install(gate: Gate) -> None:
    """Gate every function tool of this process. Once is enough; another gate replaces the first.

    Raises:
        ConfigurationError: this release is not known.
    """
    require_known(NAME)
    _installed["gate"] = gate
    if "tools" in _installed:
        return
    _installed["tools"] = body = FunctionTool.invoke

    @wraps(body)
    async def gated(
        self: Any, *, arguments: Any = None, context: Any = None, skip_parsing: bool = False, **kwargs: Any
    ) -> Any:
        options = {key: kwargs.pop(key) for key in ("tool_call_id",) if key in kwargs}
        call_id = options.get("tool_call_id") or _call_id(context)
        values = _values(arguments, context, kwargs)

        async def run(final: dict[str, Any]) -> Any:
            return await body(self, arguments=final, context=context, skip_parsing=skip_parsing, **options)

        def refuse(verdict: Verdict) -> Any:
            return verdict.reason if skip_parsing else [Content.from_text(verdict.reason)]

        current: Gate = _installed["gate"]
        kept = current.take(self.name, call_id, values, NAME)
        session = getattr(getattr(context, "session", None), "session_id", None)
        return await current.acall(Call(NAME, self.name, values, call_id=call_id, session=session), run, refuse, kept)

    FunctionTool.invoke = gated


def _call_id(context: Any) -> str | None:
    found = getattr(context, "metadata", None) or {}
    call_id = found.get("call_id")
    return call_id if isinstance(call_id, str) else None


def _values(arguments: Any, context: Any, direct: Mapping[str, Any]) -> dict[str, Any]:
    given = arguments if arguments is not None else (direct or getattr(context, "arguments", None) or {})
    return given.model_dump(mode="json") if hasattr(given, "model_dump") else dict(given)


class Interceptor:
    """An interceptor of AGENT-HOOKS-0.1: judges ``pre_tool_call``, lets the other points pass."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def intercept(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the verdict in the contract's wire form; a call that a person must approve is a liftable denial."""
        if context.get("interception_point") != "pre_tool_call":
            return {"decision": "allow"}
        call = context["tool_call"]
        about = {"call_id": call.get("id"), "agent": context["agent"].get("name"), "session": context["session"]["id"]}
        verdict = await self._gate.acheck(NAME, call["name"], call.get("args") or {}, **about)
        if verdict.effect == "ask":
            return {"decision": "deny", "reason": verdict.code, "message": verdict.reason, "approval": {}}
        if not verdict.permitted:
            return {"decision": "deny", "reason": verdict.code, "message": verdict.reason}
        self._gate.keep(verdict, NAME)
        if verdict.arguments == dict(call.get("args") or {}):
            return {"decision": "allow"}
        return {"decision": "transform", "transform": {"path": "$target", "value": verdict.arguments}}
