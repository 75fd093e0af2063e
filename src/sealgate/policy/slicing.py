"""Scope index: which policies can matter to a request, without evaluating any.

The engine's cost is linear in the number of policies even where their scope misses. A policy whose scope does not
match neither applies nor errs, so leaving it out cannot change an answer. The index keeps, for each of principal,
action and resource, what a scope asks for:

- ``any``: no constraint, a template slot (its value is filled in elsewhere), or anything not known here;
- ``==`` an entity: the request's own entity;
- ``in`` an entity: the request's entity or an ancestor (``is T in E`` counts as this; it admits more, never less);
- ``is`` a type: the request's entity type.

INVARIANT: for every request the slice contains each policy whose scope matches it. Tests compare with full evaluation.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any, Final

Uid = tuple[str, str]
"""An entity: (type, id)."""

Key = tuple[str, str, str]
"""One constraint of a scope: (operator, type, id)."""

ANY: Final[Key] = ("any", "", "")


def uid_of(entity: Mapping[str, Any]) -> Uid:
    """Return the entity of ``{"type", "id"}`` or ``{"__entity": {"type", "id"}}``."""
    inner = entity.get("__entity", entity)
    return inner["type"], inner["id"]


def _keys(constraint: Mapping[str, Any]) -> list[Key]:
    match constraint:
        case {"op": "==", "entity": dict() as entity}:
            return [("==", *uid_of(entity))]
        case {"op": "in", "entity": dict() as entity}:
            return [("in", *uid_of(entity))]
        case {"op": "in", "entities": list() as entities}:
            return [("in", *uid_of(entity)) for entity in entities]
        case {"op": "is", "in": {"entity": dict() as entity}}:
            return [("in", *uid_of(entity))]
        case {"op": "is", "in": _}:
            return [ANY]
        case {"op": "is", "entity_type": str() as entity_type}:
            return [("is", entity_type, "")]
        case _:
            return [ANY]


def scope_keys(policy: Mapping[str, Any]) -> Iterator[tuple[Key, Key, Key]]:
    """Yield each (principal, action, resource) constraint of a policy in the engine's JSON form."""
    yield from product(*(_keys(policy[part]) for part in ("principal", "action", "resource")))


def request_keys(uid: Uid, ancestors: Iterable[Uid]) -> list[Key]:
    """Return every constraint that ``uid`` with these ancestors satisfies."""
    return [ANY, ("==", *uid), ("is", uid[0], ""), ("in", *uid), *(("in", *ancestor) for ancestor in ancestors)]


class ScopeIndex:
    """Policies by what their scope asks for. Immutable after construction."""

    def __init__(self, policies: Mapping[str, Mapping[str, Any]]) -> None:
        self._order = {policy_id: position for position, policy_id in enumerate(policies)}
        self._by_scope: dict[tuple[Key, Key, Key], list[str]] = {}
        for policy_id, policy in policies.items():
            for keys in scope_keys(policy):
                self._by_scope.setdefault(keys, []).append(policy_id)

    def candidates(self, principal: list[Key], action: list[Key], resource: list[Key]) -> tuple[str, ...]:
        """Return the ids of all policies that could match, in their order in the policy set."""
        found: set[str] = set()
        for keys in product(principal, action, resource):
            found.update(self._by_scope.get(keys, ()))
        return tuple(sorted(found, key=self._order.__getitem__))
