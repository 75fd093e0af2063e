"""What travels over the API: typed requests and answers.

Requests refuse unknown members, so that a misspelled one is an error and not an ignored wish. Shapes follow the AuthZEN
Authorization API 1.0; ``context`` is ours, as that specification allows.
"""

from typing import Annotated, Any, Literal

import msgspec

from .approvals import ApprovalReference

Json = Any
"""A JSON value that was already parsed strictly."""


class Entity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """AuthZEN subject or resource: a type, an id, properties."""

    type: str
    id: str
    properties: dict[str, Json] = {}


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """AuthZEN action: the tool's name."""

    name: str
    properties: dict[str, Json] = {}


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the agent is working on. ``goal`` is recorded as a claim and never an input to policy."""

    id: str
    goal: str = ""


class AskedBy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom an enforcement point proved before it asked for a decision: who, and how, as ``Identity.how`` says it."""

    principal: str
    proof: str


class Context(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """AuthZEN context. ``input`` are the tool's exact arguments; ``facts`` are session facts offered to policies.

    ``delegation`` is the id of the last link of a delegation chain; ``on_behalf_of`` alone is a claim. ``asked_by`` is
    recorded as the word of the enforcement point that asks.
    """

    input: dict[str, Json] = {}
    facts: dict[str, Json] = {}
    request_id: str | None = None
    task: Task | None = None
    traceparent: str | None = None
    parent_span_id: str | None = None
    tool_definition_sha256: str | None = None
    on_behalf_of: list[str] = []
    delegation: str | None = None
    asked_by: AskedBy | None = None
    redeem: bool = False
    deadline_ms: Annotated[int, msgspec.Meta(ge=1)] | None = None


class EvaluationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question: may this subject do this action on this resource with these arguments?"""

    subject: Entity
    action: Action
    resource: Entity
    context: Context = Context()


class ReceiptReference(msgspec.Struct, frozen=True):
    """A receipt as it is answered: its state, where the record stands in the log, the signed statement in base64."""

    state: Literal["signed", "included", "witnessed", "timestamped"]
    record_id: str
    index: int
    statement: str


class PermitReference(msgspec.Struct, frozen=True):
    """A permit as it is answered. ``token`` is a secret of the caller; ``expires_at`` is RFC 3339 UTC."""

    token: str
    expires_at: str
    redeemed: bool


class DecisionContext(msgspec.Struct, frozen=True):
    """Why, and what to hold on to."""

    outcome: str
    reason: str
    message: str
    policies: list[str]
    policy_version: str | None
    obligations: list[dict[str, Json]]
    request_id: str
    record_id: str | None
    receipt: ReceiptReference | None
    permit: PermitReference | None
    approval: ApprovalReference | None = None


class EvaluationResponse(msgspec.Struct, frozen=True):
    """The answer. ``decision`` is true only for PERMIT."""

    decision: bool
    context: DecisionContext


class RedeemRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The executor asks to use a permit for exactly these arguments (lower-case hex SHA-256 of their RFC 8785 form)."""

    permit: str
    tool: str
    arguments_sha256: str


class RedeemResponse(msgspec.Struct, frozen=True):
    """The permit is used up. ``outcome_due`` is when a missing outcome becomes ``outcome_unknown``."""

    decision_id: str
    outcome_due: str
    receipt: ReceiptReference
    status: Literal["redeemed"] = "redeemed"


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What went wrong in the tool: a type name and a message (kept as a claim, encrypted)."""

    type: str
    message: str = ""


class OutcomeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a permitted action."""

    decision_id: str
    status: Literal["succeeded", "failed", "cancelled", "timed_out"]
    duration_ms: int
    output_sha256: str | None = None
    output_size_bytes: int | None = None
    error: Failure | None = None
    request_id: str | None = None


class CaptureRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record of something other than a decision: a session, an input, a reasoning step, an event."""

    kind: str
    data: dict[str, Json] = {}
    agent: str | None = None
    task_id: str | None = None
    traceparent: str | None = None
    parent_span_id: str | None = None
    request_id: str | None = None


class ObservationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What entered a task. ``values`` and ``text`` are fingerprinted and let go; nothing else of them is kept."""

    agent: str
    origin: Literal["person", "trusted", "untrusted"]
    source: str | None = None
    classification: str | None = None
    values: list[Json] = []
    text: str = ""
    traceparent: str | None = None


class Recorded(msgspec.Struct, frozen=True):
    """A record was made durable."""

    record_id: str
    receipt: ReceiptReference


class PolicyChange(Recorded, frozen=True):
    """A policy set is in force, or waits for a second person's approval."""

    status: Literal["published", "pending"]
    policy_version: str


Proof = Literal[
    "unix_peer",
    "api_key",
    "mutual_tls",
    "oidc",
    "oidc_bound",
    "spiffe_jwt",
    "spiffe_jwt_bound",
    "spiffe_x509",
    "loopback",
    "signed_callback",
    "internal",
]
"""How a caller was proved. ``_bound``: by a token and the client certificate that it is bound to (RFC 8705)."""


class Identity(msgspec.Struct, frozen=True):
    """A proven caller: who, how it was proved, which agents it may speak for (exact ids or ``*``), its roles.

    ``issuer`` is who vouched for it (an issuer's address, a trust domain), and never about a person.
    """

    principal: str
    proof: Proof
    agents: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    issuer: str = ""

    @property
    def how(self) -> str:
        """How it was proved, as records keep it: the proof, and who vouched."""
        return f"{self.proof}:{self.issuer}" if self.issuer else self.proof

    def speaks_for(self, agent: str) -> bool:
        """Tell whether this caller may act as ``agent``."""
        return agent in self.agents or "*" in self.agents
