"""The one place that asks the Cedar engine, and the one rule that turns its answer into an outcome.

``Evaluator`` holds policies and a schema; ``evaluate`` slices, runs the engine and judges. Steps:

1. slice: the policies whose scope can match (``slicing``), kept parsed in a bounded cache;
2. entities: the closure the slice can see (``entities``), kept parsed with the scope;
3. run the engine on both, at most once;
4. check the answer: well-formed, ids from the slice, effects that fit the decision;
5. judge (DESIGN section 6): DENY if a forbid is satisfied; PERMIT if allowed and nothing erred; else SILENCE.

Only step 5 can permit, and only from an answer that passed step 4: a crash, an exception, a truncated or contradictory
answer is SILENCE. The caller must check its deadline before and after: a run takes tens of microseconds and cannot be
interrupted.

The engine's public wrapper copies requests and parses answers with the standard library; this module calls the
extension underneath it and decodes with msgspec, which halves the cost. The dependency is therefore pinned exactly.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cedarpy
import msgspec
from cedarpy import _internal

from sealgate.model.decisions import Outcome, Reason
from sealgate.model.errors import InputError

from .context_reads import Reads, merge, of_policy
from .entities import EntityStore, references
from .policy_set import Link, Policy, first_line
from .slicing import ScopeIndex, Uid, request_keys

MAX_SLICES: Final = 4096
"""Parsed slices kept; each holds a few policies."""

MAX_SCOPES: Final = 16_384
"""Scopes kept, each with its parsed entity closure; they share their slices."""

Json = Any
Authorize = Callable[[list[dict[str, Any]], Any, Any, Any, bool], list[str]]
"""The engine's batch call: requests, policies, entities, schema, verbose → JSON answers."""


class _Diagnostics(msgspec.Struct, frozen=True):
    reason: list[str] = []
    errors: list[str] = []


class _Answer(msgspec.Struct, frozen=True):
    decision: str
    diagnostics: _Diagnostics


_decode_answer = msgspec.json.Decoder(_Answer).decode


class Question(msgspec.Struct, frozen=True):
    """What the engine is asked. ``context`` is JSON text in the engine's form, ``context_roots`` the entities in it."""

    principal: Uid
    action: Uid
    resource: Uid
    context: str = "{}"
    context_roots: frozenset[Uid] = frozenset()
    extra_entities: tuple[Mapping[str, Json], ...] = ()


class Verdict(msgspec.Struct, frozen=True):
    """What came of it: outcome and reason, the policies that determined it, what erred."""

    outcome: Outcome
    reason: Reason
    policies: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slice:
    """The policies that can matter to one scope, parsed. ``names`` maps the engine's names to our ids."""

    ids: tuple[str, ...]
    names: Mapping[str, str]
    handle: Any
    literals: frozenset[Uid]
    reads: Reads
    sole: Mapping[str, "Verdict"]
    """By the engine's name of each permit: what an Allow says that this one alone determines, with no errors."""


class Scope:
    """A principal, action and resource that were asked about before: their slice and all that does not change."""

    __slots__ = ("entities", "request", "slice", "uids")

    def __init__(self, uids: tuple[Uid, Uid, Uid], found: Slice) -> None:
        self.uids = uids
        self.slice = found
        self.entities: Any = None  # the closure's handle, made when first needed
        names = ("principal", "action", "resource")
        self.request = {name: {"type": uid[0], "id": uid[1]} for name, uid in zip(names, uids, strict=True)}


