"""What the authority remembers, as a projection of the journal.

``apply`` takes one record's body and is the only thing that replay does; the running authority changes the same
structures as it records. A snapshot only saves replay time: without one, or with a damaged one, everything is rebuilt
from the first record.
"""

import base64
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from sealgate.authority import hold_records
from sealgate.authority.idempotency import Remembered, RememberedBatches
from sealgate.authority.permits import OpenDecision, OpenDecisions
from sealgate.authority.sessions import Sessions
from sealgate.model.grants import Grant
from sealgate.model.lifecycle import State
from sealgate.model.records import Kind
from sealgate.retention.holds import Hold


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
    sessions: Sessions = field(default_factory=Sessions)
    usage: list[Usage] = field(default_factory=list)
    """What replay found that limits count, in order; given to the rulebook once it is loaded, then empty."""

    last_ms: int = 0
    cursor: int = 0
    """The index of the first record that is not contained."""

    def apply(self, index: int, body: dict[str, Any]) -> None:
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
            case _:
                self._administered(body)

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
            case _:
                pass  # evidence only; nothing of it decides

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

    def _redeemed(self, body: dict[str, Any]) -> None:
        decision = self.decisions.get(body["decision_id"])
        if decision is not None:
            self.decisions.replace(decision, State.REDEEMED, unix_ms(body["outcome_due"]))

    def _outcome(self, body: dict[str, Any], now: int) -> None:
        if body["cause"] == "permit_expired":
            self.usage.append(Usage(body["decision_id"], now, None))
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
    )


def unix_ms(text: str) -> int:
    """Return Unix milliseconds of a record's time."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def unbase64url(text: str) -> bytes:
    """Return the bytes of unpadded base64url that we wrote ourselves."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
