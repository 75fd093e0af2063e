"""The composition root of the OTLP receivers: which of them the configuration asks for, and whom they admit."""

from pathlib import Path

from sealgate.adapters.configuration.sections.otlp import Otlp
from sealgate.adapters.configuration.settings import Configuration
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
    otlp = configuration.otlp
    if otlp.enabled == "no":
        return []
    intake = Intake(
        collector,
        bounds=Bounds(max_bytes=otlp.max_request_bytes),
        agent_attributes=otlp.agent_attributes,
        unknown="skip" if otlp.unknown == "skip" else "event",
    )
    collector.counters.append(intake.metrics)
    if otlp.authentication == "loopback":
        resolver = LoopbackAdmission(resolver, otlp.loopback_agents)
    receivers: list[Listener] = []
    if otlp.http:
        receivers.append(HttpReceiver(intake, resolver, _http(otlp)))
    if otlp.grpc:
        receivers.append(GrpcReceiver(intake, resolver, _grpc(otlp)))
    return receivers


def _http(otlp: Otlp) -> PlainListener | HttpsListener:
    host, port = _address(otlp.http)
    if otlp.certificate == Path():
        return PlainListener(host, port)
    return HttpsListener(
        host=host,
        port=port,
        certificate=otlp.certificate,
        private_key=otlp.key,
        client_authorities=_path(otlp.client_ca),
        client_certificate="required" if otlp.client_ca != Path() else "optional",
        minimum_tls="1.2",  # older exporters
    )


def _grpc(otlp: Otlp) -> GrpcListener:
    host, port = _address(otlp.grpc)
    return GrpcListener(host, port, _path(otlp.certificate), _path(otlp.key), _path(otlp.client_ca))


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _path(path: Path) -> Path | None:
    return None if path == Path() else path
