"""LangChain, LangGraph, deepagents: a middleware where the messages are, and a backstop below every tool.

``install`` puts the gate into ``BaseTool.run`` and ``arun``: direct calls, bare graphs, sub-agents and deepagents' own
tools pass there, whoever made them, just before the body. It also adds ``GateMiddleware`` to every agent that
``create_agent`` makes, innermost; there the model's reasoning is within reach, and tools that the provider runs on its
own side, where no gate is, are refused. A call judged by the middleware is not judged again below it.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import Any, Final

from langchain.agents import factory
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.config import get_config
from langgraph.types import interrupt

from sealgate.integrations.core import Gate
from sealgate.integrations.question import arguments_digest
from sealgate.integrations.verdicts import Verdict, claim_running
from sealgate.integrations.versions import require_known
from sealgate.sdk.errors import NotCoverable

NAME: Final = "langchain"
_REFUSALS: Final = frozenset({"reject", "refuse", "deny", "no"})
_CHECKPOINTER: Final = "__pregel_checkpointer"
_SCRATCHPAD: Final = "__pregel_scratchpad"
"""Where LangGraph keeps, for the running task, what can pause it and what it was resumed with."""


class GateMiddleware(AgentMiddleware):
    """Judges each tool call with its final arguments. Put it last in ``middleware=[...]``.

    Args:
        gate: that is asked.
        hosted: names or types of provider-side tools that may be used ungated.
    """

    def __init__(self, gate: Gate, *, hosted: Iterable[str] = ()) -> None:
        super().__init__()
        require_known(NAME)
        self._gate = gate
        self._hosted = frozenset(hosted)

    def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Refuse to offer the model a tool that runs where no gate is."""
        self._refuse_hosted(request.tools)
        return handler(request)

    async def awrap_model_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """See ``wrap_model_call``."""
        self._refuse_hosted(request.tools)
        return await handler(request)

    def _refuse_hosted(self, tools: Iterable[Any]) -> None:
        for tool in tools:
            names = {str(tool.get("name")), str(tool.get("type"))} if isinstance(tool, dict) else set()
            if names and not names & self._hosted:
                raise NotCoverable(
                    f"the provider runs the tool `{tool.get('name') or tool.get('type')}` itself, ungated",
                    hint="remove it, or allow it by name with `hosted=`",
                )

    def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Judge, then run the tool with the judged arguments, or answer with the refusal."""
        call = request.tool_call
        verdict = _resolved(self._gate, lambda: self._gate.check(NAME, call["name"], call["args"], **_about(request)))
        if not verdict.permitted:
            return _refusal(verdict, call)
        try:
            with verdict.body():
                output = handler(_with_arguments(request, verdict))
        except BaseException as error:
            self._gate.failed(verdict, error)
            raise
        self._gate.done(verdict, _plain(output))
        return output

    async def awrap_tool_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """See ``wrap_tool_call``."""
        call = request.tool_call
        verdict = await _aresolved(
            self._gate, lambda: self._gate.acheck(NAME, call["name"], call["args"], **_about(request))
        )
        if not verdict.permitted:
            return _refusal(verdict, call)
        try:
            with verdict.body():
                output = await handler(_with_arguments(request, verdict))
        except BaseException as error:
            await self._gate.afailed(verdict, error)
            raise
        await self._gate.adone(verdict, _plain(output))
        return output


def _about(request: Any) -> dict[str, Any]:
    config = getattr(request.runtime, "config", None) or {}
    state = request.state
    messages = state.get("messages", []) if isinstance(state, dict) else getattr(state, "messages", [])
    said = next((message for message in reversed(messages) if isinstance(message, AIMessage)), None)
    return {
        "call_id": request.tool_call["id"],
        "agent": (config.get("metadata") or {}).get("lc_agent_name"),
        "session": (config.get("configurable") or {}).get("thread_id"),
        "rationale": str(said.text) if said is not None else None,
    }


def _with_arguments(request: Any, verdict: Verdict) -> Any:
    return request.override(tool_call={**request.tool_call, "args": verdict.arguments})


def _refusal(verdict: Verdict, call: Any) -> ToolMessage:
    return ToolMessage(content=verdict.reason, tool_call_id=call["id"], name=call["name"], status="error")


def _plain(output: Any) -> Any:
    return output.content if isinstance(output, ToolMessage) else output


def _resolved(gate: Gate, check: Callable[[], Verdict]) -> Verdict:
    """Ask; where a person must approve, interrupt the graph, and ask again when it goes on.

    What the graph is resumed with may refuse, and cannot approve: that is the authority's to say.
    """
    verdict = check()
    refused = _interrupted(gate, verdict)
    if verdict.effect == "ask" and refused is False:
        verdict = check()
    return _withdrawn(gate, verdict) if refused else verdict


async def _aresolved(gate: Gate, check: Callable[[], Awaitable[Verdict]]) -> Verdict:
    verdict = await check()
    refused = _interrupted(gate, verdict)
    if verdict.effect == "ask" and refused is False:
        verdict = await check()
    return _withdrawn(gate, verdict) if refused else verdict


def _interrupted(gate: Gate, verdict: Verdict) -> bool | None:
    """Pause the graph if it is to be paused; on resumption tell whether the person in front of it refused.

    None where nobody is asked: outside of a graph, and in one without a checkpointer, which could never go on.
    """
    try:
        place = get_config().get("configurable") or {}
    except RuntimeError:
        return None
    if not (place.get(_CHECKPOINTER) and (verdict.effect == "ask" or _goes_on(place, verdict))):
        return None
    try:
        answer = interrupt({"tool": verdict.tool, "why": verdict.reason, "approval_id": verdict.approval_id})
    except BaseException as pause:
        gate.failed(verdict, pause)
        raise
    return answer is False or (isinstance(answer, str) and answer.strip().lower() in _REFUSALS)


def _goes_on(place: dict[str, Any], verdict: Verdict) -> bool:
    """Tell whether the graph was paused for this call, which is permitted by now, and goes on with an answer."""
    approval = verdict.ticket.grant.decision.approval if verdict.ticket is not None else None
    if approval is None or approval.method != "human_approval":
        return False
    pad = place[_SCRATCHPAD]
    return bool(pad.resume) or pad.get_null_resume(False) is not None


class _Withdrawn(BaseException):
    """The person in front of the graph refused a call."""


def _withdrawn(gate: Gate, verdict: Verdict) -> Verdict:
    gate.failed(verdict, _Withdrawn(verdict.tool))
    return Verdict("deny", f"`{verdict.tool}` was not run: the user refused it.", {}, verdict.tool, verdict.call_id)


def install(gate: Gate, *, hosted: Iterable[str] = ()) -> None:
    """Gate every tool of this process, and add the middleware to agents made from now on. Once is enough.

    Raises:
        ConfigurationError: this release of LangChain is not known.
    """
    require_known(NAME)
    _installed["gate"] = gate
    if "run" in _installed:
        return
    _installed["run"] = True
    _patch_tools()
    _patch_create_agent(tuple(hosted))


_installed: Final[dict[str, Any]] = {}


def _patch_tools() -> None:
    run, arun = BaseTool.run, BaseTool.arun

    @wraps(run)
    def gated(self: Any, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        gate: Gate = _installed["gate"]
        name, arguments = _named(self, tool_input)
        if claim_running(self.name, arguments_digest(arguments) or ""):
            return run(self, tool_input, *args, **kwargs)
        about = {"call_id": kwargs.get("tool_call_id")}
        verdict = _resolved(gate, lambda: gate.check(NAME, self.name, arguments, **about))
        if not verdict.permitted:
            return _refused_run(verdict, kwargs.get("tool_call_id"))
        try:
            with verdict.body():
                output = run(self, _rebuilt(tool_input, name, verdict), *args, **kwargs)
        except BaseException as error:
            gate.failed(verdict, error)
            raise
        gate.done(verdict, _plain(output))
        return output

    @wraps(arun)
    async def agated(self: Any, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        gate: Gate = _installed["gate"]
        name, arguments = _named(self, tool_input)
        if claim_running(self.name, arguments_digest(arguments) or ""):
            return await arun(self, tool_input, *args, **kwargs)
        about = {"call_id": kwargs.get("tool_call_id")}
        verdict = await _aresolved(gate, lambda: gate.acheck(NAME, self.name, arguments, **about))
        if not verdict.permitted:
            return _refused_run(verdict, kwargs.get("tool_call_id"))
        try:
            with verdict.body():
                output = await arun(self, _rebuilt(tool_input, name, verdict), *args, **kwargs)
        except BaseException as error:
            await gate.afailed(verdict, error)
            raise
        await gate.adone(verdict, _plain(output))
        return output

    BaseTool.run, BaseTool.arun = gated, agated


def _named(tool: Any, tool_input: Any) -> tuple[str, dict[str, Any]]:
    """Return (name of the single argument, arguments by name without what the framework injects)."""
    if isinstance(tool_input, dict):
        return "", tool._filter_injected_args(tool_input)  # noqa: SLF001  # as the callbacks see them
    name = next(iter(tool.args), "input")
    return name, {name: tool_input}


def _rebuilt(tool_input: Any, name: str, verdict: Verdict) -> Any:
    if not isinstance(tool_input, dict):
        return verdict.arguments[name]
    return {**tool_input, **verdict.arguments}


def _refused_run(verdict: Verdict, call_id: str | None) -> Any:
    if call_id is None:
        return verdict.reason
    return ToolMessage(content=verdict.reason, tool_call_id=call_id, name=verdict.tool, status="error")


def _patch_create_agent(hosted: tuple[str, ...]) -> None:
    import langchain.agents  # noqa: PLC0415  # the name that applications import from

    create = factory.create_agent

    @wraps(create)
    def gated(*args: Any, middleware: Iterable[Any] = (), **kwargs: Any) -> Any:
        innermost = GateMiddleware(_installed["gate"], hosted=hosted)
        mine = [item for item in middleware if not isinstance(item, GateMiddleware)]
        return create(*args, middleware=[*mine, innermost], **kwargs)

    factory.create_agent = gated
    langchain.agents.create_agent = gated
