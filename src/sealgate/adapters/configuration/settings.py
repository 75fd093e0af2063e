"""Every setting: type, unit, default, bounds and the sentence that documents it; ``docs/reference`` is made from it.

Secrets are never here, only references to them (``file:…``, ``credential:…``, ``command:…``).
"""

# ruff: noqa: RUF009  # the calls in class bodies make dataclass fields, which are no shared state

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from sealgate.adapters.configuration.profiles import NAMES as PROFILES
from sealgate.model.errors import ConfigurationError, InputError
from sealgate.model.grants import READING_ROLES, Grant
from sealgate.model.grants import check as check_grant

GATE_ROLES: Final = (
    "enforce",
    "observe",
    "operate",
    "publish",
    "approve",
    "read",
    "administer",
    "collect",
    "service",
    "retain",
)
"""What a caller may do: ask and report; send telemetry; pause, resume, rotate; publish or propose policies; approve
what another proposed; read any receipt; administer; hand in batches that others sent (a collector); record what a
service did; place holds and run retention."""

VAULT_ROLES: Final = ("erase", "tokenize", "subjects", "lookup", "consent")
"""What a caller may do with people's data: destroy a person's data keys; exchange values for tokens; register, find,
export and erase persons; ask what a token stands for; consent to what another asked."""

