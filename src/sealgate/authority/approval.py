"""One approval: what it is for, who has answered, how many people are still needed; also read back from its record."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sealgate.model.approvals import Bound, CapabilityTerms, Needed, Scope, SumBound
from sealgate.model.lifecycle import ApprovalState


class Vote(msgspec.Struct, frozen=True):
    """One person's yes or no; ``roles`` are those the person could approve in then."""

    principal: str
    proof: str
    roles: list[str]
    at_ms: int
    reason: str


class Approval(msgspec.Struct):
    """One approval. ``uses`` are the decisions that used it, each with what it took from the sum.

    ``exact``: ``arguments``, which people see, are those that will run, with nothing taken out.
    """

    id: str
    scope: Scope
    agent: str
    principal: str
    on_behalf_of: list[str]
    tool: str | None
    resource: str | None
    definition_sha256: str | None
    policies: list[str]
    policy_version: str
    needed: list[Needed]
    requested_ms: int
    expires_ms: int
    binding: str | None = None
    arguments: str | None = None
    exact: bool = True
    decision_id: str | None = None
    task_id: str | None = None
    trace: dict[str, str | None] | None = None
    terms: CapabilityTerms | None = None
    reason: str | None = None
    state: ApprovalState = ApprovalState.REQUESTED
    votes: list[Vote] = []
    refusal: Vote | None = None
    uses: dict[str, str] = {}

    @property
    def max_uses(self) -> int:
        """How often it may be used."""
        return self.terms.max_uses if self.terms is not None else 1

    @property
    def requesters(self) -> frozenset[str]:
        """Who may not decide it: who asked, for whom, and on whose behalf."""
        return frozenset((self.principal, self.agent, *self.on_behalf_of))

    def missing(self, voters: Mapping[str, list[str]] | None = None) -> int:
        """Return how many people are still needed, with ``voters`` (principal → roles) beside those who voted."""
        return uncovered(self.needed, {vote.principal: vote.roles for vote in self.votes} | dict(voters or {}))


def uncovered(needed: list[Needed], voters: Mapping[str, list[str]]) -> int:
    """Return how many places stay empty when every voter takes one place of a role he has, as well as it can be done.

    One person fills one place, whatever roles he has: two people means two people.
    """
    places = [need.role for need in needed for _ in range(need.count)]
    holder: dict[int, str] = {}

    def seat(voter: str, tried: set[int]) -> bool:
        for place, role in enumerate(places):
            if role in voters[voter] and place not in tried:
                tried.add(place)
                if place not in holder or seat(holder[place], tried):
                    holder[place] = voter
                    return True
        return False

    for voter in voters:
        seat(voter, set())
    return len(places) - len(holder)


def requested(body: Mapping[str, Any], now_ms: int, unix_ms: Any) -> Approval:
    """Return the approval that a record asked for (replay)."""
    capability, resource = body["capability"], body["resource"]
    agent = body["agent"]
    return Approval(
        id=body["record_id"],
        scope=body["scope"],
        agent=agent["id"],
        principal=agent["principal"],
        on_behalf_of=agent["on_behalf_of"],
        tool=body["tool_name"],
        resource=None if resource is None else f"{resource['type']}::{resource['id']}",
        definition_sha256=body["definition_sha256"],
        policies=body["policies"],
        policy_version=body["policy_version"],
        needed=[Needed(**need) for need in body["needed"]],
        requested_ms=now_ms,
        expires_ms=unix_ms(body["expires_at"]),
        binding=body["binding"],
        arguments=body["arguments_json"],
        exact=body["arguments_exact"] is not False,
        decision_id=body["decision_id"],
        task_id=body["task_id"],
        trace=body["trace"],
        terms=None if capability is None else _terms(capability, body["task_id"]),
        reason=body["reason"],
    )


def _terms(capability: Mapping[str, Any], task_id: str | None) -> CapabilityTerms:
    bounds = [
        Bound(
            bound["argument"],
            None if bound["one_of_json"] is None else msgspec.json.decode(bound["one_of_json"]),
            bound["at_most"],
            bound["at_least"],
            bound["prefix"],
        )
        for bound in capability["bounds"]
    ]
    most = capability["max_sum"]
    return CapabilityTerms(
        capability["tools"], capability["max_uses"], bounds, None if most is None else SumBound(**most), task_id
    )
