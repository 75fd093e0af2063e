"""The agent's hands: an MCP client over HTTP to the gateway, and one that starts servers directly, with no gate."""

import http.client
import itertools
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, Protocol, Self

from sealgate.model.errors import UnavailableError

_VERSION: Final = "2025-11-25"
_TIMEOUT_S: Final = 30.0
_GREETING: Final = {
    "protocolVersion": _VERSION,
    "capabilities": {},
    "clientInfo": {"name": "scribe", "version": "1"},
}
_INITIALIZED: Final = {"jsonrpc": "2.0", "method": "notifications/initialized"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the text that a model would read, and whether it says that the call failed or was refused."""

    text: str
    failed: bool

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Self:
        """Return the answer in a JSON-RPC response."""
        if "error" in message:
            return cls(str(message["error"].get("message", "")), failed=True)
        result = message["result"]
        texts = [str(part.get("text", "")) for part in result.get("content", [])]
        return cls("\n".join(texts), failed=result.get("isError") is True)

    @property
    def record_id(self) -> str | None:
        """The record of the decision, which a refusal names."""
        return self._named("Record")

    @property
    def ticket(self) -> str | None:
        """The approval that is waited for, which a refusal names."""
        return self._named("Ticket")

    def _named(self, word: str) -> str | None:
        match = re.search(rf"{word} ([0-9a-f-]{{36}})\b", self.text)
        return match[1] if match else None


class Hands(Protocol):
    """What the scripted agent does everything with."""

    def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """Call a tool."""
        ...

    def ask(self, method: str, params: Mapping[str, Any], *, server: str) -> Answer:
        """Send any request; ``server`` says to whom where each is reached by itself."""
        ...

    def tools(self) -> list[str]:
        """Return the names of the tools that are offered now."""
        ...


class GatewayClient:
    """A session with the gateway's one endpoint. Several threads may call at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ids = itertools.count(1)
        self._session: dict[str, str] = {}
        self._exchange("initialize", _GREETING)
        self._post(_INITIALIZED)

    def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """See Hands."""
        return Answer.of(self._exchange("tools/call", {"name": tool, "arguments": dict(arguments)}))

    def ask(self, method: str, params: Mapping[str, Any], *, server: str) -> Answer:
        """See Hands. The gateway alone decides whom a request reaches."""
        del server
        return Answer.of(self._exchange(method, params))

    def tools(self) -> list[str]:
        """See Hands."""
        return [tool["name"] for tool in self._exchange("tools/list", {})["result"]["tools"]]

    def _exchange(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        number = next(self._ids)
        text = self._post({"jsonrpc": "2.0", "id": number, "method": method, "params": dict(params)})
        for line in text.splitlines():
            data = line.removeprefix("data:").strip()
            if data.startswith("{"):
                message: dict[str, Any] = json.loads(data)
                if message.get("id") == number and "method" not in message:
                    return message
        raise UnavailableError(f"the gateway did not answer `{method}`: {text[:200]}")

    def _post(self, message: Mapping[str, Any]) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S)
        try:
            head = {
                "accept": "application/json, text/event-stream",
                "content-type": "application/json",
                **self._session,
            }
            connection.request("POST", "/mcp", json.dumps(message), head)
            answer = connection.getresponse()
            session = answer.getheader("mcp-session-id")
            if session:
                self._session = {"mcp-session-id": session, "mcp-protocol-version": _VERSION}
            return answer.read().decode()
        finally:
            connection.close()


class DirectClient:
    """Starts each server and speaks to it over its pipes, as a client does where there is no gate."""

    def __init__(self, commands: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> None:
        self._ids = itertools.count(1)
        self._processes = {
            name: subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **environment}
            )
            for name, command in commands.items()
        }
        self._owner: dict[str, str] = {}
        for name in commands:
            self._exchange(name, "initialize", _GREETING)
            self._send(name, _INITIALIZED)
        self.tools()

    def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """See Hands."""
        return self.ask("tools/call", {"name": tool, "arguments": dict(arguments)}, server=self._owner[tool])

    def ask(self, method: str, params: Mapping[str, Any], *, server: str) -> Answer:
        """See Hands."""
        return Answer.of(self._exchange(server, method, params))

    def tools(self) -> list[str]:
        """See Hands."""
        for name in self._processes:
            for tool in self._exchange(name, "tools/list", {})["result"]["tools"]:
                self._owner[tool["name"]] = name
        return list(self._owner)

    def _send(self, server: str, message: Mapping[str, Any]) -> None:
        stream = _stream(self._processes[server].stdin)
        stream.write(json.dumps(message).encode() + b"\n")
        stream.flush()

    def _exchange(self, server: str, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        number = next(self._ids)
        self._send(server, {"jsonrpc": "2.0", "id": number, "method": method, "params": dict(params)})
        for line in _stream(self._processes[server].stdout):
            message: dict[str, Any] = json.loads(line)
            if message.get("id") == number and "method" not in message:
                return message
        raise UnavailableError(f"server `{server}` ended")

    def close(self) -> None:
        """End every server."""
        for process in self._processes.values():
            _stream(process.stdin).close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _stream(process.stdout).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *what: object) -> None:
        self.close()


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise UnavailableError("the server has no pipes")
    return stream
