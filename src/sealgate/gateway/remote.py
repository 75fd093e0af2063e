"""A server that is reached over streamable HTTP. Its credentials are ours; the client's are never passed on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import httpx

from sealgate.gateway import envelope as envelopes
from sealgate.gateway import headers
from sealgate.gateway.envelope import Answer, Envelope, EnvelopeError
from sealgate.gateway.events import MEDIA_TYPE, EventReader
from sealgate.gateway.links import Asked, Downstream, Told, UpstreamGone
from sealgate.gateway.methods import MODERN_KEY
from sealgate.model.errors import InputError

_ACCEPT: Final = f"application/json, {MEDIA_TYPE}"
_MAX_RESUMED: Final = 20


def client(timeout_s: float) -> httpx.AsyncClient:
    """Return the HTTP client that all servers share. Proxies and other settings of the environment do not count."""
    limits = httpx.Limits(max_connections=256, max_keepalive_connections=64)
    timeout = httpx.Timeout(timeout_s, connect=10.0, pool=10.0)
    return httpx.AsyncClient(trust_env=False, follow_redirects=False, limits=limits, timeout=timeout)


class HttpUpstream:
    """One server as one client reaches it: with a session of its own where the protocol has sessions.

    Args:
        name: of the server.
        url: of its endpoint.
        secrets: headers that prove us to it.
        http: the client.
        asked: answers its requests.
        told: takes its notifications.
        standing: where everything goes that belongs to no request.
        schema: a tool's input schema by its name, for the headers that repeat arguments.
    """

    def __init__(
        self,
        name: str,
        url: str,
        secrets: Mapping[str, str],
        http: httpx.AsyncClient,
        *,
        asked: Asked,
        told: Told,
        standing: Downstream,
        schema: Callable[[str], object],
    ) -> None:
        self._name = name
        self._url = url
        self._secrets = dict(secrets)
        self._http = http
        self._asked, self._told = asked, told
        self._standing = standing
        self._schema = schema
        self._session = ""
        self._version = ""
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def name(self) -> str:
        """See Upstream."""
        return self._name

    async def ask(self, request: Envelope, downstream: Downstream) -> Answer:
        """See Upstream."""
        try:
            answer = await self._ask(request, downstream)
        except httpx.HTTPError as error:
            raise UpstreamGone(f"it cannot be reached: {type(error).__name__}") from error
        except (EnvelopeError, InputError) as error:
            raise UpstreamGone(f"it sent what is no message: {error.message}") from error
        if request.method == "initialize" and "result" in answer:
            self._version = str(answer["result"].get("protocolVersion", ""))
        return answer

    async def _ask(self, request: Envelope, downstream: Downstream) -> Answer:
        async with self._http.stream(
            "POST", self._url, content=envelopes.encode(request.members), headers=self._headers(request)
        ) as response:
            if request.method == "initialize":
                self._session = response.headers.get(headers.SESSION, "")
            media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media == "application/json":
                return _answer_in(await _body(response), request)
            if media != MEDIA_TYPE or response.status_code != httpx.codes.OK:
                raise UpstreamGone(f"it answered with HTTP status {response.status_code}")
            reader = EventReader()
            answer = await self._until(request, reader, response, downstream)
        for _ in range(_MAX_RESUMED):
            if answer is not None:
                return answer
            answer = await self._resume(request, reader, downstream)
        raise UpstreamGone("it ended its answer before the result")

    async def _until(
        self, request: Envelope, reader: EventReader, response: httpx.Response, downstream: Downstream
    ) -> Answer | None:
        """Hand on what comes until the answer to a request; None where the stream ends before it."""
        async for message in _messages(response, reader):
            if message.kind == "response" and message.id == request.id:
                return message.answer
            await self._take(message, downstream)
        return None

    async def _resume(self, request: Envelope, reader: EventReader, downstream: Downstream) -> Answer | None:
        """Go on reading where the server closed the stream and said how to go on."""
        if not reader.last_id:
            raise UpstreamGone("it ended its answer before the result")
        await asyncio.sleep(reader.retry_ms / 1000)
        more = {**self._headers(None), "accept": MEDIA_TYPE, "last-event-id": reader.last_id}
        async with self._http.stream("GET", self._url, headers=more) as response:
            if response.status_code != httpx.codes.OK:
                raise UpstreamGone(f"it cannot go on: HTTP status {response.status_code}")
            return await self._until(request, reader, response, downstream)

    async def _take(self, message: Envelope, downstream: Downstream) -> None:
        if message.kind == "notification":
            await self._told(self, message, downstream)
        elif message.kind == "request":
            task = asyncio.get_running_loop().create_task(self._reply(message, downstream))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reply(self, message: Envelope, downstream: Downstream) -> None:
        answer = await self._asked(self, message, downstream)
        await self._post(envelopes.encode(envelopes.response(message.id, answer)), self._headers(None))

    async def tell(self, message: Envelope) -> None:
        """See Upstream."""
        await self._post(envelopes.encode(message.members), self._headers(message))
        if message.method == "notifications/initialized":
            task = asyncio.get_running_loop().create_task(self._stand())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _post(self, data: bytes, head: Mapping[str, str]) -> None:
        with contextlib.suppress(httpx.HTTPError):
            await self._http.post(self._url, content=data, headers=head)

    async def _stand(self) -> None:
        """Read the stream of what belongs to no request, if the server has one."""
        reader = EventReader()
        while True:
            more = {**self._headers(None), "accept": MEDIA_TYPE}
            if reader.last_id:
                more["last-event-id"] = reader.last_id
            try:
                async with self._http.stream(
                    "GET", self._url, headers=more, timeout=None
                ) as response:  # it stands as long as the session
                    if response.status_code != httpx.codes.OK:
                        return
                    async for message in _messages(response, reader):
                        await self._take(message, self._standing)
            except (httpx.HTTPError, InputError):
                pass
            await asyncio.sleep(reader.retry_ms / 1000)

    def _headers(self, message: Envelope | None) -> dict[str, str]:
        result = {"accept": _ACCEPT, "content-type": "application/json"}
        if message is not None:
            version = message.meta.get(MODERN_KEY)
            schema = self._schema(str(message.params.get("name"))) if message.method == "tools/call" else None
            result |= headers.made(message, version if isinstance(version, str) else self._version, schema)
        elif self._version:
            result[headers.VERSION] = self._version
        if self._session:
            result[headers.SESSION] = self._session
        return result | self._secrets

    async def stop(self) -> None:
        """End the session."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session:
            with contextlib.suppress(httpx.HTTPError):
                await self._http.delete(self._url, headers=self._headers(None))


async def _messages(response: httpx.Response, reader: EventReader) -> AsyncIterator[Envelope]:
    async for piece in response.aiter_bytes():
        for data in reader.feed(piece):
            yield envelopes.parse(data)


async def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > envelopes.MAX_MESSAGE_BYTES:
            raise UpstreamGone("its answer is too long")
    return bytes(body)


def _answer_in(data: bytes, request: Envelope) -> Answer:
    message = envelopes.parse(data)
    if message.kind != "response" or (message.id != request.id and "result" in message.members):
        raise UpstreamGone("it answered something else than was asked")
    return message.answer
