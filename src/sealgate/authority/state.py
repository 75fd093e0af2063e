"""What the authority remembers, as a projection of the journal.

``apply`` takes one record's body and is the only thing that replay does; the running authority changes the same
structures as it records. A snapshot only saves replay time: without one, or with a damaged one, everything is rebuilt
from the first record.
"""

import base64
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

from sealgate.authority import hold_records
from sealgate.authority.approval_book import Book
from sealgate.authority.idempotency import Remembered, RememberedBatches
from sealgate.authority.leases import Leases
from sealgate.authority.permits import OpenDecision, OpenDecisions, credentials_of
from sealgate.authority.sessions import Sessions
from sealgate.authority.supply import Supply
from sealgate.model.delegations import Bound, Delegation
from sealgate.model.grants import Grant
from sealgate.model.lifecycle import State
from sealgate.model.records import Kind
from sealgate.model.tasks import OpenTask
from sealgate.retention.holds import Hold

MAX_ENDED_TASKS: Final = 50_000
"""Tasks that are remembered as over. Their ids are random, so an old one comes back only by intent, months later."""


@dataclass(frozen=True, slots=True)
class Usage:
    """A decision's charges to limits, or (None) that they were given back."""

    record_id: str
    at_ms: int
    charges: list[dict[str, Any]] | None


class Pending(msgspec.Struct, frozen=True):
    """A policy set that waits for a second person."""

    policy_version: str
    proposed_by: str
    time: str
    record_id: str


@dataclass(slots=True)
class Memory:
    """Everything that decides the next answer and is not configuration."""

    decisions: OpenDecisions
    remembered: Remembered
    batches: RememberedBatches = field(default_factory=RememberedBatches)
    paused: dict[str, str] = field(default_factory=dict)
    policy_version: str | None = None
    pending: "Pending | None" = None
    grants: dict[str, Grant] = field(default_factory=dict)
    configuration_sha256: str | None = None
    settings: list[str] = field(default_factory=list)
    holds: dict[str, Hold] = field(default_factory=dict)
    tasks: dict[str, OpenTask] = field(default_factory=dict)
    ended_tasks: dict[str, None] = field(default_factory=dict)
    """The newest tasks that are over, oldest first, at most MAX_ENDED_TASKS."""

    delegations: dict[str, Delegation] = field(default_factory=dict)
    approvals: Book = field(default_factory=Book)
    leases: Leases = field(default_factory=Leases)
    supply: Supply = field(default_factory=Supply)
    sessions: Sessions = field(default_factory=Sessions)
    usage: list[Usage] = field(default_factory=list)
    """What replay found that limits count, in order; given to the rulebook once it is loaded, then empty."""

    last_ms: int = 0
    cursor: int = 0
    """The index of the first record that is not contained."""

    def contains(self, index: int) -> None:
        """Say that the record at ``index`` is taken in already: the running authority changed this as it recorded."""
        self.cursor = max(self.cursor, index + 1)

    def apply(self, index: int, body: dict[str, Any]) -> None:  # noqa: C901  # one branch for each group of kinds
        """Take in the record at ``index``. Records come in order; one below the cursor only renews request ids."""
        now = unix_ms(body["time"])
        self._remember(index, body, now)
        if index < self.cursor:
            return
        self.cursor = index + 1
        self.last_ms = max(self.last_ms, now)
        match body["kind"]:
            case Kind.DECISION:
                self._decision(body, now)
                self.sessions.replayed(body, now)
            case Kind.INPUT_RECEIVED | Kind.CONTEXT_RETRIEVED:
                self.sessions.replayed(body, now)
            case Kind.PERMIT_REDEEMED:
                self._redeemed(body)
            case Kind.OUTCOME:
                self._outcome(body, now)
            case Kind.CONTAINMENT_APPLIED:
                self.paused[body["target_agent"]] = body["reason"]
            case Kind.CONTAINMENT_LIFTED:
                self.paused.pop(body["target_agent"], None)
            case Kind.HOLD_PLACED | Kind.HOLD_RELEASED:
                hold_records.apply(self.holds, body)
            case Kind.TASK_STARTED | Kind.TASK_ENDED | Kind.DELEGATION_GRANTED | Kind.DELEGATION_REVOKED:
                self._entrusted(body)
            case (
                Kind.APPROVAL_REQUESTED
                | Kind.APPROVAL_GRANTED
                | Kind.APPROVAL_REFUSED
                | Kind.APPROVAL_EXPIRED
                | Kind.APPROVAL_REVOKED
            ):
                self.approvals.apply(body, now, unix_ms)
            case _:
                self._administered(body)

    def _entrusted(self, body: dict[str, Any]) -> None:
        match body["kind"]:
            case Kind.TASK_STARTED:
                self.tasks[body["task_id"]] = open_task(body)
            case Kind.TASK_ENDED:
                self.end_task(body["task_id"])
            case Kind.DELEGATION_GRANTED:
                self.delegations[body["delegation_id"]] = delegation(body)
            case _:
                self.revoke_delegation(body["delegation_id"])

    def _administered(self, body: dict[str, Any]) -> None:
        match body["kind"]:
            case Kind.POLICY_PUBLISHED:
                self.policy_version = body["policy_version"]
                if self.pending is not None and self.pending.policy_version == self.policy_version:
                    self.pending = None
            case Kind.POLICY_PROPOSED:
                self.pending = Pending(body["policy_version"], body["proposed_by"], body["time"], body["record_id"])
            case Kind.ROLE_GRANTED:
                members = {name: body[name] for name in Grant.__struct_fields__}
                self.grants[body["grant_id"]] = Grant(**members)
            case Kind.ROLE_REVOKED:
                self.grants.pop(body["grant_id"], None)
            case Kind.CONFIGURATION_CHANGED:
                self.configuration_sha256, self.settings = body["configuration_sha256"], body["settings"]
            case Kind.CREDENTIAL_REQUESTED | Kind.CREDENTIAL_ISSUED | Kind.CREDENTIAL_REVOKED:
                self.leases.apply(body)
            case Kind.PACKAGE_VERIFIED | Kind.PACKAGE_INSTALLED | Kind.TRUST_SCORED:
                self.supply.apply(body)
            case _:
                pass  # evidence only; nothing of it decides

    def end_task(self, task_id: str) -> list[OpenTask]:
        """Take a task and all below it for over, with the delegations for them; return them, the task first."""
        over: list[OpenTask] = []
        waiting = [task_id]
        while waiting:
            ended = waiting.pop(0)
            task = self.tasks.pop(ended, None)
            if task is not None:
                over.append(task)
            self.ended_tasks[ended] = None
            if len(self.ended_tasks) > MAX_ENDED_TASKS:
                del self.ended_tasks[next(iter(self.ended_tasks))]
            waiting += [each.task_id for each in self.tasks.values() if each.parent == ended]
            for granted in [each for each in self.delegations.values() if each.task == ended]:
                self.delegations.pop(granted.delegation_id, None)
        return over

    def below(self, delegation_id: str) -> set[str]:
        """Return the ids of all delegations below one."""
        found: set[str] = set()
        grown = {delegation_id}
        while grown:
            grown = {each.delegation_id for each in self.delegations.values() if each.parent in grown} - found
            found |= grown
        return found

    def revoke_delegation(self, delegation_id: str) -> list[Delegation]:
        """Forget a delegation and all below it; return them."""
        over = {delegation_id, *self.below(delegation_id)}
        return [each for name in over if (each := self.delegations.pop(name, None)) is not None]

    def _remember(self, index: int, body: dict[str, Any], now: int) -> None:
        if body["kind"] == Kind.RECORDS_CAPTURED:
            self.batches.remember(RememberedBatches.key(body["principal"], body["batch_id"]), index)
        elif body.get("request_id") and body.get("agent"):
            self.remembered.remember(Remembered.key(body["agent"]["id"], body["request_id"]), index, now)

    def _decision(self, body: dict[str, Any], now: int) -> None:
        verdict, permit = body["decision"], body["permit"]
        if verdict["charges"]:
            self.usage.append(Usage(body["record_id"], now, verdict["charges"]))
        if permit is not None:
            self.decisions.add(open_decision(body))
            approval = verdict.get("approval")  # records of the first releases have none
            if approval is not None:
                self.approvals.consume(approval["id"], body["record_id"], approval["amount"])

    def _redeemed(self, body: dict[str, Any]) -> None:
        decision = self.decisions.get(body["decision_id"])
        if decision is not None:
            self.decisions.replace(decision, State.REDEEMED, unix_ms(body["outcome_due"]))

    def _outcome(self, body: dict[str, Any], now: int) -> None:
        if body["cause"] in ("permit_expired", "task_ended"):
            self.usage.append(Usage(body["decision_id"], now, None))
            self.approvals.unused(body["decision_id"])
        if body["status"] != "outcome_unknown":
            self.decisions.close(body["decision_id"])
            return
        decision = self.decisions.get(body["decision_id"])
        if decision is not None:
            self.decisions.replace(decision, State.UNKNOWN, now + self.decisions.late_window_ms)


