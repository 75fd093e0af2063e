"""Every setting: type, unit, default, bounds and the sentence that documents it; ``docs/reference`` is made from it.

Secrets are never here, only references to them (``file:…``, ``credential:…``, ``command:…``).
"""

# ruff: noqa: RUF009  # the calls in class bodies make dataclass fields, which are no shared state

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from sealgate.adapters.configuration.profiles import NAMES as PROFILES
from sealgate.model.errors import ConfigurationError

GATE_ROLES: Final = ("enforce", "operate", "publish", "approve", "read", "administer", "collect", "service", "retain")
"""What a caller may do: ask and report; pause, resume, rotate; publish or propose policies; approve what another
proposed; read any receipt; administer; hand in batches that others sent (a collector); record what a service
did; place holds and run retention."""

READING_ROLES: Final = (
    "agent",
    "developer",
    "analyst",
    "investigator",
    "compliance",
    "administrator",
    "auditor",
)
"""How a caller reads evidence; the reading policies say what each may see."""


VAULT_ROLES: Final = ("erase", "tokenize", "subjects", "lookup", "consent")
"""What a caller may do with people's data: destroy a person's data keys; exchange values for tokens; register, find,
export and erase persons; ask what a token stands for; consent to what another asked."""

ROLES: Final = GATE_ROLES + VAULT_ROLES + READING_ROLES

