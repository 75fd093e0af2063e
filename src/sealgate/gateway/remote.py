"""A server that is reached over streamable HTTP. Its credentials are ours; the client's are never passed on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, Final

import aiohttp
from yarl import URL

from sealgate.gateway import envelope as envelopes
from sealgate.gateway import headers
from sealgate.gateway.envelope import Answer, Envelope, EnvelopeError
from sealgate.gateway.events import MEDIA_TYPE, EventReader
from sealgate.gateway.links import Asked, Downstream, Told, UpstreamGone
from sealgate.gateway.methods import MODERN_KEY
from sealgate.model.errors import InputError

_ACCEPT: Final = f"application/json, {MEDIA_TYPE}"
_MAX_RESUMED: Final = 20
_OK: Final = 200
_STANDING: Final = aiohttp.ClientTimeout(total=None, sock_connect=10.0)  # it stands as long as the session
_REST_BYTES: Final = 64 * 1024
_REST_S: Final = 2.0
"""What may follow an answer on its stream; a server that ends it soon is asked again over the same connection."""

_NO_ANSWER: Final = (aiohttp.ClientError, TimeoutError, OSError)
"""How a server that cannot be reached shows."""


def client(timeout_s: float) -> aiohttp.ClientSession:
    """Return the HTTP client that all servers share. Proxies, cookies and settings of the environment do not count.

    Call inside the running loop.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=256),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"user-agent": "sealgate"},
        trust_env=False,
    )


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
        http: aiohttp.ClientSession,
        *,
        asked: Asked,
        told: Told,
        standing: Downstream,
        schema: Callable[[str], object],
    ) -> None:
        self._name = name
        self._url = URL(url, encoded=True)  # as it is configured, not written anew
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
        except _NO_ANSWER as error:
            raise UpstreamGone(f"it cannot be reached: {type(error).__name__}") from error
        except (EnvelopeError, InputError) as error:
            raise UpstreamGone(f"it sent what is no message: {error.message}") from error
        if request.method == "initialize" and "result" in answer:
            self._version = str(answer["result"].get("protocolVersion", ""))
        return answer

    async def _ask(self, request: Envelope, downstream: Downstream) -> Answer:
        data, head = envelopes.encode(request.members), self._headers(request)
        async with self._response("POST", data=data, headers=head) as response:
            if request.method == "initialize":
                self._session = response.headers.get(headers.SESSION, "")
            if response.content_type == "application/json":
                return _answer_in(await _body(response), request)
            if response.content_type != MEDIA_TYPE or response.status != _OK:
                raise UpstreamGone(f"it answered with HTTP status {response.status}")
            reader = EventReader()
            answer = await self._until(request, reader, response, downstream)
        for _ in range(_MAX_RESUMED):
            if answer is not None:
                return answer
            answer = await self._resume(request, reader, downstream)
        raise UpstreamGone("it ended its answer before the result")

    @contextlib.asynccontextmanager
    async def _response(self, method: str, **more: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """Give one answer; when it is done with, its connection is kept if the server ends the answer soon."""
        response = await self._http.request(method, self._url, allow_redirects=False, **more)
        try:
            yield response
        except BaseException:
            response.close()
            raise
        if response.content.at_eof():
            response.release()
        else:
            self._begin(_rest(response))

    async def _until(
        self, request: Envelope, reader: EventReader, response: aiohttp.ClientResponse, downstream: Downstream
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
        async with self._response("GET", headers=more) as response:
            if response.status != _OK:
                raise UpstreamGone(f"it cannot go on: HTTP status {response.status}")
            return await self._until(request, reader, response, downstream)

    async def _take(self, message: Envelope, downstream: Downstream) -> None:
        if message.kind == "notification":
            await self._told(self, message, downstream)
        elif message.kind == "request":
            self._begin(self._reply(message, downstream))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, message: Envelope, downstream: Downstream) -> None:
        answer = await self._asked(self, message, downstream)
        await self._post(envelopes.encode(envelopes.response(message.id, answer)), self._headers(None))

    async def tell(self, message: Envelope) -> None:
        """See Upstream."""
        await self._post(envelopes.encode(message.members), self._headers(message))
        if message.method == "notifications/initialized":
            self._begin(self._stand())

    async def _post(self, data: bytes, head: Mapping[str, str]) -> None:
        with contextlib.suppress(*_NO_ANSWER):
            async with self._response("POST", data=data, headers=head):
                pass  # what it says to a notification or an answer tells nothing

    async def _stand(self) -> None:
        """Read the stream of what belongs to no request, if the server has one."""
        reader = EventReader()
        while True:
            more = {**self._headers(None), "accept": MEDIA_TYPE}
            if reader.last_id:
                more["last-event-id"] = reader.last_id
            try:
                async with self._response("GET", headers=more, timeout=_STANDING) as response:
                    if response.status != _OK:
                        return
                    async for message in _messages(response, reader):
                        await self._take(message, self._standing)
            except (*_NO_ANSWER, InputError):
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
            with contextlib.suppress(*_NO_ANSWER):
                response = await self._http.delete(self._url, headers=self._headers(None), allow_redirects=False)
                response.close()


async def _rest(response: aiohttp.ClientResponse) -> None:
    """Read an answer to its end, so that its connection can be used again; close one that goes on."""
    left = _REST_BYTES
    try:
        async with asyncio.timeout(_REST_S):
            async for piece in response.content.iter_any():
                left -= len(piece)
                if left < 0:
                    break
    except _NO_ANSWER:
        pass
    finally:
        if response.content.at_eof():
            response.release()
        else:
            response.close()


async def _messages(response: aiohttp.ClientResponse, reader: EventReader) -> AsyncIterator[Envelope]:
    async for piece in response.content.iter_any():
        for data in reader.feed(piece):
            yield envelopes.parse(data)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > envelopes.MAX_MESSAGE_BYTES:
            raise UpstreamGone("its answer is too long")
    return bytes(body)


def _answer_in(data: bytes, request: Envelope) -> Answer:
    message = envelopes.parse(data)
    if message.kind != "response" or (message.id != request.id and "result" in message.members):
        raise UpstreamGone("it answered something else than was asked")
    return message.answer
