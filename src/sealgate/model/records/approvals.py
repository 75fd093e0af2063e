"""People are asked, and answer."""

from typing import Literal

import msgspec

from .common import Common
from .decisions import NeededPeople, Resource


class ApprovalBound(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What one argument may be; ``one_of_json`` is canonical JSON text of a list."""

    argument: str
    one_of_json: str | None
    at_most: int | None
    at_least: int | None
    prefix: str | None


class ApprovalSum(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a numeric argument may come to over all uses."""

    argument: str
    max: int


class ApprovedCapability(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Many calls at once: these tools within bounds, so often, in all so much."""

    tools: list[str]
    max_uses: int
    bounds: list[ApprovalBound]
    max_sum: ApprovalSum | None


class ApprovalRequested(Common, kw_only=True, forbid_unknown_fields=True):
    """People are asked. ``agent`` and ``task_id`` are the requester's.

    ``scope`` ``action``: exactly one call, the one of decision ``decision_id``. ``binding`` is a keyed digest over the
    principal, agent, delegation chain, tool, its definition, resource, exact arguments, policy version and needed
    people; ``input_digest`` is made as a decision's is. ``arguments_json`` is what approvers see: canonical text after
    the field policy; ``arguments_exact`` says whether that is all of what will run. ``scope`` ``capability``: all calls
    that ``capability`` covers.
    """

    scope: Literal["action", "capability"]
    decision_id: str | None
    tool_name: str | None
    resource: Resource | None
    definition_sha256: str | None
    policies: list[str]
    policy_version: str
    needed: list[NeededPeople]
    expires_at: str
    binding: str | None
    input_digest: str | None
    arguments_json: str | None
    arguments_exact: bool | None
    capability: ApprovedCapability | None
    reason: str | None


class ApprovalAnswered(Common, kw_only=True, forbid_unknown_fields=True):
    """A person said yes or no. ``complete``: with this answer the approval was granted, or refused.

    ``roles`` are the approver's then; ``batch_id`` is shared by the answers that one decision gave.
    """

    approval_id: str
    decision_id: str | None
    principal: str
    roles: list[str]
    complete: bool
    batch_id: str | None
    reason: str


class ApprovalExpired(Common, kw_only=True, forbid_unknown_fields=True):
    """An approval's time is over, or the policy set that it was asked under is not in force any more."""

    approval_id: str
    decision_id: str | None
    cause: Literal["time", "policy_changed"]


class ApprovalRevoked(Common, kw_only=True, forbid_unknown_fields=True):
    """A person took an approval back, or the task that it was for ended."""

    approval_id: str
    decision_id: str | None
    principal: str
    reason: str
