"""What the bodies of approval records hold. Pure."""

from typing import Any

import msgspec

from sealgate.authority.approval import Approval
from sealgate.encoding import canonical
from sealgate.model.approvals import CapabilityTerms


def requested(approval: Approval, *, expires_at: str, input_digest: str | None) -> dict[str, Any]:
    """Return the members of ``approval.requested``."""
    kind, _, name = (approval.resource or "").partition("::")
    return {
        "scope": approval.scope,
        "decision_id": approval.decision_id,
        "tool_name": approval.tool,
        "resource": {"type": kind, "id": name} if approval.resource is not None else None,
        "definition_sha256": approval.definition_sha256,
        "policies": approval.policies,
        "policy_version": approval.policy_version,
        "needed": msgspec.to_builtins(approval.needed),
        "expires_at": expires_at,
        "binding": approval.binding,
        "input_digest": input_digest,
        "arguments_json": approval.arguments,
        "arguments_exact": None if approval.arguments is None else approval.exact,
        "capability": None if approval.terms is None else _capability(approval.terms),
        "reason": approval.reason,
    }


def _capability(terms: CapabilityTerms) -> dict[str, Any]:
    return {
        "tools": terms.tools,
        "max_uses": terms.max_uses,
        "bounds": [
            {
                "argument": bound.argument,
                "one_of_json": None if bound.one_of is None else canonical.encode_arguments(bound.one_of).decode(),
                "at_most": bound.at_most,
                "at_least": bound.at_least,
                "prefix": bound.prefix,
            }
            for bound in terms.bounds
        ],
        "max_sum": None if terms.max_sum is None else msgspec.to_builtins(terms.max_sum),
    }


def answered(
    approval: Approval, *, principal: str, roles: list[str], reason: str, complete: bool, batch_id: str | None
) -> dict[str, Any]:
    """Return the members of ``approval.granted`` and ``approval.refused``."""
    return {
        "approval_id": approval.id,
        "decision_id": approval.decision_id,
        "principal": principal,
        "roles": roles,
        "complete": complete,
        "batch_id": batch_id,
        "reason": reason,
    }


def expired(approval: Approval, cause: str) -> dict[str, Any]:
    """Return the members of ``approval.expired``."""
    return {"approval_id": approval.id, "decision_id": approval.decision_id, "cause": cause}


def revoked(approval: Approval, principal: str, reason: str) -> dict[str, Any]:
    """Return the members of ``approval.revoked``."""
    return {
        "approval_id": approval.id,
        "decision_id": approval.decision_id,
        "principal": principal,
        "reason": reason,
    }
