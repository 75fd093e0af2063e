"""Puts answers and decision bodies together: the one place where both shapes are written.

Every decision comes through here: enumerations are read by ``_value_``, at a fifth of the cost of ``value``.
"""

import base64
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from sealgate.authority.drafts import Receipt
from sealgate.authority.rulebook import Ruling
from sealgate.model.approvals import ApprovalReference, Needed
from sealgate.model.decisions import Outcome, Reason
from sealgate.model.evaluation import (
    DecisionContext,
    EvaluationRequest,
    EvaluationResponse,
    Identity,
    PermitReference,
    ReceiptReference,
)
from sealgate.model.identifiers import parse_traceparent
from sealgate.policy.session import PROVENANCE, SESSION

MESSAGES: Final[dict[Reason, str]] = {
    Reason.NOT_RECORDED: "the decision could not be made durable",
    Reason.DEADLINE: "the decision did not become durable before its deadline",
}


class Permit(msgspec.Struct, frozen=True):
    """A permit before it is answered; times are RFC 3339."""

    token: str
    expires_at: str
    outcome_due: str | None
    redeemed: bool


def reference(receipt: Receipt) -> ReceiptReference:
    """Return the answer's form of a fresh receipt."""
    return ReceiptReference("signed", receipt.record_id, receipt.index, base64.b64encode(receipt.statement).decode())


def decided(
    ruling: Ruling, request_id: str | None, record_id: str, receipt: Receipt, permit: Permit | None
) -> EvaluationResponse:
    """Return the answer of a recorded decision."""
    return EvaluationResponse(
        decision=ruling.outcome is Outcome.PERMIT,
        context=DecisionContext(
            outcome=ruling.outcome._value_,
            reason=ruling.reason._value_,
            message=ruling.message,
            policies=ruling.policies,
            policy_version=ruling.policy_version,
            obligations=ruling.obligations,
            request_id=request_id or record_id,
            record_id=record_id,
            receipt=reference(receipt),
            permit=PermitReference(permit.token, permit.expires_at, permit.redeemed) if permit else None,
            approval=ruling.approval,
        ),
    )


def repeated(index: int, statement: bytes, body: dict[str, Any], token: str | None) -> EvaluationResponse:
    """Return the answer of an earlier decision again, from its record."""
    verdict, permit = body["decision"], body["permit"]
    receipt = Receipt(body["record_id"], index, statement, b"")
    return EvaluationResponse(
        decision=verdict["outcome"] == Outcome.PERMIT,
        context=DecisionContext(
            outcome=verdict["outcome"],
            reason=verdict["reason"],
            message=verdict["message"],
            policies=verdict["policies"],
            policy_version=verdict["policy_version"],
            obligations=verdict["obligations"],
            request_id=body["request_id"] or body["record_id"],
            record_id=body["record_id"],
            receipt=reference(receipt),
            permit=PermitReference(token, permit["expires_at"], permit["redeemed"]) if token and permit else None,
            approval=_approval_of(verdict),
        ),
    )


def _approval_of(verdict: dict[str, Any]) -> ApprovalReference | None:
    """Return what a recorded decision said of its approval."""
    used = verdict.get("approval")
    if used is None:
        return None
    method = verdict["authorization_method"]
    return ApprovalReference(
        used["id"],
        used["state"],
        used["expires_at"],
        [Needed(**need) for need in used["needed"]],
        used["approvers"],
        None if method == "policy" else method,
    )


def unrecorded(reason: Reason, message: str, request_id: str | None) -> EvaluationResponse:
    """Return SILENCE without a receipt: nothing could be recorded, so nothing is claimed."""
    return EvaluationResponse(
        decision=False,
        context=DecisionContext(
            outcome=Outcome.SILENCE.value,
            reason=reason.value,
            message=message,
            policies=[],
            policy_version=None,
            obligations=[],
            request_id=request_id or "",
            record_id=None,
            receipt=None,
            permit=None,
        ),
    )


def agent(agent_id: str, caller: Identity, on_behalf_of: list[str]) -> dict[str, Any]:
    """Return the ``agent`` member of a body."""
    return {"id": agent_id, "principal": caller.principal, "proof": caller.how, "on_behalf_of": on_behalf_of}


def trace(traceparent: str | None, parent_span_id: str | None) -> dict[str, Any] | None:
    """Return the ``trace`` member of a body.

    Raises:
        InputError: the trace context is malformed.
    """
    if traceparent is None:
        return None
    trace_id, span_id = parse_traceparent(traceparent)
    if parent_span_id is not None:
        parse_traceparent(f"00-{trace_id}-{parent_span_id}-00")
    return {"trace_id": trace_id, "span_id": span_id, "parent_span_id": parent_span_id}


def kept(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the ``kept`` member of a decision's body: the authority's own facts that the policies saw."""
    provenance = facts.get(PROVENANCE)
    origins = None if provenance is None else [{"argument": name, "origins": provenance[name]} for name in provenance]
    return {"session": facts.get(SESSION), "provenance": origins}


_UNKNOWN_TOOL: Final[dict[str, Any]] = {
    "server": None,
    "version": None,
    "publisher": None,
    "trust_level": None,
    "verification_score": None,
    "definition_sha256": None,
}


def _use(approval: ApprovalReference, amount: str | None) -> dict[str, Any]:
    return {
        "id": approval.id,
        "state": approval.state,
        "expires_at": approval.expires_at,
        "needed": msgspec.to_builtins(approval.needed),
        "approvers": approval.approvers,
        "amount": amount,
    }


def decision_fields(
    request: EvaluationRequest,
    ruling: Ruling,
    permit: Permit | None,
    duration_us: int,
    tool: dict[str, Any],
    delegations: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the members of a decision's body, but for the input digest, which needs the salt.

    ``tool`` is what the supply chain says of the tool.
    """
    permission = f"{request.action.name} on {request.resource.type}::{request.resource.id}"
    permitted = ruling.outcome is Outcome.PERMIT
    approval = ruling.approval
    asked_by = request.context.asked_by
    return {
        "asked_by": None if asked_by is None else {"principal": asked_by.principal, "proof": asked_by.proof},
        "tool": {"name": request.action.name, **(ruling.tool or _UNKNOWN_TOOL), **tool},
        "resource": {"type": request.resource.type, "id": request.resource.id},
        "decision": {
            "outcome": ruling.outcome._value_,
            "reason": ruling.reason._value_,
            "message": ruling.message,
            "policies": ruling.policies,
            "policy_version": ruling.policy_version,
            "obligations": ruling.obligations,
            "charges": ruling.charges,
            "authorization_method": approval.method or "policy" if approval is not None else "policy",
            "approval": None if approval is None else _use(approval, ruling.approval_amount),
            "duration_us": duration_us,
        },
        "permit": {
            "expires_at": permit.expires_at,
            "redeemed": permit.redeemed,
            "outcome_due": permit.outcome_due,
        }
        if permit
        else None,
        "data": {"classification": None, "systems": [request.resource.id], "subjects": []},
        "delegations": list(delegations),
        "permissions": {"used": [permission] if permitted else [], "denied": [] if permitted else [permission]},
    }
