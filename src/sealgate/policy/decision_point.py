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

import cedarpy
import msgspec
import orjson

from sealgate.encoding import canonical
from sealgate.model.decisions import Outcome, Reason
from sealgate.model.errors import InputError

from . import bundle as bundles
from . import obligations
from .arguments import Converted, Converter, UnfitError
from .context_reads import Reads, of_policy
from .engine import MAX_SCOPES, NOTHING_APPLIES, Evaluator, Scope, Verdict, load_entities
from .facts import FactTypes
from .limits import Claim, Exceeded, Limit, LimitLedger, read_limits
from .obligations import Obligation
from .policy_set import Policy, first_line, parse_policies, require_unique
from .schema import DEFAULT_STUB, Options, Stub, Tool, generate, parse_schema, read_stub, read_tool
from .session import PROVENANCE, SESSION, UNKNOWN
from .shapes import RESERVED_KEYS
from .slicing import Uid

MAX_WARMED: Final = 4096
"""Slices parsed at load, so that the first requests do not pay for it."""

MAX_PLANS: Final = MAX_SCOPES
"""Plans kept: what does not change between requests of one principal, tool and resource."""

WIRE_TYPES: Final = {"agent": "Agent", "user": "User", "tool_server": "McpServer"}
"""AuthZEN's lower-case type names and the entity types they stand for, where the schema has no type of that name."""

MAX_KEY_CHARS: Final = 1024
"""A longer context is judged anew each time."""

Json = Any


class PolicyRequest(msgspec.Struct, frozen=True):
    """What is to be decided. ``principal`` and ``resource`` are (type, id); ``facts`` the stub's contexts by name.

    ``facts`` are the caller's claims; ``kept`` is what the authority itself knows: ``session`` and ``provenance``.
    Where nothing is given, nothing is known, and every value counts as untrusted.
    """

    principal: Uid
    action: str
    resource: Uid
    arguments: Mapping[str, Json] = {}
    facts: Mapping[str, Mapping[str, Json]] = {}
    kept: Mapping[str, Mapping[str, Json]] = {}


