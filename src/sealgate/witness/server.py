"""The witness as a small ASGI application: ``POST /add-checkpoint`` and ``GET /<sha256 of origin>/checkpoint``."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from . import wire
from .core import Answer, Witness

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_ADD: Final = "/add-checkpoint"


class WitnessApplication:
    """Serves one witness. The decision runs in a thread, as it waits for the disk."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            answer = await self._answer(scope["method"], scope["path"], receive)
            headers = [
                (b"content-type", answer.content_type.encode()),
                (b"content-length", str(len(answer.body)).encode()),
                (b"cache-control", b"no-store"),
            ]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, method: str, path: str, receive: Receive) -> Answer:
        if method == "POST" and path == _ADD:
            body = await _read_body(receive)
            if body is None:
                return Answer(413, b"request is too large\n")
            return await asyncio.to_thread(self._witness.add_checkpoint, body)
        if method in ("GET", "HEAD"):
            return await asyncio.to_thread(self._witness.latest, path)
        return Answer(405 if path == _ADD else 404, b"no such resource\n")


async def _read_body(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > wire.MAX_REQUEST or message["type"] == "http.disconnect":
            return None
        if not message.get("more_body", False):
            return bytes(body)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
