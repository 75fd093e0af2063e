"""Drives the MCP SDK's own client; run with the Python of ``scripts/mcp-env``, not with ours.

Standard input: one JSON object ``{"command": [..] | "url": "..", "mode": "legacy" | "auto", "env": {..},
"headers": {..}, "steps": [[method, ..arguments], ..]}``. Standard output: one JSON list, a result for each step.
"""

import asyncio
import json
import sys
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client


def plain(value: Any) -> Any:
    """Return a result as JSON."""
    return value.model_dump(mode="json", by_alias=True, exclude_none=True) if hasattr(value, "model_dump") else value


async def step(client: Client, method: str, *arguments: Any) -> Any:
    """Make one call; an error of the protocol is a result too."""
    try:
        return plain(await getattr(client, method)(*arguments))
    except Exception as error:  # noqa: BLE001  # whatever the SDK raises is what the test looks at
        return {"error": str(error), "type": type(error).__name__}


async def main() -> None:
    """Connect, make all steps, those in a nested list at once."""
    plan = json.load(sys.stdin)
    if "command" in plan:
        command, *arguments = plan["command"]
        server: Any = stdio_client(StdioServerParameters(command=command, args=arguments, env=plan.get("env")))
    else:
        server = transport(plan)
    options = {"elicitation_callback": accept} if plan.get("elicit") else {}
    async with Client(server, mode=plan["mode"], **options) as client:
        results = []
        for item in plan["steps"]:
            if isinstance(item[0], list):
                results.append(await asyncio.gather(*(step(client, *one) for one in item)))
            else:
                results.append(await step(client, *item))
    print(json.dumps(results))  # noqa: T201


def transport(plan: Any) -> Any:
    """Return a streamable HTTP transport with headers."""
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    return streamable_http_client(plan["url"], http_client=httpx2.AsyncClient(headers=plan.get("headers") or {}))


async def accept(context: Any, params: Any) -> Any:
    """Accept every elicitation."""
    del context, params
    from mcp.types import ElicitResult

    return ElicitResult(action="accept", content={})


asyncio.run(main())
