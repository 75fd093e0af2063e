"""The decision point: a bundle goes in, ``decide`` answers PERMIT, DENY or SILENCE. No I/O, no clock.

``decide`` in numbered steps; each can only make the answer less permissive:

1. deadline: nothing is asked once the caller's time is over;
2. the tool and the types: an unknown tool, principal or resource type is SILENCE;
3. the arguments become typed values, or the answer is SILENCE ``invalid_arguments``;
4. places: where an argument has no normal form, no rule may judge it that relies on one;
5. the engine (``engine``): DENY, PERMIT or SILENCE by the policies;
6. approvals: a PERMIT whose policy asks for one is SILENCE ``approval_required``;
7. deadline again: an answer that comes too late is SILENCE.

Limits and quotas need state, which ``decide_within`` takes as an argument and asks after a PERMIT (``limits``).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
import orjson

from sealgate.model.decisions import Outcome, Reason

from . import bundle as bundles
from . import obligations
from .arguments import Converted, UnfitError
from .context import Contexts
from .context_reads import of_policy
from .engine import NOTHING_APPLIES, Evaluator, Verdict, load_entities
from .limits import Claim, Exceeded, Limit, LimitLedger, read_limits
from .loading import read_tools, require_valid
from .obligations import Obligation
from .plans import Kept, Plan, Plans
from .policy_set import Policy, parse_policies, require_unique
from .schema import Options, generate, parse_schema
from .session import PROVENANCE, SESSION
from .slicing import Uid
from .stub import DEFAULT_STUB, Stub, read_stub
from .verdicts import NOTHING, PolicyRequest, PolicyVerdict, silent, without_permit

MAX_KEY_CHARS: Final = 1024
"""A longer context is judged anew each time."""

MAX_FINISHED: Final = 4096
"""Answers kept, one for each set of policies that permitted something."""

Json = Any


class Prepared(msgspec.Struct, frozen=True):
    """A request that is ready for the engine. ``key`` stands for all that the policies can read, or is None."""

    plan: Plan
    converted: Converted
    context: str
    validate: bool
    key: tuple[Uid, Uid, Uid, str] | None


Remaining = Callable[[], float]
"""How many seconds the caller has left; negative or zero: none."""


def _endless() -> float:
    return float("inf")


class DecisionPoint:
    """One policy set, ready to decide. Immutable; only its caches change. One thread."""

    def __init__(self, bundle: bundles.Bundle, *, warm: bool = True) -> None:
        self.version = bundle.version
        self.stub: Stub = read_stub(bundle.schema if bundle.schema is not None else DEFAULT_STUB)
        self.tools, self.definition_digests = read_tools(bundle)
        self.schema_text = generate(self.stub, self.tools.values(), Options())
        self.schema = parse_schema(self.schema_text)
        self.policies: dict[str, Policy] = require_unique(
            policy for source in bundle.sources for policy in parse_policies(source.text, source.id)
        )
        require_valid(self.policies, self.schema)
        self.limits: tuple[Limit, ...] = read_limits(bundle.limits, self.tools)
        self.entities = load_entities(bundle.entities, self.schema)
        self._duties = {policy_id: obligations.read(policy) for policy_id, policy in self.policies.items()}
        self._evaluator = Evaluator(self.policies, self.entities, self.schema)
        self._plans = Plans(self.stub, self.tools, self.entities, self._evaluator)
        self._contexts = Contexts(self.stub)
        self._relied = {policy_id: of_policy(policy.tree).relied for policy_id, policy in self.policies.items()}
        self._finished: dict[tuple[str, ...], PolicyVerdict] = {}
        if warm:
            self._plans.warm()

    @classmethod
    def from_bundle(cls, bundle: bytes | Mapping[str, Json], *, warm: bool = True) -> "DecisionPoint":
        """Return the decision point of a bundle (canonical bytes, any strict JSON, or the value).

        Raises:
            InputError: anything in it does not load; nothing is loaded in part.
        """
        return cls(bundles.read(bundle), warm=warm)

    def decide(self, request: PolicyRequest, *, remaining: Remaining = _endless) -> PolicyVerdict:
        """Return the decision. Never raises for a request, however broken.

        Args:
            request: who wants to do what to what.
            remaining: seconds that are left; asked before and after the engine runs, which takes microseconds.
        """
        if remaining() <= 0:  # 1
            return silent(Reason.DEADLINE, "no time was left to decide")
        prepared = self.prepare(request)
        return prepared if isinstance(prepared, PolicyVerdict) else self.conclude(prepared, remaining)

    def prepare(self, request: PolicyRequest) -> "Prepared | PolicyVerdict":
        """Do steps 2 to 4: return what the engine is to judge, or the answer where it need not be asked."""
        try:
            plan = self._plans.find(request)  # 2
        except TypeError:
            return silent(Reason.INVALID_ARGUMENTS, "the principal, action or resource is not made of texts")
        if isinstance(plan, PolicyVerdict):
            return plan
        scope = plan.scope
        try:
            converted, context, validate = self._contexts.make(plan, request)  # 3
        except (UnfitError, TypeError, ValueError, AttributeError, RecursionError) as error:
            return silent(Reason.INVALID_ARGUMENTS, str(error) or "the arguments cannot be read")
        if converted.unclear:  # 4
            unclear = self._relied_on(scope.slice.ids, converted.unclear)
            if unclear:
                return silent(Reason.INVALID_ARGUMENTS, unclear)
        alike = not validate and not converted.roots and not converted.entities and len(context) <= MAX_KEY_CHARS
        return Prepared(plan, converted, context, validate, (*scope.uids, context) if alike else None)

    def kept_reads(self, request: PolicyRequest) -> Kept | None:
        """Return which of the authority's own facts can matter to this request; None: none of them."""
        if not self.stub.kept:
            return None
        try:
            plan = self._plans.find(request)
        except TypeError:
            return None
        return None if isinstance(plan, PolicyVerdict) else plan.kept

    def decide_without_arguments(self, request: PolicyRequest) -> PolicyVerdict | None:
        """Return what the policies say whatever the arguments and the caller's facts were; None: it depends on them.

        For decisions of the past, whose arguments are kept as digests only. Limits are not asked.
        """
        plan = self._plans.find(request)
        if isinstance(plan, PolicyVerdict):
            return plan
        slice_ = plan.scope.slice
        if all(self.policies[policy_id].forbids for policy_id in slice_.ids):
            # Whether a forbid holds may depend on the arguments; that nothing permits does not.
            return NOTHING
        kept = {name: request.kept[name] for name in (SESSION, PROVENANCE) if name in request.kept}
        reads = slice_.reads
        if reads.everything or not reads.parts.keys() <= kept.keys():
            return None
        if PROVENANCE in reads.parts and not (reads.parts[PROVENANCE] or {"*"}) <= kept[PROVENANCE].keys():
            return None
        context = orjson.dumps(reads.select(kept)).decode()
        return self._finish(self._evaluator.ask(plan.scope, context, validate=False))

    def conclude(self, prepared: Prepared, remaining: Remaining) -> PolicyVerdict:
        """Do steps 5 to 7. Two requests whose ``key`` is equal (and not None) get equal answers."""
        plan, converted = prepared.plan, prepared.converted
        verdict = self._evaluator.ask(  # 5
            plan.scope, prepared.context, converted.roots, converted.entities, validate=prepared.validate
        )
        answer = self._finish(verdict)  # 6
        if answer.outcome is Outcome.PERMIT and remaining() <= 0:  # 7
            return silent(Reason.DEADLINE, "the time was over before the decision was made")
        return answer

    def decide_within(
        self,
        request: PolicyRequest,
        ledger: LimitLedger,
        *,
        reservation: str,
        now_ms: int,
        task: str = "",
        remaining: Remaining = _endless,
    ) -> PolicyVerdict:
        """Decide, and on PERMIT take what the action needs from every quota of ``ledger``, or say DENY.

        Args:
            request: who wants to do what to what.
            ledger: the state of this bundle's limits; unchanged unless the answer is PERMIT.
            reservation: the id to settle or release it by; never used twice.
            now_ms: Unix milliseconds.
            task: the task's id, for quotas per task. It is the caller's claim.
            remaining: seconds that are left.
        """
        verdict = self.decide(request, remaining=remaining)
        if verdict.outcome is not Outcome.PERMIT or not self.limits:
            return verdict
        exceeded = self.reserve(request, ledger, reservation=reservation, now_ms=now_ms, task=task)
        if exceeded is None:
            return verdict
        return PolicyVerdict(Outcome.DENY, exceeded.reason, (exceeded.rule,), (), (), exceeded.message)

    def reserve(
        self, request: PolicyRequest, ledger: LimitLedger, *, reservation: str, now_ms: int, task: str = ""
    ) -> Exceeded | None:
        """Take what a permitted action needs from every quota of ``ledger``, or nothing and say which is exceeded."""
        return ledger.reserve(self._claim(request, task), reservation, now_ms) if self.limits else None

    def _claim(self, request: PolicyRequest, task: str) -> Claim:
        # Permitted, so there is a plan; but perhaps another process decided, and none was made here yet.
        plan = self._plans.find(request)
        if isinstance(plan, PolicyVerdict):
            raise TypeError(plan.message)  # a caller's bug: nothing was permitted here that could be counted
        return Claim(plan.scope.uids[0], plan.principals, request.action, plan.resources, request.arguments, task)

    def _finish(self, verdict: Verdict) -> PolicyVerdict:
        if verdict is NOTHING_APPLIES:
            return NOTHING
        if verdict.outcome is not Outcome.PERMIT:
            return without_permit(verdict)
        known = self._finished.get(verdict.policies)
        if known is None:
            known = self._with_duties(verdict.policies)
            if len(self._finished) < MAX_FINISHED:
                self._finished[verdict.policies] = known
        return known

    def _with_duties(self, policies: tuple[str, ...]) -> PolicyVerdict:
        """Return what a PERMIT of these policies asks for: every one's duties, so that none lifts another's."""
        duties = [self._duties[policy_id] for policy_id in policies]
        needed = obligations.people(duties)
        if needed:
            message = "an approval is needed: " + ", ".join(f"{count} of `{role}`" for role, count in needed)
            return PolicyVerdict(Outcome.SILENCE, Reason.APPROVAL_REQUIRED, policies, (), (), message)
        message = f"permitted by {', '.join(f'`{policy_id}`' for policy_id in policies)}"
        return PolicyVerdict(Outcome.PERMIT, Reason.POLICY, policies, obligations.collect(duties), (), message)

    def conditions(self, policies: Iterable[str]) -> tuple[obligations.People, tuple[Obligation, ...]]:
        """Return who has to approve a PERMIT of these policies, and what it asks for once they did."""
        duties = [self._duties[policy_id] for policy_id in policies]
        return obligations.people(duties), obligations.collect(duties)

    def _relied_on(self, ids: tuple[str, ...], unclear: Mapping[str, str]) -> str:
        for policy_id in ids:
            relied = self._relied[policy_id]
            for name, problem in unclear.items():
                if name in relied or "*" in relied:
                    return f"argument `{name:.80}` has no normal form that policy `{policy_id}` could judge: {problem}"
        return ""
