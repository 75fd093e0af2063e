"""FastMCP servers with a client in memory."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from fastmcp import Client, FastMCP

from bench.frameworks.cases import Call, run_again
from bench.frameworks.world import Bodies
from sealgate.integrations import fastmcp as adapter
from sealgate.integrations.core import Gate

name: Final = "fastmcp"
shapes: Final = ("client", "mounted", "direct")


def run(gate: Gate, bodies: Bodies, calls: list[Call], shape: str) -> str:
    """Drive one server, one that is mounted into another, or its tools themselves."""
    return asyncio.run(_drive(gate, bodies, calls, shape))


async def _drive(gate: Gate, bodies: Bodies, calls: list[Call], shape: str) -> str:
    middleware = adapter.GateMiddleware(gate)
    server: Any = FastMCP("bench", middleware=[middleware])
    for body in bodies.functions().values():
        server.tool(body)
    if shape == "direct":
        return "\n".join([await _direct(server, *call) for call in calls])
    if shape == "mounted":
        outer: Any = FastMCP("outer")
        outer.mount(server)
        server = outer
    async with Client(server) as client:
        done = [client.call_tool(made, dict(given), raise_on_error=False) for made, given in calls]
        return "\n".join(str(item.content) for item in await asyncio.gather(*done))


async def _direct(server: Any, made: str, given: dict[str, Any]) -> str:
    tool = await server.get_tool(made)
    try:
        return str((await tool.run(dict(given))).content)
    except Exception as error:  # noqa: BLE001  # a tool error is how this framework says no
        return str(error)


def approve(gate: Gate, bodies: Bodies, call: Call, answer: Callable[[], None]) -> str:
    """The client is told, and asks again."""
    import sys  # noqa: PLC0415  # this module is the driver

    return run_again(sys.modules[__name__], gate, bodies, call, answer)  # type: ignore[arg-type]  # a module is one
