"""``sealgate mcp wrap`` between a raw client and a raw server, with a real authority that permits or denies."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sealgate.demo.authority import Authority, program, run
from sealgate.gateway import methods

HERE = Path(__file__).parent
STATELESS = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
BOTH = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
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


def write_whole(path: Path, text: str) -> None:
    """Replace a file at once: the server reads it whenever it likes, and half a plan is none."""
    made = path.with_name(f".{path.name}.new")
    made.write_text(text)
    made.rename(path)


def whole_lines(path: Path) -> list[Any]:
    """The notes of a server, but for a line that it is just writing."""
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


class Counting(Authority):
    """The authority; its counters are waited for: an outcome is reported behind the answer that a client has."""

    def counted(self, name: str, wanted: float, seconds: float = 30) -> float:
        """Return a counter at rest, once it has reached ``wanted`` or the time is over."""
        deadline = time.monotonic() + seconds
        while self.metric_at_rest(name) < wanted and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.metric_at_rest(name)


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
        write_whole(self.plan, json.dumps({**known, **plan}))

    def send(self, message: Any) -> None:
        """Send a message, or raw bytes."""
        assert self.process.stdin is not None
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.process.stdin.write(data + b"\n")
        self.process.stdin.flush()

    def receive(self, seconds: float = 60) -> Any:
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

    def received(self, method: str | None = "tools/call") -> list[Any]:
        """What the server got; with None what is no request or notification."""
        return [line for line in whole_lines(self.notes) if line.get("method") == method]

    def awaited(self, method: str = "tools/call", seconds: float = 30) -> list[Any]:
        """What the server got, once there is any: a notification has no answer that says that it came."""
        deadline = time.monotonic() + seconds
        while not (got := self.received(method)):
            assert time.monotonic() < deadline, f"no {method} within {seconds} s"
            time.sleep(0.02)
        return got

    def stop(self) -> int:
        """Close its input and wait for its end."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()
        return self.process.wait(timeout=60)


