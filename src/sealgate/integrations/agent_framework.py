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
    """An interceptor of AGENT-HOOKS-0.1: judges ``pre_tool_call``, lets the other points pass.

    Args:
        gate: that is asked.
        liftable: a call that a person must approve becomes a denial that the host's approval resolver may lift. Only
            for hosts whose resolver is ``Resolver``: any other would approve what is the authority's to approve.
    """

    def __init__(self, gate: Gate, *, liftable: bool = False) -> None:
        self._gate = gate
        self._liftable = liftable

    async def intercept(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the verdict in the contract's wire form."""
        if context.get("interception_point") != "pre_tool_call":
            return {"decision": "allow"}
        verdict = await _judge(self._gate, context)
        wire = _wire(self._gate, verdict, context)
        if verdict.effect == "ask" and self._liftable and verdict.approval_id:
            wire["approval"] = {"id": verdict.approval_id}
        return wire


class Resolver:
    """The approval resolver of AGENT-HOOKS-0.1 that asks the authority: waits for its people, then judges anew.

    Args:
        gate: that is asked.
        wait_s: how long it waits for people, in seconds; the host's own bound on a resolver has to be longer.
    """

    def __init__(self, gate: Gate, *, wait_s: float) -> None:
        self._gate = gate
        self._wait_s = wait_s

    async def resolve(self, request: Any) -> Any:
        """Return the approval with the verdict about exactly this call, or a rejection."""
        from agent_hooks import ApprovalOutcome, ApprovalResolution, Verdict  # noqa: PLC0415  # hosts of the contract

        asked = (request.verdict.approval or {}).get("id")
        if isinstance(asked, str):
            await self._gate.wait_for_approval(asked, self._wait_s)
        verdict = await _judge(self._gate, request.context)
        outcome = ApprovalOutcome.APPROVE if verdict.permitted else ApprovalOutcome.REJECT
        wire = Verdict.from_wire(_wire(self._gate, verdict, request.context))
        return ApprovalResolution(outcome, request.context_identity, wire)


async def _judge(gate: Gate, context: Mapping[str, Any]) -> Verdict:
    call = context["tool_call"]
    about = {"call_id": call.get("id"), "agent": context["agent"].get("name"), "session": context["session"]["id"]}
    return await gate.acheck(NAME, call["name"], call.get("args") or {}, **about)


def _wire(gate: Gate, verdict: Verdict, context: Mapping[str, Any]) -> dict[str, Any]:
    if not verdict.permitted:
        return {"decision": "deny", "reason": verdict.code, "message": verdict.reason}
    gate.keep(verdict, NAME)
    if verdict.arguments == dict(context["tool_call"].get("args") or {}):
        return {"decision": "allow"}
    return {"decision": "transform", "transform": {"path": "$target", "value": verdict.arguments}}