class Evaluator:
    """Policies and entities, ready to be asked. One thread (the engine holds the interpreter lock anyway)."""

    def __init__(
        self,
        policies: Mapping[str, Policy],
        entities: EntityStore,
        schema: cedarpy.Schema | None,
        *,
        links: Sequence[Link] = (),
        sliced: bool = True,
        authorize: Authorize = _internal.is_authorized_batch,
    ) -> None:
        self._templates = {key: policy for key, policy in policies.items() if policy.is_template}
        self._policies = {key: policy for key, policy in policies.items() if not policy.is_template}
        self._links = {link.id: link for link in links}
        self._entities = entities
        self._schema = schema
        self._authorize = authorize
        trees = {key: policy.tree for key, policy in self._policies.items()}
        trees |= {link.id: self._templates[link.template].tree for link in links}
        self._forbids = {key: tree["effect"] == "forbid" for key, tree in trees.items()}
        self._index = ScopeIndex(trees) if sliced else None
        self._all = tuple(trees)
        self._scopes: OrderedDict[tuple[Uid, Uid, Uid], Scope] = OrderedDict()
        self._slices: OrderedDict[tuple[str, ...], Slice] = OrderedDict()

    # step 1

    def scope_of(self, principal: Uid, action: Uid, resource: Uid) -> Scope:
        """Return the policies that can matter to this principal, action and resource, parsed.

        Raises:
            ValueError: the engine refuses them; they were accepted one by one, so this is a defect.
        """
        uids = (principal, action, resource)
        known = self._scopes.get(uids)
        if known is not None:
            return known
        ids = self._all
        if self._index is not None:
            ids = self._index.candidates(*(request_keys(uid, self._entities.ancestors(uid)) for uid in uids))
        found = self._slices.get(ids)
        if found is None:
            found = self._parse_slice(ids)
            _remember(self._slices, ids, found, MAX_SLICES)
        scope = Scope(uids, found)
        _remember(self._scopes, uids, scope, MAX_SCOPES)
        return scope

    def _parse_slice(self, ids: tuple[str, ...]) -> Slice:
        static = [key for key in ids if key in self._policies]
        linked = [self._links[key] for key in ids if key in self._links]
        templates = sorted({link.template for link in linked})
        texts = [self._policies[key].text for key in static] + [self._templates[key].text for key in templates]
        handle = cedarpy.PolicySet.from_str("\n".join(texts))
        names = {f"policy{position}": key for position, key in enumerate(static)}
        if linked:
            position_of = {key: f"policy{len(static) + position}" for position, key in enumerate(templates)}
            handle = handle.with_linked_batch([_link(link, position_of[link.template]) for link in linked])
            names |= {_link_name(link): link.id for link in linked}
        trees = [self._policies[key].tree for key in static] + [self._templates[key].tree for key in templates]
        literals = frozenset(references(trees)) | {uid for link in linked for uid in link.values.values()}
        reads = merge(map(of_policy, trees))
        sole = {
            name: Verdict(Outcome.PERMIT, Reason.POLICY, (policy_id,))
            for name, policy_id in names.items()
            if not self._forbids[policy_id]
        }
        return Slice(ids, names, handle, literals, reads, sole)

    # step 2

    def _entities_for(self, scope: Scope, roots: Collection[Uid], extra: Collection[Mapping[str, Json]]) -> Any:
        plain = not roots and not extra
        if plain and scope.entities is not None:
            return scope.entities
        seen = [*self._entities.closure({*scope.uids, *roots, *scope.slice.literals}), *extra]
        handle = _internal.Entities.from_json_str(msgspec.json.encode(seen).decode(), None)
        if plain:
            scope.entities = handle
        return handle

    # steps 3 to 5

    def evaluate(self, question: Question, *, validate: bool = True) -> Verdict:
        """Return the verdict; never raises for a question, however broken.

        Args:
            question: who wants to do what to what, with which context.
            validate: let the engine check the question against the schema. A caller may leave it out only where it
                has checked principal, action and resource and has typed every value of the context itself.
        """
        try:
            scope = self.scope_of(question.principal, question.action, question.resource)
        except Exception as error:  # noqa: BLE001  # as below
            return _erred(f"{type(error).__name__}: {first_line(error)}")
        except BaseException as error:
            if not _is_panic(error):
                raise
            return _panicked(error)
        return self.ask(scope, question.context, question.context_roots, question.extra_entities, validate=validate)

    def ask(
        self,
        scope: Scope,
        context: str,
        roots: Collection[Uid] = (),
        extra: Collection[Mapping[str, Json]] = (),
        *,
        validate: bool,
    ) -> Verdict:
        """Do what ``evaluate`` does, for a scope that ``scope_of`` gave."""
        if not scope.slice.ids and not validate:
            return NOTHING_APPLIES
        try:
            entities = self._entities_for(scope, roots, extra)
            request = {**scope.request, "context": context}
            schema = self._schema if validate else None
            (raw,) = self._authorize([request], scope.slice.handle, entities, schema, False)
            answer = _decode_answer(raw)
        except Exception as error:  # noqa: BLE001  # whatever the engine throws, the answer is not yes
            return _erred(f"{type(error).__name__}: {first_line(error)}")
        except BaseException as error:
            if not _is_panic(error):
                raise
            return _panicked(error)
        diagnostics = answer.diagnostics
        if answer.decision == "Allow" and not diagnostics.errors and len(diagnostics.reason) == 1:
            known = scope.slice.sole.get(diagnostics.reason[0])  # what `_judge` would say, ready-made
            if known is not None:
                return known
        return self._judge(answer, scope.slice)

    def _judge(self, answer: _Answer, slice_: Slice) -> Verdict:
        found = answer.diagnostics.errors
        errors = tuple([_described(error, slice_.names) for error in found]) if found else ()
        if answer.decision == "NoDecision":
            return Verdict(Outcome.SILENCE, Reason.POLICY_ERROR, (), errors or ("the engine made no decision",))
        try:
            determining = tuple(sorted([slice_.names[name] for name in answer.diagnostics.reason]))
            forbidding = [self._forbids[policy_id] for policy_id in determining]
        except KeyError as error:
            return _erred(f"the engine named a policy `{error.args[0]!s:.80}` that it was not given")
        if answer.decision == "Deny" and all(forbidding):
            if determining:
                return Verdict(Outcome.DENY, Reason.POLICY, determining, errors)
            return Verdict(Outcome.SILENCE, Reason.POLICY_ERROR, (), errors) if errors else NOTHING_APPLIES
        if answer.decision == "Allow" and determining and not any(forbidding):
            if errors:
                return Verdict(Outcome.SILENCE, Reason.POLICY_ERROR, determining, errors)
            return Verdict(Outcome.PERMIT, Reason.POLICY, determining)
        return _erred("the engine's answer contradicts itself")


