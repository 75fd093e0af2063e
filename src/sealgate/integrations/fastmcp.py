"""FastMCP servers: a middleware around tool calls, and a backstop around the functions that are tools.

The middleware covers every transport, mounted servers and tools hidden from lists. One that is added later may change
arguments, and ``tool.run(...)`` passes it by; so the functions themselves ask again unless called for exactly
what the middleware judged. Reading resources and prompts is not gated here; the gateway does that.
"""

from functools import wraps
from typing import Any, Final

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server.middleware import Middleware
from fastmcp.tools.function_tool import FunctionTool

from sealgate.integrations.core import Call, Gate
from sealgate.integrations.question import arguments_digest
from sealgate.integrations.verdicts import Verdict, running_ticket
from sealgate.integrations.versions import require_known

NAME: Final = "fastmcp"
_installed: Final[dict[str, Any]] = {}


class GateMiddleware(Middleware):
    """Judges each ``tools/call``. Add it last."""

    def __init__(self, gate: Gate) -> None:
        _patch_functions(gate)
        self._gate = gate

    async def on_call_tool(self, context: Any, call_next: Any) -> Any:
        """Judge, pass on the judged arguments, report. A refusal is a tool error with the reason."""
        message, inner = context.message, context.fastmcp_context
        session = getattr(inner, "session_id", None) if inner is not None and inner.request_context else None

        async def run(final: dict[str, Any]) -> Any:
            return await call_next(context.copy(message=message.model_copy(update={"arguments": final})))

        asked = Call(NAME, message.name, message.arguments or {}, session=session)
        return await self._gate.acall(asked, run, _refuse)


def _refuse(verdict: Verdict) -> Any:
    raise ToolError(verdict.reason)


def _patch_functions(gate: Gate) -> None:
    require_known(NAME)
    _installed["gate"] = gate
    if "functions" in _installed:
        return
    _installed["functions"] = body = FunctionTool.run

    @wraps(body)
    async def gated(self: Any, arguments: dict[str, Any]) -> Any:
        ticket = running_ticket()
        digest = arguments_digest(arguments)
        # A mounted server's tool has a name of its own; the arguments are what was judged.
        if ticket is not None and digest is not None and ticket.claim(ticket.tool, digest):
            return await body(self, arguments)
        asked = Call(NAME, self.name, arguments)
        current: Gate = _installed["gate"]
        return await current.acall(asked, lambda final: body(self, final), _refuse)

    FunctionTool.run = gated


def install(gate: Gate) -> None:
    """Gate every function that is a tool, and add the middleware to servers that are made from now on.

    Raises:
        ConfigurationError: this release is not known.
    """
    _patch_functions(gate)
    if "server" in _installed:
        return
    _installed["server"] = original = FastMCP.__init__

    @wraps(original)
    def gated(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if not any(isinstance(item, GateMiddleware) for item in self.middleware):
            self.add_middleware(GateMiddleware(_installed["gate"]))

    FastMCP.__init__ = gated
