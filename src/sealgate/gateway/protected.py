"""The gateway as a protected resource of OAuth 2: its metadata (RFC 9728), and what it says to whom it refuses.

A client that is refused learns where the metadata is, and there which authorization servers give tokens for this
gateway. What it says about a token that was refused is that it was refused: the reason is for the operator's log.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from sealgate.adapters.configuration.sections.callers import OidcEntry
from sealgate.model.errors import ConfigurationError

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
_ENFORCE: Final = "enforce"
_SCOPE: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
_RESOURCE: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,512}")
_ON_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def check_resource(resource: str) -> None:
    """Refuse what cannot be this gateway's own identifier (RFC 8707 section 2, RFC 9728 section 1.2).

    Raises:
        ConfigurationError: says so.
    """
    parts = urlsplit(resource)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _ON_THIS_MACHINE)
    if not safe or not parts.hostname or not _RESOURCE.fullmatch(resource) or {"?", "#"} & set(resource):
        raise ConfigurationError(
            f"`resource` is `{resource[:80]}`", hint="the https address by which clients know it, e.g. https://gate/mcp"
        )


@dataclass(frozen=True, slots=True)
class Protected:
    """What a gateway tells of itself. Without issuers there is nothing to tell: ``path`` is empty."""

    path: str
    metadata: bytes
    _address: str
    _scope: str

    @classmethod
    def of(cls, resource: str, issuers: Iterable[OidcEntry]) -> "Protected":
        """Return the protected resource of a checked configuration."""
        known = list(issuers)
        if not resource or not known:
            return cls("", b"", "", "")
        parts = urlsplit(resource)
        path = WELL_KNOWN + ("" if parts.path == "/" else parts.path)
        scopes = sorted({scope for entry in known for scope in _scopes(entry)})
        document: dict[str, Any] = {
            "resource": resource,
            "authorization_servers": [entry.issuer for entry in known],
            "bearer_methods_supported": ["header"],
            "resource_name": "Sealgate MCP gateway",
        }
        if scopes:
            document["scopes_supported"] = scopes
        if all(entry.binding == "certificate" for entry in known):
            document["tls_client_certificate_bound_access_tokens"] = True
        address = f"{parts.scheme}://{parts.netloc}{path}"
        return cls(path, orjson.dumps(document), address, " ".join(scopes))

    def challenge(self, error: str = "") -> bytes:
        """Return the ``WWW-Authenticate`` header (RFC 6750 section 3); ``error`` is empty where nothing was sent."""
        said = [f'error="{error}"'] if error else []
        if self._scope:
            said.append(f'scope="{self._scope}"')
        if self._address:
            said.append(f'resource_metadata="{self._address}"')
        return f"Bearer {', '.join(said)}".strip().encode()


def _scopes(entry: OidcEntry) -> list[str]:
    """Return the scopes that let a token ask for decisions."""
    if entry.role_claim != "scope":
        return []
    mapped = (mapping.rpartition("=") for mapping in entry.role_map)
    return [scope for scope, _, role in mapped if role == _ENFORCE and _SCOPE.fullmatch(scope)]
