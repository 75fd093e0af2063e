"""The life of the server: listen, answer, reload certificates, stop without losing an answer.

Stopping, in this order: readiness turns false and new decisions are SILENCE `stopping`; the listeners close; idle
connections close; answers under way are awaited, within a bound; the authority makes durable what it accepted. A second
signal skips the waiting: what was acknowledged is durable in any case.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable
from typing import Final, Protocol

import uvloop

from sealgate.model.errors import ConfigurationError
from sealgate.ports.identity import IdentityResolver

from . import bounds
from .access_log import AccessLog
from .api import Api
from .application import Application
from .connections import Connections
from .listeners import HttpsListener, Listeners, close_unix, open_tcp, open_unix, tls_context

_log = logging.getLogger("sealgate.server")

READY_DESCRIPTOR: Final = "READY_DESCRIPTOR"
"""The variable that names the open file of who started us, if it wants to be told that we serve."""

_STOP_TIMEOUT_S: Final = 10.0  # what the authority may take to drain; systemd's default patience is 90 s


class Companions(Protocol):
    """Processes beside the service that live as long as it serves."""

    def start(self) -> None:
        """Begin to start them; returns at once. Called when the service listens."""

    async def stop(self) -> None:
        """Stop them. Called while the service still serves, so that they can hand in what they hold."""


class Server:
    """Serves one service on all its listeners, in one process and one event loop."""

    def __init__(
        self,
        api: Api,
        resolver: IdentityResolver,
        listeners: Listeners,
        *,
        access_log: AccessLog | None = None,
        companions: Companions | None = None,
    ) -> None:
        if listeners.unix is None and listeners.https is None:
            raise ConfigurationError("no listener is configured", hint="name a Unix socket or an HTTPS port")
        self._service = api.service
        self._listeners = listeners
        self._access_log = access_log
        self._companions = companions
        self.application = Application(
            api, resolver, access_log=access_log, max_request_bytes=listeners.max_request_bytes
        )
        self._signals = 0
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._tcp: socket.socket | None = None
        self._https: asyncio.Server | None = None
        self._connections: Connections | None = None
        self._reloading: asyncio.Task[None] | None = None

    @property
    def https_port(self) -> int:
        """The port that HTTPS really listens on, 0 if it does not."""
        return int(self._tcp.getsockname()[1]) if self._tcp else 0

    async def run(self, ready: Callable[[], None] | None = None, *, signals: bool = True) -> bool:
        """Serve until told to stop; tell whether everything was drained in time. ``ready`` is called once listening.

        ``signals`` is for the main thread only: SIGTERM and SIGINT stop, SIGHUP reloads.

        Raises:
            ConfigurationError: a listener cannot be opened; nothing was served.
            UnavailableError: the service could not start.
        """
        loop = asyncio.get_running_loop()
        connections = Connections(self.application, loop, max_open=self._listeners.max_connections)
        self._connections = connections
        await self._service.start()
        try:
            servers = await self._listen(connections)
            if signals:
                self._handle_signals(loop)
            sweeper = loop.create_task(_sweep(connections))
            if self._access_log is not None:
                self._access_log.start()
            _calm_collector()
            _notify(b"READY=1")
            _tell_parent()
            if ready is not None:
                ready()
            if self._companions is not None:
                self._companions.start()
            await self._stop.wait()
            _notify(b"STOPPING=1")
            await self._stop_companions()
            drained = await self._drain(servers, connections)
            sweeper.cancel()
        finally:
            stopped = await self._stop_service()
            if self._access_log is not None:
                self._access_log.stop()
        return drained and stopped

    def stop(self) -> None:
        """Begin to stop; a second call hurries. What a signal does."""
        self._signals += 1
        self.application.handlers.stopping = True
        self._stop.set()
        if self._signals > 1:
            self._hurry.set()

    async def _listen(self, connections: Connections) -> list[asyncio.Server]:
        loop = connections.loop
        servers: list[asyncio.Server] = []
        if self._listeners.https is not None:
            context = tls_context(self._listeners.https)
            self._tcp = open_tcp(self._listeners.https)
            self._https = await self._serve_tls(connections, context)
        if self._listeners.unix is not None:
            listening = open_unix(self._listeners.unix)
            servers.append(await loop.create_unix_server(connections.protocol, sock=listening))
        return servers

    async def _serve_tls(self, connections: Connections, context: ssl.SSLContext) -> asyncio.Server:
        assert self._tcp is not None  # noqa: S101  # opened just before, or this is a reload
        return await connections.loop.create_server(
            connections.protocol,
            sock=self._tcp.dup(),
            ssl=context,
            ssl_handshake_timeout=bounds.HANDSHAKE_TIMEOUT_S,
            ssl_shutdown_timeout=bounds.LINGER_S,
        )

    def _handle_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGINT, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload)

    def reload(self) -> None:
        """Read the TLS files again. Open connections keep what they have; with bad files nothing changes."""
        if self._listeners.https is not None and self._connections is not None:
            loop = self._connections.loop
            self._reloading = loop.create_task(self._reload(self._listeners.https, self._connections))

    async def _reload(self, https: HttpsListener, connections: Connections) -> None:
        try:
            context = tls_context(https)
        except ConfigurationError as error:
            _log.error("certificates not reloaded: %s", error)  # one line is enough here
            return
        # Both servers listen on the same socket for a moment, so no caller is turned away in between.
        before, self._https = self._https, await self._serve_tls(connections, context)
        if before is not None:
            before.close()
        _log.info("certificates reloaded")

    async def _drain(self, servers: list[asyncio.Server], connections: Connections) -> bool:
        for server in [*servers, *([self._https] if self._https else [])]:
            server.close()
        if self._tcp is not None:
            self._tcp.close()
        if self._listeners.unix is not None:
            close_unix(self._listeners.unix)
        connections.stop()
        ends = [asyncio.ensure_future(event.wait()) for event in (connections.all_closed, self._hurry)]
        _, pending = await asyncio.wait(
            ends, timeout=self._listeners.stop_timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        for end in pending:
            end.cancel()
        left = len(connections.open)
        if left:
            _log.warning("%d connections were dropped while stopping", left)
            connections.abort()
        return not left

    async def _stop_companions(self) -> None:
        """Stop the companions; a second signal does not wait for them (they end with this process)."""
        if self._companions is None:
            return
        ends = [asyncio.ensure_future(self._companions.stop()), asyncio.ensure_future(self._hurry.wait())]
        _, pending = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in pending:
            end.cancel()

    async def _stop_service(self) -> bool:
        try:
            await asyncio.wait_for(self._service.stop(), 1.0 if self._hurry.is_set() else _STOP_TIMEOUT_S)
        except TimeoutError:
            _log.error("the service did not stop in time")  # the trace would say nothing more
            return False
        return True


async def _sweep(connections: Connections) -> None:
    while True:
        await asyncio.sleep(1)
        connections.sweep()


def _calm_collector() -> None:
    """Let the cyclic collector look at what requests make, and seldom, but never again at what the start made.

    Requests make no cycles; with the default thresholds the collector took a quarter of the time of a decision.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _notify(state: bytes) -> None:
    """Tell systemd, where it asked (sd_notify(3))."""
    where = os.environ.get("NOTIFY_SOCKET")
    if where:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
            notifier.sendto(state, f"\0{where[1:]}" if where.startswith("@") else where)


def _tell_parent() -> None:
    """Write one line into the file that is open for it, and close it."""
    descriptor = os.environ.pop(READY_DESCRIPTOR, "")
    if descriptor:
        with contextlib.suppress(OSError), os.fdopen(int(descriptor), "wb") as file:  # nobody may read it any more
            file.write(b"ready\n")


def serve(make: Callable[[], Server]) -> bool:
    """Run a server in a loop of its own until it has stopped; tell whether everything was drained in time."""

    async def main() -> bool:
        return await make().run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())
