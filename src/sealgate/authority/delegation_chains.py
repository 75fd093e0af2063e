"""Judges chains of delegations, link by link, at every decision: each must be in force and cover the action.

Its delegator must not be forbidden it either. So a delegation never permits anything: it can only take away from what
the acting agent may.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec

from sealgate.authority.permits import OpenDecision
from sealgate.authority.rulebook import Rulebook, Ruling
from sealgate.authority.state import Memory
from sealgate.authority.timekeeping import Timekeeper
from sealgate.model.decisions import Outcome, Reason
from sealgate.model.delegations import MAX_DEPTH, Delegation
from sealgate.model.errors import InputError
from sealgate.model.evaluation import Entity, EvaluationRequest
from sealgate.model.identifiers import require_uuid
from sealgate.policy import delegation as pure
from sealgate.ports.judging import Judgement

FACT: Final = "delegation"

Unproven = Literal["judge", "refuse"]


class Chains:
    """The chains of the delegations in force. One event loop owns it."""

    def __init__(self, *, memory: Memory, time: Timekeeper, unproven: Unproven) -> None:
        self._memory = memory
        self._time = time
        self._unproven: Unproven = unproven

    def links(self, delegation_id: str | None) -> Iterator[Delegation]:
        """Yield the links from one up to the first; nothing where one of them is missing."""
        links: list[Delegation] = []
        while delegation_id is not None:
            link = self._memory.delegations.get(delegation_id)
            if link is None or len(links) >= MAX_DEPTH:
                return
            links.append(link)
            delegation_id = link.parent
        yield from links

    def prepare(self, request: EvaluationRequest, *, offered: bool) -> tuple[EvaluationRequest, tuple[str, ...]]:
        """Return the request with its proven chain in place of what it claims, and the chain's ids, first link first.

        ``offered``: whether the policy set has ``context.delegation``. Without a delegation the claim stays a claim.

        Raises:
            InputError: the delegation's id is malformed, or the chain is not what ``on_behalf_of`` says.
        """
        context = request.context
        links = self._chain_of(request)
        if not links:
            return request, () if context.delegation is None else (context.delegation,)
        names = [link.delegator for link in links]
        if context.on_behalf_of and context.on_behalf_of != names:
            raise InputError("`on_behalf_of` is not the chain of the delegation", hint="leave it out")
        facts = context.facts
        if offered:
            facts = {**facts, FACT: {"length": len(links), "origin": names[0]}}
        changed = msgspec.structs.replace(context, on_behalf_of=names, facts=facts)
        return msgspec.structs.replace(request, context=changed), tuple(link.delegation_id for link in links)

    def _chain_of(self, request: EvaluationRequest) -> list[Delegation]:
        context = request.context
        if context.delegation is not None:
            return list(self.links(require_uuid(context.delegation, "delegation id")))[::-1]
        now = self._time.last_ms
        for known in self._memory.delegations.values():
            if known.delegate == request.subject.id and known.delegator == context.on_behalf_of[-1]:
                links = list(self.links(known.delegation_id))[::-1]
                if [link.delegator for link in links] == context.on_behalf_of and self.standing(links, now) == "":
                    return links
        return []

    def standing(self, links: list[Delegation], now_ms: int) -> str:
        """Return why a chain is not in force, or nothing."""
        if not links:
            return "the delegation is unknown or revoked"
        if any(link.expires_ms <= now_ms for link in links):
            return "the delegation expired"
        if any(link.delegator_type == "agent" and link.delegator in self._memory.paused for link in links):
            return "a delegator is paused"
        return ""

    def lapsed(self, decision: OpenDecision, now_ms: int) -> bool:
        """Tell whether a permit was given under a delegation that is not in force any more."""
        if decision.delegation is None:
            return False
        return self.standing(list(self.links(decision.delegation)), now_ms) != ""

    def judge(
        self, request: EvaluationRequest, chain: tuple[str, ...], rulebook: Rulebook, now_ms: int
    ) -> Ruling | list[dict[str, Any]]:
        """Return the ruling that refuses an action on others' behalf, or the duties that their policies add."""
        if not chain:
            return self._judge_claims(request, rulebook)
        links = list(self.links(chain[-1]))[::-1]
        problem = self.standing(links, now_ms)
        if not problem and links[-1].delegate != request.subject.id:
            problem = "the delegation is to another agent"
        if problem:
            return _denied(problem, rulebook)
        task = request.context.task
        resource = f"{request.resource.type}::{request.resource.id}"
        duties: list[dict[str, Any]] = []
        for link in links:
            problem = pure.problem_of(link, request.action.name, resource, request.context.input)
            if link.task is not None and (task is None or task.id != link.task):
                problem = "the delegation is for another task"
            if problem:
                return _denied(problem, rulebook)
            judgement = _judged_as(link.delegator_type, link.delegator, request, rulebook)
            if judgement.outcome is Outcome.DENY:
                return _denied(f"delegator `{link.delegator}`: {judgement.message}", rulebook, judgement.policies)
            # An agent gives away what it may itself. What persons may is mostly not in policies: not forbidden will do.
            if judgement.outcome is Outcome.SILENCE and (
                link.delegator_type == "agent" or judgement.reason is not Reason.NO_POLICY
            ):
                message = f"delegator `{link.delegator}`: {judgement.message}"
                return Ruling(Outcome.SILENCE, judgement.reason, message, policy_version=rulebook.version)
            duties += [duty for duty in judgement.obligations if duty not in duties]
        return duties

    def _judge_claims(self, request: EvaluationRequest, rulebook: Rulebook) -> Ruling | list[dict[str, Any]]:
        """Judge names that no delegation proves: they may be forbidden something, and are never permitted by it."""
        if self._unproven == "refuse":
            return _denied("no delegation proves `on_behalf_of`", rulebook)
        for name in request.context.on_behalf_of:
            if name in self._memory.paused:
                return _denied(f"`{name}` is paused", rulebook)
            for kind in ("agent", "user"):
                judgement = _judged_as(kind, name, request, rulebook)
                if judgement.outcome is Outcome.DENY:
                    return _denied(f"on behalf of `{name}`: {judgement.message}", rulebook, judgement.policies)
        return []


def _denied(message: str, rulebook: Rulebook, policies: list[str] | None = None) -> Ruling:
    return Ruling(Outcome.DENY, Reason.NOT_DELEGATED, message, policies=policies or [], policy_version=rulebook.version)


def _judged_as(kind: str, name: str, request: EvaluationRequest, rulebook: Rulebook) -> Judgement:
    """Return what the policies say of the same action by a delegator itself."""
    facts = {fact: value for fact, value in request.context.facts.items() if fact != FACT}
    context = msgspec.structs.replace(request.context, facts=facts)
    asked = msgspec.structs.replace(request, subject=Entity(kind, name), context=context)
    prepared = rulebook.recall(asked)
    return prepared if isinstance(prepared, Judgement) else rulebook.judge(prepared, lambda: float("inf"))
