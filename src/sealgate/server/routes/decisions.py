"""Decisions, permits and outcomes, and what else enforcement points hand in."""

from typing import Final

from sealgate.model.batches import MAX_BATCHES_BYTES, BatchesRecorded, BatchesRequest
from sealgate.model.evaluation import (
    CaptureRequest,
    EvaluationRequest,
    EvaluationResponse,
    ObservationRequest,
    OutcomeRequest,
    Recorded,
    RedeemRequest,
    RedeemResponse,
)
from sealgate.server import answers
from sealgate.server.evaluations import EvaluationsResponse
from sealgate.server.route import Route, post, roles

_CODES: Final = (
    "delegation-ended",
    "permit-already-redeemed",
    "permit-expired",
    "permit-mismatch",
    "permit-unknown",
    "task-ended",
)

ROUTES: Final[tuple[Route, ...]] = (
    post(
        "/access/v1/evaluation",
        "evaluate",
        "Ask for a decision (AuthZEN)",
        takes=EvaluationRequest,
        answer=EvaluationResponse,
        roles=roles("enforce"),
        authzen=True,
        at_once=True,
        codes=("request-id-reused",),
    ),
    post(
        "/access/v1/evaluations",
        "evaluate_batch",
        "Ask for many decisions (AuthZEN)",
        takes=answers.EvaluationsRequest,
        answer=EvaluationsResponse | EvaluationResponse,
        roles=roles("enforce"),
        authzen=True,
        codes=("request-id-reused",),
    ),
    post(
        "/v1/permits/redeem",
        "redeem",
        "Use up a permit just before the action runs",
        takes=RedeemRequest,
        answer=RedeemResponse,
        roles=roles("enforce"),
        codes=_CODES,
    ),
    post(
        "/v1/outcomes",
        "report_outcome",
        "Say what became of a permitted action",
        takes=OutcomeRequest,
        answer=Recorded,
        roles=roles("enforce"),
        codes=(
            "outcome-unexpected",
            "permit-not-redeemed",
            "outcome-already-reported",
            "subject-not-allowed",
            "request-id-reused",
        ),
    ),
    post(
        "/v1/records",
        "capture",
        "Record a session, an input, a reasoning step, an event; services: accesses, erasures, holds, expiry, roles",
        takes=CaptureRequest,
        answer=Recorded,
        roles=roles("enforce", "service"),
        codes=("request-id-reused",),
    ),
    post(
        "/v1/batches",
        "record_batches",
        "Record batches of captured and observed items (for collectors)",
        takes=BatchesRequest,
        answer=BatchesRecorded,
        roles=roles("collect"),
        max_bytes=MAX_BATCHES_BYTES,
        codes=("request-id-reused", "subject-not-allowed"),
    ),
    post(
        "/v1/tasks/{id}/observations",
        "observe",
        "Tell what entered a task; only fingerprints are kept",
        takes=ObservationRequest,
        answer=Recorded,
        roles=roles("enforce"),
        codes=("subject-not-allowed",),
    ),
)
