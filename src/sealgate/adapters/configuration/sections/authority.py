"""Who the authority is, where callers reach it, and how it decides."""

# ruff: noqa: RUF009  # the calls in class bodies make dataclass fields, which are no shared state

from dataclasses import dataclass
from pathlib import Path

from sealgate.adapters.configuration.setting import optional, required


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Who this authority is. Fixed at `sealgate init`; a changed origin is another log."""

    origin: str = required("The log's origin: a schema-less URL with its shard, e.g. `ledger.example.com/acme/2026h2`.")
    id: str = required("The authority's id, as statements name it (`urn:sealgate:authority:<id>`).")
    data_directory: Path = optional(
        Path(), "Where journal, log, keys and databases are; relative to the folder of this file, mode 0700."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where callers reach the authority."""

    socket: Path = optional(Path("sealgate.sock"), "The Unix socket; relative to the data directory.")
    socket_group: str = optional(
        "", "The group whose members may connect to the socket besides the authority's user; empty: nobody else."
    )
    public_url: str = optional("https://localhost", "What AuthZEN clients know this decision point by.")
    max_request_bytes: int = optional(
        256 * 1024, "A longer request is refused and never judged in part.", "bytes", least=1024, most=16 << 20
    )
    max_connections: int = optional(1024, "More connections at once are refused.", "connections", least=1, most=65536)
    stop_timeout_s: int = optional(10, "How long a stop waits for requests under way.", "seconds", least=0, most=600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The HTTPS listener. Without `listen` there is none."""

    listen: str = optional(
        "", "Address and port of the listener, e.g. `0.0.0.0:8443` or `[::]:8443`; empty: no listener."
    )
    certificate: Path = optional(Path(), "The certificate chain, PEM.")
    key: Path = optional(Path(), "The certificate's private key, PEM, mode 0600.")
    client_ca: Path = optional(Path(), "Who signs client certificates, PEM; empty: no mutual TLS.")
    client_certificate: str = optional(
        "optional", "Whether callers must prove themselves by certificate.", choices=("optional", "required")
    )
    min_version: str = optional("1.3", "The lowest TLS version that is spoken.", choices=("1.2", "1.3"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The deadlines of a decision's life."""

    deadline_ms: int = optional(
        250, "A decision that takes longer is SILENCE; callers may ask for less.", "milliseconds", least=1, most=60_000
    )
    permit_ttl_s: int = optional(30, "How long a permit can be redeemed.", "seconds", least=1, most=3600)
    outcome_deadline_s: int = optional(
        600,
        "A redeemed permit without an outcome becomes `outcome_unknown` after this.",
        "seconds",
        least=1,
        most=604_800,
    )
    idempotency_window_s: int = optional(
        900, "How long a repeated request id gets the first answer again.", "seconds", least=1, most=86_400
    )
    judges: int = optional(
        1,
        "Processes that evaluate policies while many decisions are under way; 0: the authority does it alone.",
        "processes",
        least=0,
        most=1,
    )
    signers: int = optional(
        1,
        "Processes that sign records while many are under way, given the statement key if it is in a file; 0: the "
        "authority does it alone, as on one processor.",
        "processes",
        least=0,
        most=1,
    )
    queue_length: int = optional(
        4096, "Decisions that wait at once; more are answered SILENCE `overloaded`.", "decisions", least=1, most=1 << 20
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """How a policy set comes into force."""

    approval: str = optional(
        "second_person",
        "Whether another person than its proposer must approve a policy set; `one_person` is for a single operator.",
        choices=("second_person", "one_person"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegations:
    """What agents do on behalf of others."""

    unproven: str = optional(
        "judge",
        "What becomes of `on_behalf_of` without a delegation: a claim that policies may forbid, or refused.",
        choices=("judge", "refuse"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What the program tells its operator. Never record bodies, never secrets."""

    level: str = optional("info", "The least level that is written.", choices=("debug", "info", "warning", "error"))
    format: str = optional("text", "One line of text, or one JSON object a line.", choices=("text", "json"))
