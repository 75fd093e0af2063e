"""Judging what the authority answered. Pure: bytes in, a decision or an exception out.

The rule of this module: **only a well-formed PERMIT permits.** An answer is a PERMIT when all of these hold, and
anything else raises or is not ``permitted``:

1. the status is 200, the media type JSON, the body strict JSON (no duplicate keys, no lone surrogates, bounded);
2. ``decision`` is the boolean ``true`` and ``context.outcome`` is ``PERMIT``, and never only one of them;
3. the reason is one that goes with PERMIT;
4. ``context.request_id`` is the id of our request: an answer to somebody else's question is no answer;
5. there is a permit, and the receipt of the durable record that the permit rests on.

Unknown members are ignored: they cannot turn a refusal into a permit.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sealgate.encoding import canonical
from sealgate.model.decisions import REASONS_OF, Outcome
from sealgate.model.errors import EncodingError, InputError
from sealgate.model.identifiers import require_uuid
from sealgate.sdk.errors import AuthorityUnreachable, RequestRefused, UnreadableAnswer

MAX_ANSWER_BYTES: Final = 1024 * 1024
"""An answer of the authority, in bytes. A receipt with proof and body is below 100 KiB."""

_RECEIPT_STATES: Final = frozenset({"signed", "included", "witnessed", "timestamped"})
_PROBLEM: Final = "urn:sealgate:problem:"
_PERMIT_REASONS: Final = frozenset(str(reason) for reason in REASONS_OF[Outcome.PERMIT])

Members = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, as far as it matters here."""

    status: int
    media_type: str
    body: bytes
    retry_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """Evidence of one record: where it stands in the log, and the signed statement (for ``sealgate-verify``)."""

    state: str
    record_id: str
    index: int
    statement: bytes


@dataclass(frozen=True, slots=True)
class Permit:
    """The single-use right to run the action that was judged. ``token`` is a secret, so it is not shown."""

    token: str = field(repr=False)
    expires_at: str
    redeemed: bool


@dataclass(frozen=True, slots=True)
class Approval:
    """The approval that a decision waits for, or rests on. ``needed`` are (role, number of people)."""

    id: str
    state: str
    expires_at: str
    needed: tuple[tuple[str, int], ...] = ()
    approvers: tuple[str, ...] = ()
    method: str = ""
    """How a permit came about: ``human_approval`` of exactly this call, or ``just_in_time`` by a capability."""


@dataclass(frozen=True, slots=True)
class Obligation:
    """A duty that comes with a permit."""

    id: str
    params: Any


@dataclass(frozen=True, slots=True)
class Decision:
    """The gate's answer. True in a boolean context only for PERMIT."""

    outcome: Outcome
    reason: str
    message: str
    policies: tuple[str, ...]
    policy_version: str | None
    obligations: tuple[Obligation, ...]
    request_id: str
    record_id: str | None
    receipt: Receipt | None
    permit: Permit | None
    approval: Approval | None = None

    @property
    def permitted(self) -> bool:
        """Tell whether the action may run."""
        return self.outcome is Outcome.PERMIT and self.permit is not None

    def __bool__(self) -> bool:
        return self.permitted


