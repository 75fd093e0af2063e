"""The context of one request: typed arguments, the caller's facts, the authority's own; cut to what policies read."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from sealgate.model.errors import InputError

from .arguments import Converted, UnfitError
from .facts import FactTypes
from .plans import Plan
from .session import PROVENANCE, SESSION, UNKNOWN
from .shapes import RESERVED_KEYS
from .stub import Stub
from .verdicts import PolicyRequest

Json = Any


class Contexts:
    """Makes contexts under one schema."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._no_facts: dict[str, dict[str, Json]] = {name: {} for name in stub.contexts}
        self._fact_types = FactTypes(stub)
        if stub.kept and not self._fact_types.fit_one(SESSION, _UNKNOWN_SESSION):
            raise InputError(
                "the stub's kept type `session` lacks what the authority keeps",
                hint=f"declare {', '.join(sorted(_KEPT_NAMES))} as in the default schema",
            )

    def make(self, plan: Plan, request: PolicyRequest) -> tuple[Converted, str, bool]:
        """Return the arguments, the context as text, and whether the engine must check it against the schema.

        Arguments are typed here, and facts are of their declared types wherever that can be seen here: then what no
        policy reads is left out and the schema not asked again. Any other facts the engine checks, and all of them.
        """
        facts = request.facts
        provenance: Mapping[str, Json] = {}
        if plan.kept is not None or (facts and self._stub.kept):
            facts = _with_session(facts, request.kept.get(SESSION))
            provenance = _provenance(request.arguments, request.kept.get(PROVENANCE, {}))
        validate = bool(request.facts) and not self._fact_types.fit(facts)
        converted = plan.converter.convert(request.arguments, places=plan.places or validate)
        members: Mapping[str, Mapping[str, Json]] = converted.members
        if validate:
            members = {**members, **self._facts(facts)}
            if self._stub.kept:
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

    def _facts(self, facts: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
        known = self._stub.contexts
        for name, value in facts.items():
            if name not in known:
                raise UnfitError(f"fact `{name:.80}` is not in the schema")
            _refuse_escapes(value)
        return {name: facts.get(name, {}) for name in known}


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
