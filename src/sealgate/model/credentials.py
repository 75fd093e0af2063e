"""Short-lived credentials as they travel over the API and as the authority remembers them. Never the secret itself."""

from typing import Literal

import msgspec

from .evaluation import ReceiptReference

Cause = Literal[
    "outcome",
    "permit_expired",
    "outcome_overdue",
    "expired",
    "task_ended",
    "delegation_ended",
    "agent_paused",
    "operator",
    "issue_failed",
    "restart",
]
"""Why a credential ends."""

Result = Literal["revoked", "left_to_expire"]
"""Whether the backend ended it, or nobody can before its expiry."""

Confirmation = dict[str, str]
"""RFC 7800 ``cnf``: which key the holder of a token must prove to have."""


class CredentialRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A caller asks for the credential ``name`` for a PERMIT, named by its token or its decision's id (exactly one).

    ``audience`` and ``scope`` narrow what the configuration allows. ``confirmation`` binds a token to the caller's key:
    RFC 7800 ``cnf`` with one of ``jkt``, ``x5t#S256``.
    """

    name: str
    permit: str | None = None
    decision_id: str | None = None
    audience: str | None = None
    scope: list[str] = []
    confirmation: Confirmation | None = None


class CredentialResponse(msgspec.Struct, frozen=True):
    """A credential. ``secret`` is in this answer and nowhere else."""

    credential_id: str
    name: str
    kind: str
    decision_id: str
    audience: str | None
    expires_at: str
    secret: dict[str, str]
    receipt: ReceiptReference


class Lease(msgspec.Struct):
    """A credential that may be alive at its backend. ``cause`` is set once it has to end, and is never taken back.

    ``decision_id`` is empty for one that was found at its backend and in no record.
    """

    credential_id: str
    name: str
    kind: str
    agent: str
    decision_id: str
    task_id: str | None
    audience: str | None
    scope_digest: str
    expires_ms: int
    issued: bool = False
    cause: Cause | None = None
    attempts: int = 0
    problem: str | None = None


class CredentialView(msgspec.Struct, frozen=True):
    """A live credential as operators see it. ``problem`` is why its revocation has failed so far."""

    credential_id: str
    name: str
    kind: str
    agent: str
    decision_id: str
    task_id: str | None
    audience: str | None
    expires_at: str
    state: Literal["issuing", "live", "revoking"]
    attempts: int
    problem: str | None


class Credentials(msgspec.Struct, frozen=True):
    """All that may be alive."""

    credentials: list[CredentialView]


class CredentialRevocation(msgspec.Struct, frozen=True):
    """What a call to revoke came to; ``pending``: the backend does not answer, it is tried again by itself."""

    credential_id: str
    state: Literal["revoked", "left_to_expire", "pending"]


class RevokedToken(msgspec.Struct, frozen=True):
    """A token of ours that must not be accepted although it has not expired; times are Unix seconds."""

    jti: str
    exp: int


class RevokedTokens(msgspec.Struct, frozen=True):
    """All such tokens now. ``at`` is when this was said: an old list proves nothing."""

    at: int
    revoked: list[RevokedToken]
