"""The Claude Agent SDK with its own program, in front of a model server that says what the script says."""

import asyncio
import itertools
import json
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from claude_agent_sdk import create_sdk_mcp_server, query, tool

from bench.frameworks.cases import Call, run_again
from bench.frameworks.world import Bodies
from sealgate.integrations import claude_agent as adapter
from sealgate.integrations.core import Gate

name: Final = "claude-agent"
shapes: Final = ("async", "sub-agent")
_ids = itertools.count()
_CHILD: Final = "work of the child"


class Server(ThreadingHTTPServer):
    """A model server of one script: calls first, then an end. Who is asked is told by the words of the request."""

    def __init__(self, calls: list[Call], *, delegated: bool) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[str] = []
        own = [(f"mcp__local__{called}", arguments) for called, arguments in calls]
        self.child = [own] if delegated else []
        request = {"description": "go", "prompt": _CHILD, "subagent_type": "general-purpose"}
        self.parent = [[("Agent", request)]] if delegated else [own]

    def next(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the content of the next answer."""
        self.seen.append(json.dumps(body.get("messages", [])))
        first = json.dumps(body["messages"][0])
        script = self.child if _CHILD in first else self.parent
        if not body.get("tools") or not script:
            return [{"type": "text", "text": "end"}]
        made = script.pop(0)
        return [{"type": "tool_use", "id": f"toolu_{next(_ids)}", "name": tool, "input": args} for tool, args in made]


class Handler(BaseHTTPRequestHandler):
    """Speaks as much of the messages API as the program needs."""

    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        """Answer probes."""
        self._send(b"", "text/plain")

    do_GET = do_HEAD

    def do_POST(self) -> None:
        """Answer one request, streamed or not."""
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        if "count_tokens" in self.path or "messages" not in body:
            self._send(b'{"input_tokens": 1}', "application/json")
            return
        content = self.server.next(body)
        message = {
            "id": f"msg_{next(_ids)}",
            "type": "message",
            "role": "assistant",
            "model": body.get("model", "scripted"),
            "content": content,
            "stop_reason": "tool_use" if content[0]["type"] == "tool_use" else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        if body.get("stream"):
            self._send(b"".join(_events(message)), "text/event-stream")
        else:
            self._send(json.dumps(message).encode(), "application/json")

    def _send(self, data: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _events(message: dict[str, Any]) -> list[bytes]:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    ]
    for place, block in enumerate(message["content"]):
        if block["type"] == "text":
            empty: dict[str, Any] = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": block["text"]}
        else:
            empty = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        events += [
            {"type": "content_block_start", "index": place, "content_block": empty},
            {"type": "content_block_delta", "index": place, "delta": delta},
            {"type": "content_block_stop", "index": place},
        ]
    end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events += [{"type": "message_delta", "delta": end, "usage": {"output_tokens": 1}}, {"type": "message_stop"}]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


def _tools(bodies: Bodies) -> list[Any]:
    made = []
    for body in bodies.functions().values():
        kinds = {key: kind for key, kind in body.__annotations__.items() if key != "return"}

        def bound(body: Callable[..., str] = body, kinds: dict[str, Any] = kinds) -> Any:
            async def called(arguments: dict[str, Any]) -> dict[str, Any]:
                return {"content": [{"type": "text", "text": body(**arguments)}]}

            return tool(body.__name__, str(body.__doc__), kinds)(called)

        made.append(bound())
    return made


def run(gate: Gate, bodies: Bodies, calls: list[Call], shape: str) -> str:
    """Drive one query of the SDK, or one whose agent asks a sub-agent."""
    server = Server(calls, delegated=shape == "sub-agent")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with tempfile.TemporaryDirectory() as home:
            asyncio.run(asyncio.wait_for(_query(gate, bodies, server, Path(home)), 60))
    finally:
        server.shutdown()
        server.server_close()
    return "\n".join(server.seen)


async def _query(gate: Gate, bodies: Bodies, server: Server, home: Path) -> None:
    names = [f"mcp__local__{made}" for made in bodies.functions()]
    given = adapter.options(
        gate,
        mcp_servers={"local": create_sdk_mcp_server("local", tools=_tools(bodies))},
        allowed_tools=[*names, "Agent"],
        cwd=str(home),
        setting_sources=[],
        env={
            "HOME": str(home),
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{server.server_port}",
            "ANTHROPIC_API_KEY": "none",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
        },
    )
    async for _ in query(prompt="go", options=given):
        pass


def approve(gate: Gate, bodies: Bodies, call: Call, answer: Callable[[], None]) -> str:
    """The model is told, and asks again."""
    import sys  # noqa: PLC0415  # this module is the driver

    return run_again(sys.modules[__name__], gate, bodies, call, answer)  # type: ignore[arg-type]  # a module is one