class PolicyVerdict(msgspec.Struct, frozen=True):
    """The decision as a value. ``policies`` determined it; ``errors`` say what erred; ``message`` is for people."""

    outcome: Outcome
    reason: Reason
    policies: tuple[str, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    errors: tuple[str, ...] = ()
    message: str = ""


class Kept(msgspec.Struct, frozen=True):
    """Which of the authority's own facts a slice reads; of ``provenance`` these arguments, None meaning all."""

    session: bool
    arguments: frozenset[str] | None


class _Plan(msgspec.Struct, frozen=True):
    """What a principal, a tool and a resource have in common at every request.

    ``places`` and ``facts`` say whether a policy of the slice can read normal forms or session facts at all;
    ``only_input`` are the arguments that are read where nothing else of the context is;
    ``principals`` and ``resources`` are what limits may name: the entity and all groups that hold it.
    """

    converter: Converter
    scope: Scope
    places: bool
    facts: bool
    only_input: tuple[str, ...] | None
    kept: Kept | None
    principals: frozenset[Uid]
    resources: frozenset[Uid]


class Prepared(msgspec.Struct, frozen=True):
    """A request that is ready for the engine. ``key`` stands for all that the policies can read, or is None."""

    plan: _Plan
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
        self.tools: dict[str, Tool] = {}
        self.definition_digests: dict[str, str] = {}
        for server, definition in bundle.tools:
            tool = read_tool(definition, server)
            if tool.name in self.tools:
                raise InputError(
                    f"tool `{tool.name}` is offered by `{self.tools[tool.name].server}` and `{server}`",
                    hint="rename one, for example `<server>___<tool>`",
                )
            self.tools[tool.name] = tool
            self.definition_digests[tool.name] = canonical.sha256(
                canonical.encode_arguments(definition, max_depth=bundles.MAX_BUNDLE_DEPTH)
            ).hex()
        self.schema_text = generate(self.stub, self.tools.values(), Options())
        self.schema = parse_schema(self.schema_text)
        self.policies: dict[str, Policy] = require_unique(
            policy for source in bundle.sources for policy in parse_policies(source.text, source.id)
        )
        _require_valid(self.policies, self.schema)
        self.limits: tuple[Limit, ...] = read_limits(bundle.limits, self.tools)
        self.entities = load_entities(bundle.entities, self.schema)
        self._duties = {policy_id: obligations.read(policy) for policy_id, policy in self.policies.items()}
        self._evaluator = Evaluator(self.policies, self.entities, self.schema)
        self._converters = {name: Converter(tool, self.stub) for name, tool in self.tools.items()}
        self._action_type = self.stub.qualified("Action")
        self._principals = self._wire_names(self.stub.principals)
        self._resources = self._wire_names(self.stub.resources)
        self._relied = {policy_id: of_policy(policy.tree).relied for policy_id, policy in self.policies.items()}
        self._no_facts: dict[str, dict[str, Json]] = {name: {} for name in self.stub.contexts}
        self._fact_types = FactTypes(self.stub)
        if self.stub.kept and not self._fact_types.fit_one(SESSION, _UNKNOWN_SESSION):
            raise InputError(
                "the stub's kept type `session` lacks what the authority keeps",
                hint=f"declare {', '.join(sorted(_KEPT_NAMES))} as in the default schema",
            )
        self._plans: dict[tuple[Uid, str, Uid], _Plan] = {}
        self._finished: dict[tuple[str, ...], PolicyVerdict] = {}
        if warm:
            self._warm()

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
            return _silent(Reason.DEADLINE, "no time was left to decide")
        prepared = self.prepare(request)
        return prepared if isinstance(prepared, PolicyVerdict) else self.conclude(prepared, remaining)

    def prepare(self, request: PolicyRequest) -> "Prepared | PolicyVerdict":
        """Do steps 2 to 4: return what the engine is to judge, or the answer where it need not be asked."""
        try:
            known = self._plans.get((request.principal, request.action, request.resource))  # 2
        except TypeError:
            return _silent(Reason.INVALID_ARGUMENTS, "the principal, action or resource is not made of texts")
        plan = known or self._plan(request)
        if isinstance(plan, PolicyVerdict):
            return plan
        scope = plan.scope
        try:
            converted, context, validate = self._context(plan, request)  # 3
        except (UnfitError, TypeError, ValueError, AttributeError, RecursionError) as error:
            return _silent(Reason.INVALID_ARGUMENTS, str(error) or "the arguments cannot be read")
        if converted.unclear:  # 4
            unclear = self._relied_on(scope.slice.ids, converted.unclear)
            if unclear:
                return _silent(Reason.INVALID_ARGUMENTS, unclear)
        alike = not validate and not converted.roots and not converted.entities and len(context) <= MAX_KEY_CHARS
        return Prepared(plan, converted, context, validate, (*scope.uids, context) if alike else None)

    def kept_reads(self, request: PolicyRequest) -> Kept | None:
        """Return which of the authority's own facts can matter to this request; None: none of them."""
        if not self.stub.kept:
            return None
        try:
            plan = self._plans.get((request.principal, request.action, request.resource)) or self._plan(request)
        except TypeError:
            return None
        return None if isinstance(plan, PolicyVerdict) else plan.kept

    def decide_without_arguments(self, request: PolicyRequest) -> PolicyVerdict | None:
        """Return what the policies say whatever the arguments and the caller's facts were; None: it depends on them.

        For decisions of the past, whose arguments are kept as digests only. Limits are not asked.
        """
        plan = self._plan(request)
        if isinstance(plan, PolicyVerdict):
            return plan
        slice_ = plan.scope.slice
        if all(self.policies[policy_id].forbids for policy_id in slice_.ids):
            # Whether a forbid holds may depend on the arguments; that nothing permits does not.
            return _NOTHING
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
            return _silent(Reason.DEADLINE, "the time was over before the decision was made")
        return answer

    def _context(self, plan: _Plan, request: PolicyRequest) -> tuple[Converted, str, bool]:
        """Return the arguments, the context as text, and whether the engine must check it against the schema.

        Arguments are typed here, and facts are of their declared types wherever that can be seen here: then what no
        policy reads is left out and the schema not asked again. Any other facts the engine checks, and all of them.
        """
        facts = request.facts
        provenance: Mapping[str, Json] = {}
        if plan.kept is not None or (facts and self.stub.kept):
            facts = _with_session(facts, request.kept.get(SESSION))
            provenance = _provenance(request.arguments, request.kept.get(PROVENANCE, {}))
        validate = bool(request.facts) and not self._fact_types.fit(facts)
        converted = plan.converter.convert(request.arguments, places=plan.places or validate)
        members: Mapping[str, Mapping[str, Json]] = converted.members
        if validate:
            members = {**members, **self._facts(facts)}
            if self.stub.kept:
                members[PROVENANCE] = provenance
        elif plan.only_input is not None:
            values = members["input"]
            members = {"input": {name: values[name] for name in plan.only_input if name in values}}
        else:
            if plan.facts:
                members = {**members, **self._no_facts, **facts}
            if plan.kept is not None:
                members = {**members, PROVENANCE: provenance}
            members = plan.scope.slice.reads.select(members)
        return converted, orjson.dumps(members).decode(), validate

    def _plan(self, request: PolicyRequest) -> "_Plan | PolicyVerdict":
        """Return what all requests of these three share, remembered; or why nothing can be decided about them."""
        converter = self._converters.get(request.action)
        if converter is None:
            return _silent(Reason.UNKNOWN_TOOL, f"no tool `{request.action:.80}` is published")
        principal_type = self._principals.get(request.principal[0])
        resource_type = self._resources.get(request.resource[0])
        if principal_type is None or resource_type is None:
            wrong = request.resource[0] if principal_type else request.principal[0]
            return _silent(Reason.NO_POLICY, f"no policy can speak of the entity type `{wrong:.80}` here")
        principal, resource = (principal_type, request.principal[1]), (resource_type, request.resource[1])
        try:
            scope = self._evaluator.scope_of(principal, (self._action_type, request.action), resource)
        except (TypeError, ValueError) as error:
            return _silent(Reason.POLICY_ERROR, f"the policies cannot be read: {first_line(error)}")
        reads = scope.slice.reads
        arguments = reads.parts.get("input") if not reads.everything and reads.parts.keys() == {"input"} else None
        plan = _Plan(
            converter,
            scope,
            places=reads.everything or "normalized" in reads.parts,
            facts=reads.everything or not reads.parts.keys().isdisjoint(self._no_facts),
            kept=_kept_reads(reads) if self.stub.kept else None,
            only_input=None if arguments is None else tuple(sorted(arguments)),
            principals=self.entities.ancestors(principal) | {principal},
            resources=self.entities.ancestors(resource) | {resource},
        )
        if len(self._plans) >= MAX_PLANS:
            del self._plans[next(iter(self._plans))]  # the oldest; it comes back at the cost of a few look-ups
        self._plans[request.principal, request.action, request.resource] = plan
        return plan

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
        plan = self._plans.get((request.principal, request.action, request.resource)) or self._plan(request)
        if isinstance(plan, PolicyVerdict):
            raise TypeError(plan.message)  # a caller's bug: nothing was permitted here that could be counted
        return Claim(plan.scope.uids[0], plan.principals, request.action, plan.resources, request.arguments, task)

    def _finish(self, verdict: Verdict) -> PolicyVerdict:
        if verdict is NOTHING_APPLIES:
            return _NOTHING
        if verdict.outcome is not Outcome.PERMIT:
            return PolicyVerdict(
                verdict.outcome, verdict.reason, verdict.policies, (), verdict.errors, _message(verdict)
            )
        known = self._finished.get(verdict.policies)
        if known is None:
            known = self._with_duties(verdict.policies)
            if len(self._finished) < MAX_WARMED:
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

    def _facts(self, facts: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
        known = self.stub.contexts
        for name, value in facts.items():
            if name not in known:
                raise UnfitError(f"fact `{name:.80}` is not in the schema")
            _refuse_escapes(value)
        return {name: facts.get(name, {}) for name in known}

    def _relied_on(self, ids: tuple[str, ...], unclear: Mapping[str, str]) -> str:
        for policy_id in ids:
            relied = self._relied[policy_id]
            for name, problem in unclear.items():
                if name in relied or "*" in relied:
                    return f"argument `{name:.80}` has no normal form that policy `{policy_id}` could judge: {problem}"
        return ""

    def _wire_names(self, names: tuple[str, ...]) -> dict[str, str]:
        known = {name: self.stub.qualified(name) for name in names}
        known |= {self.stub.qualified(name): self.stub.qualified(name) for name in names}
        for wire, name in WIRE_TYPES.items():
            if name in names:
                known.setdefault(wire, self.stub.qualified(name))
        # One kind of principal or resource: a common AuthZEN type can only mean that one.
        if len(names) == 1:
            for wire in ("agent",) if names == self.stub.principals else ("tool_server",):
                known.setdefault(wire, self.stub.qualified(names[0]))
        return known

    def _warm(self) -> None:
        principals = [uid for uid in self._uids() if uid[0] in set(self._principals.values())]
        resources = [uid for uid in self._uids() if uid[0] in set(self._resources.values())]
        actions = [(self._action_type, name) for name in self.tools]
        scopes = ((who, what, where) for who in principals for where in resources for what in actions)
        for number, scope in enumerate(scopes):
            if number >= MAX_WARMED:
                break
            self._evaluator.scope_of(*scope)

    def _uids(self) -> list[Uid]:
        return [(entity["uid"]["type"], entity["uid"]["id"]) for entity in self.entities]


_UNKNOWN_SESSION: Final = UNKNOWN.session(0)
_KEPT_NAMES: Final = frozenset(_UNKNOWN_SESSION)


def _with_session(
    facts: Mapping[str, Mapping[str, Json]], session: Mapping[str, Json] | None
) -> dict[str, Mapping[str, Json]]:
    """Return the facts with what the authority keeps; a caller's claim never stands where that does."""
    claimed = facts.get(SESSION, {})
    if not _KEPT_NAMES.isdisjoint(claimed):
        taken = min(_KEPT_NAMES & set(claimed))
        raise UnfitError(f"fact `{SESSION}.{taken}` is kept by the authority and cannot be claimed")
    return {**facts, SESSION: {**claimed, **(session or _UNKNOWN_SESSION)}}


def _provenance(arguments: Mapping[str, Json], known: Mapping[str, Json]) -> dict[str, Json]:
    return {name: known.get(name, _UNTRUSTED) for name, value in arguments.items() if value is not None}


_UNTRUSTED: Final = ["untrusted"]


def _kept_reads(reads: Reads) -> Kept | None:
    if reads.everything:
        return Kept(True, None)
    if reads.parts.keys().isdisjoint((SESSION, PROVENANCE)):
        return None
    return Kept(SESSION in reads.parts, reads.parts.get(PROVENANCE, frozenset()))


def _require_valid(policies: Mapping[str, Policy], schema: Any) -> None:
    order = [policy for policy in policies.values() if not policy.is_template]
    for policy in policies.values():
        if policy.is_template:
            raise InputError(
                f"{policy.source}, line {policy.line}: template `{policy.id}` has no link",
                hint="write the entity into the policy",
            )
    text = "\n".join(policy.text for policy in order)
    try:
        result = cedarpy.validate_policies(text, schema)
    except ValueError as error:
        raise InputError(f"policies do not validate: {str(error).splitlines()[0]:.300}") from error
    if result.validation_passed:
        return
    first = result.errors[0]
    number = first.policy_id.removeprefix("policy")
    where = "policies"
    if number.isdigit() and int(number) < len(order):
        policy = order[int(number)]
        where = f"{policy.source}, line {policy.line} (`{policy.id}`)"
    raise InputError(f"{where}: {first.error.splitlines()[0]:.300}", hint="a rule that cannot match does not load")


def _refuse_escapes(value: Json) -> None:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if RESERVED_KEYS & item.keys():
                raise UnfitError("a fact has a key that is reserved by Cedar")
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _message(verdict: Verdict) -> str:
    if verdict.outcome is Outcome.DENY:
        return f"forbidden by {', '.join(f'`{policy_id}`' for policy_id in verdict.policies)}"
    if verdict.reason is Reason.NO_POLICY:
        return "no policy permits this"
    return f"a policy could not be evaluated: {verdict.errors[0][:200] if verdict.errors else 'unknown error'}"


def _silent(reason: Reason, message: str) -> PolicyVerdict:
    return PolicyVerdict(Outcome.SILENCE, reason, message=message)


_NOTHING: Final = _silent(NOTHING_APPLIES.reason, _message(NOTHING_APPLIES))
