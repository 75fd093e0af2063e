"""The one error shape, RFC 9457 problem details, and the one table from our errors to it."""

from typing import Final

import msgspec

from sealgate.model.errors import (
    AlteredError,
    BusyError,
    ConfigurationError,
    EncodingError,
    EvidenceError,
    ForkError,
    InputError,
    JournalError,
    NotPermittedError,
    NotProvenError,
    SealgateError,
    UnavailableError,
)

from .bounds import RETRY_AFTER_S
from .messages import PROBLEM, Response

_PREFIX: Final = "urn:sealgate:problem:"
_encode = msgspec.json.Encoder().encode


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457 problem details. ``hint`` says what to do; ``instance`` names a log line of ours."""

    type: str
    title: str
    status: int
    detail: str
    hint: str = ""
    instance: str = ""


class Kind(msgspec.Struct, frozen=True):
    """A kind of problem: its status, its slug, its title. ``opaque`` details stay in our log."""

    status: int
    slug: str
    title: str
    opaque: bool = False


_OPERATOR: Final = "the operator finds the reason in the authority's log under this instance"

MALFORMED: Final = Kind(400, "malformed", "The body is not strict JSON")
INVALID: Final = Kind(400, "invalid-request", "The request is refused")
BAD_HTTP: Final = Kind(400, "bad-http", "The bytes are not a valid HTTP request")
UNAUTHENTICATED: Final = Kind(401, "unauthenticated", "The caller is not known")
FORBIDDEN: Final = Kind(403, "not-permitted", "The caller may not do this")
NOT_FOUND: Final = Kind(404, "not-found", "There is nothing here")
METHOD: Final = Kind(405, "method-not-allowed", "This method is not offered here")
TIMEOUT: Final = Kind(408, "request-timeout", "The request took too long to arrive")
TOO_LARGE: Final = Kind(413, "body-too-large", "The body is too large")
TARGET_TOO_LONG: Final = Kind(414, "target-too-long", "The request target is too long")
MEDIA_TYPE: Final = Kind(415, "unsupported-media-type", "The content type is not offered here")
HEAD_TOO_LARGE: Final = Kind(431, "head-too-large", "The headers are too large")
BUSY: Final = Kind(429, "busy", "Too much is waiting")
INTERNAL: Final = Kind(500, "internal", "The authority failed", opaque=True)
UNAVAILABLE: Final = Kind(503, "unavailable", "The authority cannot do this now")
OVERLOADED: Final = Kind(503, "overloaded", "The authority has too much to do")
STOPPING: Final = Kind(503, "stopping", "The authority is stopping")

KIND_OF_ERROR: Final[dict[type[SealgateError], Kind]] = {
    SealgateError: INTERNAL,
    InputError: INVALID,
    EncodingError: MALFORMED,
    NotPermittedError: FORBIDDEN,
    ConfigurationError: Kind(500, "misconfigured", "The authority is misconfigured", opaque=True),
    EvidenceError: Kind(500, "evidence-broken", "Evidence is broken", opaque=True),
    AlteredError: Kind(500, "evidence-altered", "Evidence was altered", opaque=True),
    NotProvenError: Kind(404, "not-proven-yet", "The proof does not exist yet"),
    ForkError: Kind(500, "evidence-forked", "Two signed histories contradict each other", opaque=True),
    UnavailableError: UNAVAILABLE,
    BusyError: BUSY,
    JournalError: Kind(503, "journal-unavailable", "Nothing can be recorded now"),
}
"""Each error class, with its own answer. A subclass that is not listed is answered as its nearest listed base."""

KIND_OF_CODE: Final[dict[str, Kind]] = {
    "busy": BUSY,
    "permit-already-redeemed": Kind(409, "permit-already-redeemed", "The permit is used up"),
    "permit-expired": Kind(410, "permit-expired", "The permit has expired"),
    "task-ended": Kind(403, "task-ended", "The task is over"),
    "task-exists": Kind(409, "task-exists", "The task exists already"),
    "task-unknown": Kind(404, "task-unknown", "There is no such task"),
    "delegation-ended": Kind(403, "delegation-ended", "The delegation is over"),
    "delegation-unknown": Kind(404, "delegation-unknown", "There is no such delegation"),
    "permit-mismatch": Kind(403, "permit-mismatch", "The permit is for something else"),
    "permit-unknown": Kind(404, "permit-unknown", "There is no such permit"),
    "record-unknown": Kind(404, "record-unknown", "There is no such record"),
    "policy-unknown": Kind(404, "policy-unknown", "No policy set is in force"),
    "subject-unknown": Kind(404, "subject-unknown", "There is no such subject"),
    "lookup-unknown": Kind(404, "lookup-unknown", "There is no such look-up"),
    "second-person-needed": Kind(403, "second-person-needed", "Another person has to do this"),
    "lookup-state": Kind(409, "lookup-state", "The look-up is not at this point"),
    "erasure-under-way": Kind(409, "erasure-under-way", "Another erasure of the subject is under way"),
    "own-proposal": Kind(403, "own-proposal", "Another person has to approve"),
    "grant-unknown": Kind(404, "grant-unknown", "There is no such grant"),
    "read-refused": Kind(403, "read-refused", "This may not be read"),
    "query-too-long": Kind(422, "query-too-long", "The question takes too long"),
    "export-too-large": Kind(422, "export-too-large", "The export is too large"),
    "export-unknown": Kind(404, "export-unknown", "There is no such export"),
    "request-id-reused": Kind(409, "request-id-reused", "The request id was used for something else"),
    "outcome-unexpected": Kind(409, "outcome-unexpected", "No outcome is expected for this"),
    "agent-paused": Kind(403, "agent-paused", "The agent is paused"),
    "subject-not-allowed": Kind(403, "subject-not-allowed", "The caller may not speak for this subject"),
    "permit-not-redeemed": Kind(409, "permit-not-redeemed", "The permit was not redeemed"),
    "lifecycle": Kind(409, "lifecycle", "This cannot follow what was before"),
    "approval-unknown": Kind(404, "approval-unknown", "There is no such approval"),
    "approval-decided": Kind(409, "approval-decided", "The approval is decided"),
    "approval-expired": Kind(410, "approval-expired", "The approval has expired"),
    "own-request": Kind(403, "own-request", "Another person has to decide"),
    "not-an-approver": Kind(403, "not-an-approver", "The caller has no role that is asked for"),
    "callback-refused": Kind(401, "callback-refused", "The callback proves nothing"),
    "credential-unknown": Kind(404, "credential-unknown", "There is no such credential"),
    "credential-not-allowed": Kind(403, "credential-not-allowed", "This permit does not carry the credential"),
    "credential-live": Kind(409, "credential-live", "This permit has the credential already"),
    "hold-unknown": Kind(404, "hold-unknown", "There is no such hold"),
    "hold-not-open": Kind(409, "hold-not-open", "Nothing about this hold waits for this"),
    "retention-running": Kind(409, "retention-running", "A retention run is under way"),
    "outcome-already-reported": Kind(409, "outcome-already-reported", "The outcome is already recorded"),
}
"""Each code of NotPermittedError that is more than a plain 403. Any other code is a slug of its own with 403."""


def kind_of(error: SealgateError) -> Kind:
    """Return the kind of problem that answers ``error``."""
    if isinstance(error, NotPermittedError) and error.code != FORBIDDEN.slug:
        return KIND_OF_CODE.get(error.code) or Kind(403, error.code, FORBIDDEN.title)
    return next(KIND_OF_ERROR[base] for base in type(error).__mro__ if base in KIND_OF_ERROR)


def describe(error: SealgateError, instance: str = "") -> Problem:
    """Return the problem that answers ``error``; what an opaque kind knows stays out of it."""
    kind = kind_of(error)
    if kind.opaque:
        return problem(kind, "nothing ran", hint=_OPERATOR, instance=instance)
    return problem(kind, error.message, hint=error.hint)


def unexpected(instance: str) -> Problem:
    """Return the problem for an error that is not ours: no word about its cause, only where our log has it."""
    return problem(INTERNAL, "nothing is known to have run", hint=_OPERATOR, instance=instance)


def problem(kind: Kind, detail: str, *, hint: str = "", instance: str = "") -> Problem:
    """Return problem details of one kind."""
    return Problem(
        type=_PREFIX + kind.slug,
        title=kind.title,
        status=kind.status,
        detail=detail,
        hint=hint,
        instance=f"urn:sealgate:incident:{instance}" if instance else "",
    )


def answer(content: Problem, *headers: tuple[bytes, bytes], close: bool = False) -> Response:
    """Return the HTTP answer that carries a problem."""
    more = list(headers)
    if content.status in {BUSY.status, UNAVAILABLE.status}:
        more.append((b"retry-after", b"%d" % RETRY_AFTER_S))
    return Response(content.status, _encode(content), PROBLEM, more, close)
