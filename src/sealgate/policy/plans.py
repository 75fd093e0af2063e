"""What all requests of one principal, tool and resource have in common, worked out once and remembered."""

from collections.abc import Mapping
from typing import Final

import msgspec

from sealgate.model.decisions import Reason

from .arguments import Converter
from .context_reads import Reads
from .engine import MAX_SCOPES, Evaluator, Scope
from .entities import EntityStore
from .policy_set import first_line
from .session import PROVENANCE, SESSION
from .slicing import Uid
from .stub import Stub
from .tools import Tool
from .verdicts import PolicyRequest, PolicyVerdict, silent

MAX_WARMED: Final = 4096
"""Slices parsed at load, so that the first requests do not pay for it."""

MAX_PLANS: Final = MAX_SCOPES
"""Plans kept: what does not change between requests of one principal, tool and resource."""

WIRE_TYPES: Final = {"agent": "Agent", "user": "User", "tool_server": "McpServer"}
"""AuthZEN's lower-case type names and the entity types they stand for, where the schema has no type of that name."""


class Kept(msgspec.Struct, frozen=True):
    """Which of the authority's own facts a slice reads; of ``provenance`` these arguments, None meaning all."""

    session: bool
    arguments: frozenset[str] | None


class Plan(msgspec.Struct, frozen=True):
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


class Plans:
    """The plans of one policy set. Immutable; only its caches change. One thread."""

    def __init__(self, stub: Stub, tools: Mapping[str, Tool], entities: EntityStore, evaluator: Evaluator) -> None:
        self._stub = stub
        self._entities = entities
        self._evaluator = evaluator
        self._converters = {name: Converter(tool, stub) for name, tool in tools.items()}
        self._action_type = stub.qualified("Action")
        self._principals = self._wire_names(stub.principals)
        self._resources = self._wire_names(stub.resources)
        self._known: dict[tuple[Uid, str, Uid], Plan] = {}

    def find(self, request: PolicyRequest) -> Plan | PolicyVerdict:
        """Return the plan of a request, or why nothing can be decided about it.

        Raises:
            TypeError: the principal, action or resource is not made of texts.
        """
        return self._known.get((request.principal, request.action, request.resource)) or self._make(request)

    def _make(self, request: PolicyRequest) -> Plan | PolicyVerdict:
        converter = self._converters.get(request.action)
        if converter is None:
            return silent(Reason.UNKNOWN_TOOL, f"no tool `{request.action:.80}` is published")
        principal_type = self._principals.get(request.principal[0])
        resource_type = self._resources.get(request.resource[0])
        if principal_type is None or resource_type is None:
            wrong = request.resource[0] if principal_type else request.principal[0]
            return silent(Reason.NO_POLICY, f"no policy can speak of the entity type `{wrong:.80}` here")
        principal, resource = (principal_type, request.principal[1]), (resource_type, request.resource[1])
        try:
            scope = self._evaluator.scope_of(principal, (self._action_type, request.action), resource)
        except (TypeError, ValueError) as error:
            return silent(Reason.POLICY_ERROR, f"the policies cannot be read: {first_line(error)}")
        reads = scope.slice.reads
        arguments = reads.parts.get("input") if not reads.everything and reads.parts.keys() == {"input"} else None
        plan = Plan(
            converter,
            scope,
            places=reads.everything or "normalized" in reads.parts,
            facts=reads.everything or not reads.parts.keys().isdisjoint(self._stub.contexts),
            kept=_kept_reads(reads) if self._stub.kept else None,
            only_input=None if arguments is None else tuple(sorted(arguments)),
            principals=self._entities.ancestors(principal) | {principal},
            resources=self._entities.ancestors(resource) | {resource},
        )
        if len(self._known) >= MAX_PLANS:
            del self._known[next(iter(self._known))]  # the oldest; it comes back at the cost of a few look-ups
        self._known[request.principal, request.action, request.resource] = plan
        return plan

    def _wire_names(self, names: tuple[str, ...]) -> dict[str, str]:
        known = {name: self._stub.qualified(name) for name in names}
        known |= {self._stub.qualified(name): self._stub.qualified(name) for name in names}
        for wire, name in WIRE_TYPES.items():
            if name in names:
                known.setdefault(wire, self._stub.qualified(name))
        # One kind of principal or resource: a common AuthZEN type can only mean that one.
        if len(names) == 1:
            for wire in ("agent",) if names == self._stub.principals else ("tool_server",):
                known.setdefault(wire, self._stub.qualified(names[0]))
        return known

    def warm(self) -> None:
        """Parse the slices that the first requests will need."""
        principals = [uid for uid in self._uids() if uid[0] in set(self._principals.values())]
        resources = [uid for uid in self._uids() if uid[0] in set(self._resources.values())]
        actions = [(self._action_type, name) for name in self._converters]
        scopes = ((who, what, where) for who in principals for where in resources for what in actions)
        for number, scope in enumerate(scopes):
            if number >= MAX_WARMED:
                break
            self._evaluator.scope_of(*scope)

    def _uids(self) -> list[Uid]:
        return [(entity["uid"]["type"], entity["uid"]["id"]) for entity in self._entities]


def _kept_reads(reads: Reads) -> Kept | None:
    if reads.everything:
        return Kept(True, None)
    if reads.parts.keys().isdisjoint((SESSION, PROVENANCE)):
        return None
    return Kept(SESSION in reads.parts, reads.parts.get(PROVENANCE, frozenset()))