@dataclass(frozen=True, slots=True)
class Credential:
    """A short-lived credential for the action that runs. ``secret`` depends on its kind, and is not shown."""

    id: str
    name: str
    kind: str
    audience: str | None
    expires_at: str
    secret: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a report or an event: durable at the authority, or (``receipt`` is None) waiting in the spool."""

    record_id: str | None
    receipt: Receipt | None
    item_id: str | None = None

    @property
    def spooled(self) -> bool:
        """Tell whether it still waits for the authority."""
        return self.receipt is None


def read_decision(answer: Answer, request_id: str) -> Decision:
    """Return the decision in an answer.

    Raises:
        RequestRefused: the authority refused the request (HTTP 4xx).
        AuthorityUnreachable: it failed (HTTP 5xx).
        UnreadableAnswer: the answer is anything but a well-formed decision about this request.
    """
    members = read_object(answer)
    allowed = members.get("decision")
    if type(allowed) is not bool:
        raise UnreadableAnswer("the answer has no boolean `decision`")
    context = _object(members.get("context"), "context")
    outcome = _outcome(context.get("outcome"))
    if allowed is not (outcome is Outcome.PERMIT):
        raise UnreadableAnswer(f"the answer contradicts itself: decision is {allowed} and outcome is {outcome}")
    if context.get("request_id") != request_id:
        raise UnreadableAnswer("the answer belongs to another request")
    return _decision(context, outcome, request_id)


def _decision(context: Members, outcome: Outcome, request_id: str) -> Decision:
    decision = Decision(
        outcome=outcome,
        reason=_text(context.get("reason"), "reason"),
        message=_text(context.get("message", ""), "message"),
        policies=tuple(_text(item, "policies") for item in _list(context.get("policies", []), "policies")),
        policy_version=_optional_text(context.get("policy_version"), "policy_version"),
        obligations=tuple(_obligation(item) for item in _list(context.get("obligations", []), "obligations")),
        request_id=request_id,
        record_id=_optional_text(context.get("record_id"), "record_id"),
        receipt=_optional_receipt(context.get("receipt")),
        permit=_optional_permit(context.get("permit")),
        approval=_optional_approval(context.get("approval")),
    )
    if outcome is Outcome.PERMIT:
        _require_whole(decision)
    elif decision.permit is not None:
        raise UnreadableAnswer(f"the answer contradicts itself: {outcome} with a permit")
    return decision


def _require_whole(decision: Decision) -> None:
    if decision.reason not in _PERMIT_REASONS:
        raise UnreadableAnswer(f"a permit for the reason `{decision.reason[:64]}` is not known here")
    if decision.permit is None:
        raise UnreadableAnswer("the answer permits without a permit")
    if decision.record_id is None or decision.receipt is None:
        raise UnreadableAnswer("the answer permits without a recorded decision")
    if decision.receipt.record_id != decision.record_id:
        raise UnreadableAnswer("the receipt belongs to another record")
    _uuid(decision.record_id)


def read_redeemed(answer: Answer, decision_id: str) -> Receipt:
    """Return the receipt of a redemption; raises as ``read_decision`` does."""
    members = read_object(answer)
    if members.get("status") != "redeemed" or members.get("decision_id") != decision_id:
        raise UnreadableAnswer("the answer does not say that this permit was redeemed")
    return _receipt(members.get("receipt"))


def read_credential(answer: Answer, decision_id: str) -> Credential:
    """Return the credential in an answer; raises as ``read_decision`` does."""
    members = read_object(answer)
    secret = _object(members.get("secret"), "secret")
    if members.get("decision_id") != decision_id or not all(type(value) is str for value in secret.values()):
        raise UnreadableAnswer("the answer is no credential for this decision")
    return Credential(
        _uuid(_text(members.get("credential_id"), "credential_id")),
        _text(members.get("name"), "name"),
        _text(members.get("kind"), "kind"),
        _optional_text(members.get("audience"), "audience"),
        _text(members.get("expires_at"), "expires_at"),
        secret,
    )


def read_recorded(answer: Answer) -> Recorded:
    """Return the reference of a new record; raises as ``read_decision`` does."""
    members = read_object(answer)
    record_id = _uuid(_text(members.get("record_id"), "record_id"))
    return Recorded(record_id, _receipt(members.get("receipt")))


def retry_after(header: str) -> float:
    """Return the seconds of a ``Retry-After`` header, 0 where it has none that we understand."""
    return float(header) if header.isascii() and header.isdigit() and len(header) < 6 else 0.0


def read_object(answer: Answer) -> Members:
    """Return the JSON object of a successful answer.

    Raises:
        RequestRefused: HTTP 4xx.
        AuthorityUnreachable: HTTP 5xx.
        UnreadableAnswer: any other status, not JSON, not an object.
    """
    if answer.status != 200:
        raise _failure(answer)
    if not _is_json(answer.media_type):
        raise UnreadableAnswer(f"the answer is `{answer.media_type[:64]}` and not JSON")
    return _parse(answer.body)


def _failure(answer: Answer) -> RequestRefused | AuthorityUnreachable:
    code, title, hint = _problem(answer)
    if 400 <= answer.status < 500:
        return RequestRefused(
            f"the authority refused the request: {title}",
            code=code or "refused",
            status=answer.status,
            hint=hint,
            retry_after_s=answer.retry_after_s,
        )
    if 500 <= answer.status < 600:
        failure = AuthorityUnreachable(f"the authority failed: {title}", hint=hint)
        failure.retry_after_s = answer.retry_after_s
        return failure
    return UnreadableAnswer(f"the authority answered with status {answer.status}")


def _problem(answer: Answer) -> tuple[str, str, str]:
    """Return (slug, text, hint) of an RFC 9457 problem, as far as it can be read; it only explains a refusal."""
    fallback = f"HTTP status {answer.status}"
    if not _is_json(answer.media_type):
        return "", fallback, ""
    try:
        members = _parse(answer.body)
    except UnreadableAnswer:
        return "", fallback, ""
    texts = {key: value for key, value in members.items() if isinstance(value, str)}
    slug = texts.get("type", "").removeprefix(_PROBLEM)[:80]
    return slug, (texts.get("detail") or texts.get("title") or fallback)[:500], texts.get("hint", "")[:500]


def _is_json(media_type: str) -> bool:
    name = media_type.partition(";")[0].strip().lower()
    return name in ("application/json", "application/problem+json")


def _parse(body: bytes) -> Members:
    try:
        value = canonical.parse(body, max_bytes=MAX_ANSWER_BYTES, max_depth=32)
    except EncodingError as error:
        raise UnreadableAnswer(f"the answer is not strict JSON: {error.message}") from error
    return _object(value, "answer")


def _outcome(value: object) -> Outcome:
    if not isinstance(value, str) or value not in Outcome.__members__:
        raise UnreadableAnswer("the answer has no known `outcome`")
    return Outcome(value)


def _obligation(value: object) -> Obligation:
    members = _object(value, "obligation")
    return Obligation(_text(members.get("id"), "obligation id"), members.get("params"))


def _optional_permit(value: object) -> Permit | None:
    if value is None:
        return None
    members = _object(value, "permit")
    token = _text(members.get("token"), "permit token")
    redeemed = members.get("redeemed")
    if not token or type(redeemed) is not bool:
        raise UnreadableAnswer("the permit is malformed")
    return Permit(token, _text(members.get("expires_at"), "permit expiry"), redeemed)


def _optional_approval(value: object) -> Approval | None:
    if value is None:
        return None
    members = _object(value, "approval")
    return Approval(
        _uuid(_text(members.get("id"), "approval id")),
        _text(members.get("state"), "approval state"),
        _text(members.get("expires_at"), "approval expiry"),
        tuple(_needed(item) for item in _list(members.get("needed", []), "needed")),
        tuple(_text(item, "approver") for item in _list(members.get("approvers", []), "approvers")),
        _text(members.get("method") or "", "approval method"),
    )


def _needed(value: object) -> tuple[str, int]:
    members = _object(value, "needed")
    count = members.get("count")
    if type(count) is not int:
        raise UnreadableAnswer("needed count is not a number")
    return _text(members.get("role"), "needed role"), count


def read_approval(answer: Answer, approval_id: str) -> str:
    """Return the state of an approval; raises as ``read_decision`` does. It permits nothing by itself."""
    members = read_object(answer)
    if members.get("id") != approval_id:
        raise UnreadableAnswer("the answer is about another approval")
    return _text(members.get("state"), "approval state")


def _optional_receipt(value: object) -> Receipt | None:
    return None if value is None else _receipt(value)


def _receipt(value: object) -> Receipt:
    members = _object(value, "receipt")
    state, index = members.get("state"), members.get("index")
    if state not in _RECEIPT_STATES or type(index) is not int or index < 0:
        raise UnreadableAnswer("the receipt is malformed")
    try:
        statement = base64.b64decode(_text(members.get("statement"), "statement"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnreadableAnswer("the receipt's statement is not base64") from error
    if not statement:
        raise UnreadableAnswer("the receipt has no statement")
    return Receipt(state, _text(members.get("record_id"), "receipt record_id"), index, statement)


def _object(value: object, what: str) -> Members:
    if not isinstance(value, dict):
        raise UnreadableAnswer(f"{what} is not an object")
    return value


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise UnreadableAnswer(f"{what} is not a list")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise UnreadableAnswer(f"{what} is not a text")
    return value


def _optional_text(value: object, what: str) -> str | None:
    return None if value is None else _text(value, what)


def _uuid(text: str) -> str:
    try:
        return require_uuid(text, "record id")
    except InputError as error:
        raise UnreadableAnswer(error.message) from error
