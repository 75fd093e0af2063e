"""Requests and answers that only the API knows; those the authority shares are in model.evaluation."""

from typing import Any, Literal

import msgspec

from sealgate.model.evaluation import Action, Context, Entity

from .evaluations import Semantic


class EvaluationsOptions(msgspec.Struct, frozen=True):
    """How a batch is run."""

    evaluations_semantic: Semantic = "execute_all"


class EvaluationsItem(msgspec.Struct, frozen=True):
    """One question of a batch; what it leaves out comes from the defaults."""

    subject: Entity | None = None
    action: Action | None = None
    resource: Entity | None = None
    context: Context | None = None


class EvaluationsRequest(msgspec.Struct, frozen=True):
    """Many questions. The members beside ``evaluations`` are defaults; without it they are the one question."""

    subject: Entity | None = None
    action: Action | None = None
    resource: Entity | None = None
    context: Context | None = None
    evaluations: list[EvaluationsItem] = []
    options: EvaluationsOptions = EvaluationsOptions()


class PauseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why an agent is paused."""

    reason: str


class HoldSelection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a hold covers: every list given must contain the record, and its time lies in the range (RFC 3339)."""

    subjects: list[str] = []
    tasks: list[str] = []
    agents: list[str] = []
    classes: list[str] = []
    records: list[str] = []
    since: str | None = None
    until: str | None = None


class HoldRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to hold and why. Without personal data: the reason is recorded."""

    selection: HoldSelection
    reason: str


class ReleaseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a hold may go."""

    reason: str


class HoldStep(msgspec.Struct, frozen=True):
    """A step of a hold was recorded; ``stage`` is where it stands now."""

    hold_id: str
    stage: str
    record_id: str


class Holds(msgspec.Struct, frozen=True):
    """All holds."""

    holds: list[dict[str, Any]]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An empty object; an empty body means the same."""


class Receipt(msgspec.Struct, frozen=True):
    """The newest receipt of a record. ``statement`` is base64; ``body`` the exact canonical text, if it may be seen."""

    record_id: str
    index: int
    state: Literal["signed", "included", "witnessed", "timestamped"]
    statement: str
    tlog_proof: str | None
    body: str | None


class Agents(msgspec.Struct, frozen=True):
    """The known agents."""

    agents: list[dict[str, Any]]


class Metadata(msgspec.Struct, frozen=True):
    """AuthZEN metadata of this decision point."""

    policy_decision_point: str
    access_evaluation_endpoint: str
    access_evaluations_endpoint: str


class Health(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(msgspec.Struct, frozen=True):
    """Whether decisions can be made and recorded; each check says `ok` or why not."""

    ready: bool
    checks: dict[str, str]
