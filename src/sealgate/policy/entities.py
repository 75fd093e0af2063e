"""Entity data: who is in what, and the small part of it that one request can see.

The engine parses entities on every call that does not bring a handle, and a handle on thousands of entities is slow to
extend. So a request gets a handle on its *closure*: everything reachable from its principal, resource, action, the
entities in its context and those that the policies of its slice name, by parents, attributes and tags. What is not
reachable cannot be read by any policy, so leaving it out cannot change an answer.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sealgate.model.errors import InputError

from .slicing import Uid, uid_of

Json = Any


def references(value: Json) -> Iterator[Uid]:
    """Yield every entity that a JSON value (attributes, a context, a policy) names."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if isinstance(item.get("type"), str) and isinstance(item.get("id"), str):
                yield item["type"], item["id"]
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


class EntityStore:
    """Entities in the engine's JSON form, by uid. Immutable after construction."""

    def __init__(self, entities: Iterable[Mapping[str, Json]]) -> None:
        self._entities: dict[Uid, Mapping[str, Json]] = {}
        self._edges: dict[Uid, frozenset[Uid]] = {}
        self._ancestors: dict[Uid, frozenset[Uid]] = {}
        for entity in entities:
            try:
                uid = uid_of(entity["uid"])
            except (KeyError, TypeError, AttributeError) as error:
                raise InputError("an entity has no `uid` with `type` and `id`") from error
            if uid in self._entities:
                raise InputError(f"entity `{uid[0]}::{uid[1]}` appears twice")
            self._entities[uid] = entity

    def __contains__(self, uid: Uid) -> bool:
        return uid in self._entities

    def __iter__(self) -> Iterator[Mapping[str, Json]]:
        return iter(self._entities.values())

    def ancestors(self, uid: Uid) -> frozenset[Uid]:
        """Return everything that ``uid`` is in, itself excluded."""
        known = self._ancestors.get(uid)
        if known is None:
            if uid not in self._entities:
                return frozenset()
            known = self._ancestors[uid] = frozenset(self._climb(uid))
        return known

    def _climb(self, uid: Uid) -> set[Uid]:
        found: set[Uid] = set()
        stack = [uid]
        while stack:
            for parent in self._entities.get(stack.pop(), {}).get("parents", ()):
                parent_uid = uid_of(parent)
                if parent_uid not in found:
                    found.add(parent_uid)
                    stack.append(parent_uid)
        found.discard(uid)
        return found

    def closure(self, roots: Iterable[Uid]) -> list[Mapping[str, Json]]:
        """Return every entity reachable from ``roots`` by parents, attributes and tags, in a stable order."""
        found: set[Uid] = set()
        stack = list(roots)
        while stack:
            uid = stack.pop()
            if uid in found or uid not in self._entities:
                continue
            found.add(uid)
            stack.extend(self._edges_of(uid))
        return [self._entities[uid] for uid in sorted(found)]

    def _edges_of(self, uid: Uid) -> frozenset[Uid]:
        edges = self._edges.get(uid)
        if edges is None:
            entity = self._entities[uid]
            parts = [entity.get("parents"), entity.get("attrs"), entity.get("tags")]
            edges = self._edges[uid] = frozenset(references(parts))
        return edges
