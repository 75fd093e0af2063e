"""The receivers for OpenTelemetry."""

# ruff: noqa: RUF009  # the calls in class bodies make dataclass fields, which are no shared state

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from sealgate.adapters.configuration.setting import optional
from sealgate.model.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Otlp:
    """The receivers for OpenTelemetry, part of the collector. Without TLS they listen on loopback addresses only."""

    enabled: str = optional("no", "Whether the collector listens for OTLP.", choices=("yes", "no"))
    http: str = optional("127.0.0.1:4318", "Address and port of OTLP/HTTP; empty: no receiver.")
    grpc: str = optional("127.0.0.1:4317", "Address and port of OTLP/gRPC; empty: no receiver.")
    authentication: str = optional(
        "required",
        "Whether a sender must prove itself by API key or client certificate; `loopback`: processes of this machine "
        "need not, on loopback addresses.",
        choices=("required", "loopback"),
    )
    loopback_agents: tuple[str, ...] = optional((), "The agents that unproven local senders may speak for.")
    certificate: Path = optional(Path(), "The certificate chain of both receivers, PEM; empty: no TLS.")
    key: Path = optional(Path(), "The certificate's private key, PEM, mode 0600.")
    client_ca: Path = optional(Path(), "Who signs client certificates, PEM; senders then must have one.")
    max_request_bytes: int = optional(
        8 << 20, "A longer request is refused, counted after unpacking.", "bytes", least=1024, most=64 << 20
    )
    unknown: str = optional(
        "event",
        "What becomes of spans and log records that no convention knows: an event, or nothing but a count.",
        choices=("event", "skip"),
    )
    agent_attributes: tuple[str, ...] = optional(
        ("sealgate.agent.id", "service.name"),
        "Attributes that name the agent, of the span or its resource; the first that is there wins.",
    )


def check_otlp(otlp: Otlp) -> None:
    """Refuse receivers that could not listen, or would listen to everybody.

    Raises:
        ConfigurationError: says which.
    """
    if otlp.enabled == "no":
        return
    if (otlp.certificate == Path()) != (otlp.key == Path()):
        raise ConfigurationError("`otlp.certificate` and `otlp.key` go together", hint="set both or none")
    if otlp.client_ca != Path() and otlp.certificate == Path():
        raise ConfigurationError("`otlp.client_ca` needs a certificate", hint="set `otlp.certificate` and `otlp.key`")
    for name, address in (("http", otlp.http), ("grpc", otlp.grpc)):
        if not address:
            continue
        host, _, port = address.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ConfigurationError(f"`otlp.{name}` `{address}` is no address and port", hint="e.g. `127.0.0.1:4318`")
        if not _is_loopback(host.strip("[]")):
            _check_open(otlp, name, address)
    if otlp.authentication == "loopback" and not otlp.loopback_agents:
        raise ConfigurationError("`otlp.loopback_agents` is empty", hint="name the agents that local senders speak for")


def _check_open(otlp: Otlp, name: str, address: str) -> None:
    """Refuse an address that others can reach without a proof, or where proofs could be overheard."""
    if otlp.certificate == Path():
        hint = "set `otlp.certificate` and `otlp.key`, or listen on `127.0.0.1`"
        raise ConfigurationError(f"`otlp.{name}` `{address}` would take keys without TLS", hint=hint)
    if otlp.authentication == "loopback":
        hint = "use authentication `required`, or listen on `127.0.0.1`"
        raise ConfigurationError(f"`otlp.{name}` `{address}` would be open to everybody", hint=hint)


def _is_loopback(host: str) -> bool:
    """Tell whether an address is this machine's own. Names are not: what they mean can change."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
