"""Callers whom somebody else vouches for: OIDC issuers and SPIFFE trust domains, each by its own rules and keys.

A token is judged by the rules of exactly one entry: of its trust domain where its subject is a SPIFFE id, of its issuer
otherwise. So an ID token is never an SVID, and no issuer can speak for another. What fails anywhere is nobody; one
line at debug level says why, without any part of the token.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sealgate.adapters.configuration.roles import ROLES, not_separate
from sealgate.adapters.configuration.sections.callers import OidcEntry, SpiffeEntry
from sealgate.adapters.identity import spiffe, tokens
from sealgate.adapters.identity.replays import Replays, Use
from sealgate.adapters.identity.tokens import Proven, RefusedTokenError, Rules, Token
from sealgate.adapters.identity.trusted_keys import KeySet, TrustedKeys
from sealgate.model.errors import InputError
from sealgate.model.evaluation import Identity
from sealgate.model.identifiers import require_name
from sealgate.ports.identity import Peer

_LOG = logging.getLogger(__name__)
_MAX_REMEMBERED: Final = 4096
_MAX_MAPPED: Final = 256
_TYPES_OF_SVID: Final = frozenset({"", "jwt", "jose"})


@dataclass(frozen=True, slots=True)
class Issuer:
    """An OIDC issuer: its entry, rules and keys."""

    entry: OidcEntry
    rules: Rules
    keys: TrustedKeys

    @classmethod
    def of(cls, entry: OidcEntry) -> "Issuer":
        """Return the issuer of a checked entry."""
        rules = Rules(
            algorithms=frozenset(entry.algorithms),
            types=frozenset(kind.lower() for kind in entry.types),
            audience=entry.audience,
            issuer=entry.issuer,
            leeway_s=entry.leeway_s,
            max_lifetime_s=entry.max_lifetime_s,
            require_issued_at=True,
        )
        return cls(entry, rules, _keys(entry.name, entry.jwks_file, entry.jwks_url, entry.ca, "jwks", entry))


@dataclass(frozen=True, slots=True)
class TrustDomain:
    """A SPIFFE trust domain: its entries in the order of the file, rules and keys."""

    name: str
    entries: tuple[SpiffeEntry, ...]
    rules: Rules
    keys: TrustedKeys

    @classmethod
    def of(cls, entries: Sequence[SpiffeEntry]) -> "TrustDomain":
        """Return the trust domain of checked entries; the first one's audience, bundle and limits count."""
        first = entries[0]
        rules = Rules(
            algorithms=frozenset(first.algorithms),
            types=_TYPES_OF_SVID,
            audience=first.audience,
            issuer=None,
            leeway_s=first.leeway_s,
            max_lifetime_s=first.max_lifetime_s,
            require_issued_at=False,
        )
        keys = _keys(first.trust_domain, first.bundle_file, first.bundle_url, first.ca, "spiffe", first)
        return cls(first.trust_domain, tuple(entries), rules, keys)

    @property
    def entry(self) -> SpiffeEntry:
        """The entry whose settings count for the whole domain."""
        return self.entries[0]

    def entry_of(self, spiffe_id: str) -> SpiffeEntry | None:
        """Return the first entry whose pattern the id has: exact, or a path ending in ``/*``."""
        for entry in self.entries:
            pattern = entry.id
            if pattern == spiffe_id or (pattern.endswith("/*") and spiffe_id.startswith(pattern[:-1])):
                return entry
        return None


