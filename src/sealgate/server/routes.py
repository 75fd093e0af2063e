"""The routing table: every path, who may use it, what it takes and what it answers. Code and documents read this."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import unquote

import msgspec

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
from sealgate.model.batches import MAX_BATCHES_BYTES, BatchesRecorded, BatchesRequest
from sealgate.model.credentials import (
    CredentialRequest,
    CredentialResponse,
    CredentialRevocation,
    Credentials,
    RevokedTokens,
)
from sealgate.model.delegations import (
    DelegationGranted,
    DelegationRequest,
    DelegationRevoke,
    DelegationRevoked,
    Delegations,
)
from sealgate.model.erasure import Erasure, ErasureRequest
from sealgate.model.errors import InputError
from sealgate.model.evaluation import (
    CaptureRequest,
    EvaluationRequest,
    EvaluationResponse,
    ObservationRequest,
    OutcomeRequest,
    PolicyChange,
    Recorded,
    RedeemRequest,
    RedeemResponse,
)
from sealgate.model.grants import GrantRequest, Grants, RevokeRequest
from sealgate.model.limits import MAX_REQUEST_BYTES
from sealgate.model.supply import InstallationRequest, Packages, TrustRequest, TrustScores, VerificationRequest
from sealgate.model.tasks import OpenTasks, TaskEnd, TaskEnded, TaskRequest, TaskStarted

from . import answers
from .bounds import MAX_POLICY_BUNDLE_BYTES
from .evaluations import EvaluationsResponse

ANYONE: Final = None
"""No identity needed."""

KNOWN: Final[frozenset[str]] = frozenset()
"""Any proven identity; the authority decides what it may see."""

APPROVAL_CODES: Final = (
    "approval-unknown",
    "approval-decided",
    "approval-expired",
    "own-request",
    "not-an-approver",
)

PERMIT_CODES: Final = (
    "delegation-ended",
    "permit-already-redeemed",
    "permit-expired",
    "permit-mismatch",
    "permit-unknown",
    "task-ended",
)


CREDENTIAL_CODES: Final = (
    "permit-unknown",
    "permit-expired",
    "agent-paused",
    "task-ended",
    "delegation-ended",
    "credential-unknown",
    "credential-not-allowed",
    "credential-live",
)


def _roles(*names: str) -> frozenset[str]:
    return frozenset(names)


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method. ``answer`` is a structure (JSON) or a media type (bytes)."""

    method: str
    path: str
    handler: str
    summary: str
    answer: Any
    roles: frozenset[str] | None = ANYONE
    takes: Any = None
    max_bytes: int = 0
    authzen: bool = False
    query: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    parameters: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(re.findall(r"{(\w+)}", self.path)))


def _post(path: str, handler: str, summary: str, **more: Any) -> Route:
    return Route("POST", path, handler, summary, **{"max_bytes": MAX_REQUEST_BYTES, **more})


def _get(path: str, handler: str, summary: str, **more: Any) -> Route:
    return Route("GET", path, handler, summary, **more)


