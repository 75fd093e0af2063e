"""People are asked, and answer."""

from typing import Final

from sealgate.model.approvals import (
    ApprovalAnswer,
    ApprovalFigures,
    ApprovalList,
    ApprovalStep,
    ApprovalSteps,
    ApprovalView,
    BatchAnswer,
    CallbackAnswer,
    CapabilityRequest,
)
from sealgate.server.route import KNOWN, Route, get, post, roles

_CODES: Final = (
    "approval-unknown",
    "approval-decided",
    "approval-expired",
    "own-request",
    "not-an-approver",
)

ROUTES: Final[tuple[Route, ...]] = (
    get(
        "/v1/approvals",
        "approvals",
        "The approvals that wait, or are in the states asked for, as far as the caller may see them",
        answer=ApprovalList,
        roles=KNOWN,
        query=("state",),
    ),
    get(
        "/v1/approvals/stats",
        "approval_figures",
        "Fatigue: how people are asked and answer",
        answer=ApprovalFigures,
        roles=roles("operate", "read", "administer"),
    ),
    post(
        "/v1/approvals/batch",
        "answer_approvals",
        "Give one answer to several approvals of the same shape",
        takes=BatchAnswer,
        answer=ApprovalSteps,
        roles=KNOWN,
        codes=_CODES,
    ),
    post(
        "/v1/approvals/callback",
        "answer_by_callback",
        "Give a person's answer in a signed callback",
        takes=CallbackAnswer,
        answer=ApprovalStep,
        codes=(*_CODES, "callback-refused"),
    ),
    get(
        "/v1/approvals/{approval_id}",
        "approval",
        "One approval; with `wait_s` as soon as it is decided, after 30 seconds at the latest",
        answer=ApprovalView,
        roles=KNOWN,
        query=("wait_s",),
        codes=("approval-unknown",),
    ),
    post(
        "/v1/approvals/{approval_id}/grant",
        "grant_approval",
        "Say yes: another person than who asked, with a role that is needed",
        takes=ApprovalAnswer,
        answer=ApprovalStep,
        roles=KNOWN,
        codes=_CODES,
    ),
    post(
        "/v1/approvals/{approval_id}/refuse",
        "refuse_approval",
        "Say no; the first no is the last word",
        takes=ApprovalAnswer,
        answer=ApprovalStep,
        roles=KNOWN,
        codes=_CODES,
    ),
    post(
        "/v1/approvals/{approval_id}/revoke",
        "revoke_approval",
        "Take back what waits, or was granted and is not used up",
        takes=ApprovalAnswer,
        answer=ApprovalStep,
        roles=KNOWN,
        codes=("approval-unknown", "approval-decided", "approval-expired"),
    ),
    post(
        "/v1/grants",
        "request_capability",
        "Ask people once for many calls, within bounds",
        takes=CapabilityRequest,
        answer=ApprovalView,
        roles=roles("enforce", "operate"),
        codes=("subject-not-allowed", "busy"),
    ),
)