class Served:
    """A gateway in a process of its own."""

    def __init__(
        self, folder: Path, socket: Path, servers: dict[str, Any], more: str = "", tls: Any = None, **options: Any
    ) -> None:
        self.folder = folder
        sections = []
        for name, tools in servers.items():
            (folder / f"{name}.notes").touch()
            self.tell(name, tools=tools, answers={})
            files = (HERE / "upstream.py", folder / f"{name}.notes", folder / f"{name}.json")
            command = [sys.executable, *map(str, files)]
            sections.append(f"[servers.{name}]\ncommand = {json.dumps(command)}\n")
        given = {"listen": "127.0.0.1:0", "agent": "a1", "socket": str(socket), "pins": str(folder / "pins"), **options}
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in given.items() if value is not None]
        (folder / "gateway.toml").write_text("".join([*lines, *sections, more]))
        self.tls = tls
        self.start()

    def start(self) -> None:
        """Start it (again)."""
        self.process = subprocess.Popen(
            [program("sealgate"), "mcp", "serve", self.folder / "gateway.toml"], stderr=subprocess.PIPE, text=True
        )
        said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, args=(said,), daemon=True).start()
        line = said.get(timeout=60)
        assert "listens on port" in line, line
        self.port = int(line.split()[-1])
        self.url = f"{'https://localhost' if self.tls else 'http://127.0.0.1'}:{self.port}/mcp"
        self.http = httpx.Client(timeout=60, headers=BOTH, verify=self.tls or True)

    def _read(self, said: "queue.Queue[str]") -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                said.put(line)

    def tell(self, server: str, **plan: Any) -> None:
        """Change what a server does."""
        path = self.folder / f"{server}.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        write_whole(path, json.dumps({**known, **plan}))

    def received(self, server: str, method: str = "tools/call") -> list[Any]:
        """What a server got."""
        return [line for line in whole_lines(self.folder / f"{server}.notes") if line.get("method") == method]

    def awaited(self, server: str, method: str = "tools/call", seconds: float = 30) -> list[Any]:
        """What a server got, once there is any."""
        deadline = time.monotonic() + seconds
        while not (got := self.received(server, method)):
            assert time.monotonic() < deadline, f"{server} got no {method} within {seconds} s"
            time.sleep(0.02)
        return got

    def post(self, method: str, params: Any = None, *, id: Any = 1, **headers: str | None) -> httpx.Response:  # noqa: A002
        """Make one request of the protocol without sessions; return the HTTP answer."""
        params = {"_meta": STATELESS, **(params or {})}
        head = {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
        if "name" in params:
            head["mcp-name"] = params["name"]
        message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        for key, value in headers.items():
            head[key.replace("_", "-")] = value
        given = {key: value for key, value in head.items() if value is not None}
        return self.http.post(self.url, json=message, headers=given)

    def call(self, name: str, arguments: Any = None, **headers: str | None) -> Any:
        """Call a tool; return its result."""
        return self.post("tools/call", {"name": name, "arguments": arguments or {}}, **headers).json()["result"]

    def stop(self) -> None:
        """End it."""
        self.http.close()
        self.process.terminate()
        self.process.wait(timeout=60)


@pytest.fixture(scope="session", name="gate")
def _gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
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
    with Counting(tmp_path_factory.mktemp("mcp") / "gate") as running:
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


@pytest.fixture(name="served")
def _served(gate: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Served]]:
    """Starts a gateway before the servers `raw` and `other`, who both have a tool `act`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    started: list[Served] = []

    def start(servers: Any = None, *, socket: Path | None = None, **options: Any) -> Served:
        tools = {"raw": [tool("act", "a"), tool("read", "path"), tool("hang")], "other": [tool("act", "a")]}
        given = {"any_definition": True, **options}
        started.append(Served(tmp_path, socket or gate.socket, servers or tools, **given))
        return started[-1]

    yield start
    for running in started:
        running.stop()


APPROVAL_POLICY = """
@id("free") permit (principal, action == Action::"act", resource);
@id("two eyes") @require_approval("manager:1") permit (principal, action in [Action::"pay", Action::"input"], resource);
@id("asked back") permit (principal, action == Action::"elicitation/create", resource);
"""
CALLBACK_KEY = "callback key of at least 32 bytes"


class People:
    """An authority that asks people: `boss` and `alice` are managers; the gateway may speak for `alice` by callback."""

    TOOLS = (tool("act", "a"), tool("pay", "to", "amount"), tool("input"))

    def __init__(self, folder: Path, ttl_s: int = 3600) -> None:
        self.authority = Authority(folder / "gate")
        run("init", self.authority.folder, *Authority.INIT_OPTIONS)
        self.key_file = self.authority.folder / "callback-key"
        self.key_file.write_text(CALLBACK_KEY)
        self.key_file.chmod(0o600)
        text = self.authority.configuration.read_text("utf-8")
        lines = (
            f'[approvals]\nttl_s = {ttl_s}\nprompts_per_hour = 10000\ncallback_key = "file:callback-key"\n'
            'callback_approvers = ["alice", "self"]\n'
        )
        text = text.replace("[approvals]\n", lines, 1)
        for name in ("boss", "alice", "self"):
            text += f'\n[[approver]]\nprincipal = "{name}"\nroles = ["manager"]\n'
        self.authority.configuration.write_text(text, "utf-8")
        said = run("keys", "api", "add", "boss", "--config", self.authority.configuration)
        self.key = next(word for word in said.split() if word.startswith("sg_"))
        policy = folder / "policy"
        for name, content in {
            "policies/all.cedar": APPROVAL_POLICY,
            "tools/raw.json": json.dumps({"server": "raw", "tools": self.TOOLS}),
            "tools/mcp.json": json.dumps({"server": "mcp", "tools": methods.definitions()}),
        }.items():
            (policy / name).parent.mkdir(parents=True, exist_ok=True)
            (policy / name).write_text(content, encoding="utf-8")
        self.authority.start()
        self.authority.publish(policy)

    def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> tuple[int, Any]:
        """Speak to the authority as `boss`, or as whom ``key`` proves; an empty one: as this process's user."""
        key = self.key if key is None else key
        head = {"authorization": f"Bearer {key}"} if key else {}
        transport = httpx.HTTPTransport(uds=str(self.authority.socket))
        with httpx.Client(transport=transport, base_url="http://sealgate", headers=head, timeout=60) as http:
            answer = http.request(method, path, json=body)
        return answer.status_code, answer.json()

    def answer(self, ticket: str, word: str = "grant", *, key: str | None = None) -> int:
        """Answer an approval; return the status."""
        return self.ask("POST", f"/v1/approvals/{ticket}/{word}", {"reason": "seen"}, key=key)[0]

    def shown(self, ticket: str) -> Any:
        """Return an approval as `boss` sees it."""
        return self.ask("GET", f"/v1/approvals/{ticket}")[1]


@pytest.fixture(scope="module", name="people")
def _people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """The authority that asks people."""
    place = People(tmp_path_factory.mktemp("people"))
    yield place
    place.authority.stop()


@pytest.fixture(name="impatient")
def _impatient(tmp_path: Path) -> Iterator[People]:
    """An authority whose approvals are over after two seconds."""
    (tmp_path / "i").mkdir()
    place = People(tmp_path / "i", ttl_s=2)
    yield place
    place.authority.stop()


@pytest.fixture(scope="session", name="gateways")
def _gateways() -> type[Served]:
    """The class of served gateways, for those that live longer than a test."""
    return Served
