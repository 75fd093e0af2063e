"""The current policy set, ready to judge: the decision point, and what its limits have counted so far."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import orjson

from sealgate.model.approvals import ApprovalReference, Needed
from sealgate.model.decisions import Outcome, Reason
from sealgate.model.evaluation import EvaluationRequest
from sealgate.policy.decision_point import DecisionPoint, Prepared
from sealgate.policy.limits import Charge, LimitLedger
from sealgate.policy.plans import Kept
from sealgate.policy.slicing import Uid
from sealgate.policy.stub import TOOL_FACTS
from sealgate.policy.tools import Tool
from sealgate.policy.verdicts import PolicyRequest, PolicyVerdict
from sealgate.ports.judging import Judgement, Matter

MAX_JUDGED: Final = 16_384
"""Judgements kept, each for requests that the policies cannot tell apart; about 20 MiB at most."""

_KEPT: Final = frozenset({Reason.POLICY, Reason.NO_POLICY, Reason.APPROVAL_REQUIRED})


_NOTHING: Final[Mapping[str, Any]] = {}


class Ruling(msgspec.Struct, frozen=True):
    """What the rules say, before it is recorded. ``charges`` were reserved; release them if it never is recorded."""

    outcome: Outcome
    reason: Reason
    message: str
    policies: list[str] = []
    policy_version: str | None = None
    obligations: list[dict[str, Any]] = []
    charges: list[dict[str, Any]] = []
    tool: dict[str, Any] | None = None
    approval: ApprovalReference | None = None
    approval_amount: str | None = None


class Rulebook:
    """One published policy set in force. One event loop owns it."""

    def __init__(self, point: DecisionPoint, bundle: bytes) -> None:
        self._point = point
        self._limits = LimitLedger(point.limits)
        self._judged: dict[tuple[Uid, Uid, Uid, str], Judgement] = {}
        self._tools = {name: _tool_member(tool, point.definition_digests[name]) for name, tool in point.tools.items()}
        self._knows_tools = TOOL_FACTS in point.stub.contexts
        self.version = point.version
        self.bundle = bundle
        self.policy_count = len(point.policies)
        self.tool_count = len(point.tools)

    @classmethod
    def load(cls, bundle: bytes) -> "Rulebook":
        """Return the rulebook of a bundle's bytes.

        Raises:
            InputError: anything in it does not load; nothing is loaded in part.
        """
        return cls(DecisionPoint.from_bundle(bundle), bundle)

    def offers(self, fact: str) -> bool:
        """Tell whether policies of this set can read such facts: its schema has them."""
        return fact in self._point.stub.contexts

    def matter(self, request: EvaluationRequest, arguments: bytes) -> Matter:
        """Return the question as a judge elsewhere takes it; ``arguments`` are the request's, canonical."""
        facts = self._facts(request)
        return Matter(
            (request.subject.type, request.subject.id),
            request.action.name,
            (request.resource.type, request.resource.id),
            arguments,
            orjson.dumps(facts) if facts else b"",
        )

    def _facts(self, request: EvaluationRequest) -> dict[str, Any]:
        """Return the request's facts; what the authority adds of the tool only where the schema has a place for it."""
        facts = request.context.facts
        if self._knows_tools or TOOL_FACTS not in facts:
            return facts
        return {name: value for name, value in facts.items() if name != TOOL_FACTS}

    def kept_reads(self, request: EvaluationRequest) -> Kept | None:
        """Return which of the authority's own facts the policies for this request read; None: none."""
        return self._point.kept_reads(_question(request, self._facts(request))) if self._point.stub.kept else None

    def recall(self, request: EvaluationRequest, kept: Mapping[str, Any] | None = None) -> Judgement | Prepared:
        """Return what the policies say where that is known without the engine, or what is left to judge.

        An earlier judgement counts where principal, action, resource and every value that a policy of the slice can
        read are the same: the engine is a function of these and of the policy set, which never changes here.
        """
        prepared = self._point.prepare(_question(request, self._facts(request), kept or {}))
        if isinstance(prepared, PolicyVerdict):
            return _judgement(prepared)
        return (self._judged.get(prepared.key) if prepared.key is not None else None) or prepared

    def judge(self, prepared: Prepared, remaining: Callable[[], float]) -> Judgement:
        """Return what the policies say, before limits. Never raises."""
        if remaining() <= 0:
            return Judgement(Outcome.SILENCE, Reason.DEADLINE, "no time was left to decide", [], [])
        return self.remember(prepared, _judgement(self._point.conclude(prepared, remaining)))

    def remember(self, prepared: Prepared, judgement: Judgement) -> Judgement:
        """Keep a judgement for requests that the policies cannot tell from this one; errors are never kept."""
        if prepared.key is not None and judgement.reason in _KEPT:
            if len(self._judged) >= MAX_JUDGED:
                del self._judged[next(iter(self._judged))]  # the oldest; it comes back at the cost of one evaluation
            self._judged[prepared.key] = judgement
        return judgement

    def rule(self, judgement: Judgement, request: EvaluationRequest, record_id: str, now_ms: int) -> Ruling:
        """Return the ruling on a judgement of this policy set; a PERMIT has its quotas reserved under ``record_id``."""
        tool = self._tools.get(request.action.name)
        pinned = request.context.tool_definition_sha256
        if pinned is not None and tool is not None and pinned != tool["definition_sha256"]:
            # A redefined tool is another tool: what was reviewed is not what would run.
            message = f"tool `{request.action.name}` is not defined as it was published"
            return Ruling(Outcome.SILENCE, Reason.UNKNOWN_TOOL, message, policy_version=self.version, tool=tool)
        if judgement.outcome is not Outcome.PERMIT or not self._point.limits:
            return self._ruling(judgement, [], tool)
        task = request.context.task
        exceeded = self._point.reserve(
            _question(request, {}), self._limits, reservation=record_id, now_ms=now_ms, task=task.id if task else ""
        )
        if exceeded is not None:
            denied = Judgement(Outcome.DENY, exceeded.reason, exceeded.message, [exceeded.rule], [])
            return self._ruling(denied, [], tool)
        return self._ruling(judgement, [charge.as_json() for charge in self._limits.charges(record_id)], tool)

    def conditions(self, judgement: Judgement) -> tuple[list[Needed], list[dict[str, Any]]]:
        """Return who has to approve what this judgement would permit, and the obligations of the PERMIT then."""
        people, duties = self._point.conditions(judgement.policies)
        return [Needed(role, count) for role, count in people], [duty.as_json() for duty in duties]

    def _ruling(self, judgement: Judgement, charges: list[dict[str, Any]], tool: dict[str, Any] | None) -> Ruling:
        return Ruling(
            judgement.outcome,
            judgement.reason,
            judgement.message,
            judgement.policies,
            self.version,
            judgement.obligations,
            charges,
            tool,
        )

    def release(self, record_id: str) -> None:
        """Give back what a decision reserved: its action certainly did not run."""
        self._limits.release(record_id)

    def settle(self, record_id: str) -> None:
        """Keep what a decision reserved: its action ran."""
        self._limits.settle(record_id)

    def recharge(self, record_id: str, charges: list[dict[str, Any]], at_ms: int) -> None:
        """Count again what a recorded decision had reserved (replay)."""
        self._limits.recharge(record_id, [Charge.from_json(charge) for charge in charges], at_ms)

    def dump_limits(self) -> dict[str, Any]:
        """Return what the limits have counted, for a snapshot."""
        return dict(self._limits.dump())

    def load_limits(self, dumped: dict[str, Any]) -> None:
        """Take over what limits had counted at a snapshot.

        Raises:
            InputError: not a dump of limits.
        """
        self._limits.load(dumped)

    def inherit(self, before: "Rulebook") -> None:
        """Keep counting where the former policy set's rules of the same id were."""
        self.load_limits(before.dump_limits())

    def describe(self) -> dict[str, Any]:
        """Return version and size, for people and machines."""
        return {"policy_version": self.version, "policies": self.policy_count, "tools": self.tool_count}


def _question(request: EvaluationRequest, facts: dict[str, Any], kept: Mapping[str, Any] = _NOTHING) -> PolicyRequest:
    return PolicyRequest(
        principal=(request.subject.type, request.subject.id),
        action=request.action.name,
        resource=(request.resource.type, request.resource.id),
        arguments=request.context.input,
        facts=facts,
        kept=kept,
    )


def _judgement(verdict: PolicyVerdict) -> Judgement:
    duties = [duty.as_json() for duty in verdict.obligations] if verdict.obligations else []
    return Judgement(verdict.outcome, verdict.reason, verdict.message, list(verdict.policies), duties)


def _tool_member(tool: Tool, definition_sha256: str) -> dict[str, Any]:
    """Return the ``tool`` member of a decision's body but for the name."""
    return {
        "server": tool.server,
        "version": None,
        "publisher": None,
        "trust_level": None,
        "verification_score": None,
        "definition_sha256": definition_sha256,
    }
