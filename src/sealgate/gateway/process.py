"""A server as a child process of ours, spoken to over its pipes."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Final

from sealgate.gateway.envelope import MAX_MESSAGE_BYTES, Answer, Envelope
from sealgate.gateway.links import Asked, Downstream, Told, UpstreamGone
from sealgate.gateway.peer import Peer
from sealgate.gateway.streams import LineTooLong, LineWriter, lines
from sealgate.model.errors import ConfigurationError

_PATIENCE_S: Final = 2.0


class ProcessUpstream:
    """One child process. It belongs to one conversation: ids go through unchanged, what it says goes to one client.

    Args:
        name: of the server.
        asked: answers its requests.
        told: takes its notifications.
        client: where both end.
    """

    def __init__(self, name: str, asked: Asked, told: Told, client: Downstream) -> None:
        self._name = name
        self._process: asyncio.subprocess.Process | None = None
        self._writer: LineWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self.ended = asyncio.Event()

        async def on_request(message: Envelope) -> Answer:
            return await asked(self, message, client)

        async def on_notification(message: Envelope) -> None:
            await told(self, message, client)

        self._peer = Peer(self._send, on_request, on_notification, UpstreamGone, max_bytes=MAX_MESSAGE_BYTES)

    @property
    def name(self) -> str:
        """See Upstream."""
        return self._name

    async def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the process. Its standard error is ours.

        Raises:
            ConfigurationError: there is no such program.
        """
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=dict(environment),
                limit=MAX_MESSAGE_BYTES,
                start_new_session=True,
            )
        except OSError as error:
            raise ConfigurationError(f"server `{command[0]}` cannot be started: {error.strerror}") from error
        assert self._process.stdin is not None  # noqa: S101  # a pipe was asked for
        self._writer = LineWriter(self._process.stdin)
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _send(self, data: bytes) -> None:
        if self._writer is not None:
            await self._writer.send(data)

    async def _read(self) -> None:
        assert self._process is not None  # noqa: S101  # start sets it before
        assert self._process.stdout is not None  # noqa: S101  # a pipe was asked for
        reason = "it ended"
        try:
            await lines(self._process.stdout, self._take, max_bytes=MAX_MESSAGE_BYTES)
        except LineTooLong as error:
            reason = error.message
        except UpstreamGone as error:
            reason = error.message
        finally:
            await self._peer.end(reason)
            self.ended.set()

    async def _take(self, line: bytes) -> None:
        refused = await self._peer.receive(line)
        if refused:
            # What it answered, and to whom, cannot be known: every answer that is awaited could be this one.
            raise UpstreamGone(f"it sent what is no message: {refused}")

    async def ask(self, request: Envelope, downstream: Downstream) -> Answer:
        """See Upstream."""
        del downstream  # what it says goes to its one client in any case
        return await self._peer.ask(request)

    async def tell(self, message: Envelope) -> None:
        """See Upstream."""
        await self._peer.tell(message)

    async def stop(self) -> int:
        """End the process: close its input, then ask, then kill. Return its exit status."""
        process = self._process
        if process is None:
            return 0
        if self._writer is not None:
            self._writer.close()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None and process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await process.wait()
                break
            except TimeoutError:
                continue
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._peer.end("it was stopped")
        return process.returncode or 0
