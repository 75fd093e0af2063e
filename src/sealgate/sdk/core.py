"""What a client owns: settings, connections, spool. Both kinds of client and every guard share one of these."""

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from sealgate.sdk import flows, tracing
from sealgate.sdk.answers import Answer, Decision
from sealgate.sdk.calls import Question
from sealgate.sdk.delivery import Courier
from sealgate.sdk.itemspool import ItemSpool
from sealgate.sdk.recorder import Recorder
from sealgate.sdk.redaction import Redactor, redactor_of
from sealgate.sdk.settings import Settings, resolve
from sealgate.sdk.shipper import Shipper
from sealgate.sdk.spool import Spool
from sealgate.sdk.transport import AsyncTransport, AsyncUnixTransport, Call, Transport, UnixTransport

R = TypeVar("R")


class Core:
    """Settings, transports, courier and handlers of obligations. Everything is opened when it is first needed."""

    def __init__(
        self, settings: Settings, obligations: Mapping[str, flows.Handler], redact: Redactor | None = None
    ) -> None:
        self.settings = settings
        self.obligations = dict(obligations)
        self._lock = threading.Lock()
        self._transport: Transport | None = None
        self._async_transport: AsyncTransport | None = None
        self._collector: Transport | None = None
        self._closed = False
        self.courier = Courier(Spool(settings.spool_folder, settings.target), self._send)
        items = ItemSpool(settings.spool_folder, settings.collector.target, max_bytes=settings.spool_bytes)
        self.recorder = Recorder(settings, items, Shipper(items, self._send_batch), redact or redactor_of(settings))

    def _send(self, call: Call) -> Answer:
        if not self._closed:
            return self.transport.send(call)
        return _send_once(self.settings, call)  # a thread of ours that goes on after the client was closed

    def _send_batch(self, call: Call) -> Answer:
        if self._closed:
            return _send_once(self.settings.collector, call)
        with self._lock:
            if self._collector is None:
                self._collector = _open(self.settings.collector)
            transport = self._collector
        return transport.send(call)

    @property
    def transport(self) -> Transport:
        """The blocking transport."""
        if self._transport is not None:  # no lock on the usual path: a fork could copy it locked
            return self._transport
        with self._lock:
            if self._transport is None:
                self._transport = _open(self.settings)
            return self._transport

    @property
    def async_transport(self) -> AsyncTransport:
        """The awaiting transport."""
        if self._async_transport is not None:
            return self._async_transport
        with self._lock:
            if self._async_transport is None:
                self._async_transport = _open_async(self.settings)
            return self._async_transport

    def run(self, flow: flows.Flow[R]) -> R:
        """Drive a flow, blocking."""
        return flows.run(flow, self.transport.send)

    async def run_async(self, flow: flows.Flow[R]) -> R:
        """Drive a flow, awaiting."""
        return await flows.run_async(flow, self.async_transport.send)

    def agent(self, span: tracing.Span) -> str:
        """Return who acts: the agent of the task, else the client's."""
        return span.agent or self.settings.agent

    def decide(self, asked: Question, span: tracing.Span, *, redeem: bool) -> flows.Flow[Decision]:
        """Ask for a decision, after making sure that its outcome will find room."""
        self.courier.prepare()
        return (yield from flows.decide(asked, span, redeem=redeem, timeout_s=self.settings.timeout_s))

    def close(self) -> None:
        """Send what the collector takes at once, and close blocking connections; what is left waits on disk."""
        self.recorder.shipper.close()
        with self._lock:
            self._closed = True
            transports = self._transport, self._collector
            self._transport = self._collector = None
        for transport in transports:
            if transport is not None:
                transport.close()

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.to_thread(self.close)
        with self._lock:
            transport, self._async_transport = self._async_transport, None
        if transport is not None:
            await transport.close()


def _send_once(settings: Settings, call: Call) -> Answer:
    transport = _open(settings)
    try:
        return transport.send(call)
    finally:
        transport.close()


def _open(settings: Settings) -> Transport:
    if settings.url is None:
        return UnixTransport(settings.socket_path, settings.timeout_s)
    from sealgate.sdk.tls import TlsTransport  # noqa: PLC0415  # a quarter of a second that local agents do not pay

    return TlsTransport(settings)


def _open_async(settings: Settings) -> AsyncTransport:
    if settings.url is None:
        return AsyncUnixTransport(settings.socket_path, settings.timeout_s)
    from sealgate.sdk.tls import AsyncTlsTransport  # noqa: PLC0415  # as above

    return AsyncTlsTransport(settings)


class _Default:
    """The client of code that names none, made from the environment when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._core: Core | None = None

    def get(self) -> Core:
        with self._lock:
            if self._core is None:
                self._core = Core(resolve(os.environ), {})
            return self._core

    def set(self, core: Core | None) -> None:
        with self._lock:
            self._core = core


_default = _Default()
default_core: Callable[[], Core] = _default.get
set_default_core: Callable[[Core | None], None] = _default.set
