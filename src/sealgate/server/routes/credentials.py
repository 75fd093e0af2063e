"""Short-lived credentials, and what their verifiers need."""

from typing import Any, Final

from sealgate.model.credentials import (
    CredentialRequest,
    CredentialResponse,
    CredentialRevocation,
    Credentials,
    RevokedTokens,
)
from sealgate.server import answers
from sealgate.server.route import Route, get, post, roles

_CODES: Final = (
    "permit-unknown",
    "permit-expired",
    "agent-paused",
    "task-ended",
    "delegation-ended",
    "credential-unknown",
    "credential-not-allowed",
    "credential-live",
)

ROUTES: Final[tuple[Route, ...]] = (
    post(
        "/v1/credentials",
        "issue_credential",
        "Ask for a short-lived credential for a permitted action",
        takes=CredentialRequest,
        answer=CredentialResponse,
        roles=roles("enforce"),
        codes=_CODES,
    ),
    get(
        "/v1/credentials",
        "credentials",
        "The credentials that may be alive; never a secret",
        answer=Credentials,
        roles=roles("operate", "read"),
    ),
    post(
        "/v1/credentials/{id}/revoke",
        "revoke_credential",
        "End a credential now",
        takes=answers.Nothing,
        answer=CredentialRevocation,
        roles=roles("enforce", "operate"),
        codes=("credential-unknown",),
    ),
    get("/v1/tokens/revoked", "revoked_tokens", "Tokens not to be accepted any more", answer=RevokedTokens),
    get("/.well-known/jwks.json", "token_keys", "The keys that tokens are verified with", answer=dict[str, Any]),
)
