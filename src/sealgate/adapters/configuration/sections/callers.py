"""Who may call: by the operating system, a certificate, an issuer or a trust domain."""

# ruff: noqa: RUF009  # the calls in class bodies make dataclass fields, which are no shared state

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealgate.adapters.configuration.roles import ROLES, require_separate
from sealgate.adapters.configuration.setting import optional, required
from sealgate.model.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityEntry:
    """One caller; repeat `[[identity]]`. Exactly one of `uid`, `gid`, `certificate_sha256`, `certificate_san` names it.

    A caller that no entry names is refused. The first entry that fits wins. API keys are not here: `sealgate keys api`.
    """

    name: str = required("How records name this caller.")
    uid: int | None = optional(None, "The operating-system user at the other end of the Unix socket.", least=0)
    gid: int | None = optional(None, "The primary group of the process at the other end.", least=0)
    certificate_sha256: str = optional("", "SHA-256 of the client certificate (DER), lower-case hex.")
    certificate_san: str = optional("", "A subject alternative name of the client certificate: `DNS:…` or `URI:…`.")
    agents: tuple[str, ...] = optional((), "The agents it may speak for; `*` is every agent.")
    roles: tuple[str, ...] = optional((), f"What it may do: {', '.join(f'`{role}`' for role in ROLES)}.", choices=ROLES)
    approver_roles: tuple[str, ...] = optional(
        (), "The roles of policies (`@require_approval`) that this person may fill."
    )


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

    name: str = required("How records name callers of this issuer, before a colon.")
    issuer: str = required("The issuer, exactly as tokens name it (`iss`).")
    audience: str = required("What tokens must be meant for (`aud`): this authority's name at the issuer.")
    jwks_file: Path = optional(Path(), "Its public keys, a JWK set.")
    jwks_url: str = optional("", "Where its public keys are: `https://…`; fetched in the background.")
    ca: Path = optional(Path(), "Who signs that address's certificate, PEM; empty: the system's authorities.")
    algorithms: tuple[str, ...] = optional(("ES256",), "The signature algorithms it uses.", choices=_ALGORITHMS)
    types: tuple[str, ...] = optional(
        ("at+jwt",), "The accepted `typ` of its tokens; add `JWT` for issuers that do not follow RFC 9068."
    )
    principal_claim: str = optional("sub", "The claim that names the caller.")
    agent_claim: str = optional("", "A claim with agents it may speak for, e.g. `azp`; empty: only `agents`.")
    role_claim: str = optional("", "A claim with groups (`scope`: with scopes), which `role_map` turns into roles.")
    role_map: tuple[str, ...] = optional((), "Which group has which role: `group=role`.")
    agents: tuple[str, ...] = optional((), "The agents that each of its callers may speak for.")
    roles: tuple[str, ...] = optional((), "What each of its callers may do.", choices=ROLES)
    binding: str = optional("none", _BINDING, choices=("none", "certificate"))
    replay: str = optional("connection", _REPLAY, choices=("once", "connection", "allow"))
    leeway_s: int = optional(10, "By how much its clock may differ.", "seconds", least=0, most=60)
    max_lifetime_s: int = optional(3600, "Tokens that live longer are refused.", "seconds", least=1, most=86_400)
    keys_max_age_s: int = optional(86_400, _KEYS_AGE, "seconds", least=60, most=2_592_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpiffeEntry:
    """Workloads of a SPIFFE trust domain, by JWT-SVID or X.509-SVID; repeat `[[spiffe]]`. The first that fits wins.

    A caller's principal is its SPIFFE id. Of several entries of one trust domain the first one's bundle, audience,
    binding and limits count.
    """

    trust_domain: str = required("The trust domain, without `spiffe://`.")
    id: str = required("A SPIFFE id of that domain, or all below a path: `spiffe://example.org/agents/*`.")
    bundle_file: Path = optional(Path(), "Its trust bundle, SPIFFE JSON.")
    bundle_url: str = optional("", "Where its trust bundle is: `https://…` (`https_web`); fetched in the background.")
    ca: Path = optional(Path(), "Who signs that address's certificate, PEM; empty: the system's authorities.")
    audience: str = optional("", "What JWT-SVIDs must be meant for (`aud`); empty: none is accepted.")
    algorithms: tuple[str, ...] = optional(("ES256",), "The signature algorithms of JWT-SVIDs.", choices=_ALGORITHMS)
    agents: tuple[str, ...] = optional((), "The agents it may speak for; `{id}` is its own SPIFFE id.")
    roles: tuple[str, ...] = optional((), "What it may do.", choices=ROLES)
    binding: str = optional("none", _BINDING, choices=("none", "certificate"))
    replay: str = optional("connection", _REPLAY, choices=("once", "connection", "allow"))
    leeway_s: int = optional(10, "By how much its clock may differ.", "seconds", least=0, most=60)
    max_lifetime_s: int = optional(3600, "JWT-SVIDs that live longer are refused.", "seconds", least=1, most=86_400)
    keys_max_age_s: int = optional(86_400, _KEYS_AGE, "seconds", least=60, most=2_592_000)


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
        require_separate(f"identity `{entry.name}`", entry.roles)
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
        require_separate(who, entry.roles)
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
        require_separate(who, workload.roles)


def _check_keys(who: str, file: Path, url: str) -> None:
    if (file == Path()) != bool(url):
        raise ConfigurationError(f"{who} has not exactly one place of keys", hint="name a file or an address")
    if url and not url.startswith("https://"):
        raise ConfigurationError(f"{who}: keys are not fetched from `{url}`", hint="use https")
