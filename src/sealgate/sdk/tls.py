"""Carrying exchanges over HTTPS, for an authority on another machine.

Proxies, ``.netrc`` and other settings of the environment are ignored on purpose: none of them may decide who answers
for the authority. Redirects are not followed. TLS 1.2 is the floor.
"""

import asyncio
import contextlib
import ssl
import time
from typing import Final

import httpx

from sealgate.model.errors import ConfigurationError
from sealgate.sdk.answers import MAX_ANSWER_BYTES, Answer, retry_after
from sealgate.sdk.errors import AuthorityUnreachable, UnreadableAnswer
from sealgate.sdk.settings import Settings
from sealgate.sdk.transport import Call

_LIMITS: Final = httpx.Limits(max_connections=64, max_keepalive_connections=64)


class TlsTransport:
    """Speaks to a remote authority from ordinary code. A reused connection that was closed is tried once more."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = httpx.Client(
            base_url=settings.target,
            verify=_context(settings),
            timeout=settings.timeout_s,
            trust_env=False,
            limits=_LIMITS,
        )

    def send(self, call: Call) -> Answer:
        """See Transport. The time bound holds for each step of the exchange and is checked between them."""
        deadline = time.monotonic() + self._settings.timeout_s
        try:
            return self._send(call, deadline)
        except httpx.RemoteProtocolError as error:
            if not call.repeatable or time.monotonic() > deadline:
                raise _unreachable(self._settings, error) from error
        except httpx.HTTPError as error:
            raise _unreachable(self._settings, error) from error
        try:
            return self._send(call, deadline)
        except httpx.HTTPError as error:
            raise _unreachable(self._settings, error) from error

    def _send(self, call: Call, deadline: float) -> Answer:
        with self._client.stream(
            call.method, call.path, content=call.body, headers=_headers(call, self._settings)
        ) as response:
            body = bytearray()
            for piece in response.iter_raw():
                body += piece
                _check(body, deadline)
            return _answer(response, body)

    def close(self) -> None:
        """See Transport."""
        self._client.close()


class AsyncTlsTransport:
    """The same for coroutines. Use it in one event loop, and close it there."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = httpx.AsyncClient(
            base_url=settings.target,
            verify=_context(settings),
            timeout=settings.timeout_s,
            trust_env=False,
            limits=_LIMITS,
        )

    async def send(self, call: Call) -> Answer:
        """See AsyncTransport."""
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                if call.repeatable:
                    with contextlib.suppress(httpx.RemoteProtocolError):
                        return await self._send(call)
                return await self._send(call)
        except (TimeoutError, httpx.HTTPError) as error:
            raise _unreachable(self._settings, error) from error

    async def _send(self, call: Call) -> Answer:
        async with self._client.stream(
            call.method, call.path, content=call.body, headers=_headers(call, self._settings)
        ) as response:
            body = bytearray()
            async for piece in response.aiter_raw():
                body += piece
                _check(body, None)
            return _answer(response, body)

    async def close(self) -> None:
        """See AsyncTransport."""
        await self._client.aclose()


def _context(settings: Settings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.client_certificate is not None:
            context.load_cert_chain(settings.client_certificate)
    except OSError as error:
        raise ConfigurationError(f"a certificate file cannot be used: {error}") from error
    return context


def _headers(call: Call, settings: Settings) -> dict[str, str]:
    headers = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
    headers["prefer"] = "handling=strict"
    if call.request_id:
        headers["x-request-id"] = call.request_id
    key = settings.api_key()  # read anew each time, so that a rotated key needs no restart
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    return headers


def _check(body: bytearray, deadline: float | None) -> None:
    if len(body) > MAX_ANSWER_BYTES:
        raise UnreadableAnswer("the answer is too large")
    if deadline is not None and time.monotonic() > deadline:
        raise AuthorityUnreachable("the authority did not finish its answer in time")


def _answer(response: httpx.Response, body: bytearray) -> Answer:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise UnreadableAnswer("the answer is encoded in a way that was not asked for")
    return Answer(
        response.status_code,
        response.headers.get("content-type", ""),
        bytes(body),
        retry_after(response.headers.get("retry-after", "")),
    )


def _unreachable(settings: Settings, error: Exception) -> AuthorityUnreachable:
    if isinstance(error, (TimeoutError, httpx.TimeoutException)):
        return AuthorityUnreachable(f"the authority did not answer within {settings.timeout_s:g} s")
    return AuthorityUnreachable(f"no exchange with the authority at `{settings.target}`: {error}")