ROLES: Final = GATE_ROLES + VAULT_ROLES + READING_ROLES
"""Those, and how a caller reads evidence; the reading policies say what each may see."""

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
    library_environment: tuple[str, ...] = _set(
        ("SOFTHSM2_CONF",),
        "Variables that the device's library or the client of KMS reads: the evidence service, which opens the "
        "key-encryption key as well, is given these of the authority's environment.",
    )
    pkcs11_module: Path = _set(Path(), "The device's library, e.g. `/usr/lib/softhsm/libsofthsm2.so`.")
    pkcs11_token: str = _set("", "The token's label.")
    pkcs11_pin: str = _set("", "Where the user PIN is: `file:`, `credential:` or `command:`.")
    pkcs11_wrapping_token: str = _set(
        "",
        "The label of another token for the key-encryption key, so that a reader cannot sign; empty: the same.",
    )
    pkcs11_wrapping_pin: str = _set("", "Where the user PIN of that token is.")
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
class Otlp:
    """The receivers for OpenTelemetry, part of the collector. Without TLS they listen on loopback addresses only."""

    enabled: str = _set("no", "Whether the collector listens for OTLP.", choices=("yes", "no"))
    http: str = _set("127.0.0.1:4318", "Address and port of OTLP/HTTP; empty: no receiver.")
    grpc: str = _set("127.0.0.1:4317", "Address and port of OTLP/gRPC; empty: no receiver.")
    authentication: str = _set(
        "required",
        "Whether a sender must prove itself by API key or client certificate; `loopback`: processes of this machine "
        "need not, on loopback addresses.",
        choices=("required", "loopback"),
    )
    loopback_agents: tuple[str, ...] = _set((), "The agents that unproven local senders may speak for.")
    certificate: Path = _set(Path(), "The certificate chain of both receivers, PEM; empty: no TLS.")
    key: Path = _set(Path(), "The certificate's private key, PEM, mode 0600.")
    client_ca: Path = _set(Path(), "Who signs client certificates, PEM; senders then must have one.")
    max_request_bytes: int = _set(
        8 << 20, "A longer request is refused, counted after unpacking.", "bytes", least=1024, most=64 << 20
    )
    unknown: str = _set(
        "event",
        "What becomes of spans and log records that no convention knows: an event, or nothing but a count.",
        choices=("event", "skip"),
    )
    agent_attributes: tuple[str, ...] = _set(
        ("sealgate.agent.id", "service.name"),
        "Attributes that name the agent, of the span or its resource; the first that is there wins.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """How a policy set comes into force."""

    approval: str = _set(
        "second_person",
        "Whether another person than its proposer must approve a policy set; `one_person` is for a single operator.",
        choices=("second_person", "one_person"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The service through which evidence is read."""

    enabled: str = _set("no", "Whether `sealgate serve` runs it beside the authority.", choices=("yes", "no"))
    socket: Path = _set(Path("evidence/evidence.sock"), "Its Unix socket; relative to the data directory.")
    listen: str = _set("", "Address and port of its HTTPS listener, with the certificate of `[tls]`; empty: none.")
    policies: Path = _set(Path(), "A folder with reading policies (`*.cedar`) of your own; empty: those we ship.")
    query_timeout_s: int = _set(10, "A question that takes longer is given up.", "seconds", least=1, most=3600)
    export_timeout_s: int = _set(600, "An export that takes longer is given up.", "seconds", least=1, most=86_400)
    queries: int = _set(2, "Questions that run at once.", "questions", least=1, most=64)
    waiting: int = _set(16, "Questions that wait at once; more are refused.", "questions", least=0, most=4096)
    max_rows: int = _set(1000, "Rows of one page.", "rows", least=1, most=10_000)
    max_export_bytes: int = _set(1 << 30, "A longer export is refused.", "bytes", least=1 << 20, most=1 << 40)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantEntry:
    """A reading role with limits; repeat `[[grant]]`. Without limits a role in `[[identity]]` is enough."""

    name: str = _required("How records name this grant.")
    principal: str = _required("Who may read: the name of an identity or API key.")
    role: str = _required("The role.", choices=READING_ROLES)
    valid_from: str = _set("", "From when on, RFC 3339; empty: at once.")
    valid_until: str = _set("", "Until when, RFC 3339; empty: for ever. An auditor's grant needs one.")
    agents: tuple[str, ...] = _set((), "The agents whose records may be read; empty: all that the role may.")
    kinds: tuple[str, ...] = _set((), "The kinds of records; empty: all.")
    since: str = _set("", "The time of the oldest record, RFC 3339; empty: the first.")
    until: str = _set("", "The time before which records may be read, RFC 3339; empty: the newest.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What the program tells its operator. Never record bodies, never secrets."""

    level: str = _set("info", "The least level that is written.", choices=("debug", "info", "warning", "error"))
    format: str = _set("text", "One line of text, or one JSON object a line.", choices=("text", "json"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """What becomes of personal data and secrets in records. Without a policy the smallest amount is kept."""

    policy: Path = _set(
        Path(),
        "The field policy, TOML (see the page on it), e.g. `privacy.toml`; empty: the built-in, which is minimal.",
    )
    hash_key: str = _set(
        "",
        "Where the key for keyed hashes is (at least 32 bytes): `file:`, `credential:`, `command:`; empty: no hashes.",
    )


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
    approver_roles: tuple[str, ...] = _set((), "The roles of policies (`@require_approval`) that this person may fill.")


_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""What can be pinned. All asymmetric: with a symmetric one, who verifies could also sign."""

_REPLAY: Final = "Where a token may be used again: nowhere, on the connection that used it first, anywhere."
_BINDING: Final = (
    "Whether a token must be bound to the client certificate (RFC 8705); one that is bound must always fit."
)
_KEYS_AGE: Final = "Keys that could not be renewed for so long are not trusted any more."


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcEntry:
    """One issuer of OIDC or OAuth access tokens (JWT); repeat `[[oidc]]`.

    Either `jwks_file` or `jwks_url` has its keys. A caller's principal is `name:` and the value of `principal_claim`.
    """

    name: str = _required("How records name callers of this issuer, before a colon.")
    issuer: str = _required("The issuer, exactly as tokens name it (`iss`).")
    audience: str = _required("What tokens must be meant for (`aud`): this authority's name at the issuer.")
    jwks_file: Path = _set(Path(), "Its public keys, a JWK set.")
    jwks_url: str = _set("", "Where its public keys are: `https://…`; fetched in the background.")
    ca: Path = _set(Path(), "Who signs that address's certificate, PEM; empty: the system's authorities.")
    algorithms: tuple[str, ...] = _set(("ES256",), "The signature algorithms it uses.", choices=_ALGORITHMS)
    types: tuple[str, ...] = _set(
        ("at+jwt",), "The accepted `typ` of its tokens; add `JWT` for issuers that do not follow RFC 9068."
    )
    principal_claim: str = _set("sub", "The claim that names the caller.")
    agent_claim: str = _set("", "A claim with agents it may speak for, e.g. `azp`; empty: only `agents`.")
    role_claim: str = _set("", "A claim with groups (`scope`: with scopes), which `role_map` turns into roles.")
    role_map: tuple[str, ...] = _set((), "Which group has which role: `group=role`.")
    agents: tuple[str, ...] = _set((), "The agents that each of its callers may speak for.")
    roles: tuple[str, ...] = _set((), "What each of its callers may do.", choices=ROLES)
    binding: str = _set("none", _BINDING, choices=("none", "certificate"))
    replay: str = _set("connection", _REPLAY, choices=("once", "connection", "allow"))
    leeway_s: int = _set(10, "By how much its clock may differ.", "seconds", least=0, most=60)
    max_lifetime_s: int = _set(3600, "Tokens that live longer are refused.", "seconds", least=1, most=86_400)
    keys_max_age_s: int = _set(86_400, _KEYS_AGE, "seconds", least=60, most=2_592_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpiffeEntry:
    """Workloads of a SPIFFE trust domain, by JWT-SVID or X.509-SVID; repeat `[[spiffe]]`. The first that fits wins.

    A caller's principal is its SPIFFE id. Of several entries of one trust domain the first one's bundle, audience,
    binding and limits count.
    """

    trust_domain: str = _required("The trust domain, without `spiffe://`.")
    id: str = _required("A SPIFFE id of that domain, or all below a path: `spiffe://example.org/agents/*`.")
    bundle_file: Path = _set(Path(), "Its trust bundle, SPIFFE JSON.")
    bundle_url: str = _set("", "Where its trust bundle is: `https://…` (`https_web`); fetched in the background.")
    ca: Path = _set(Path(), "Who signs that address's certificate, PEM; empty: the system's authorities.")
    audience: str = _set("", "What JWT-SVIDs must be meant for (`aud`); empty: none is accepted.")
    algorithms: tuple[str, ...] = _set(("ES256",), "The signature algorithms of JWT-SVIDs.", choices=_ALGORITHMS)
    agents: tuple[str, ...] = _set((), "The agents it may speak for; `{id}` is its own SPIFFE id.")
    roles: tuple[str, ...] = _set((), "What it may do.", choices=ROLES)
    binding: str = _set("none", _BINDING, choices=("none", "certificate"))
    replay: str = _set("connection", _REPLAY, choices=("once", "connection", "allow"))
    leeway_s: int = _set(10, "By how much its clock may differ.", "seconds", least=0, most=60)
    max_lifetime_s: int = _set(3600, "JWT-SVIDs that live longer are refused.", "seconds", least=1, most=86_400)
    keys_max_age_s: int = _set(86_400, _KEYS_AGE, "seconds", least=60, most=2_592_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegations:
    """What agents do on behalf of others."""

    unproven: str = _set(
        "judge",
        "What becomes of `on_behalf_of` without a delegation: a claim that policies may forbid, or refused.",
        choices=("judge", "refuse"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialEntry:
    """A short-lived credential for permitted actions; repeat `[[credential]]`. Files are in the data directory."""

    name: str = _required('How policies (`@obligation("credential:<name>")`) and callers name it.')
    kind: str = _required("Where it comes from.", choices=("postgres", "sts", "token_exchange", "jwt"))
    tools: tuple[str, ...] = _set((), "Tools whose permits carry it without an obligation in the policy.")
    lifetime_s: int = _set(
        300, "It lives so long at most, and never longer than its permit or outcome.", "seconds", least=2, most=3600
    )
    audiences: tuple[str, ...] = _set(
        (), "Whom a token may be for; the first is the default (`jwt`, `token_exchange`)."
    )
    scopes: tuple[str, ...] = _set((), "What a token may allow; callers may ask for less (`jwt`, `token_exchange`).")
    address: str = _set(
        "",
        "PostgreSQL: `host:port` or the folder of its socket and `:port`; OAuth: the token endpoint; STS: another "
        "endpoint than AWS's.",
    )
    database: str = _set("", "PostgreSQL: the database.")
    user: str = _set("", "PostgreSQL: who makes the roles (needs CREATEROLE); OAuth: our client id.")
    secret: str = _set("", "Where the password or client secret is: `file:`, `credential:` or `command:`.")
    ca: Path = _set(Path(), "Who signs the server's certificate, PEM; empty: the system's authorities.")
    tls: str = _set(
        "required", "PostgreSQL: whether TLS is used; `off` is for a Unix socket.", choices=("required", "off")
    )
    grants: tuple[str, ...] = _set((), "PostgreSQL: what the role may do, e.g. `select on table shop.orders`.")
    role: str = _set("", "STS: the ARN of the role.")
    region: str = _set("", "STS: the region; empty: as the AWS environment says.")
    policy: Path = _set(Path(), "STS: the session policy, JSON.")
    revocation: str = _set(
        "",
        "STS: `deny_policy` (default) or `expiry`; OAuth: the revocation endpoint (RFC 7009), empty: none.",
    )


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
class Approvals:
    """How people are asked where a policy requires their approval. Who may answer: `approver_roles`, `[[approver]]`."""

    ttl_s: int = _set(
        3600, "An approval that was not used by then is as good as refused.", "seconds", least=1, most=604_800
    )
    prompts_per_hour: int = _set(
        60,
        "People are asked so often for one agent; beyond it nobody is asked and nothing runs.",
        "requests",
        least=1,
        most=100_000,
    )
    max_open: int = _set(1000, "So many approvals wait at once.", "approvals", least=1, most=10_000)
    webhook: str = _set("", "Where each request is posted, signed: `https://…`; empty: nowhere.")
    webhook_key: str = _set(
        "", "Where the key that signs it is (at least 32 bytes): `file:`, `credential:` or `command:`."
    )
    webhook_timeout_s: int = _set(5, "How long one try of it may take.", "seconds", least=1, most=60)
    callback_key: str = _set(
        "", "Where the key is that signs answers to `/v1/approvals/callback` (at least 32 bytes); empty: none is taken."
    )
    callback_approvers: tuple[str, ...] = _set(
        (), "The people whose answers a signed callback may bring; each needs an approver role too."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverEntry:
    """Who may approve, by the name that records give the caller; repeat `[[approver]]`.

    For API keys and other callers that no `[[identity]]` names; there `approver_roles` says the same.
    """

    principal: str = _required("The name of an identity or API key: one person.")
    roles: tuple[str, ...] = _set((), "The roles of policies (`@require_approval`) that this person may fill.")


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
    otlp: Otlp = _section(Otlp)
    log: Log = _section(Log)
    privacy: Privacy = _section(Privacy)
    policies: Policies = _section(Policies)
    access: Access = _section(Access)
    vault: Vault = _section(Vault)
    retention: Retention = _section(Retention)
    delegations: Delegations = _section(Delegations)
    approvals: Approvals = _section(Approvals)
    witness: tuple[WitnessEntry, ...] = ()
    route: tuple[RouteEntry, ...] = ()
    identity: tuple[IdentityEntry, ...] = ()
    oidc: tuple[OidcEntry, ...] = ()
    spiffe: tuple[SpiffeEntry, ...] = ()
    grant: tuple[GrantEntry, ...] = ()
    credential: tuple[CredentialEntry, ...] = ()
    retention_class: tuple[RetentionClassEntry, ...] = ()
    approver: tuple[ApproverEntry, ...] = ()

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
    "otlp": Otlp,
    "log": Log,
    "privacy": Privacy,
    "policies": Policies,
    "access": Access,
    "vault": Vault,
    "retention": Retention,
    "delegations": Delegations,
    "approvals": Approvals,
}
"""The tables of the file, in the order of the documentation."""

REPEATED: Final[dict[str, type]] = {
    "witness": WitnessEntry,
    "route": RouteEntry,
    "identity": IdentityEntry,
    "oidc": OidcEntry,
    "spiffe": SpiffeEntry,
    "grant": GrantEntry,
    "credential": CredentialEntry,
    "retention_class": RetentionClassEntry,
    "approver": ApproverEntry,
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
    if bool(keys.pkcs11_wrapping_token) != bool(keys.pkcs11_wrapping_pin):
        raise ConfigurationError(
            "the wrapping key's own token needs both label and PIN",
            hint="set `keys.pkcs11_wrapping_token` and `keys.pkcs11_wrapping_pin`, or neither",
        )
    if keys.wrapping == "kms" and not keys.kms_key:
        raise ConfigurationError("`keys.wrapping` is `kms` without a key", hint="set `keys.kms_key`")
    _check_otlp(configuration.otlp)
    _check_credentials(configuration.credential)
    check_callers(Callers(configuration.identity, configuration.oidc, configuration.spiffe))
    _check_grants(configuration)
    _check_approvals(configuration)


def _check_approvals(configuration: Configuration) -> None:
    approvals = configuration.approvals
    if approvals.webhook and not approvals.webhook.startswith(("https://", "http://127.0.0.1:", "http://[::1]:")):
        raise ConfigurationError("`approvals.webhook` is not `https://…`", hint="notices name agents and tools")
    if bool(approvals.webhook) != bool(approvals.webhook_key):
        raise ConfigurationError("`approvals.webhook` and `approvals.webhook_key` go together", hint="set both or none")
    if approvals.callback_approvers and not approvals.callback_key:
        raise ConfigurationError("`approvals.callback_approvers` without `callback_key`", hint="set the key")
    known = {entry.principal for entry in configuration.approver if entry.roles}
    known |= {entry.name for entry in configuration.identity if entry.approver_roles}
    for name in approvals.callback_approvers:
        if name not in known:
            raise ConfigurationError(f"callback approver `{name}` has no approver role", hint="add an `[[approver]]`")


@dataclass(frozen=True, slots=True)
class Callers:
    """Who may call a process: what `[[identity]]`, `[[oidc]]` and `[[spiffe]]` say, of the authority or a gateway."""

    identity: tuple[IdentityEntry, ...] = ()
    oidc: tuple[OidcEntry, ...] = ()
    spiffe: tuple[SpiffeEntry, ...] = ()


def check_callers(callers: Callers) -> None:
    """Refuse entries that name nobody for certain.

    Raises:
        ConfigurationError: says which.
    """
    names = [entry.name for entry in callers.identity]
    for entry in callers.identity:
        proofs = (entry.uid is not None, entry.gid is not None, entry.certificate_sha256, entry.certificate_san)
        if sum(map(bool, proofs)) != 1:
            hint = "give exactly one of uid, gid, certificate_sha256, certificate_san"
            raise ConfigurationError(f"identity `{entry.name}` is not named by one proof", hint=hint)
        _require_separate(f"identity `{entry.name}`", entry.roles)
        if names.count(entry.name) > 1:
            raise ConfigurationError(f"identity `{entry.name}` appears twice", hint="give each its own name")
    _check_federated(callers)


def _check_federated(configuration: Callers) -> None:
    issuer_names = [entry.name for entry in configuration.oidc]
    issuers = [entry.issuer for entry in configuration.oidc]
    taken = [entry.name for entry in configuration.identity] + issuer_names
    for entry in configuration.oidc:
        who = f"issuer `{entry.name}`"
        _check_keys(who, entry.jwks_file, entry.jwks_url)
        if issuers.count(entry.issuer) > 1 or taken.count(entry.name) > 1 or ":" in entry.name:
            raise ConfigurationError(f"{who} appears twice or has a colon", hint="give each its own name and issuer")
        if not entry.audience or not entry.algorithms or not entry.types or not entry.principal_claim:
            raise ConfigurationError(f"{who} lacks an audience, algorithm, type or principal", hint="pin each")
        for mapping in entry.role_map:
            if mapping.rpartition("=")[2] not in ROLES:
                raise ConfigurationError(f"{who}: `{mapping}` names no role", hint="write group=role")
        _require_separate(who, entry.roles)
    domains: set[str] = set()
    for workload in configuration.spiffe:
        who = f"workload `{workload.id}`"
        if workload.trust_domain not in domains:
            _check_keys(who, workload.bundle_file, workload.bundle_url)
            domains.add(workload.trust_domain)
        if not workload.id.startswith(f"spiffe://{workload.trust_domain}/"):
            raise ConfigurationError(f"{who} is not of `{workload.trust_domain}`", hint="name an id of the domain")
        if not workload.algorithms:
            raise ConfigurationError(f"{who} has no algorithm", hint="leave `algorithms` out for ES256")
        _require_separate(who, workload.roles)


def _check_keys(who: str, file: Path, url: str) -> None:
    if (file == Path()) != bool(url):
        raise ConfigurationError(f"{who} has not exactly one place of keys", hint="name a file or an address")
    if url and not url.startswith("https://"):
        raise ConfigurationError(f"{who}: keys are not fetched from `{url}`", hint="use https")


_NEEDED: Final = {
    "postgres": ("address", "database", "user", "grants"),
    "sts": ("role", "policy"),
    "token_exchange": ("address", "user", "secret", "audiences"),
    "jwt": ("audiences",),
}
_CREDENTIAL_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}", re.ASCII)


def _check_credentials(entries: tuple[CredentialEntry, ...]) -> None:
    names = [entry.name for entry in entries]
    for entry in entries:
        if not _CREDENTIAL_NAME.fullmatch(entry.name) or names.count(entry.name) > 1:
            hint = "each its own, of letters, digits, `_`, `.`, `-`"
            raise ConfigurationError(f"`{entry.name[:80]}` cannot be a credential's name", hint=hint)
        missing = [key for key in _NEEDED[entry.kind] if getattr(entry, key) in ("", (), Path())]
        if missing:
            raise ConfigurationError(f"credential `{entry.name}` needs {' and '.join(f'`{key}`' for key in missing)}")


def _check_otlp(otlp: Otlp) -> None:
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


def _check_grants(configuration: Configuration) -> None:
    for grant in configuration.grant:
        try:
            check_grant(as_grant(grant))
        except InputError as error:
            raise ConfigurationError(f"grant `{grant.name}`: {error.message}", hint=error.hint) from error


SEPARATE: Final = (frozenset({"publish", "approve"}),)
"""Roles that no one may hold together: who changes the policy does not approve the change."""


def _require_separate(who: str, roles: Iterable[str]) -> None:
    problem = not_separate(roles)
    if problem:
        raise ConfigurationError(f"{who} {problem}", hint="give one of them to another person")


def not_separate(roles: Iterable[str]) -> str:
    """Return what is wrong with holding these roles together, or nothing."""
    held = frozenset(roles)
    for pair in SEPARATE:
        if pair <= held:
            return "holds " + " and ".join(f"`{role}`" for role in sorted(pair))
    return ""


def as_grant(entry: GrantEntry) -> Grant:
    """Return a configured grant as the desk takes it."""
    return Grant(
        grant_id=f"configuration:{entry.name}",
        principal=entry.principal,
        role=entry.role,
        valid_from=entry.valid_from or None,
        valid_until=entry.valid_until or None,
        agents=list(entry.agents),
        kinds=list(entry.kinds),
        since=entry.since or None,
        until=entry.until or None,
        granted_by="configuration",
        reason="configured",
    )