NOTHING_APPLIES: Final = Verdict(Outcome.SILENCE, Reason.NO_POLICY)


def _is_panic(error: BaseException) -> bool:
    return type(error).__name__ == "PanicException"  # the engine's panic is not an Exception


def _panicked(error: BaseException) -> Verdict:
    return _erred(f"the engine panicked: {first_line(error)}")


def _erred(message: str) -> Verdict:
    return Verdict(Outcome.SILENCE, Reason.POLICY_ERROR, (), (message,))


_EVALUATING: Final = re.compile(r"error while evaluating policy `([^`]*)`: (.*)", re.DOTALL)
_LACKS: Final = re.compile(r"does not have the attribute `([A-Za-z_][A-Za-z0-9_]*)`", re.ASCII)
_KINDS: Final = (
    ("does not have the attribute", "a record or entity lacks an attribute"),
    ("does not have the tag", "an entity lacks a tag"),
    ("does not exist", "an entity does not exist"),
    ("type error", "a value is of another type"),
    ("integer overflow", "an integer overflows"),
    ("extension function", "an extension function refuses its argument"),
    ("is not valid for", "the request does not fit the schema"),
    ("while parsing context", "the context cannot be read"),
)


def _described(error: str, names: Mapping[str, str]) -> str:
    """Return what the engine's error says without the request's own values, and with our policy ids.

    Errors are recorded and shown to operators, while arguments may be personal and are kept as digests only. So the
    engine's text is never passed on: what kind of error it is, is.
    """
    evaluating = _EVALUATING.match(error)
    detail = evaluating[2] if evaluating else error
    kind = next((said for part, said in _KINDS if part in detail), "the engine refuses it")
    lacks = _LACKS.search(detail)
    if lacks:
        kind = f"a record or entity lacks the attribute `{lacks[1]}`"
    return f"policy `{names.get(evaluating[1], '?')}`: {kind}" if evaluating else kind


def _link_name(link: Link) -> str:
    return f"link {link.id}"


def _link(link: Link, template: str) -> dict[str, Any]:
    values = {slot: {"type": uid[0], "id": uid[1]} for slot, uid in link.values.items()}
    return {"template_id": template, "new_id": _link_name(link), "values": values}


def _remember(cache: OrderedDict[Any, Any], key: Any, value: Any, limit: int) -> None:
    cache[key] = value
    if len(cache) > limit:
        cache.popitem(last=False)  # oldest first: hot keys come back at the cost of one parse


def load_entities(entities: Iterable[Mapping[str, Json]], schema: cedarpy.Schema | None) -> EntityStore:
    """Return a store of these entities and of the schema's actions, checked against the schema.

    The engine reads them once and writes them back, so that every value is in its explicit form and the schema's
    action groups are among them.

    Raises:
        InputError: an entity does not fit the schema, or the membership graph has a cycle.
    """
    text = msgspec.json.encode(list(entities)).decode()
    try:
        handle = _internal.Entities.from_json_str(text, schema)
        return EntityStore(msgspec.json.decode(str(handle)))
    except ValueError as error:
        raise InputError(f"entities do not load: {first_line(error)}") from error
