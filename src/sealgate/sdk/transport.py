"""Carrying one exchange to the authority and back. Only this module and ``tls`` do network I/O.

A transport sends a ``Call`` and returns an ``Answer``, or raises AuthorityUnreachable. It never judges. A call is sent
a second time only if it is ``repeatable`` (it carries a request id that the authority answers once) and a connection
that had been idle turned out to be closed; both attempts share one deadline.
"""

import asyncio
import contextlib
import os
import pathlib
import select
import socket
import time
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, Protocol

from sealgate.sdk.answers import Answer
from sealgate.sdk.errors import AuthorityUnreachable
from sealgate.sdk.http1 import AnswerReader, write_request

_RECEIVE_BYTES: Final = 64 * 1024
_MAX_IDLE: Final = 64
"""Kept-alive connections per client; one is used by one call at a time."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the authority. ``repeatable`` only if the same ``request_id`` gives the same effect once."""

    method: str
    path: str
    body: bytes
    request_id: str | None = None
    repeatable: bool = False


class Transport(Protocol):
    """Sends calls from ordinary code. Safe to use from many threads."""

    def send(self, call: Call) -> Answer:
        """Return the answer; raises AuthorityUnreachable when there is none in time."""

    def close(self) -> None:
        """Close the connections; a later call opens one for itself."""


class AsyncTransport(Protocol):
    """Sends calls from coroutines of any event loop. A cancelled call closes its connection."""

    def send(self, call: Call) -> Awaitable[Answer]:
        """Return the answer; raises AuthorityUnreachable when there is none in time."""

    async def close(self) -> None:
        """Close the connections; a later call opens one for itself."""


class _Broken(Exception):  # noqa: N818  # private signal, always turned into AuthorityUnreachable
    """A connection failed before one byte of the answer came."""


class SocketPool:
    """Idle connections to one Unix socket, last used first out.

    A socket is owned by exactly one call from ``take`` to ``give``. Deque operations are atomic, so no lock is needed.
    After a fork the child forgets the parent's connections: two processes on one connection would mix their answers.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._path = str(path)
        self._idle: deque[socket.socket] = deque()
        self._process = os.getpid()
        self._closed = False

    @property
    def path(self) -> str:
        """The socket's path."""
        return self._path

    def take(self) -> socket.socket | None:
        """Return an idle connection that still looks alive, or None."""
        if self._process != os.getpid():
            self.clear()
            self._process = os.getpid()
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            # Readable while idle means closed by the other side, or an answer that nobody asked for.
            if not _readable(connection):
                return connection
            connection.close()

    def give(self, connection: socket.socket) -> None:
        """Keep a connection whose last answer was read to its end."""
        if len(self._idle) < _MAX_IDLE and not self._closed:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close all idle connections, and from now on those that a call under way gives back."""
        self._closed = True
        self.clear()

    def clear(self) -> None:
        """Close all idle connections."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()


def _readable(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


class UnixTransport:
    """Speaks to the authority over its Unix socket; the socket's owner and mode say who may."""

    def __init__(self, path: pathlib.Path, timeout_s: float) -> None:
        self._pool = SocketPool(path)
        self._timeout_s = timeout_s

    def send(self, call: Call) -> Answer:
        """See Transport."""
        deadline = time.monotonic() + self._timeout_s
        data = write_request(call.method, call.path, call.body, call.request_id)
        idle = self._pool.take()
        if idle is not None:
            try:
                return self._exchange(idle, data, deadline)
            except _Broken as error:
                if not call.repeatable:
                    raise AuthorityUnreachable(f"the authority closed the connection: {error}") from error
        try:
            return self._exchange(self._connect(deadline), data, deadline)
        except _Broken as error:
            raise AuthorityUnreachable(f"the authority closed the connection: {error}") from error

    def _connect(self, deadline: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(_left(deadline))
            connection.connect(self._pool.path)
        except OSError as error:
            connection.close()
            raise _no_connection(self._pool.path, error) from error
        return connection

    def _exchange(self, connection: socket.socket, data: bytes, deadline: float) -> Answer:
        reader = AnswerReader()
        try:
            try:
                connection.settimeout(_left(deadline))
                connection.sendall(data)
                while True:
                    received = connection.recv(_RECEIVE_BYTES)
                    if not received and reader.empty:
                        raise _Broken("no answer")
                    answer = reader.feed(received)
                    if answer is not None:
                        break
                    connection.settimeout(_left(deadline))
            except TimeoutError as error:
                raise _too_late(self._timeout_s) from error
            except OSError as error:
                raise _Broken(str(error)) from error
        except BaseException:
            connection.close()
            raise
        self._keep(connection, reusable=reader.reusable)
        return answer

    def _keep(self, connection: socket.socket, *, reusable: bool) -> None:
        if reusable:
            self._pool.give(connection)
        else:
            connection.close()

    def close(self) -> None:
        """See Transport."""
        self._pool.close()


class AsyncUnixTransport:
    """The same for coroutines: plain non-blocking sockets, so idle ones belong to no event loop."""

    def __init__(self, path: pathlib.Path, timeout_s: float) -> None:
        self._pool = SocketPool(path)
        self._timeout_s = timeout_s

    async def send(self, call: Call) -> Answer:
        """See AsyncTransport."""
        data = write_request(call.method, call.path, call.body, call.request_id)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._send(call, data)
        except TimeoutError as error:
            raise _too_late(self._timeout_s) from error
        except _Broken as error:
            raise AuthorityUnreachable(f"the authority closed the connection: {error}") from error

    async def _send(self, call: Call, data: bytes) -> Answer:
        idle = self._pool.take()
        if idle is not None:
            try:
                return await self._exchange(idle, data)
            except _Broken:
                if not call.repeatable:
                    raise
        return await self._exchange(await self._connect(), data)

    async def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, self._pool.path)
        except OSError as error:
            connection.close()
            raise _no_connection(self._pool.path, error) from error
        except BaseException:
            connection.close()
            raise
        return connection

    async def _exchange(self, connection: socket.socket, data: bytes) -> Answer:
        loop = asyncio.get_running_loop()
        reader = AnswerReader()
        try:
            try:
                await loop.sock_sendall(connection, data)
                while True:
                    received = await loop.sock_recv(connection, _RECEIVE_BYTES)
                    if not received and reader.empty:
                        raise _Broken("no answer")
                    answer = reader.feed(received)
                    if answer is not None:
                        break
            except TimeoutError:
                raise
            except OSError as error:
                raise _Broken(str(error)) from error
        except BaseException:  # a cancelled call included: its answer must not be read by the next one
            connection.close()
            raise
        if reader.reusable:
            self._pool.give(connection)
        else:
            connection.close()
        return answer

    async def close(self) -> None:
        """See AsyncTransport."""
        self._pool.close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _too_late(timeout_s: float) -> AuthorityUnreachable:
    return AuthorityUnreachable(f"the authority did not answer within {timeout_s:g} s", hint="see `sealgate doctor`")


def _no_connection(path: str, error: OSError) -> AuthorityUnreachable:
    if isinstance(error, TimeoutError):
        return AuthorityUnreachable(f"no connection to the authority at `{path}` in time")
    return AuthorityUnreachable(
        f"no connection to the authority at `{path}`: {error.strerror or error}",
        hint="is `sealgate serve` running, and may this user open its socket?",
    )
