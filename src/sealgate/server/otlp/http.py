"""OTLP/HTTP: /v1/traces and /v1/logs on a port of their own, in protobuf and JSON, with or without gzip."""

import asyncio
import contextlib
import logging
import secrets
import socket
from dataclasses import dataclass
from typing import Final

from sealgate.model.errors import SealgateError, UnavailableError
from sealgate.ports.identity import IdentityResolver
from sealgate.server import bounds as server_bounds
from sealgate.server.api import Api
from sealgate.server.application import Application
from sealgate.server.connections import Connections
from sealgate.server.handlers import Call
from sealgate.server.listeners import HttpsListener, open_tcp, tls_context
from sealgate.server.messages import Request, Response
from sealgate.server.metrics import Metrics
from sealgate.server.route import Route
from sealgate.telemetry.requests import Encoding, Export, Signal

from . import answers
from .intake import NO_METRICS, RETRY_AFTER_S, ROLES, Intake

_log = logging.getLogger("sealgate.server.otlp")

_TYPES: Final[dict[bytes, Encoding]] = {b"application/x-protobuf": "protobuf", b"application/json": "json"}
_CONTENT_TYPE: Final[dict[Encoding, bytes]] = {encoding: kind for kind, encoding in _TYPES.items()}
_OPAQUE: Final = "the receiver failed; its operator finds the reason in the log"


@dataclass(frozen=True, slots=True)
class PlainListener:
    """A TCP port without TLS: for loopback addresses only, which the configuration sees to."""

    host: str
    port: int


def routes(max_bytes: int) -> tuple[Route, ...]:
    """Return the routing table of the receiver."""

    def post(path: str, handler: str, summary: str) -> Route:
        return Route("POST", path, handler, summary, answer="application/x-protobuf", roles=ROLES, max_bytes=max_bytes)

    return (
        post("/v1/traces", "export_traces", "Take spans"),
        post("/v1/logs", "export_logs", "Take log records"),
        post("/v1/metrics", "refuse_metrics", "Say that metrics are not taken"),
    )


class Handlers:
    """The handlers over one intake."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.stopping = False

    async def export_traces(self, call: Call) -> Response:
        """Take spans."""
        return await self._export(call.request, "traces", call)

    async def export_logs(self, call: Call) -> Response:
        """Take log records."""
        return await self._export(call.request, "logs", call)

    async def refuse_metrics(self, call: Call) -> Response:
        """Say that metrics are not taken; an exporter does not send them again."""
        return _refusal(answers.UNIMPLEMENTED, NO_METRICS, encoding_of(call.request) or "json")

    async def _export(self, request: Request, signal: Signal, call: Call) -> Response:
        encoding = encoding_of(request)
        packing = request.content_encoding.strip().lower()
        if encoding is None:
            return _unsupported("send `Content-Type: application/x-protobuf` or `application/json`")
        if packing not in {b"", b"identity", b"gzip"}:
            return _unsupported("send `Content-Encoding: gzip` or none")
        try:
            if self.stopping:
                raise UnavailableError("the receiver is stopping", hint="send the same again shortly")
            answer = await self._intake.take(
                Export(signal, encoding, request.body, gzip=packing == b"gzip"), call.caller
            )
        except SealgateError as error:
            return _problem(error, encoding)
        return Response(200, answers.success(answer, signal, encoding), _CONTENT_TYPE[encoding])


def encoding_of(request: Request) -> Encoding | None:
    """Return the encoding that a request declares, None where it is not one of OTLP's."""
    return _TYPES.get(request.content_type.partition(b";")[0].strip().lower())


def _problem(error: SealgateError, encoding: Encoding) -> Response:
    code = answers.code_of(error)
    if code == answers.INTERNAL:
        _log.error("%s, incident %s", error, secrets.token_hex(8))
    return _refusal(code, _OPAQUE if code == answers.INTERNAL else str(error), encoding)


def _refusal(code: int, message: str, encoding: Encoding) -> Response:
    status = answers.HTTP_OF_CODE[code]
    again = [(b"retry-after", b"%d" % RETRY_AFTER_S)] if status in {429, 503} else []
    return Response(status, answers.status(code, message, encoding), _CONTENT_TYPE[encoding], again)


def _unsupported(message: str) -> Response:
    return Response(415, answers.status(answers.INVALID, message, "json"), _CONTENT_TYPE["json"])


class _Nothing:
    """The receiver's life is the collector's."""

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""


class HttpReceiver:
    """Listens for OTLP/HTTP as long as the collector runs (``collector.service.Listener``)."""

    def __init__(
        self,
        intake: Intake,
        resolver: IdentityResolver,
        listener: PlainListener | HttpsListener,
        *,
        max_connections: int = server_bounds.MAX_CONNECTIONS,
        stop_timeout_s: float = server_bounds.STOP_TIMEOUT_S,
    ) -> None:
        self._handlers = Handlers(intake)
        api = Api(_Nothing(), routes(intake.bounds.max_bytes), self._handlers, Metrics())
        self._application = Application(api, resolver)
        self._listener = listener
        self._max_connections = max_connections
        self._stop_timeout_s = stop_timeout_s
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._connections: Connections | None = None
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that it really listens on, 0 if it does not."""
        return int(self._socket.getsockname()[1]) if self._socket else 0

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: the address or the certificate cannot be used.
        """
        loop = asyncio.get_running_loop()
        secure = isinstance(self._listener, HttpsListener)
        context = tls_context(self._listener) if isinstance(self._listener, HttpsListener) else None
        self._socket = open_tcp(self._listener)
        self._connections = Connections(self._application, loop, max_open=self._max_connections)
        self._server = await loop.create_server(
            self._connections.protocol,
            sock=self._socket.dup(),
            ssl=context,
            ssl_handshake_timeout=server_bounds.HANDSHAKE_TIMEOUT_S if secure else None,
            ssl_shutdown_timeout=server_bounds.LINGER_S if secure else None,
        )
        self._sweeper = loop.create_task(_sweep(self._connections))

    async def stop(self) -> None:
        """Take nothing new, give the answers that are under way, close."""
        self._handlers.stopping = True
        if self._server is None or self._connections is None or self._sweeper is None or self._socket is None:
            return
        self._server.close()
        self._socket.close()
        self._socket = None
        self._connections.stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._connections.all_closed.wait(), self._stop_timeout_s)
        self._connections.abort()
        self._sweeper.cancel()


async def _sweep(connections: Connections) -> None:
    while True:
        await asyncio.sleep(1)
        connections.sweep()
