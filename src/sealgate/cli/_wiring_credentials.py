"""Puts the configured sources of credentials together. Their libraries are loaded only where one is configured."""

import json
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from sealgate.adapters.configuration.sections.credentials import CredentialEntry
from sealgate.adapters.configuration.settings import Configuration
from sealgate.adapters.credentials.tokens import TokenBackend, TokenMaker
from sealgate.adapters.keys import passphrase
from sealgate.authority.credential_sources import Source
from sealgate.model.errors import ConfigurationError
from sealgate.ports.credentials import CredentialBackend
from sealgate.ports.signer import Signer

_TELLING: Final = ("kind", "address", "database", "grants", "role", "audiences", "scopes")
"""What of an entry says what its holder may do; records carry the digest."""


def sources(configuration: Configuration, signer: Signer | None) -> tuple[Source, ...]:
    """Return the sources of all ``[[credential]]`` entries.

    Raises:
        ConfigurationError: an entry does not fit its kind, or the token key or a library is missing.
        UnavailableError: the environment of AWS names no region.
    """
    return tuple(_source(configuration, entry, signer) for entry in configuration.credential)


def _source(configuration: Configuration, entry: CredentialEntry, signer: Signer | None) -> Source:
    make: dict[str, Callable[[], CredentialBackend]] = {
        "jwt": lambda: TokenBackend(
            _maker(configuration, entry, signer), audiences=entry.audiences, scopes=entry.scopes
        ),
        "postgres": lambda: _postgres(configuration, entry),
        "sts": lambda: _sts(configuration, entry),
        "token_exchange": lambda: _token_exchange(configuration, entry, signer),
    }
    try:
        backend = make[entry.kind]()
    except ImportError as error:
        hint = f"install `sealgate[{entry.kind}]`"
        raise ConfigurationError(f"credential `{entry.name}` needs `{error.name}`", hint=hint) from error
    allows: dict[str, Any] = {key: _plain(getattr(entry, key)) for key in _TELLING}
    if entry.policy != Path():
        allows["policy"] = _policy(configuration, entry)
    return Source(entry.name, backend, frozenset(entry.tools), entry.lifetime_s * 1000, allows)


def _maker(configuration: Configuration, entry: CredentialEntry, signer: Signer | None) -> TokenMaker:
    if signer is None:
        hint = "`sealgate keys token` makes it"
        raise ConfigurationError(f"credential `{entry.name}` needs the token key, which is not there", hint=hint)
    return TokenMaker(signer, configuration.server.public_url)


def _postgres(configuration: Configuration, entry: CredentialEntry) -> CredentialBackend:
    from sealgate.adapters.credentials.postgres import Place, PostgresBackend  # noqa: PLC0415  # an extra

    host, _, port = entry.address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        raise ConfigurationError(f"`{entry.address[:120]}` is no host and port", hint="e.g. `db.example.com:5432`")
    local = host.startswith("/")
    if entry.tls == "off" and not local:
        hint = "TLS may be off on a Unix socket alone"
        raise ConfigurationError(f"credential `{entry.name}` would send passwords without TLS", hint=hint)
    place = Place(
        host.strip("[]"),
        int(port),
        entry.database,
        entry.user,
        _secret(configuration, entry) if entry.secret else None,
        None if local or entry.tls == "off" else _certificates(configuration, entry),
    )
    return PostgresBackend(place, owner=f"{configuration.authority.origin}/{entry.name}", grants=entry.grants)


def _sts(configuration: Configuration, entry: CredentialEntry) -> CredentialBackend:
    from sealgate.adapters.credentials.sts import StsBackend  # noqa: PLC0415  # an extra

    if entry.revocation not in ("", "deny_policy", "expiry"):
        hint = "`deny_policy` or `expiry`"
        raise ConfigurationError(f"`{entry.revocation[:80]}` is no way to revoke a session", hint=hint)
    policy, deny = _policy(configuration, entry), entry.revocation != "expiry"
    return StsBackend(entry.role, policy, region=entry.region, endpoint=entry.address, deny=deny)


def _token_exchange(configuration: Configuration, entry: CredentialEntry, signer: Signer | None) -> CredentialBackend:
    from sealgate.adapters.credentials.token_exchange import (  # noqa: PLC0415  # a client that others need not load
        Endpoints,
        TokenExchangeBackend,
    )

    secret = _secret(configuration, entry)
    where = Endpoints(entry.address, entry.revocation, entry.user, secret, _certificates(configuration, entry))
    maker = _maker(configuration, entry, signer)
    return TokenExchangeBackend(where, maker, audiences=entry.audiences, scopes=entry.scopes)


def _secret(configuration: Configuration, entry: CredentialEntry) -> Callable[[], bytes]:
    """Read it at each use, so that a changed password counts without a restart and none stays in memory."""
    return partial(passphrase.read, entry.secret, base=configuration.data_directory)


def _certificates(configuration: Configuration, entry: CredentialEntry) -> ssl.SSLContext:
    if entry.ca == Path():
        return ssl.create_default_context()
    return ssl.create_default_context(cafile=configuration.data_directory / entry.ca)


def _policy(configuration: Configuration, entry: CredentialEntry) -> dict[str, Any]:
    path = configuration.data_directory / entry.policy
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"session policy `{path}` cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise ConfigurationError(f"session policy `{path}` is not an object")
    return value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
