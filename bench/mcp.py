"""The MCP gateway: the conformance suite direct and through, latency with real servers, a policy that denies, Vaara.

Bars: everything that passes direct passes through, in both protocols, with a policy that permits all; added latency p50
≤ 2 ms and p99 ≤ 10 ms over 2,000 calls to real servers (filesystem, time, git); a policy that denies lets no call
through; at least twice the rate of Vaara's HTTP proxy before the same server, with ours durable and signed.
"""

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Final, NamedTuple
from urllib.parse import urlsplit

import httpx

from bench import mcp_refusals
from bench.harness import Options, Result, machine, percentile
from bench.peers.installed import interpreter
from sealgate.demo.authority import Authority, program
from sealgate.demo.authority import run as command

_ROOT: Final = Path(__file__).resolve().parents[1]
_CALLS: Final = {"filesystem": 800, "time": 1000, "git": 200}
_BAR_P50_MS: Final = 2.0
_BAR_P99_MS: Final = 10.0
_PERMIT: Final = '@id("all") permit (principal, action, resource);'
_DENY: Final = '@id("none") forbid (principal, action, resource);'
_VAARA: Final = "2.15.0"
_META: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
_HEADERS: Final = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "test_simple_text",
}


_VERSION: Final = "2025-06-18"  # the newest that Vaara's proxy speaks
_VAARA_CALLERS: Final = (1, 4, 8)
_PATIENCE_S: Final = 8.0
_LEGACY: Final = {"accept": "application/json, text/event-stream", "mcp-protocol-version": _VERSION}


class Tried(NamedTuple):
    """Calls a second that were answered, and calls that were not."""

    per_s: float
    unanswered: int


