"""``sealgate mcp wrap`` between a raw client and a raw server, with a real authority that permits or denies."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sealgate.demo.authority import Authority, program
from sealgate.gateway import methods

HERE = Path(__file__).parent
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def tool(name: str, *arguments: str, **more: Any) -> dict[str, Any]:
    """A tool's definition."""
    schema = {"type": "object", "properties": {item: {"type": "string"} for item in arguments}}
    return {"name": name, "description": f"Does {name}.", "inputSchema": schema, **more}


TOOLS = [
    *(tool(name, "a", "b") for name in ("act", "environment", "crash", "slow", "hang", "duplicate", "oversized")),
    tool("ask"),
    tool("input"),
    tool("progress"),
    tool("forbidden", "a"),
    tool("read", "path"),
    tool("hy-phen", "a"),
    tool("raw___act", "a"),
]
POLICY = """
@id("all") permit (principal, action, resource);
@id("never") forbid (principal, action in [Action::"forbidden", Action::"sampling/createMessage"], resource);
@id("inside") forbid (principal, action == Action::"read", resource) unless {
  context.input has path && context.normalized has path && context.normalized.path.ok
  && context.normalized.path.text like "/data/*"
};
"""


class Wrapped:
    """A gateway in a process of its own, spoken to line by line."""

    def __init__(self, folder: Path, socket: Path, *options: str, tools: list[Any] | None = None, **plan: Any) -> None:
        self.notes, self.plan, self.pins = folder / "notes", folder / "plan.json", folder / "pins.json"
        self.notes.touch()
        self.tell(tools=TOOLS if tools is None else tools, answers={}, **plan)
        self.command = [
            *(program("sealgate"), "mcp", "wrap", "--name", "raw", "--agent", "a1", "--socket", str(socket)),
            *("--pins", str(self.pins), *options, "--"),
            *(sys.executable, str(HERE / "upstream.py"), str(self.notes), str(self.plan)),
        ]
        self.start()

    def start(self) -> None:
        """Start it (again)."""
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._lines: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._read, args=(self.process.stdout, self._lines), daemon=True).start()
        self.errors = b""
        threading.Thread(target=self._drain, daemon=True).start()

    @staticmethod
    def _read(stream: Any, lines: Any) -> None:
        for line in stream:
            lines.put(json.loads(line))
        lines.put(None)
        stream.close()

    def _drain(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                self.errors += line

    def tell(self, **plan: Any) -> None:
        """Change what the server does."""
        known = json.loads(self.plan.read_text()) if self.plan.exists() else {}
        self.plan.write_text(json.dumps({**known, **plan}))

    def send(self, message: Any) -> None:
        """Send a message, or raw bytes."""
        assert self.process.stdin is not None
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.process.stdin.write(data + b"\n")
        self.process.stdin.flush()

    def receive(self, seconds: float = 10) -> Any:
        """Return the next message; None when the gateway ended."""
        return self._lines.get(timeout=seconds)

    def ask(self, method: str, params: Any = None, *, id: Any = 1) -> Any:  # noqa: A002
        """Make one request and return its response."""
        message = {"jsonrpc": "2.0", "id": id, "method": method}
        self.send(message if params is None else {**message, "params": params})
        while (answer := self.receive()) is not None:
            if answer.get("id") == id and "method" not in answer:
                return answer
        return None

    def call(self, name: str, arguments: Any = None, **params: Any) -> Any:
        """Call a tool and return the result (or the whole error response)."""
        answer = self.ask("tools/call", {"name": name, "arguments": arguments or {}, **params})
        return answer.get("result", answer)

    def greet(self, version: str = "2025-11-25", capabilities: Any = None) -> Any:
        """Do the handshake."""
        params = {"protocolVersion": version, "capabilities": capabilities or {}, "clientInfo": {"name": "c"}}
        answer = self.ask("initialize", params, id=0)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    def received(self, method: str = "tools/call") -> list[Any]:
        """What the server got."""
        lines = [json.loads(line) for line in self.notes.read_text().splitlines()]
        return [line for line in lines if line.get("method") == method]

    def stop(self) -> int:
        """Close its input and wait for its end."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()
        return self.process.wait(timeout=20)


@pytest.fixture(scope="session", name="gate")
def _gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """An authority with a policy for the raw server's tools and the methods."""
    policy = tmp_path_factory.mktemp("policy")
    files = {
        "policies/all.cedar": POLICY,
        "tools/raw.json": json.dumps({"server": "raw", "tools": TOOLS}),
        "tools/mcp.json": json.dumps({"server": "mcp", "tools": methods.definitions()}),
    }
    for name, text in files.items():
        (policy / name).parent.mkdir(exist_ok=True)
        (policy / name).write_text(text, encoding="utf-8")
    with Authority(tmp_path_factory.mktemp("mcp") / "gate") as running:
        running.publish(policy)
        yield running


@pytest.fixture(name="wrapped")
def _wrapped(gate: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Wrapped]]:
    """Starts a gateway: ``wrapped(*options, socket=…, tools=…, **plan)``."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    started: list[Wrapped] = []

    def start(*options: str, socket: Path | None = None, **plan: Any) -> Wrapped:
        started.append(Wrapped(tmp_path, socket or gate.socket, *options, **plan))
        return started[-1]

    yield start
    for running in started:
        running.stop()
