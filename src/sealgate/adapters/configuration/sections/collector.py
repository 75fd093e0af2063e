"""The process that takes items in, and where it sends them."""

# ruff: noqa: RUF009  # the calls in class bodies make dataclass fields, which are no shared state

from dataclasses import dataclass
from pathlib import Path

from sealgate.adapters.configuration.setting import optional


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """The process that takes captured and observed items in batches and hands them to the authority."""

    enabled: str = optional(
        "no", "Whether `sealgate serve` starts it beside the authority (`--alone` does not).", choices=("yes", "no")
    )
    socket: Path = optional(Path("collector.sock"), "Its Unix socket; relative to the data directory.")
    listen: str = optional(
        "", "Address and port of its HTTPS listener, with the certificates of [tls]; empty: no listener."
    )
    workers: int = optional(
        0, "Processes that validate and redact; 0: the collector does it alone.", "processes", least=0, most=64
    )
    linger_ms: int = optional(
        5,
        "How long items without a batch id wait for others that can share their record.",
        "milliseconds",
        least=0,
        most=1000,
    )
    pending_bytes: int = optional(
        64 << 20, "More bytes that wait for their record are answered 429.", "bytes", least=1 << 20, most=1 << 34
    )
    pending_requests: int = optional(
        512, "More requests that wait for their record are answered 429.", "requests", least=1, most=1 << 16
    )
    environment: str = optional("", "The environment of items that name none; empty: that of [records].")
    region: str = optional("", "The region of items that name none; empty: that of [records].")
    cluster: str = optional("", "The cluster of items that name none.")
    deployment_version: str = optional("", "The deployment's version of items that name none.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEntry:
    """Where the collector sends items; repeat `[[route]]`. The first that takes an item wins; none: it is refused.

    Without any entry all items go to this authority, under the retention class of [records].
    """

    region: str = optional("", "Items of this region; empty: of any.")
    classification: str = optional("", "Items of this data classification; empty: of any.")
    authority: str = optional("", "`unix:/path` or `https://host:port` of an authority; empty: this one.")
    key: str = optional("", "Where the API key for it is (role `collect`): `file:`, `credential:` or `command:`.")
    ca: Path = optional(Path(), "Who signs its certificate, PEM; empty: the system's authorities.")
    retention_class: str = optional("", "The retention class of these items; empty: that of [records].")
