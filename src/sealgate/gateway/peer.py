"""One end of a link that carries messages in both directions: what was asked is remembered until it is answered.

A peer neither judges nor changes anything. What cannot be read is answered with an error where it has an id, and told
to whoever owns the peer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sealgate.gateway import envelope as envelopes
from sealgate.gateway.envelope import Answer, Envelope, EnvelopeError, Id
from sealgate.model.errors import UnavailableError

MAX_IN_FLIGHT: Final = 256
"""Requests of one peer that are being answered at once; the next one is refused."""

OnRequest = Callable[[Envelope], Awaitable[Answer]]
OnNotification = Callable[[Envelope], Awaitable[None]]
Send = Callable[[bytes], Awaitable[None]]


class Peer:
    """One end of a link.

    Args:
        send: writes one message.
        on_request: answers a request of the other side; run as a task of its own.
        on_notification: takes a notification; messages after it wait for it.
        gone: makes the exception that waiting requests get when the link ends.
        max_bytes: of one received message.
    """

    def __init__(
        self,
        send: Send,
        on_request: OnRequest,
        on_notification: OnNotification,
        gone: Callable[[str], UnavailableError],
        *,
        max_bytes: int,
    ) -> None:
        self._send = send
        self._on_request = on_request
        self._on_notification = on_notification
        self._gone = gone
        self._max_bytes = max_bytes
        self._waiting: dict[Id, asyncio.Future[Answer]] = {}
        self._running: dict[Id, asyncio.Task[None]] = {}
        self._ended = ""

    async def ask(self, request: Envelope) -> Answer:
        """Send a request and await its answer; raises what ``gone`` makes when there will be none."""
        request_id = request.id
        if self._ended or request_id is None or request_id in self._waiting:
            raise self._gone(self._ended or "the request's id is in use")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        try:
            await self._send(envelopes.encode(request.members))
            return await future
        finally:
            self._waiting.pop(request_id, None)

    async def tell(self, message: Envelope) -> None:
        """Send a notification, if the link still stands."""
        if not self._ended:
            await self._send(envelopes.encode(message.members))

    async def receive(self, data: bytes) -> str:
        """Take one message; return why it was refused, or nothing."""
        try:
            message = envelopes.parse(data, max_bytes=self._max_bytes)
        except EnvelopeError as error:
            answer = envelopes.failure(error.code, error.message)
            await self._send(envelopes.encode(envelopes.response(error.request_id, answer)))
            return error.message
        if message.kind == "response":
            future = None if message.id is None else self._waiting.get(message.id)
            if future is not None and not future.done():
                future.set_result(message.answer)
        elif message.kind == "request":
            await self._start(message)
        else:
            if message.method == "notifications/cancelled":
                self._cancel(message)
            await self._on_notification(message)
        return ""

    async def _start(self, message: Envelope) -> None:
        request_id = message.id
        if request_id is None or request_id in self._running or len(self._running) >= MAX_IN_FLIGHT:
            reason = "the id is in use" if request_id in self._running else "too many requests at once"
            answer = envelopes.failure(envelopes.INVALID_REQUEST, reason)
            await self._send(envelopes.encode(envelopes.response(request_id, answer)))
            return
        task = asyncio.get_running_loop().create_task(self._work(message))
        self._running[request_id] = task
        task.add_done_callback(lambda _: self._running.pop(request_id, None))

    async def _work(self, message: Envelope) -> None:
        answer = await self._on_request(message)
        if not self._ended:
            await self._send(envelopes.encode(envelopes.response(message.id, answer)))

    def _cancel(self, message: Envelope) -> None:
        request_id = message.params.get("requestId")
        task = self._running.get(request_id) if isinstance(request_id, (str, int)) else None
        if task is not None:
            task.cancel()

    async def settled(self) -> None:
        """Wait until every request of the other side was answered."""
        while self._running:
            await asyncio.wait(list(self._running.values()))

    async def end(self, reason: str) -> None:
        """Note that the link is gone: what waits fails, what runs for the other side is cancelled."""
        if not self._ended:
            self._ended = reason or "it ended"
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(self._gone(self._ended))
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
