"""Pydantic AI: a capability around each tool's execution and each output function, innermost.

``GateCapability`` sees arguments after validation and after every other capability. Output functions are bodies, too:
a model can choose to end with one that acts. Delegated agents have capabilities of their own, so ``install`` gives the
gate to every agent that is made from now on. Tools that the provider runs on its own side are refused.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, is_dataclass
from functools import wraps
from typing import Any, Final

from pydantic import BaseModel
from pydantic_ai import Agent, ApprovalRequired, ToolFailed
from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering
from pydantic_ai.messages import ModelResponse, TextPart, ThinkingPart

from sealgate.integrations.core import Call, Gate
from sealgate.integrations.verdicts import Verdict
from sealgate.integrations.versions import require_known
from sealgate.sdk.errors import ActionNotRun, ArgumentsRefused, NotCoverable

NAME: Final = "pydantic-ai"
_installed: Final[dict[str, Any]] = {}


class OutputRefused(ActionNotRun):
    """The gate refused an output function; the model cannot be told, so the run ends."""


@dataclass
class GateCapability(AbstractCapability[Any]):
    """Judges tools and output functions. Give it to ``Agent(capabilities=[...])``."""

    gate: Gate
    hosted: frozenset[str] = field(default_factory=frozenset)
    """Kinds of provider-side tools that may be used ungated."""

    def __post_init__(self) -> None:
        require_known(NAME)

    def get_ordering(self) -> CapabilityOrdering:
        """Stand closest to the body."""
        return CapabilityOrdering(position="innermost")

    async def wrap_model_request(self, ctx: Any, *, request_context: Any, handler: Any) -> Any:
        """Refuse to offer the model a tool that runs where no gate is."""
        del ctx
        for tool in request_context.model_request_parameters.native_tools:
            if tool.kind not in self.hosted:
                raise NotCoverable(
                    f"the provider runs the tool `{tool.kind}` itself, ungated",
                    hint="remove it, or allow it by kind with `hosted=`",
                )
        return await handler(request_context)

    async def wrap_tool_execute(self, ctx: Any, *, call: Any, tool_def: Any, args: dict[str, Any], handler: Any) -> Any:
        """Judge, run, report. A refusal is a failed tool result; a missing approval defers the call."""
        del tool_def

        def refuse(verdict: Verdict) -> Any:
            if verdict.effect == "ask" and not ctx.tool_call_approved and _can_defer(ctx):
                raise ApprovalRequired(metadata={"why": verdict.reason, "approval_id": verdict.approval_id})
            raise ToolFailed(verdict.reason)

        about = _about(ctx, call.tool_call_id)
        return await self.gate.acall(Call(NAME, call.tool_name, args, **about), handler, refuse)

    async def wrap_output_process(self, ctx: Any, *, output_context: Any, output: Any, handler: Any) -> Any:
        """Judge an output function like a tool of its name; plain outputs do nothing and pass."""
        if not output_context.has_function:
            return await handler(output)
        if ctx.partial_output:
            return output  # half of an answer is nothing to act on, so the function waits for the whole
        name = output_context.function_name
        if name is None and output_context.tool_def is not None:
            name = output_context.tool_def.name

        def refuse(verdict: Verdict) -> Any:
            raise OutputRefused(verdict.reason)

        async def unchanged(final: dict[str, Any]) -> Any:
            if final != arguments:
                raise ArgumentsRefused("the policy narrows an output function's arguments, which cannot be done")
            return await handler(output)

        arguments = _members(output)
        return await self.gate.acall(Call(NAME, name or "output", arguments, **_about(ctx, None)), unchanged, refuse)


def _can_defer(ctx: Any) -> bool:
    """Tell whether the run may end with a deferred call; elsewhere a deferral is an error after siblings ran."""
    schema = getattr(getattr(ctx, "agent", None), "_output_schema", None)
    return bool(getattr(schema, "allows_deferred_tools", False))


def _about(ctx: Any, call_id: str | None) -> dict[str, Any]:
    said = next((message for message in reversed(ctx.messages) if isinstance(message, ModelResponse)), None)
    parts = [part.content for part in said.parts if isinstance(part, TextPart | ThinkingPart)] if said else []
    return {
        "call_id": call_id,
        "agent": getattr(ctx.agent, "name", None),
        "session": ctx.conversation_id or ctx.run_id,
        "rationale": "\n".join(part for part in parts if part) or None,
    }


def _members(output: Any) -> dict[str, Any]:
    if isinstance(output, BaseModel):
        return output.model_dump(mode="json")
    if is_dataclass(output) and not isinstance(output, type):
        return asdict(output)
    return dict(output) if isinstance(output, dict) else {"value": output}


def install(gate: Gate, *, hosted: Iterable[str] = ()) -> None:
    """Give the gate to every agent that is made from now on. Once is enough; another gate replaces the first.

    Raises:
        ConfigurationError: this release is not known.
    """
    require_known(NAME)
    _installed["gate"] = GateCapability(gate, frozenset(hosted))
    if "original" in _installed:
        return
    original = Agent.__init__
    _installed["original"] = original

    @wraps(original)
    def gated(self: Any, *args: Any, capabilities: Any = None, **kwargs: Any) -> None:
        mine = list(capabilities or ())
        if not any(isinstance(item, GateCapability) for item in mine):  # one that the application chose stays
            mine.append(_installed["gate"])
        original(self, *args, capabilities=mine, **kwargs)

    Agent.__init__ = gated