class Stdio:
    """A client that speaks lines to one process and notes how long each answer takes."""

    def __init__(self, arguments: Sequence[str | Path]) -> None:
        self._process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._ids = 0
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
        self.ask("initialize", params)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        self.ask("tools/list", {})

    def _send(self, message: Mapping[str, Any]) -> None:
        stream = self._stream(self._process.stdin)
        stream.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        stream.flush()

    @staticmethod
    def _stream(stream: IO[bytes] | None) -> IO[bytes]:
        if stream is None:
            raise RuntimeError("the server has no pipes")
        return stream

    def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make one request and return the answer."""
        self._ids += 1
        self._send({"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params})
        while True:
            line = self._stream(self._process.stdout).readline()
            if not line:
                raise RuntimeError("the server ended")
            answer: dict[str, Any] = json.loads(line)
            if answer.get("id") == self._ids and "method" not in answer:
                return answer

    def ask_raw(self, line: bytes) -> dict[str, Any]:
        """Send one line as it is and return the next line that answers."""
        stream = self._stream(self._process.stdin)
        stream.write(line + b"\n")
        stream.flush()
        answer: dict[str, Any] = {"method": ""}
        while "method" in answer:
            answer = json.loads(self._stream(self._process.stdout).readline())
        return answer

    def timed(self, tool: str, arguments: Mapping[str, Any]) -> float:
        """Return how long one successful call takes, in ms."""
        start = time.perf_counter()
        answer = self.ask("tools/call", {"name": tool, "arguments": arguments})
        took = (time.perf_counter() - start) * 1000
        if answer.get("result", {}).get("isError", "error" in answer):
            raise RuntimeError(f"`{tool}` failed: {answer}")
        return took

    def stop(self) -> None:
        """End the process."""
        self._stream(self._process.stdin).close()
        self._process.wait(timeout=20)
        self._stream(self._process.stdout).close()


def run(options: Options) -> Result:
    """Measure; see the module."""
    made = subprocess.run([_ROOT / "scripts" / "mcp-env"], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return Result("mcp", {"skipped": made.stderr.strip()[-300:]}, 0, machine(), ["MCP servers cannot be had here"])
    home = Path(made.stdout.strip())
    figures: dict[str, Any] = {}
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="sg-mcp-") as name:
        folder = Path(name)
        with Authority(folder / "gate") as authority:
            bench = _Bench(home, folder, authority, options)
            for part in (bench.latency, bench.refusals, bench.conformance, bench.rates):
                found, failed = part()
                figures |= found
                missed += failed
    return Result("mcp", figures, sum(_CALLS.values()), machine(), missed)


class _Bench:
    def __init__(self, home: Path, folder: Path, authority: Authority, options: Options) -> None:
        self.home, self.folder, self.authority, self.options = home, folder, authority, options
        self.pins = folder / "pins.json"
        self.policy = folder / "policy"
        (self.policy / "policies").mkdir(parents=True)

    def publish(self, text: str) -> None:
        """Publish a policy over everything that was pinned so far."""
        (self.policy / "policies" / "all.cedar").write_text(text)
        command("mcp", "definitions", self.policy, "--pins", self.pins)
        self.authority.publish(self.policy)

    def wrapped(self, name: str, server: Sequence[str | Path]) -> Stdio:
        """Start the gateway before a server."""
        options = ("--name", name, "--agent", "bench", "--socket", self.authority.socket, "--pins", self.pins)
        return Stdio([program("sealgate"), "mcp", "wrap", *options, "--", *server])

    # Latency and denial

    def servers(self) -> dict[str, tuple[list[str | Path], str, dict[str, Any]]]:
        """Return each real server's command, and one call of it."""
        workspace = self.folder / "workspace"
        workspace.mkdir(exist_ok=True)
        (workspace / "a.txt").write_text("some text\n" * 20)
        _git(workspace)
        python = self.home / "python" / "bin"
        return {
            "filesystem": (
                [self.home / "node_modules" / ".bin" / "mcp-server-filesystem", workspace],
                "read_text_file",
                {"path": str(workspace / "a.txt")},
            ),
            "time": (
                [python / "mcp-server-time", "--local-timezone", "UTC"],
                "get_current_time",
                {"timezone": "UTC"},
            ),
            "git": ([python / "mcp-server-git"], "git_status", {"repo_path": str(workspace)}),
        }

    def latency(self) -> tuple[dict[str, Any], list[str]]:
        """Call real servers direct and through, turn about."""
        servers = self.servers()
        for name, (server, _, _) in servers.items():
            self.wrapped(name, server).stop()  # first contact: its tools are pinned
        self.publish(_PERMIT)
        direct: list[float] = []
        through: list[float] = []
        figures: dict[str, Any] = {}
        for name, (server, tool, arguments) in servers.items():
            one, other = Stdio(server), self.wrapped(name, server)
            for _ in range(20):
                one.timed(tool, arguments)
                other.timed(tool, arguments)
            mine = [(one.timed(tool, arguments), other.timed(tool, arguments)) for _ in range(_CALLS[name])]
            one.stop()
            other.stop()
            direct += (pair[0] for pair in mine)
            through += (pair[1] for pair in mine)
            figures[f"{name}_added_p50_ms"] = round(_added(mine, 0.5), 3)
        added = sorted(there - here for here, there in zip(direct, through, strict=True))
        p50, p99 = percentile(added, 0.5), percentile(added, 0.99)
        figures |= {
            "calls": len(added),
            "direct_p50_ms": round(percentile(sorted(direct), 0.5), 3),
            "through_p50_ms": round(percentile(sorted(through), 0.5), 3),
            "added_p50_ms": round(p50, 3),
            "added_p99_ms": round(p99, 3),
        }
        missed = [f"added p50 {p50:.2f} ms > {_BAR_P50_MS}"] if p50 > _BAR_P50_MS else []
        missed += [f"added p99 {p99:.2f} ms > {_BAR_P99_MS}"] if p99 > _BAR_P99_MS else []
        denied, ran = self._denied(servers["filesystem"][0])
        figures |= {"denied_calls": denied, "denied_calls_that_ran": ran}
        return figures, missed + (["a denied call ran"] if ran or not denied else [])

    def _denied(self, server: Sequence[str | Path]) -> tuple[int, int]:
        """Return how many writes were denied, and how many happened all the same."""
        self.publish(_DENY)
        client = self.wrapped("filesystem", server)
        targets = [self.folder / "workspace" / f"made-{number}" for number in range(50)]
        refused = 0
        for target in targets:
            answer = client.ask("tools/call", {"name": "create_directory", "arguments": {"path": str(target)}})
            refused += answer["result"]["isError"] is True
        client.stop()
        self.publish(_PERMIT)
        return refused, sum(target.exists() for target in targets)

    def refusals(self) -> tuple[dict[str, Any], list[str]]:
        """Try what must not get through; see ``mcp_refusals``."""
        (self.folder / "secret.txt").write_text("of others")
        workspace = self.folder / "workspace"
        (workspace / "link.txt").symlink_to(self.folder / "secret.txt")
        planned = mcp_refusals.Planned(self.folder)
        self.wrapped("planned", planned.command).stop()
        self.publish(mcp_refusals.POLICY.replace("WORKSPACE", str(workspace)))
        attempts = mcp_refusals.Attempts(self.authority)
        client = self.wrapped("filesystem", self.servers()["filesystem"][0])
        mcp_refusals.on_paths(attempts, client.ask, workspace)
        client.stop()
        client = self.wrapped("planned", planned.command)
        mcp_refusals.on_names(attempts, planned, client.ask, client.ask_raw)
        mcp_refusals.on_definitions(attempts, planned, client.ask, self.pins)
        client.stop()
        return attempts.figures, attempts.missed

    # Conformance

    def conformance(self) -> tuple[dict[str, Any], list[str]]:
        """Run the suite against a server of our own, direct and through."""
        figures: dict[str, Any] = {}
        missed: list[str] = []
        with self._fixtures() as direct, self._gateway(direct) as through:
            for name, choice in {
                "2025_11_25": ("--spec-version", "2025-11-25"),
                "2026_07_28": ("--requirements", "2026-07-28"),
            }.items():
                first = self._suite(direct, choice)
                second = self._suite(through, choice)
                lost = sorted(first - second)
                figures[f"conformance_{name}_direct"] = len(first)
                figures[f"conformance_{name}_through"] = len(first & second)
                missed += [f"conformance {name}: {check} passes direct only" for check in lost]
                missed += [] if first else [f"conformance {name}: nothing passes direct"]
        return figures, missed

    def _suite(self, url: str, choice: Sequence[str]) -> set[str]:
        """Return the checks that pass."""
        suite = self.home / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
        with tempfile.TemporaryDirectory(dir=self.folder) as results:
            subprocess.run(
                [self.home / "node_modules" / ".bin" / "node", suite, "server", "--url", url, *choice, "-o", results],
                capture_output=True,
                check=False,
                timeout=120,
            )
            passed = set()
            for file in Path(results).glob("*/checks.json"):
                scenario = re.sub(r"-\d{4}-\d\d-\d\dT.*", "", file.parent.name)
                for check in json.loads(file.read_text()):
                    if check["status"] == "SUCCESS":
                        passed.add(f"{scenario}/{check['id']}")
        return passed

    @contextlib.contextmanager
    def _fixtures(self) -> Iterator[str]:
        port = _free_port()
        script = _ROOT / "bench" / "peers" / "mcp_fixtures.py"
        with _process([self.home / "python" / "bin" / "python", "-P", script, str(port)], port):
            yield f"http://127.0.0.1:{port}/mcp"

    @contextlib.contextmanager
    def _gateway(self, upstream: str) -> Iterator[str]:
        port = _free_port()
        configuration = self.folder / "gateway.toml"
        configuration.write_text(
            f'listen = "127.0.0.1:{port}"\nagent = "bench"\nsocket = "{self.authority.socket}"\n'
            f'pins = "{self.pins}"\n[servers.fixtures]\nurl = "{upstream}"\n'
        )
        with _process([program("sealgate"), "mcp", "serve", configuration], port):
            url = f"http://127.0.0.1:{port}/mcp"
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": _META}}
            httpx.post(url, json=message, headers={**_HEADERS, "mcp-method": "tools/list"}).raise_for_status()
            self.publish(_PERMIT)
            yield url

    # Rates

    def rates(self) -> tuple[dict[str, Any], list[str]]:
        """Compare calls a second with Vaara's proxy, both before the same server."""
        seconds = 6.0 if self.options.full else 2.0
        with self._fixtures() as upstream:
            with self._gateway(upstream) as url:
                ours = _rate(url, seconds)
            theirs = self._vaara(upstream, seconds)
            direct = _rate(upstream, seconds)
        figures: dict[str, Any] = {
            "direct_calls_per_s": round(direct.per_s),
            "gateway_calls_per_s": round(ours.per_s),
            "gateway_calls_unanswered": ours.unanswered,
        }
        missed = [f"{ours.unanswered} calls through the gateway got no answer"] if ours.unanswered else []
        best = max(theirs.values(), key=lambda tried: tried.per_s, default=None)
        if best is None or not best.per_s:
            return {**figures, "vaara_calls_per_s": "not installable or not answering here"}, missed
        figures |= {
            "vaara_calls_per_s": round(best.per_s),
            "vaara_calls_per_s_by_callers": {str(callers): round(tried.per_s) for callers, tried in theirs.items()},
            "vaara_calls_unanswered_by_callers": {str(callers): tried.unanswered for callers, tried in theirs.items()},
            "times_vaara": round(ours.per_s / best.per_s, 2),
        }
        return figures, missed + _below(ours.per_s / best.per_s)

    def _vaara(self, upstream: str, seconds: float) -> dict[int, Tried]:
        """Return what Vaara does with each number of callers; its best counts, as with many some calls hang."""
        python = interpreter("vaara[server]", _VAARA)
        if python is None:
            return {}
        port = _free_port()
        arguments: list[str | Path] = [
            *(python.with_name("vaara-mcp-proxy"), "--upstream-url", upstream, "--allow-private-upstream-hosts"),
            *("--transport", "http", "--http-port", str(port), "--http-log-level", "error"),
            *("--db", self.folder / "vaara.db", "--shadow"),  # its own rules would block some of the calls
        ]
        found: dict[int, Tried] = {}
        try:
            with _process(arguments, port, {"HOME": str(self.folder)}):
                for callers in _VAARA_CALLERS:
                    found[callers] = _rate(f"http://127.0.0.1:{port}/mcp", seconds, callers)
        except (RuntimeError, OSError, http.client.HTTPException) as error:
            print(f"vaara: {error}", file=sys.stderr)
        return found


