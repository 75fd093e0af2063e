"""A real authority with people who approve, and many callers at once over its socket."""

import asyncio
import json
import os
import signal
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from bench.owning import wait_until_nobody_owns
from sealgate.cli.init import JOURNAL
from sealgate.demo.authority import Authority, run

APPROVERS: Final = ("boss", "second", "third")
CONNECTIONS: Final = 64
_POLICY: Final = """
@id("read") permit (principal, action == Action::"read", resource);
@id("pay") @require_approval("manager:1") permit (principal, action == Action::"pay", resource);
"""
_TOOLS: Final = [
    {"name": name, "inputSchema": {"type": "object", "properties": {"number": {"type": "integer"}}}}
    for name in ("read", "pay")
]
_SETTINGS: Final = """
[approvals]
ttl_s = {ttl_s}
prompts_per_hour = 100000
max_open = 10000
"""

Answer = tuple[int, dict[str, Any]]


class World:
    """The authority, the agent (the user that runs this) and three people with API keys."""

    def __init__(self, authority: Authority, keys: dict[str, str]) -> None:
        self.authority = authority
        self.keys = keys

    async def together(self, calls: Sequence[tuple[str, Any, str | None]]) -> list[Answer | None]:
        """Send all (path, body or None for GET, who) over 64 connections; None where no answer came."""
        queue = list(enumerate(calls))
        found: list[Answer | None] = [None] * len(calls)

        async def work() -> None:
            reader = writer = None
            while queue:
                number, (path, body, who) = queue.pop()
                try:
                    if writer is None or reader is None:
                        reader, writer = await asyncio.open_unix_connection(str(self.authority.socket))
                    found[number] = await self._exchange(reader, writer, path, body, who)
                except (OSError, asyncio.IncompleteReadError):
                    await _closed(writer)
                    writer = None
            await _closed(writer)

        await asyncio.gather(*(work() for _ in range(min(CONNECTIONS, len(calls)))))
        return found

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: Any, who: str | None
    ) -> Answer:
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: sealgate\r\n"
        if who is not None:
            head += f"Authorization: Bearer {self.keys[who]}\r\n"
        if content:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        writer.write(head.encode() + b"\r\n" + content)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:"))
        return int(lines[0].split()[1]), json.loads(await reader.readexactly(length))

    def kill(self) -> None:
        """End the authority as a power cut would, and wait for its death and that of its helpers, who keep its lock."""
        process = self.authority._process  # noqa: SLF001  # the demo's handle on the process that we started
        os.kill(self.authority.pid, signal.SIGKILL)
        if process is not None:
            process.wait()
        wait_until_nobody_owns(self.authority.data / JOURNAL)
        self.authority._process = None  # noqa: SLF001  # as above


async def _closed(writer: asyncio.StreamWriter | None) -> None:
    if writer is not None:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def question(tool: str, number: int) -> tuple[str, Any, None]:
    """Return a new question for a tool; those with one number are identical but for their request id."""
    body = {
        "subject": {"type": "agent", "id": "a1"},
        "action": {"name": tool},
        "resource": {"type": "tool_server", "id": "bank"},
        "context": {"input": {"number": number}, "request_id": str(uuid.uuid4()), "deadline_ms": 60_000},
    }
    return "/access/v1/evaluation", body, None


@contextmanager
def world(*, ttl_s: int = 3600, permit_ttl_s: int = 600) -> Iterator[World]:
    """Start an authority with a policy that asks for approvals; stop it afterwards."""
    with tempfile.TemporaryDirectory(prefix="sealgate-bench-") as folder:
        authority = Authority(Path(folder) / "gate")
        run("init", authority.folder, *Authority.INIT_OPTIONS)
        text = authority.configuration.read_text("utf-8")
        text = text.replace("#permit_ttl_s = 30", f"permit_ttl_s = {permit_ttl_s}")
        text = text.replace("#deadline_ms = 250", "deadline_ms = 60000")
        text = text.replace("[approvals]\n", _SETTINGS.format(ttl_s=ttl_s).lstrip("\n"), 1)
        text = text.replace('#enabled = "yes"', 'enabled = "no"').replace('enabled = "yes"', 'enabled = "no"')
        for name in APPROVERS:
            text += f'\n[[approver]]\nprincipal = "{name}"\nroles = ["manager"]\n'
        authority.configuration.write_text(text, "utf-8")
        keys = {name: _key(authority, name) for name in APPROVERS}
        policy = Path(folder) / "policy"
        (policy / "policies").mkdir(parents=True)
        (policy / "tools").mkdir()
        (policy / "policies" / "all.cedar").write_text(_POLICY, "utf-8")
        (policy / "tools" / "bank.json").write_text(json.dumps({"tools": _TOOLS}), "utf-8")
        with authority:
            authority.publish(policy)
            yield World(authority, keys)


def _key(authority: Authority, name: str) -> str:
    said = run("keys", "api", "add", name, "--config", authority.configuration)
    return next(word for word in said.split() if word.startswith("sg_"))
