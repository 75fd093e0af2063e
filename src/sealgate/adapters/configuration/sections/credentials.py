"""Short-lived credentials, and where they come from."""

# ruff: noqa: RUF009  # the calls in class bodies make dataclass fields, which are no shared state

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealgate.adapters.configuration.setting import optional, required
from sealgate.model.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialEntry:
    """A short-lived credential for permitted actions; repeat `[[credential]]`. Files are in the data directory."""

    name: str = required('How policies (`@obligation("credential:<name>")`) and callers name it.')
    kind: str = required("Where it comes from.", choices=("postgres", "sts", "token_exchange", "jwt"))
    tools: tuple[str, ...] = optional((), "Tools whose permits carry it without an obligation in the policy.")
    lifetime_s: int = optional(
        300, "It lives so long at most, and never longer than its permit or outcome.", "seconds", least=2, most=3600
    )
    audiences: tuple[str, ...] = optional(
        (), "Whom a token may be for; the first is the default (`jwt`, `token_exchange`)."
    )
    scopes: tuple[str, ...] = optional(
        (), "What a token may allow; callers may ask for less (`jwt`, `token_exchange`)."
    )
    address: str = optional(
        "",
        "PostgreSQL: `host:port` or the folder of its socket and `:port`; OAuth: the token endpoint; STS: another "
        "endpoint than AWS's.",
    )
    database: str = optional("", "PostgreSQL: the database.")
    user: str = optional("", "PostgreSQL: who makes the roles (needs CREATEROLE); OAuth: our client id.")
    secret: str = optional("", "Where the password or client secret is: `file:`, `credential:` or `command:`.")
    ca: Path = optional(Path(), "Who signs the server's certificate, PEM; empty: the system's authorities.")
    tls: str = optional(
        "required", "PostgreSQL: whether TLS is used; `off` is for a Unix socket.", choices=("required", "off")
    )
    grants: tuple[str, ...] = optional((), "PostgreSQL: what the role may do, e.g. `select on table shop.orders`.")
    role: str = optional("", "STS: the ARN of the role.")
    region: str = optional("", "STS: the region; empty: as the AWS environment says.")
    policy: Path = optional(Path(), "STS: the session policy, JSON.")
    revocation: str = optional(
        "",
        "STS: `deny_policy` (default) or `expiry`; OAuth: the revocation endpoint (RFC 7009), empty: none.",
    )


_NEEDED: Final = {
    "postgres": ("address", "database", "user", "grants"),
    "sts": ("role", "policy"),
    "token_exchange": ("address", "user", "secret", "audiences"),
    "jwt": ("audiences",),
}
_CREDENTIAL_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}", re.ASCII)


def check_credentials(entries: tuple[CredentialEntry, ...]) -> None:
    """Refuse credentials without a name of their own, or without what their kind needs.

    Raises:
        ConfigurationError: says which.
    """
    names = [entry.name for entry in entries]
    for entry in entries:
        if not _CREDENTIAL_NAME.fullmatch(entry.name) or names.count(entry.name) > 1:
            hint = "each its own, of letters, digits, `_`, `.`, `-`"
            raise ConfigurationError(f"`{entry.name[:80]}` cannot be a credential's name", hint=hint)
        missing = [key for key in _NEEDED[entry.kind] if getattr(entry, key) in ("", (), Path())]
        if missing:
            raise ConfigurationError(f"credential `{entry.name}` needs {' and '.join(f'`{key}`' for key in missing)}")