def _added(pairs: Sequence[tuple[float, float]], share: float) -> float:
    return percentile(sorted(there - here for here, there in pairs), share)


def _below(times: float) -> list[str]:
    return [] if times >= 2 else [f"{times:.2f} times Vaara's rate < 2"]


class _Caller:
    """One client of an endpoint, as light as the standard library has it: it shares the processors with the measured.

    No two callers use one id: Vaara hands ids on unchanged over a single session, where one of two equal ones is lost.
    """

    def __init__(self, url: str, number: int) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE_S)
        self._path = parts.path
        self._head = {**_LEGACY, "content-type": "application/json"}
        self._id = number * 1_000_000
        params = {"protocolVersion": _VERSION, "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
        session, _ = self.ask("initialize", params)
        if session:  # without sessions there is nobody to tell
            self._head["mcp-session-id"] = session
            self._post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def ask(self, method: str, params: Mapping[str, Any]) -> tuple[str | None, bytes]:
        """Make one request; return the session that its answer names, and the answer."""
        self._id += 1
        return self._post({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})

    def _post(self, message: Mapping[str, Any]) -> tuple[str | None, bytes]:
        self._connection.request("POST", self._path, json.dumps(message), self._head)
        answer = self._connection.getresponse()
        return answer.headers.get("mcp-session-id"), answer.read()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _rate(url: str, seconds: float, callers: int = 8) -> Tried:
    """Return successful tool calls a second of several callers. A call without an answer ends its caller's part."""
    params = {"name": "test_simple_text", "arguments": {}}

    def work(number: int) -> tuple[int, int]:
        done = 0
        with contextlib.closing(_Caller(url, number)) as caller:
            until = time.perf_counter() + seconds
            while time.perf_counter() < until:
                try:
                    _, answer = caller.ask("tools/call", params)
                except TimeoutError:
                    return done, 1
                if b"This is a simple text response" not in answer:
                    raise RuntimeError(f"a call failed: {answer[:300]!r}")
                done += 1
        return done, 0

    with ThreadPoolExecutor(callers) as pool:
        parts = list(pool.map(work, range(callers)))
    return Tried(sum(done for done, _ in parts) / seconds, sum(lost for _, lost in parts))


@contextlib.contextmanager
def _process(
    arguments: Sequence[str | Path], port: int, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    process = subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **(environment or {})}
    )
    try:
        deadline = time.monotonic() + 30
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"`{arguments[0]}` does not listen")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
        return True
    return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _git(folder: Path) -> None:
    if not (folder / ".git").exists():
        subprocess.run(["git", "init", "--quiet", folder], check=True)
