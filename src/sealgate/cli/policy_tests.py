"""Runs the tests of a policy directory: each case is an AuthZEN request and what must come of it.

::

    {"tests": [{"name": "small payment", "at_ms": 0, "request": {"subject": {…}, "action": {…}, "resource": {…},
                "context": {"input": {…}}}, "expect": {"outcome": "PERMIT", "reason": "policy", "policies": ["pay"]}}]}

``session`` and ``provenance`` stand for what the authority keeps of the task: the first for the members that differ
from a task in which nothing happened yet, the second for each argument's origins. Without ``provenance`` nothing is
known, so every value counts as untrusted.

The cases of one file share the state of limits and run in order; ``at_ms`` moves the clock. ``expect`` is compared
member by member, and ``outcome`` is required.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from sealgate.model.decisions import Outcome
from sealgate.model.evaluation import EvaluationRequest
from sealgate.policy import DecisionPoint, LimitLedger, PolicyRequest, PolicyVerdict
from sealgate.policy.session import PROVENANCE, SESSION, TaskFacts

Json = Any


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must come of a request; what is left out may be anything."""

    outcome: Outcome
    reason: str | None = None
    policies: list[str] | None = None
    obligations: list[str] | None = None


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One test."""

    name: str
    request: EvaluationRequest
    expect: Expectation
    at_ms: int = 0
    session: dict[str, Json] = {}
    provenance: dict[str, list[str]] | None = None


@dataclass(frozen=True, slots=True)
class TestResult:
    """What came of one test; ``differences`` is empty where it passed."""

    file: str
    name: str
    differences: tuple[str, ...]

    def as_json(self) -> dict[str, Json]:
        """Return the result as one flat object."""
        return {"file": self.file, "name": self.name, "passed": not self.differences, "differences": self.differences}


def run(point: DecisionPoint, file: str, cases: list[Json]) -> list[TestResult]:
    """Run the cases of one file."""
    ledger = LimitLedger(point.limits)
    results = []
    for number, item in enumerate(cases):
        try:
            case = msgspec.convert(item, Case)
        except msgspec.ValidationError as error:
            results.append(TestResult(file, f"case {number}", (f"not a test: {error}",)))
            continue
        verdict = decide(point, ledger, case, f"{file}#{number}")
        results.append(TestResult(file, case.name, tuple(_differences(case.expect, verdict))))
    return results


def decide(point: DecisionPoint, ledger: LimitLedger, case: Case, reservation: str) -> PolicyVerdict:
    """Return the verdict of one case."""
    asked = case.request
    request = PolicyRequest(
        (asked.subject.type, asked.subject.id),
        asked.action.name,
        (asked.resource.type, asked.resource.id),
        asked.context.input,
        asked.context.facts,
        _kept(case),
    )
    task = asked.context.task.id if asked.context.task else ""
    return point.decide_within(request, ledger, reservation=reservation, now_ms=case.at_ms, task=task)


def _kept(case: Case) -> dict[str, dict[str, Json]]:
    if case.provenance is None and not case.session:
        return {}
    fresh = TaskFacts(b"").session(0)
    return {SESSION: {**fresh, **case.session}, PROVENANCE: dict(case.provenance or {})}


def _differences(expect: Expectation, verdict: PolicyVerdict) -> list[str]:
    pairs = [
        ("outcome", expect.outcome, verdict.outcome),
        ("reason", expect.reason, str(verdict.reason)),
        ("policies", expect.policies and sorted(expect.policies), sorted(verdict.policies)),
        ("obligations", expect.obligations and sorted(expect.obligations), sorted(o.id for o in verdict.obligations)),
    ]
    found = [f"{name}: expected {want}, got {got}" for name, want, got in pairs if want is not None and want != got]
    return [*found, verdict.message] if found else []
