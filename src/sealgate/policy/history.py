"""What would another policy set have decided? Recorded decisions are asked again. Pure.

A record keeps the digest of the arguments, not the arguments. So a recorded decision can be asked again exactly only
where what the policies read is known: principal, tool and resource always; the authority's own facts where they were
recorded; arguments only where the caller brings them (``Past.arguments``). All else is counted as *not known*, never
guessed. Facts that callers claimed are not recorded and count as not known too. Approvals and pauses are left out;
limits are asked only where the arguments are there, each task from nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sealgate.model.decisions import Outcome

from .decision_point import DecisionPoint
from .limits import LimitLedger
from .session import PROVENANCE, SESSION
from .verdicts import PolicyRequest

Json = Any
NOT_REPLAYED: Final = frozenset({"agent_paused", "deadline", "overloaded", "not_recorded", "clock", "stopping"})
"""Reasons of the past that no policy set could have changed."""


@dataclass(frozen=True, slots=True)
class Past:
    """One decision of the past. ``arguments`` and ``facts`` are None where nobody kept them."""

    ident: str
    agent: str
    tool: str
    resource: tuple[str, str]
    outcome: str
    reason: str = ""
    time_ms: int = 0
    task: str = ""
    arguments: Mapping[str, Json] | None = None
    facts: Mapping[str, Json] | None = None
    kept: Mapping[str, Json] = field(default_factory=dict)
    principal_type: str = "agent"


@dataclass(frozen=True, slots=True)
class Change:
    """A decision that would have been another one."""

    past: Past
    outcome: str
    reason: str
    policies: tuple[str, ...]

    def as_json(self) -> dict[str, Json]:
        """Return the change as one flat object."""
        return {
            "id": self.past.ident,
            "agent": self.past.agent,
            "tool": self.past.tool,
            "task": self.past.task or None,
            "was": self.past.outcome,
            "was_reason": self.past.reason or None,
            "would_be": self.outcome,
            "would_be_reason": self.reason,
            "policies": list(self.policies),
        }


@dataclass(slots=True)
class Report:
    """What came of a replay; ``by_tool`` counts (tool, what became of it)."""

    changes: list[Change] = field(default_factory=list)
    by_tool: Counter[tuple[str, str]] = field(default_factory=Counter)
    same: int = 0
    unknown: int = 0
    left_out: int = 0

    @property
    def decisions(self) -> int:
        """How many were looked at."""
        return self.same + self.unknown + self.left_out + len(self.changes)


def replay(point: DecisionPoint, past: Iterable[Past]) -> Report:
    """Ask every decision again and compare."""
    report, ledger = Report(), LimitLedger(point.limits)
    for number, item in enumerate(past):
        if item.reason in NOT_REPLAYED:
            report.left_out += 1
            report.by_tool[item.tool, "left out"] += 1
            continue
        request = PolicyRequest(
            (item.principal_type, item.agent),
            item.tool,
            item.resource,
            item.arguments or {},
            item.facts or {},
            item.kept,
        )
        if item.arguments is None:
            verdict = None if item.reason == "invalid_arguments" else point.decide_without_arguments(request)
        else:
            verdict = point.decide_within(
                request, ledger, reservation=str(number), now_ms=item.time_ms, task=item.task or str(number)
            )
        if verdict is None:
            report.unknown += 1
            report.by_tool[item.tool, "not known"] += 1
        elif _alike(item, verdict.outcome, exact=item.arguments is not None):
            report.same += 1
            report.by_tool[item.tool, "same"] += 1
        else:
            report.changes.append(Change(item, verdict.outcome.value, str(verdict.reason), verdict.policies))
            report.by_tool[item.tool, f"{item.outcome} → {verdict.outcome.value}"] += 1
    return report


def _alike(past: Past, outcome: Outcome, *, exact: bool) -> bool:
    if past.outcome == outcome.value:
        return True
    # Without arguments "nothing permits it" is certain, DENY or SILENCE is not.
    return not exact and past.outcome == Outcome.DENY.value and outcome is Outcome.SILENCE


def kept_of(body: Mapping[str, Json]) -> dict[str, Json]:
    """Return the authority's own facts of a recorded decision in the form that policies take."""
    kept = body.get("kept") or {}
    found: dict[str, Json] = {}
    if kept.get("session"):
        found[SESSION] = kept["session"]
    if kept.get("provenance") is not None:
        found[PROVENANCE] = {item["argument"]: item["origins"] for item in kept["provenance"]}
    return found
