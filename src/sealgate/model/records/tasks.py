"""Tasks, and on whose behalf an agent acts in them."""

from typing import Literal

import msgspec

from .common import Common


class TaskStarted(Common, kw_only=True, forbid_unknown_fields=True):
    """A task began; its id is ``task_id``. ``goal_claimed`` is the agent's word."""

    parent: str | None
    delegation: str | None
    goal_claimed: str
    expires_at: str


class TaskEnded(Common, kw_only=True, forbid_unknown_fields=True):
    """A task is over: nothing is decided in it any more, and what was issued for it is taken back."""

    cause: Literal["ended", "expired", "parent_ended"]
    reason: str


class DelegationBound(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What one argument of a delegated tool may be."""

    tool: str
    argument: str
    max: str | None
    min: str | None
    one_of: list[str] | None


class DelegationGranted(Common, kw_only=True, forbid_unknown_fields=True):
    """The delegator lets the delegate act on its behalf, no wider than ``parent``, the link above."""

    delegation_id: str
    delegator: str
    delegator_type: Literal["agent", "user"]
    delegate: str
    parent: str | None
    depth: int
    tools: list[str]
    resources: list[str]
    bounds: list[DelegationBound]
    task: str | None
    expires_at: str
    granted_by: str
    reason: str


class DelegationRevoked(Common, kw_only=True, forbid_unknown_fields=True):
    """A delegation was taken back, with the ``below`` delegations under it."""

    delegation_id: str
    revoked_by: str
    reason: str
    below: int