_Section = TypeVar("_Section")
_YES_NO: Final = ("yes", "no")


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known about one setting besides its type and default."""

    sentence: str
    unit: str = ""
    least: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()
    required: bool = False


def _set(default: Any, sentence: str, unit: str = "", **more: Any) -> Any:
    return field(default=default, metadata={"setting": Setting(sentence, unit, **more)})


def _required(sentence: str, **more: Any) -> Any:
    return field(metadata={"setting": Setting(sentence, required=True, **more)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Who this authority is. Fixed at `sealgate init`; a changed origin is another log."""

    origin: str = _required(
        "The log's origin: a schema-less URL with its shard, e.g. `ledger.example.com/acme/2026h2`."
    )
    id: str = _required("The authority's id, as statements name it (`urn:sealgate:authority:<id>`).")
    data_directory: Path = _set(
        Path(), "Where journal, log, keys and databases are; relative to the folder of this file, mode 0700."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where callers reach the authority."""

    socket: Path = _set(Path("sealgate.sock"), "The Unix socket; relative to the data directory.")
    socket_group: str = _set(
        "", "The group whose members may connect to the socket besides the authority's user; empty: nobody else."
    )
    public_url: str = _set("https://localhost", "What AuthZEN clients know this decision point by.")
    max_request_bytes: int = _set(
        256 * 1024, "A longer request is refused and never judged in part.", "bytes", least=1024, most=16 << 20
    )
    max_connections: int = _set(1024, "More connections at once are refused.", "connections", least=1, most=65536)
    stop_timeout_s: int = _set(10, "How long a stop waits for requests under way.", "seconds", least=0, most=600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The HTTPS listener. Without `listen` there is none."""

    listen: str = _set("", "Address and port of the listener, e.g. `0.0.0.0:8443` or `[::]:8443`; empty: no listener.")
    certificate: Path = _set(Path(), "The certificate chain, PEM.")
    key: Path = _set(Path(), "The certificate's private key, PEM, mode 0600.")
    client_ca: Path = _set(Path(), "Who signs client certificates, PEM; empty: no mutual TLS.")
    client_certificate: str = _set(
        "optional", "Whether callers must prove themselves by certificate.", choices=("optional", "required")
    )
    min_version: str = _set("1.3", "The lowest TLS version that is spoken.", choices=("1.2", "1.3"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The deadlines of a decision's life."""

    deadline_ms: int = _set(
        250, "A decision that takes longer is SILENCE; callers may ask for less.", "milliseconds", least=1, most=60_000
    )
    permit_ttl_s: int = _set(30, "How long a permit can be redeemed.", "seconds", least=1, most=3600)
    outcome_deadline_s: int = _set(
        600,
        "A redeemed permit without an outcome becomes `outcome_unknown` after this.",
        "seconds",
        least=1,
        most=604_800,
    )
    idempotency_window_s: int = _set(
        900, "How long a repeated request id gets the first answer again.", "seconds", least=1, most=86_400
    )
    judges: int = _set(
        1,
        "Processes that evaluate policies while many decisions are under way; 0: the authority does it alone.",
        "processes",
        least=0,
        most=1,
    )
    queue_length: int = _set(
        4096, "Decisions that wait at once; more are answered SILENCE `overloaded`.", "decisions", least=1, most=1 << 20
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """The ordered, durable queue in the middle."""

    segment_bytes: int = _set(
        64 << 20, "A journal segment is closed at this size.", "bytes", least=1 << 20, most=1 << 34
    )
    queue_length: int = _set(8192, "Records that wait for the disk at once.", "records", least=1, most=1 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The public log."""

    checkpoint_interval_ms: int = _set(
        1000, "How often new records are put under a signed checkpoint.", "milliseconds", least=50, most=3_600_000
    )
    witness_quorum: int = _set(0, "Cosignatures that make a receipt `witnessed`.", "witnesses", least=0, most=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timestamps:
    """The RFC 3161 time-stamping authority."""

    url: str = _set("", "The authority's address; empty: no timestamps.")
    roots: Path = _set(Path(), "What its certificate must chain to, PEM.")
    interval_s: int = _set(3600, "How often a checkpoint is stamped.", "seconds", least=10, most=604_800)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What every record says about where it was made."""

    region: str = _set("", "The region, as you name it.")
    environment: str = _set("production", "The environment, as you name it.")
    retention_class: str = _set("default", "The retention class of new records; bodies of a class share data keys.")
    regime: str = _set("", "The regime that governs this installation's records, e.g. `pci`; empty: none.")
    clock_tolerance_ms: int = _set(
        2000,
        "How far the clock may be behind the newest record; further is SILENCE `clock`.",
        "milliseconds",
        least=0,
        most=60_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Where the signing and wrapping keys are."""

    store: str = _set("file", "Encrypted files, or a PKCS#11 device.", choices=("file", "pkcs11"))
    directory: Path = _set(Path("keys"), "The folder of key files; relative to the data directory.")
    passphrase: str = _set(
        "file:keys/unlock",
        "Where the passphrase of the key files is: `file:`, `credential:`, `command:`; relative to the data directory.",
    )
    reading_passphrase: str = _set(
        "",
        "Where the passphrase of the key-encryption key alone is, for who only reads; empty: `keys/reading-unlock` "
        "where it exists, else that of the other key files.",
    )
    wrapping: str = _set(
        "store",
        "Where the key-encryption key is: with the signing keys (`store`), or elsewhere than they are.",
        choices=("store", "file", "pkcs11", "kms"),
    )
    kms_key: str = _set("", "The AWS KMS key that wraps data keys: id, ARN or `alias/…`.")
    kms_region: str = _set("", "The region of the KMS key; empty: as the AWS environment says.")
    backup_days: int = _set(
        30,
        "How long a backup of the data keys is kept at most: an erasure is complete after this.",
        "days",
        least=0,
        most=366,
    )
    kms_endpoint: str = _set("", "Another address of KMS than the region's, e.g. of a private endpoint.")
    pkcs11_module: Path = _set(Path(), "The device's library, e.g. `/usr/lib/softhsm/libsofthsm2.so`.")
    pkcs11_token: str = _set("", "The token's label.")
    pkcs11_pin: str = _set("", "Where the user PIN is: `file:`, `credential:` or `command:`.")
    pkcs11_statement_label: str = _set("sealgate-statement", "The label of the Ed25519 statement key on the token.")
    pkcs11_log_label: str = _set("sealgate-log", "The label of the Ed25519 log key on the token.")
    pkcs11_receipt_label: str = _set("sealgate-receipt", "The label of the Ed25519 receipt key on the token.")
    pkcs11_wrapping_label: str = _set("sealgate-wrapping", "The label of the AES-256 key-encryption key on the token.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """The vault: what tokens stand for. A process of its own."""

    enabled: str = _set(
        "no", "Whether `sealgate serve` starts it beside the authority (`--alone` does not).", choices=("yes", "no")
    )
    directory: Path = _set(Path("vault"), "The vault's folder; relative to the data directory.")
    socket: Path = _set(Path("vault/vault.sock"), "Its Unix socket; relative to the data directory.")
    socket_group: str = _set("", "The group whose members may connect besides the vault's user; empty: nobody else.")
    passphrase: str = _set("file:vault/unlock", "Where the passphrase of the vault's key file is.")
    lookup_lifetime_s: int = _set(
        900,
        "How long a look-up waits for consent, and its requester may then fetch the value.",
        "seconds",
        least=10,
        most=86_400,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """The process that takes captured and observed items in batches and hands them to the authority."""

    enabled: str = _set(
        "no", "Whether `sealgate serve` starts it beside the authority (`--alone` does not).", choices=("yes", "no")
    )
    socket: Path = _set(Path("collector.sock"), "Its Unix socket; relative to the data directory.")
    listen: str = _set(
        "", "Address and port of its HTTPS listener, with the certificates of [tls]; empty: no listener."
    )
    workers: int = _set(
        0, "Processes that validate and redact; 0: the collector does it alone.", "processes", least=0, most=64
    )
    linger_ms: int = _set(
        5,
        "How long items without a batch id wait for others that can share their record.",
        "milliseconds",
        least=0,
        most=1000,
    )
    pending_bytes: int = _set(
        64 << 20, "More bytes that wait for their record are answered 429.", "bytes", least=1 << 20, most=1 << 34
    )
    pending_requests: int = _set(
        512, "More requests that wait for their record are answered 429.", "requests", least=1, most=1 << 16
    )
    environment: str = _set("", "The environment of items that name none; empty: that of [records].")
    region: str = _set("", "The region of items that name none; empty: that of [records].")
    cluster: str = _set("", "The cluster of items that name none.")
    deployment_version: str = _set("", "The deployment's version of items that name none.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What the program tells its operator. Never record bodies, never secrets."""

    level: str = _set("info", "The least level that is written.", choices=("debug", "info", "warning", "error"))
    format: str = _set("text", "One line of text, or one JSON object a line.", choices=("text", "json"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessEntry:
    """One witness; repeat `[[witness]]`."""

    url: str = _required("The witness's submission prefix; `add-checkpoint` is appended.")
    vkey: str = _required("The witness's verifier key, as it publishes it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEntry:
    """Where the collector sends items; repeat `[[route]]`. The first that takes an item wins; none: it is refused.

    Without any entry all items go to this authority, under the retention class of [records].
    """

    region: str = _set("", "Items of this region; empty: of any.")
    classification: str = _set("", "Items of this data classification; empty: of any.")
    authority: str = _set("", "`unix:/path` or `https://host:port` of an authority; empty: this one.")
    key: str = _set("", "Where the API key for it is (role `collect`): `file:`, `credential:` or `command:`.")
    ca: Path = _set(Path(), "Who signs its certificate, PEM; empty: the system's authorities.")
    retention_class: str = _set("", "The retention class of these items; empty: that of [records].")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityEntry:
    """One caller; repeat `[[identity]]`. Exactly one of `uid`, `gid`, `certificate_sha256`, `certificate_san` names it.

    A caller that no entry names is refused. The first entry that fits wins. API keys are not here: `sealgate keys api`.
    """

    name: str = _required("How records name this caller.")
    uid: int | None = _set(None, "The operating-system user at the other end of the Unix socket.", least=0)
    gid: int | None = _set(None, "The primary group of the process at the other end.", least=0)
    certificate_sha256: str = _set("", "SHA-256 of the client certificate (DER), lower-case hex.")
    certificate_san: str = _set("", "A subject alternative name of the client certificate: `DNS:…` or `URI:…`.")
    agents: tuple[str, ...] = _set((), "The agents it may speak for; `*` is every agent.")
    roles: tuple[str, ...] = _set((), f"What it may do: {', '.join(f'`{role}`' for role in ROLES)}.", choices=ROLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is deleted when. Without profiles and classes nothing expires."""

    profiles: tuple[str, ...] = _set(
        (), "Ready-made classes to take over: " + ", ".join(f"`{name}`" for name in PROFILES) + ".", choices=PROFILES
    )
    run_at_interval_s: int = _set(
        0, "How often what is due is deleted; 0: only when asked for.", "seconds", least=0, most=31_536_000
    )
    compact: str = _set("yes", "Whether closed journal segments are archived by themselves.", choices=_YES_NO)
    prune: str = _set("no", "Whether entries and tiles before the oldest statement are pruned too.", choices=_YES_NO)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionClassEntry:
    """One retention class; repeat `[[retention_class]]`. Every condition that is set must hold; `*` is a wildcard.

    All classes that govern a record count together: the longest minimum, the shortest maximum. The one named like
    `records.retention_class` governs what no other does.
    """

    name: str = _required("The class's name, as records carry it; without `+`.")
    data: tuple[str, ...] = _set((), "Data classifications it governs.")
    regimes: tuple[str, ...] = _set((), "Regimes it governs, as `records.regime` names them.")
    jurisdictions: tuple[str, ...] = _set((), "Jurisdictions it governs, as `records.region` names them.")
    kinds: tuple[str, ...] = _set((), "Kinds of records it governs.")
    agents: tuple[str, ...] = _set((), "Agents it governs.")
    tools: tuple[str, ...] = _set((), "Tools it governs.")
    minimum_days: int = _set(0, "Evidence must last so long.", "days", least=0, most=36_525)
    maximum_days: int | None = _set(
        None, "Bodies are gone after this; absent: nothing has to go.", least=1, most=36_525
    )
    receipt_days: int | None = _set(
        None, "Statements are not needed longer than this; absent: they stay.", least=1, most=36_525
    )


def _section(make: Callable[[], _Section]) -> Any:
    return field(default_factory=make)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The whole configuration, checked; all paths absolute."""

    authority: Authority
    server: Server = _section(Server)
    tls: Tls = _section(Tls)
    decisions: Decisions = _section(Decisions)
    journal: Journal = _section(Journal)
    ledger: Ledger = _section(Ledger)
    timestamps: Timestamps = _section(Timestamps)
    records: Records = _section(Records)
    keys: Keys = _section(Keys)
    collector: Collector = _section(Collector)
    vault: Vault = _section(Vault)
    log: Log = _section(Log)
    retention: Retention = _section(Retention)
    witness: tuple[WitnessEntry, ...] = ()
    route: tuple[RouteEntry, ...] = ()
    identity: tuple[IdentityEntry, ...] = ()
    retention_class: tuple[RetentionClassEntry, ...] = ()

    @property
    def data_directory(self) -> Path:
        """The data directory, absolute."""
        return self.authority.data_directory


SECTIONS: Final[dict[str, type]] = {
    "authority": Authority,
    "server": Server,
    "tls": Tls,
    "decisions": Decisions,
    "journal": Journal,
    "ledger": Ledger,
    "timestamps": Timestamps,
    "records": Records,
    "keys": Keys,
    "collector": Collector,
    "vault": Vault,
    "log": Log,
    "retention": Retention,
}
"""The tables of the file, in the order of the documentation."""

REPEATED: Final[dict[str, type]] = {
    "witness": WitnessEntry,
    "route": RouteEntry,
    "identity": IdentityEntry,
    "retention_class": RetentionClassEntry,
}
"""The arrays of tables."""


def check_together(configuration: Configuration) -> None:
    """Refuse settings that do not fit each other.

    Raises:
        ConfigurationError: says which.
    """
    if configuration.tls.listen and Path() in (configuration.tls.certificate, configuration.tls.key):
        raise ConfigurationError(
            "`tls.listen` needs `tls.certificate` and `tls.key`", hint="set both, or empty `listen`"
        )
    if configuration.collector.listen and Path() in (configuration.tls.certificate, configuration.tls.key):
        raise ConfigurationError(
            "`collector.listen` needs `tls.certificate` and `tls.key`", hint="set both, or empty `listen`"
        )
    if configuration.ledger.witness_quorum > len(configuration.witness):
        quorum, witnesses = configuration.ledger.witness_quorum, len(configuration.witness)
        hint = "add `[[witness]]` entries or lower the quorum"
        raise ConfigurationError(f"`ledger.witness_quorum` is {quorum}, with {witnesses} witnesses", hint=hint)
    if configuration.timestamps.url and configuration.timestamps.roots == Path():
        raise ConfigurationError("`timestamps.url` needs `timestamps.roots`", hint="name the PEM file of its root")
    keys = configuration.keys
    if "pkcs11" in (keys.store, keys.wrapping) and (
        keys.pkcs11_module == Path() or not keys.pkcs11_token or not keys.pkcs11_pin
    ):
        raise ConfigurationError(
            "keys are on a `pkcs11` device without module, token and PIN", hint="set `keys.pkcs11_*`"
        )
    if keys.wrapping == "kms" and not keys.kms_key:
        raise ConfigurationError("`keys.wrapping` is `kms` without a key", hint="set `keys.kms_key`")
    names = [entry.name for entry in configuration.identity]
    for entry in configuration.identity:
        proofs = (entry.uid is not None, entry.gid is not None, entry.certificate_sha256, entry.certificate_san)
        if sum(map(bool, proofs)) != 1:
            hint = "give exactly one of uid, gid, certificate_sha256, certificate_san"
            raise ConfigurationError(f"identity `{entry.name}` is not named by one proof", hint=hint)
        if names.count(entry.name) > 1:
            raise ConfigurationError(f"identity `{entry.name}` appears twice", hint="give each its own name")