def open_decision(body: dict[str, Any]) -> OpenDecision:
    """Return the open decision that a PERMIT's body describes."""
    permit, trace = body["permit"], body["trace"] or {}
    redeemed = permit["redeemed"]
    return OpenDecision(
        record_id=body["record_id"],
        agent=body["agent"]["id"],
        tool=body["tool"]["name"],
        policy_version=body["decision"]["policy_version"],
        salt=unbase64url(body["salt"]),
        input_digest=unbase64url(body["input_digest"]),
        state=State.REDEEMED if redeemed else State.PERMITTED,
        expires_ms=unix_ms(permit["outcome_due"] if redeemed else permit["expires_at"]),
        task_id=body["task_id"],
        trace_id=trace.get("trace_id"),
        span_id=trace.get("span_id"),
        delegation=(body.get("delegations") or [None])[-1],  # older records have none
        credentials=credentials_of(body["decision"]["obligations"]),
    )


def open_task(body: dict[str, Any]) -> OpenTask:
    """Return the task that a record started."""
    return OpenTask(
        task_id=body["task_id"],
        agent=body["agent"]["id"],
        principal=body["agent"]["principal"],
        parent=body["parent"],
        delegation=body["delegation"],
        on_behalf_of=body["agent"]["on_behalf_of"],
        expires_at=body["expires_at"],
        expires_ms=unix_ms(body["expires_at"]),
    )


def delegation(body: dict[str, Any]) -> Delegation:
    """Return the delegation that a record granted."""
    members = {name: body[name] for name in Delegation.__struct_fields__ if name not in {"expires_ms", "bounds"}}
    bounds = [Bound(**bound) for bound in body["bounds"]]
    return Delegation(**members, bounds=bounds, expires_ms=unix_ms(body["expires_at"]))


def unix_ms(text: str) -> int:
    """Return Unix milliseconds of a record's time."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def unbase64url(text: str) -> bytes:
    """Return the bytes of unpadded base64url that we wrote ourselves."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
