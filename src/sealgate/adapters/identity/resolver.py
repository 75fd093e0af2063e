"""The identity of a caller (ports.identity.IdentityResolver).

A present ``Authorization`` decides alone; otherwise the client certificate, otherwise the process at the other end of
the Unix socket. The first `[[identity]]` that fits wins. What fits none is nobody, and nobody is refused.
"""

from collections.abc import Sequence
from typing import Literal

from sealgate.adapters.configuration.sections.callers import IdentityEntry
from sealgate.adapters.identity.api_keys import ApiKeys
from sealgate.adapters.identity.certificates import fingerprint, subject_names
from sealgate.adapters.identity.federated import FederatedIdentities
from sealgate.model.evaluation import Identity
from sealgate.ports.identity import Peer, UnixPeer

_MAX_REMEMBERED = 1024


class ConfiguredIdentities:
    """Resolves callers by the configuration and the file of API keys. Owned by the event loop.

    With trust domains the TLS stack takes certificates of their authorities too; then `[[identity]]` names only what
    one of ``own_authorities`` (DER) has issued: an authority of another domain must not make our names.
    """

    def __init__(
        self,
        entries: Sequence[IdentityEntry],
        api_keys: ApiKeys | None = None,
        federated: FederatedIdentities | None = None,
        own_authorities: frozenset[bytes] = frozenset(),
    ) -> None:
        self._entries = tuple(entries)
        self._api_keys = api_keys
        self._federated = federated
        self._own_authorities = own_authorities
        self._of_certificate: dict[bytes, Identity | None] = {}
        self._of_user: dict[tuple[int, int], Identity | None] = {}

    def resolve(self, peer: Peer, authorization: str | None) -> Identity | None:
        """Return the proven caller, or None when nothing is proved."""
        if authorization is not None:
            return self._bearer(authorization, peer)
        if peer.certificate is not None:
            if self._federated is not None and self._federated.has_certificates:
                if not (peer.chain and peer.chain[-1] in self._own_authorities):
                    return self._federated.certificate(peer)
                return self._federated.certificate(peer) or self._certificate(peer.certificate)
            return self._certificate(peer.certificate)
        if peer.unix is not None:
            return self._unix(peer.unix)
        return None

    def _bearer(self, authorization: str, peer: Peer) -> Identity | None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = token.strip(" ")
        if token.startswith("ey") and self._federated is not None:  # a JSON object in base64url
            return self._federated.bearer(token, peer)
        return self._api_keys.identify(token) if self._api_keys is not None else None

    def _certificate(self, certificate: bytes) -> Identity | None:
        # Parsing costs more than a decision; the same certificate always means the same caller.
        if certificate not in self._of_certificate:
            if len(self._of_certificate) >= _MAX_REMEMBERED:
                self._of_certificate.clear()
            self._of_certificate[certificate] = self._match_certificate(certificate)
        return self._of_certificate[certificate]

    def _match_certificate(self, certificate: bytes) -> Identity | None:
        digest, names = fingerprint(certificate), subject_names(certificate)
        for entry in self._entries:
            if entry.certificate_sha256 == digest or (entry.certificate_san and entry.certificate_san in names):
                return _identity(entry, "mutual_tls")
        return None

    def _unix(self, peer: UnixPeer) -> Identity | None:
        user = (peer.uid, peer.gid)
        if user not in self._of_user:
            if len(self._of_user) >= _MAX_REMEMBERED:
                self._of_user.clear()
            self._of_user[user] = self._match_unix(peer)
        return self._of_user[user]

    def _match_unix(self, peer: UnixPeer) -> Identity | None:
        for entry in self._entries:
            if entry.uid == peer.uid or entry.gid == peer.gid:
                return _identity(entry, "unix_peer")
        return None


def _identity(entry: IdentityEntry, proof: Literal["unix_peer", "mutual_tls"]) -> Identity:
    return Identity(principal=entry.name, proof=proof, agents=frozenset(entry.agents), roles=frozenset(entry.roles))
