"""CrewAI: a global hook before every tool call, and a backstop at every tool's body.

CrewAI swallows whatever a hook raises and then runs the tool; only ``HookAborted`` stops it. So nothing but that leaves
our hook, and a permit that the hook had is handed to the body, which runs with it or asks again: a hook that was
skipped, cleared or overtaken by another that changed the arguments lets nothing through. Direct ``tool.run(...)``
passes the backstop, too. The hook's refusal keeps it out of CrewAI's cache of results.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from crewai.hooks.dispatch import HookAborted, InterceptionPoint, register
from crewai.llms.base_llm import BaseLLM
from crewai.tools.base_tool import BaseTool, Tool
from crewai.tools.structured_tool import CrewStructuredTool
from crewai.utilities.string_utils import sanitize_tool_name

from sealgate.integrations.core import Call, Gate
from sealgate.integrations.verdicts import Verdict
from sealgate.integrations.versions import require_known

NAME: Final = "crewai"
_MAX_REASONS: Final = 1024
_installed: Final[dict[str, Any]] = {}
_reasons: Final[OrderedDict[tuple[int, int], str]] = OrderedDict()
_lock: Final = threading.Lock()


def install(gate: Gate) -> None:
    """Gate every tool of this process. Once is enough; another gate replaces the first.

    Raises:
        ConfigurationError: this release is not known.
    """
    require_known(NAME)
    _installed["gate"] = gate
    if "hooks" in _installed:
        return
    _installed["hooks"] = True
    register(InterceptionPoint.PRE_TOOL_CALL, before)
    register(InterceptionPoint.POST_TOOL_CALL, after)
    for owner, names in ((BaseTool, ("run",)), (Tool, ("run",)), (CrewStructuredTool, ("invoke",))):
        for name in names:
            _patch(owner, name)
    for owner, name in ((BaseTool, "arun"), (Tool, "arun"), (CrewStructuredTool, "ainvoke")):
        _apatch(owner, name)
    _patch_functions()


def before(context: Any) -> bool | None:
    """Judge one call. The only thing that leaves this function in anger is ``HookAborted``."""
    try:
        gate: Gate = _installed["gate"]
        arguments = context.tool_input
        verdict = gate.check(NAME, context.tool_name, arguments, agent=_role(context), session=_session(context))
        if verdict.permitted:
            gate.keep(verdict, NAME)
            return None
        with _lock:
            _reasons[threading.get_ident(), id(arguments)] = verdict.reason
            while len(_reasons) > _MAX_REASONS:
                _reasons.popitem(last=False)
        reason = verdict.reason
    except BaseException as error:  # noqa: BLE001  # anything else would let the tool run
        reason = f"the gate failed: {type(error).__name__}"
    raise HookAborted(reason, source="sealgate")


def after(context: Any) -> str | None:
    """Put the reason of a refusal in front of the model, where CrewAI says only that a hook blocked it."""
    with _lock:
        return _reasons.pop((threading.get_ident(), id(context.tool_input)), None)


def _role(context: Any) -> str | None:
    role = getattr(context.agent, "role", None)
    return role if isinstance(role, str) else None


def _session(context: Any) -> str | None:
    owner = context.crew or context.task
    found = getattr(owner, "id", None)
    return str(found) if found is not None else None


def _run(name: str, arguments: dict[str, Any], body: Callable[[dict[str, Any]], Any]) -> Any:
    gate: Gate = _installed["gate"]
    kept = gate.take(name, None, arguments, NAME)
    return gate.call(Call(NAME, name, arguments), body, _reason, kept)


def _reason(verdict: Verdict) -> str:
    return verdict.reason


def _patch(owner: Any, name: str) -> None:
    body = getattr(owner, name)

    @wraps(body)
    def gated(self: Any, *args: Any, **kwargs: Any) -> Any:
        arguments, passed = _arguments(self, name, args, kwargs)
        return _run(sanitize_tool_name(self.name), arguments, lambda final: body(self, **passed(final)))

    setattr(owner, name, gated)


def _apatch(owner: Any, name: str) -> None:
    body = getattr(owner, name)

    @wraps(body)
    async def gated(self: Any, *args: Any, **kwargs: Any) -> Any:
        gate: Gate = _installed["gate"]
        arguments, passed = _arguments(self, name, args, kwargs)
        tool = sanitize_tool_name(self.name)
        kept = gate.take(tool, None, arguments, NAME)
        return await gate.acall(Call(NAME, tool, arguments), lambda final: body(self, **passed(final)), _reason, kept)

    setattr(owner, name, gated)


def _arguments(
    tool: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[dict[str, Any], Callable[[dict[str, Any]], dict[str, Any]]]:
    """Return the arguments by name, and how the body takes the final ones."""
    if method in ("invoke", "ainvoke"):
        given = args[0] if args else kwargs.pop("input")
        config = args[1] if len(args) > 1 else kwargs.pop("config", None)
        values = tool._parse_args(given)  # noqa: SLF001  # as its body does, so that these are what it gets
        return {**values, **kwargs}, lambda final: {"input": final, "config": config}
    fields = list(getattr(tool.args_schema, "model_fields", {}))
    return {**dict(zip(fields, args, strict=False)), **kwargs}, lambda final: final


def _patch_functions() -> None:
    """Cover functions that a model object runs itself, where CrewAI calls no hook."""
    body = BaseLLM._handle_tool_execution  # noqa: SLF001  # the one place

    @wraps(body)
    def gated(
        self: Any, function_name: str, function_args: dict[str, Any], available_functions: Any, *rest: Any, **more: Any
    ) -> Any:
        def run(final: dict[str, Any]) -> Any:
            return body(self, function_name, final, available_functions, *rest, **more)

        return _run(sanitize_tool_name(function_name), function_args, run)

    BaseLLM._handle_tool_execution = gated  # noqa: SLF001  # as above
