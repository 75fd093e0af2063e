"""A delegation: what one agent or person lets one agent do on its behalf. Only ever narrower than what is above it."""

from typing import Final, Literal

import msgspec

from .evaluation import Recorded

MAX_DEPTH: Final = 4
"""Links from the first delegator to the agent that acts."""

MAX_NAMES: Final = 256
MAX_BOUNDS: Final = 64
DEFAULT_S: Final = 8 * 3600
MAX_S: Final = 30 * 86_400
ALL: Final = "*"


class Bound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one argument of a tool may be; it must be there. Amounts are decimal texts, ``one_of`` lists texts."""

    tool: str
    argument: str
    max: str | None = None
    min: str | None = None
    one_of: list[str] | None = None


class Delegation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One link. ``tools`` and ``resources`` (``type::id``) name each, or ``*`` alone; ``parent`` is the link above."""

    delegation_id: str
    delegator: str
    delegator_type: Literal["agent", "user"]
    delegate: str
    parent: str | None
    depth: int
    tools: list[str]
    resources: list[str]
    bounds: list[Bound]
    task: str | None
    expires_at: str
    expires_ms: int
    granted_by: str
    reason: str


class DelegationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Grant a delegation. What is left out is as wide as the link above; a first link names its tools."""

    delegator: str
    delegate: str
    delegator_type: Literal["agent", "user"] = "agent"
    parent: str | None = None
    tools: list[str] | None = None
    resources: list[str] | None = None
    bounds: list[Bound] = []
    task: str | None = None
    expires_in_s: int | None = None
    reason: str = ""


class DelegationGranted(Recorded, frozen=True):
    """The delegation holds until it is revoked, its task ends, or ``expires_at``."""

    delegation_id: str
    depth: int
    expires_at: str


class DelegationRevoke(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a delegation is taken back."""

    reason: str


class DelegationRevoked(Recorded, frozen=True):
    """The delegation and these below it are over."""

    delegations: list[str]


class Delegations(msgspec.Struct, frozen=True):
    """The delegations that the caller may see."""

    delegations: list[Delegation]
