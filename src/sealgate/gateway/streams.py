"""Messages over pipes, one to a line: the stdio transport of MCP."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import IO, Any, Final

from sealgate.gateway.envelope import MAX_MESSAGE_BYTES
from sealgate.model.errors import InputError

_READ_BYTES: Final = 256 * 1024


class LineTooLong(InputError):  # noqa: N818  # reads as the fact it states
    """A line has no end within the bound. What comes after it cannot be trusted to begin a message."""


async def lines(reader: asyncio.StreamReader, take: Callable[[bytes], Awaitable[None]], *, max_bytes: int) -> None:
    """Hand on every line until the stream ends; an unfinished last line is no message and is dropped.

    Raises:
        LineTooLong: see there.
    """
    rest = b""
    while data := await reader.read(_READ_BYTES):
        *whole, rest = (rest + data).split(b"\n") if b"\n" in data else (rest + data,)
        for line in whole:
            if line.strip():
                await take(line)
        if len(rest) > max_bytes:
            raise LineTooLong(f"a line is longer than {max_bytes} bytes")


async def reader_of(pipe: IO[Any]) -> asyncio.StreamReader:
    """Return a reader of one of our own pipes."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_MESSAGE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader


class LineWriter:
    """Writes whole lines, in order, and waits while the other side does not read."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Write one message; a reader that is gone is noticed elsewhere."""
        if self._writer.is_closing():
            return
        self._writer.write(data + b"\n")
        try:
            await self._writer.drain()
        except ConnectionError:
            self._writer.close()

    def close(self) -> None:
        """Tell the other side that nothing more comes."""
        self._writer.close()


async def writer_of(pipe: IO[Any]) -> LineWriter:
    """Return a writer to one of our own pipes."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
    return LineWriter(asyncio.StreamWriter(transport, protocol, None, loop))