def _keys(name: str, file: Path, url: str, ca: Path, form: Any, entry: OidcEntry | SpiffeEntry) -> TrustedKeys:
    return TrustedKeys(
        name,
        file=None if file == Path() else file,
        url=url,
        ca=None if ca == Path() else ca,
        form=form,
        algorithms=entry.algorithms,
        max_age_s=entry.keys_max_age_s,
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """A token whose signature and claims were found good, by keys that still hold."""

    identity: Identity
    proven: Proven
    judge: Issuer | TrustDomain
    keys: KeySet


class FederatedIdentities:
    """Resolves tokens and X.509-SVIDs. Owned by the event loop; keys are renewed elsewhere."""

    def __init__(
        self,
        oidc: Sequence[OidcEntry] = (),
        spiffe_entries: Sequence[SpiffeEntry] = (),
        *,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._now_s = now_s
        self._issuers = {entry.issuer: Issuer.of(entry) for entry in oidc}
        names = dict.fromkeys(entry.trust_domain for entry in spiffe_entries)
        self._domains = {
            name: TrustDomain.of([entry for entry in spiffe_entries if entry.trust_domain == name]) for name in names
        }
        self._replays = Replays(started_s=now_s())
        self._known: dict[bytes, _Known] = {}
        self._certificates: dict[tuple[bytes, ...], tuple[Identity, float, TrustDomain, KeySet]] = {}
        self.refused: dict[str, int] = {}
        """How many tokens were refused, by reason."""

    @property
    def sources(self) -> list[TrustedKeys]:
        """The keys that have to be renewed."""
        return [issuer.keys for issuer in self._issuers.values()] + [domain.keys for domain in self._domains.values()]

    @property
    def has_certificates(self) -> bool:
        """Whether certificates of trust domains may come."""
        return bool(self._domains)

    def bearer(self, text: str, peer: Peer) -> Identity | None:
        """Return whom a token proves on this connection, or None."""
        try:
            return self._bearer(text, peer)
        except RefusedTokenError as refusal:
            self.refused[refusal.message] = self.refused.get(refusal.message, 0) + 1
            _LOG.debug("a token was refused: %s", refusal.message)
            return None

    def _bearer(self, text: str, peer: Peer) -> Identity | None:
        if len(text) > tokens.MAX_TOKEN_BYTES:
            raise RefusedTokenError("too long")
        now = self._now_s()
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(digest)
        if known is None or now >= known.proven.expires_s or known.judge.keys.current() is not known.keys:
            known = self._verify(tokens.read(text), now)
        entry = known.judge.entry
        bound = tokens.require_binding(known.proven, peer.certificate, required=entry.binding == "certificate")
        use: Use = "once" if entry.replay == "once" else "connection" if entry.replay == "connection" else "allow"
        if bound and use == "connection":
            use = "allow"  # a copy is worth nothing without the certificate's key
        proven = known.proven
        if not self._replays.admit(
            proven.seen_as, peer, use=use, expires_s=proven.expires_s, issued_s=proven.issued_s, now_s=now
        ):
            raise RefusedTokenError("used before")
        if len(self._known) >= _MAX_REMEMBERED:
            self._known.clear()
        self._known[digest] = known
        return known.identity

    def _judge_of(self, token: Token) -> Issuer | TrustDomain:
        subject, issuer = token.claims.get("sub"), token.claims.get("iss")
        judge: Issuer | TrustDomain | None
        if isinstance(subject, str) and subject.lower().startswith("spiffe:"):
            judge = self._domains.get(spiffe.trust_domain_of(subject) or "")
        else:
            judge = self._issuers.get(issuer) if isinstance(issuer, str) else None
        if judge is None:
            raise RefusedTokenError("issuer")
        return judge

    def _verify(self, token: Token, now: float) -> _Known:
        judge = self._judge_of(token)
        keys = judge.keys.current()
        try:
            proven = tokens.verify(token, keys, judge.rules, now)
        except KeyError as error:
            judge.keys.wanted.set()
            raise RefusedTokenError("unknown key") from error
        bound = proven.bound_to is not None
        try:
            identity = (
                _of_claims(judge.entry, proven.claims, bound=bound)
                if isinstance(judge, Issuer)
                else _of_svid(judge, str(proven.claims["sub"]), bound=bound)
            )
        except InputError as error:
            raise RefusedTokenError("names") from error
        if identity is None:
            raise RefusedTokenError("names nobody")
        return _Known(identity, proven, judge, keys)

    def certificate(self, peer: Peer) -> Identity | None:
        """Return whom an X.509-SVID proves, or None."""
        if peer.certificate is None:
            return None
        chain = peer.chain or (peer.certificate,)
        now = self._now_s()
        known = self._certificates.get(chain)
        if known is not None:
            identity, until, domain, keys = known
            if now < until and domain.keys.current() is keys:
                return identity
        return self._verify_certificate(chain, now)

    def _verify_certificate(self, chain: tuple[bytes, ...], now: float) -> Identity | None:
        spiffe_id = spiffe.id_of(chain[0])
        domain = self._domains.get(spiffe.trust_domain_of(spiffe_id) or "") if spiffe_id is not None else None
        if spiffe_id is None or domain is None:
            return None
        keys = domain.keys.current()
        until = spiffe.verify(chain, keys.authorities, now)
        if until is None:
            return None  # not remembered: it may be good by tomorrow's bundle
        try:
            identity = _of_svid(domain, spiffe_id, bound=None)
        except InputError:
            return None
        if identity is not None:
            if len(self._certificates) >= _MAX_REMEMBERED:
                self._certificates.clear()
            self._certificates[chain] = (identity, until, domain, keys)
        return identity


def _of_claims(entry: OidcEntry, claims: dict[str, Any], *, bound: bool) -> Identity | None:
    subject = claims.get(entry.principal_claim)
    if not isinstance(subject, str) or not subject:
        return None
    agents, roles = set(entry.agents), set(entry.roles)
    if entry.agent_claim:
        agents |= {require_name(each, "agent") for each in _texts(claims.get(entry.agent_claim)) if each != "*"}
    if entry.role_claim:
        held = _held(entry.role_claim, claims.get(entry.role_claim))
        mapped = (mapping.rpartition("=") for mapping in entry.role_map)
        roles |= {role for value, _, role in mapped if value in held and role in ROLES}
    if not_separate(roles):
        return None
    return Identity(
        principal=require_name(f"{entry.name}:{subject}", "principal"),
        proof="oidc_bound" if bound else "oidc",
        agents=frozenset(agents),
        roles=frozenset(roles),
        issuer=entry.issuer,
    )


def _of_svid(domain: TrustDomain, spiffe_id: str, *, bound: bool | None) -> Identity | None:
    entry = domain.entry_of(spiffe_id)
    if entry is None:
        return None
    agents = {spiffe_id if agent == "{id}" else agent for agent in entry.agents}
    return Identity(
        principal=require_name(spiffe_id, "principal"),
        proof="spiffe_x509" if bound is None else "spiffe_jwt_bound" if bound else "spiffe_jwt",
        agents=frozenset(agents),
        roles=frozenset(entry.roles),
        issuer=domain.name,
    )


def _held(claim: str, value: Any) -> list[str]:
    """Return the groups of a claim; `scope` is one text with spaces between them (RFC 9068 section 2.2.3)."""
    if claim == "scope" and isinstance(value, str):
        return value.split(" ")[:_MAX_MAPPED]
    return _texts(value)


def _texts(value: Any) -> list[str]:
    """Return a claim's values: one text, or a list of a bounded number of them."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and len(value) <= _MAX_MAPPED:
        return [each for each in value if isinstance(each, str)]
    return []
