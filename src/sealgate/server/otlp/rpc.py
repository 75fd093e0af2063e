"""OTLP/gRPC: the trace and log services, on bytes, so that a request is parsed once and where it is translated."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio

from sealgate.model.errors import ConfigurationError, SealgateError, UnavailableError
from sealgate.model.evaluation import Identity
from sealgate.ports.identity import IdentityResolver, Peer
from sealgate.telemetry.requests import Export, Signal

from . import answers
from .intake import NO_METRICS, ROLES, Intake

_log = logging.getLogger("sealgate.server.otlp")

_PREFIX: Final = "opentelemetry.proto.collector."
_SERVICES: Final[dict[str, Signal]] = {"trace.v1.TraceService": "traces", "logs.v1.LogsService": "logs"}
_METRICS: Final = "metrics.v1.MetricsService"
_DETAILS: Final = "grpc-status-details-bin"
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_MAX_CALLS: Final = 32  # of all connections together; each holds a request in memory
_STOP_TIMEOUT_S: Final = 10.0
_OPAQUE: Final = "the receiver failed; its operator finds the reason in the log"


@dataclass(frozen=True, slots=True)
class GrpcListener:
    """A gRPC port. Without ``certificate`` it is plain, which the configuration allows on loopback only.

    With ``client_authorities`` callers must have a certificate: gRPC knows no optional ones.
    """

    host: str
    port: int
    certificate: Path | None = None
    private_key: Path | None = None
    client_authorities: Path | None = None


class GrpcReceiver:
    """Listens for OTLP/gRPC as long as the collector runs (``collector.service.Listener``)."""

    def __init__(self, intake: Intake, resolver: IdentityResolver, listener: GrpcListener) -> None:
        self._intake = intake
        self._resolver = resolver
        self._listener = listener
        self._server: grpc.aio.Server | None = None
        self._stopping = False
        self.port = 0
        """The port that it really listens on, 0 if it does not."""

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: the address or the certificate cannot be used.
        """
        limit = self._intake.bounds.max_bytes
        self._server = grpc.aio.server(
            maximum_concurrent_rpcs=_MAX_CALLS,
            options=(
                ("grpc.max_receive_message_length", limit),
                ("grpc.so_reuseport", 0),  # a second receiver on the port must fail, not share it
                ("grpc.max_connection_idle_ms", 600_000),
            ),
        )
        handlers = [_service(name, self._export(signal)) for name, signal in _SERVICES.items()]
        self._server.add_generic_rpc_handlers((*handlers, _service(_METRICS, self._refuse_metrics)))
        self.port = self._bind(self._server)
        await self._server.start()

    def _bind(self, server: Any) -> int:
        listener = self._listener
        host = f"[{listener.host}]" if ":" in listener.host else listener.host
        address = f"{host}:{listener.port}"
        try:
            credentials = _credentials(listener)
            port: int = (
                server.add_insecure_port(address)
                if credentials is None
                else server.add_secure_port(address, credentials)
            )
        except RuntimeError as error:
            raise ConfigurationError(f"cannot listen on `{address}`", hint="change host or port") from error
        if not port:
            raise ConfigurationError(f"cannot listen on `{address}`", hint="change host or port")
        return port

    async def stop(self) -> None:
        """Take nothing new, give the answers that are under way, close."""
        self._stopping = True
        if self._server is not None:
            await self._server.stop(_STOP_TIMEOUT_S)
            self.port = 0

    def _export(self, signal: Signal) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def export(body: bytes, context: Any) -> bytes:
            caller = await self._caller(context)
            try:
                if self._stopping:
                    raise UnavailableError("the receiver is stopping", hint="send the same again shortly")  # noqa: TRY301
                answer = await self._intake.take(Export(signal, "protobuf", body), caller)
            except SealgateError as error:
                code = answers.code_of(error)
                if code == answers.INTERNAL:
                    _log.error("%s", error)
                return await _abort(context, code, _OPAQUE if code == answers.INTERNAL else str(error))
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001  # the last line: nothing of it may reach a caller
                _log.exception("unexpected error")
                return await _abort(context, answers.INTERNAL, _OPAQUE)
            return answers.success(answer, signal, "protobuf")

        return export

    async def _refuse_metrics(self, body: bytes, context: Any) -> bytes:
        del body
        await self._caller(context)
        return await _abort(context, answers.UNIMPLEMENTED, NO_METRICS)

    async def _caller(self, context: Any) -> Identity:
        """Return the proven caller; without one, or without the role, the call ends here."""
        authorization = None
        for name, value in context.invocation_metadata() or ():
            if name == "authorization":
                if authorization is not None:  # two readers could each believe another one
                    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "`authorization` comes twice")
                authorization = value
        caller = self._resolver.resolve(Peer(certificate=_certificate(context)), authorization)
        if caller is None:
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "neither a key nor a certificate proves who is calling"
            )
            raise AssertionError  # abort raises
        if not ROLES & caller.roles:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "this needs the role `observe` or `enforce`")
        return caller


def _service(name: str, export: Callable[[bytes, Any], Awaitable[bytes]]) -> grpc.GenericRpcHandler:
    # Without (de)serializers the handler gets and gives bytes.
    return grpc.method_handlers_generic_handler(_PREFIX + name, {"Export": grpc.unary_unary_rpc_method_handler(export)})


async def _abort(context: Any, code: int, message: str) -> bytes:
    details = ((_DETAILS, answers.rpc_status(code, message)),)
    await context.abort(_CODES[code], message, trailing_metadata=details)
    return b""  # abort raises


def _certificate(context: Any) -> bytes | None:
    """Return the client's certificate (DER), which gRPC has verified against the configured authorities."""
    found = context.auth_context().get("x509_pem_cert")
    return ssl.PEM_cert_to_DER_cert(found[0].decode("ascii")) if found else None


def _credentials(listener: GrpcListener) -> grpc.ServerCredentials | None:
    if listener.certificate is None or listener.private_key is None:
        return None
    try:
        pair = (listener.private_key.read_bytes(), listener.certificate.read_bytes())
        roots = None if listener.client_authorities is None else listener.client_authorities.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"TLS files cannot be used: {error}", hint="check the paths") from error
    return grpc.ssl_server_credentials([pair], root_certificates=roots, require_client_auth=roots is not None)