ROUTES: Final[tuple[Route, ...]] = (
    _post(
        "/access/v1/evaluation",
        "evaluate",
        "Ask for a decision (AuthZEN)",
        takes=EvaluationRequest,
        answer=EvaluationResponse,
        roles=_roles("enforce"),
        authzen=True,
        codes=("request-id-reused",),
    ),
    _post(
        "/access/v1/evaluations",
        "evaluate_batch",
        "Ask for many decisions (AuthZEN)",
        takes=answers.EvaluationsRequest,
        answer=EvaluationsResponse | EvaluationResponse,
        roles=_roles("enforce"),
        authzen=True,
        codes=("request-id-reused",),
    ),
    _post(
        "/v1/permits/redeem",
        "redeem",
        "Use up a permit just before the action runs",
        takes=RedeemRequest,
        answer=RedeemResponse,
        roles=_roles("enforce"),
        codes=PERMIT_CODES,
    ),
    _post(
        "/v1/outcomes",
        "report_outcome",
        "Say what became of a permitted action",
        takes=OutcomeRequest,
        answer=Recorded,
        roles=_roles("enforce"),
        codes=(
            "outcome-unexpected",
            "permit-not-redeemed",
            "outcome-already-reported",
            "subject-not-allowed",
            "request-id-reused",
        ),
    ),
    _post(
        "/v1/records",
        "capture",
        "Record a session, an input, a reasoning step, an event; services: accesses, erasures, holds, expiry, roles",
        takes=CaptureRequest,
        answer=Recorded,
        roles=_roles("enforce", "service"),
        codes=("request-id-reused",),
    ),
    _post(
        "/v1/batches",
        "record_batches",
        "Record batches of captured and observed items (for collectors)",
        takes=BatchesRequest,
        answer=BatchesRecorded,
        roles=_roles("collect"),
        max_bytes=MAX_BATCHES_BYTES,
        codes=("request-id-reused", "subject-not-allowed"),
    ),
    _get(
        "/v1/receipts/{record_id}",
        "receipt",
        "The newest receipt of a record",
        answer=answers.Receipt,
        roles=KNOWN,
        codes=("record-unknown",),
    ),
    _get(
        "/v1/receipts/{record_id}/tlog-proof",
        "tlog_proof",
        "The receipt as C2SP tlog-proof",
        answer="text/plain",
        roles=KNOWN,
        codes=("record-unknown",),
    ),
    _get(
        "/v1/receipts/{record_id}/transparent-statement",
        "transparent_statement",
        "The receipt as RFC 9943 transparent statement",
        answer="application/cose",
        roles=KNOWN,
        codes=("record-unknown",),
    ),
    _get(
        "/v1/agents",
        "agents",
        "The known agents and whether each is paused",
        answer=answers.Agents,
        roles=_roles("operate", "read"),
    ),
    _post(
        "/v1/agents/{id}/pause",
        "pause",
        "Pause an agent: its next decision obeys",
        takes=answers.PauseRequest,
        answer=Recorded,
        roles=_roles("operate"),
    ),
    _post(
        "/v1/agents/{id}/resume",
        "resume",
        "Lift a pause",
        takes=answers.Nothing,
        answer=Recorded,
        roles=_roles("operate"),
    ),
    _post(
        "/v1/subjects/{subject}/erasure",
        "erase",
        "Erase a subject: destroy its data keys, or refuse; the same id again continues",
        takes=ErasureRequest,
        answer=Erasure,
        roles=_roles("erase"),
        codes=("erasure-under-way",),
    ),
    _get(
        "/v1/subjects/{subject}/erasure",
        "erasures",
        "The erasures of a subject and how far each is",
        answer=list[Erasure],
        roles=_roles("erase", "read"),
    ),
    _post(
        "/v1/policies",
        "publish_policy",
        "Publish a policy bundle, or propose it where a second person approves",
        takes=msgspec.Raw,
        answer=PolicyChange,
        roles=_roles("publish"),
        max_bytes=MAX_POLICY_BUNDLE_BYTES,
    ),
    _get(
        "/v1/policies/pending",
        "pending_policy",
        "The policy set that waits for a second person",
        answer=dict[str, Any],
        roles=_roles("publish", "approve"),
        codes=("policy-unknown",),
    ),
    _post(
        "/v1/policies/{digest}/approve",
        "approve_policy",
        "Put a proposed policy set in force; another person than its proposer",
        takes=answers.Nothing,
        answer=PolicyChange,
        roles=_roles("approve"),
        codes=("policy-unknown", "own-proposal"),
    ),
    _post(
        "/v1/tasks",
        "start_task",
        "Start a task of an agent",
        takes=TaskRequest,
        answer=TaskStarted,
        roles=_roles("enforce", "operate"),
        codes=("task-exists", "task-unknown", "subject-not-allowed"),
    ),
    _post(
        "/v1/tasks/{id}/end",
        "end_task",
        "End a task and all below it: nothing is decided in them any more, what was issued for them is taken back",
        takes=TaskEnd,
        answer=TaskEnded,
        roles=_roles("enforce", "operate"),
        codes=("task-unknown",),
    ),
    _get(
        "/v1/tasks",
        "tasks",
        "The open tasks of the caller's agents",
        answer=OpenTasks,
        roles=_roles("enforce", "operate", "read"),
    ),
    _post(
        "/v1/delegations",
        "grant_delegation",
        "Let an agent act on behalf of a person or another agent; below a delegation only narrower",
        takes=DelegationRequest,
        answer=DelegationGranted,
        roles=KNOWN,
        codes=("delegation-unknown", "subject-not-allowed"),
    ),
    _post(
        "/v1/delegations/{id}/revoke",
        "revoke_delegation",
        "Take a delegation back with everything below it",
        takes=DelegationRevoke,
        answer=DelegationRevoked,
        roles=KNOWN,
        codes=("delegation-unknown",),
    ),
    _get(
        "/v1/delegations",
        "delegations",
        "The delegations in force that the caller may see",
        answer=Delegations,
        roles=KNOWN,
    ),
    _get(
        "/v1/roles/grants",
        "grants",
        "The reading roles that are granted",
        answer=Grants,
        roles=_roles("administer", "service"),
    ),
    _post(
        "/v1/roles/grants",
        "grant_role",
        "Grant a reading role to somebody else",
        takes=GrantRequest,
        answer=Recorded,
        roles=_roles("administer"),
    ),
    _post(
        "/v1/roles/grants/{grant_id}/revoke",
        "revoke_role",
        "Take a granted role back",
        takes=RevokeRequest,
        answer=Recorded,
        roles=_roles("administer"),
        codes=("grant-unknown",),
    ),
    _get(
        "/v1/policies/current",
        "current_policy",
        "The policy set in force",
        answer=dict[str, Any],
        roles=KNOWN,
        codes=("policy-unknown",),
    ),
    _post(
        "/v1/keys/rotate",
        "rotate_key",
        "Start a new signing key",
        takes=answers.Nothing,
        answer=Recorded,
        roles=_roles("operate"),
    ),
    _post(
        "/v1/credentials",
        "issue_credential",
        "Ask for a short-lived credential for a permitted action",
        takes=CredentialRequest,
        answer=CredentialResponse,
        roles=_roles("enforce"),
        codes=CREDENTIAL_CODES,
    ),
    _get(
        "/v1/credentials",
        "credentials",
        "The credentials that may be alive; never a secret",
        answer=Credentials,
        roles=_roles("operate", "read"),
    ),
    _post(
        "/v1/credentials/{id}/revoke",
        "revoke_credential",
        "End a credential now",
        takes=answers.Nothing,
        answer=CredentialRevocation,
        roles=_roles("enforce", "operate"),
        codes=("credential-unknown",),
    ),
    _get("/v1/tokens/revoked", "revoked_tokens", "Tokens not to be accepted any more", answer=RevokedTokens),
    _get("/.well-known/jwks.json", "token_keys", "The keys that tokens are verified with", answer=dict[str, Any]),
    _post(
        "/v1/packages/verifications",
        "verify_package",
        "Record that a tool package was checked",
        takes=VerificationRequest,
        answer=Recorded,
        roles=_roles("service", "administer"),
    ),
    _post(
        "/v1/packages/installations",
        "install_package",
        "Record that a tool package was installed for an agent",
        takes=InstallationRequest,
        answer=Recorded,
        roles=_roles("service", "administer"),
    ),
    _get(
        "/v1/packages",
        "packages",
        "What is verified and installed",
        answer=Packages,
        roles=_roles("service", "administer", "read"),
    ),
    _post(
        "/v1/trust-scores",
        "score_trust",
        "Say how far a tool or tool server is trusted",
        takes=TrustRequest,
        answer=Recorded,
        roles=_roles("service", "administer"),
    ),
    _get(
        "/v1/trust-scores",
        "trust_scores",
        "The history of trust scores",
        answer=TrustScores,
        roles=_roles("service", "administer", "read"),
    ),
    _post(
        "/v1/tasks/{id}/observations",
        "observe",
        "Tell what entered a task; only fingerprints are kept",
        takes=ObservationRequest,
        answer=Recorded,
        roles=_roles("enforce"),
        codes=("subject-not-allowed",),
    ),
    _get("/v1/holds", "holds", "The legal holds", answer=answers.Holds, roles=_roles("retain", "read")),
    _post(
        "/v1/holds",
        "place_hold",
        "Ask for a legal hold; it protects at once",
        takes=answers.HoldRequest,
        answer=answers.HoldStep,
        roles=_roles("retain"),
    ),
    _post(
        "/v1/holds/{id}/confirm",
        "confirm_hold",
        "Confirm, as another person, what was asked for",
        takes=answers.Nothing,
        answer=answers.HoldStep,
        roles=_roles("retain"),
        codes=("hold-unknown", "hold-not-open", "second-person-needed"),
    ),
    _post(
        "/v1/holds/{id}/release",
        "release_hold",
        "Ask for a hold's release",
        takes=answers.ReleaseRequest,
        answer=answers.HoldStep,
        roles=_roles("retain"),
        codes=("hold-unknown", "hold-not-open"),
    ),
    _get(
        "/v1/retention/plan",
        "plan_retention",
        "What a retention run would delete now",
        answer=dict[str, Any],
        roles=_roles("retain", "read"),
    ),
    _post(
        "/v1/retention/run",
        "run_retention",
        "Delete what is due",
        takes=answers.Nothing,
        answer=dict[str, Any],
        roles=_roles("retain"),
        codes=("retention-running",),
    ),
    _post(
        "/v1/log/compact",
        "compact_journal",
        "Archive the journal's closed segments",
        takes=answers.Nothing,
        answer=dict[str, Any],
        roles=_roles("retain", "operate"),
    ),
    _get(
        "/v1/approvals",
        "approvals",
        "The approvals that wait, or are in the states asked for, as far as the caller may see them",
        answer=ApprovalList,
        roles=KNOWN,
        query=("state",),
    ),
    _get(
        "/v1/approvals/stats",
        "approval_figures",
        "Fatigue: how people are asked and answer",
        answer=ApprovalFigures,
        roles=_roles("operate", "read", "administer"),
    ),
    _post(
        "/v1/approvals/batch",
        "answer_approvals",
        "Give one answer to several approvals of the same shape",
        takes=BatchAnswer,
        answer=ApprovalSteps,
        roles=KNOWN,
        codes=APPROVAL_CODES,
    ),
    _post(
        "/v1/approvals/callback",
        "answer_by_callback",
        "Give a person's answer in a signed callback",
        takes=CallbackAnswer,
        answer=ApprovalStep,
        codes=(*APPROVAL_CODES, "callback-refused"),
    ),
    _get(
        "/v1/approvals/{approval_id}",
        "approval",
        "One approval; with `wait_s` as soon as it is decided, after 30 seconds at the latest",
        answer=ApprovalView,
        roles=KNOWN,
        query=("wait_s",),
        codes=("approval-unknown",),
    ),
    _post(
        "/v1/approvals/{approval_id}/grant",
        "grant_approval",
        "Say yes: another person than who asked, with a role that is needed",
        takes=ApprovalAnswer,
        answer=ApprovalStep,
        roles=KNOWN,
        codes=APPROVAL_CODES,
    ),
    _post(
        "/v1/approvals/{approval_id}/refuse",
        "refuse_approval",
        "Say no; the first no is the last word",
        takes=ApprovalAnswer,
        answer=ApprovalStep,
        roles=KNOWN,
        codes=APPROVAL_CODES,
    ),
    _post(
        "/v1/approvals/{approval_id}/revoke",
        "revoke_approval",
        "Take back what waits, or was granted and is not used up",
        takes=ApprovalAnswer,
        answer=ApprovalStep,
        roles=KNOWN,
        codes=("approval-unknown", "approval-decided", "approval-expired"),
    ),
    _post(
        "/v1/grants",
        "request_capability",
        "Ask people once for many calls, within bounds",
        takes=CapabilityRequest,
        answer=ApprovalView,
        roles=_roles("enforce", "operate"),
        codes=("subject-not-allowed", "busy"),
    ),
    _get("/v1/log/checkpoint", "checkpoint", "The signed head of the log", answer="text/plain"),
    _get("/v1/log/tile/{tile}", "tile", "A tile or entry bundle (C2SP tlog-tiles)", answer="application/octet-stream"),
    _get("/.well-known/authzen-configuration", "metadata", "What this decision point offers", answer=answers.Metadata),
    _get("/healthz", "health", "The process answers", answer=answers.Health),
    _get("/readyz", "ready", "Decisions can be recorded, or why not", answer=answers.Readiness),
    _get("/metrics", "metrics", "Figures for Prometheus", answer="text/plain"),
    _get("/openapi.json", "document", "This document", answer=dict[str, Any]),
)

