"""Short-lived credentials, from the request to their end."""

from typing import Literal

from .common import Common


class CredentialEvent(Common, kw_only=True, forbid_unknown_fields=True):
    """A credential is about to be made, or was made and is about to be handed out. The secret is never in a record.

    ``scope_digest`` = base64url(SHA-256) of what it allows, as canonical JSON. ``decision_id`` is the PERMIT it serves.
    """

    credential_id: str
    name: str
    credential_kind: str
    decision_id: str
    audience: str | None
    scope_digest: str
    expires_at: str


class CredentialRefused(Common, kw_only=True, forbid_unknown_fields=True):
    """A credential was asked for and not handed out. ``credential_id`` is null where none was begun."""

    credential_id: str | None
    name: str
    decision_id: str | None
    refusal: str


class CredentialRevoked(Common, kw_only=True, forbid_unknown_fields=True):
    """A credential is dead at its backend (``revoked``), or nobody can end it before its expiry (``left_to_expire``).

    ``failing``: the first attempt failed; it is tried again until one of the others is recorded. ``decision_id`` is
    null for one that was found at the backend and in no record.
    """

    credential_id: str
    name: str
    credential_kind: str
    decision_id: str | None
    cause: str
    result: Literal["revoked", "left_to_expire", "failing"]
    attempts: int
    expires_at: str
