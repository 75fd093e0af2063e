"""``sealgate mcp wrap``: one client on our standard streams, one server in a child process."""

import asyncio
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from sealgate.gateway.approvals import AuthorityApprovals, StateSeal
from sealgate.gateway.envelope import MAX_CLIENT_MESSAGE_BYTES, Answer, Envelope
from sealgate.gateway.judging import Caller, Judge
from sealgate.gateway.links import ClientGone, Downstream, Upstream
from sealgate.gateway.peer import Peer
from sealgate.gateway.pins import Pins
from sealgate.gateway.process import ProcessUpstream
from sealgate.gateway.relay import Options, Relay
from sealgate.gateway.streams import LineTooLong, lines, reader_of, writer_of
from sealgate.sdk.core import Core

_log = logging.getLogger("sealgate.gateway")


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A server to be put behind the gate."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


class StdioClient:
    """The client at the other end of our standard streams."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def ask(self, request: Envelope) -> Answer:
        """See Downstream."""
        return await self._peer.ask(request)

    async def tell(self, message: Envelope) -> None:
        """See Downstream."""
        await self._peer.tell(message)


async def wrap(
    wrapped: Wrapped,
    core: Core,
    pins: Pins,
    options: Options,
    *,
    seal: StateSeal | None = None,
    source: IO[Any] | None = None,
    sink: IO[Any] | None = None,
) -> int:
    """Carry messages until the client closes or the server ends; return the server's exit status."""
    out = await writer_of(sink or sys.stdout)
    caller = Caller(core.settings.agent)
    judge = Judge(core, AuthorityApprovals(core))

    async def asked(upstream: Upstream, message: Envelope, downstream: Downstream) -> Answer:
        return await relay.on_server_request(upstream, message, downstream)

    async def told(upstream: Upstream, message: Envelope, downstream: Downstream) -> None:
        await relay.on_server_notification(upstream, message, downstream)

    async def on_request(message: Envelope) -> Answer:
        return await relay.on_request(message, client)

    async def on_notification(message: Envelope) -> None:
        await relay.on_notification(message)

    peer = Peer(out.send, on_request, on_notification, ClientGone, max_bytes=MAX_CLIENT_MESSAGE_BYTES)
    client = StdioClient(peer)
    server = ProcessUpstream(wrapped.name, asked, told, client)
    relay = Relay([server], judge, pins, caller, options, seal=seal)
    await server.start(wrapped.command, wrapped.environment)

    async def take(line: bytes) -> None:
        refused = await peer.receive(line)
        if refused:
            await judge.note("(malformed)", "", wrapped.name, refused, caller)

    async def read() -> None:
        try:
            await lines(await reader_of(source or sys.stdin), take, max_bytes=MAX_CLIENT_MESSAGE_BYTES)
        except LineTooLong as error:
            _log.error("the client broke the protocol: %s", error.message)  # one line is enough here
            await judge.note("(malformed)", "", wrapped.name, error.message, caller)

    await _first_of(read(), server.ended.wait())
    if server.ended.is_set():
        await peer.settled()  # the server is gone, so every answer is an error and comes at once
    await peer.end("the client closed")
    status = await server.stop()
    out.close()
    await judge.settled()
    await core.aclose()
    return status


async def _first_of(*works: Any) -> None:
    """Wait for the first of these, or for a signal to stop."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    tasks = [loop.create_task(work) for work in (*works, stopped.wait())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