_MANY_SEGMENTS: Final = frozenset({"tile"})
"""Parameters that take slashes."""


class Router:
    """Finds the route of a request. Paths are compared as they are sent; only parameters are percent-decoded."""

    def __init__(self, routes: Sequence[Route] = ROUTES, max_request_bytes: int = MAX_REQUEST_BYTES) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Route]]] = []
        by_path: dict[str, dict[str, Route]] = {}
        for entry in routes:
            own_bound = entry.max_bytes != MAX_REQUEST_BYTES  # a policy bundle's, or none
            route = entry if own_bound else replace(entry, max_bytes=max_request_bytes)
            by_path.setdefault(route.path, {})[route.method] = route
            if route.method == "GET":
                by_path[route.path]["HEAD"] = route
        for path, methods in by_path.items():
            if "{" in path:
                self._patterns.append((_pattern(path), methods))
            else:
                self._exact[path] = methods

    def methods(self, path: str) -> tuple[dict[str, Route], dict[str, str]]:
        """Return the routes of ``path`` by method (none: there is nothing here) and the path's parameters.

        Raises:
            InputError: a parameter is not percent-encoded UTF-8.
        """
        found = self._exact.get(path)
        if found is not None:
            return found, {}
        for pattern, methods in self._patterns:
            match = pattern.fullmatch(path)
            if match:
                return methods, {name: _decoded(part) for name, part in match.groupdict().items()}
        return {}, {}


def _pattern(path: str) -> re.Pattern[str]:
    pieces = re.split(r"{(\w+)}", path)
    for place in range(1, len(pieces), 2):
        name = pieces[place]
        pieces[place] = f"(?P<{name}>{'.+' if name in _MANY_SEGMENTS else '[^/]+'})"
    return re.compile("".join(pieces))


def _decoded(part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError as error:
        raise InputError("the path is not percent-encoded UTF-8", hint="encode identifiers as UTF-8") from error
