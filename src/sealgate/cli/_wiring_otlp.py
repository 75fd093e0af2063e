"""The composition root of the OTLP receivers: which of them the configuration asks for, and whom they admit."""

from pathlib import Path

from sealgate.adapters.configuration.settings import Configuration, Otlp
from sealgate.collector.service import Collector, Listener
from sealgate.ports.identity import IdentityResolver
from sealgate.server.listeners import HttpsListener
from sealgate.server.otlp.admission import LoopbackAdmission
from sealgate.server.otlp.http import HttpReceiver, PlainListener
from sealgate.server.otlp.intake import Intake
from sealgate.server.otlp.rpc import GrpcListener, GrpcReceiver
from sealgate.telemetry.bounds import Bounds


def otlp_receivers(configuration: Configuration, collector: Collector, resolver: IdentityResolver) -> list[Listener]:
    """Return the receivers, ready to be started with the collector."""
    settings = configuration.otlp
    if settings.enabled == "no":
        return []
    intake = Intake(
        collector,
        bounds=Bounds(max_bytes=settings.max_request_bytes),
        agent_attributes=settings.agent_attributes,
        unknown="skip" if settings.unknown == "skip" else "event",
    )
    if settings.authentication == "loopback":
        resolver = LoopbackAdmission(resolver, settings.loopback_agents)
    receivers: list[Listener] = []
    if settings.http:
        receivers.append(HttpReceiver(intake, resolver, _http(settings)))
    if settings.grpc:
        receivers.append(GrpcReceiver(intake, resolver, _grpc(settings)))
    return receivers


def _http(settings: Otlp) -> PlainListener | HttpsListener:
    host, port = _address(settings.http)
    if settings.certificate == Path():
        return PlainListener(host, port)
    return HttpsListener(
        host=host,
        port=port,
        certificate=settings.certificate,
        private_key=settings.key,
        client_authorities=_path(settings.client_ca),
        client_certificate="required" if settings.client_ca != Path() else "optional",
        minimum_tls="1.2",  # older exporters
    )


def _grpc(settings: Otlp) -> GrpcListener:
    host, port = _address(settings.grpc)
    return GrpcListener(host, port, _path(settings.certificate), _path(settings.key), _path(settings.client_ca))


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _path(path: Path) -> Path | None:
    return None if path == Path() else path
