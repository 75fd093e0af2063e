"""Grants and revokes delegations. A grant is a record first; what a chain allows is judged in ``delegation_chains``."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from sealgate.authority import answers
from sealgate.authority.delegation_chains import FACT, Chains, Unproven
from sealgate.authority.drafts import Draft, Receipt
from sealgate.authority.recorder import Recorder
from sealgate.authority.state import Memory
from sealgate.model.delegations import (
    DEFAULT_S,
    MAX_DEPTH,
    MAX_S,
    Delegation,
    DelegationGranted,
    DelegationRequest,
    DelegationRevoked,
)
from sealgate.model.errors import InputError, NotPermittedError
from sealgate.model.evaluation import Identity
from sealgate.model.identifiers import require_name, require_uuid
from sealgate.model.records import Kind
from sealgate.policy import delegation as pure

__all__ = ["FACT", "MAX_DELEGATIONS", "Delegations", "Unproven", "fields_of"]

MAX_DELEGATIONS: Final = 10_000
_SEES_ALL: Final = frozenset({"operate", "read", "administer"})


class Delegations:
    """The delegations in force. One event loop owns it."""

    def __init__(self, *, memory: Memory, recorder: Recorder, unproven: Unproven = "judge") -> None:
        self._memory = memory
        self._recorder = recorder
        self._chains = Chains(memory=memory, time=recorder.time, unproven=unproven)
        self.prepare, self.judge, self.lapsed = self._chains.prepare, self._chains.judge, self._chains.lapsed
        self.revoked: Callable[[], object] = lambda: None
        """Told when a delegation was revoked: what was issued under it ends."""

    # Granting and revoking

    async def grant(self, request: DelegationRequest, caller: Identity) -> DelegationGranted:
        """Grant a delegation, once that is on stable storage. Its id is its record's.

        Raises:
            InputError: malformed, wider than what is above it, too deep, or a circle.
            NotPermittedError: the caller may not speak for the delegator.
            UnavailableError: it could not be recorded; nothing is granted.
        """
        now = self._recorder.time.now_ms()
        above = self._above(request, caller, now)
        tools, resources, bounds = pure.narrowed(
            above, tools=request.tools, resources=request.resources, bounds=request.bounds
        )
        expires_ms = _expiry(request, above, now)
        if len(self._memory.delegations) >= MAX_DELEGATIONS:
            self._forget_expired(now)
        if len(self._memory.delegations) >= MAX_DELEGATIONS:
            raise InputError(f"there are {MAX_DELEGATIONS} delegations", hint="revoke those that are over")
        draft = self._recorder.draft(Kind.DELEGATION_GRANTED)
        granted = Delegation(
            delegation_id=draft.record_id,
            delegator=request.delegator,
            delegator_type=request.delegator_type,
            delegate=request.delegate,
            parent=request.parent,
            depth=above.depth + 1 if above else 1,
            tools=tools,
            resources=resources,
            bounds=bounds,
            task=request.task or (above.task if above else None),
            expires_at=self._recorder.time.text(expires_ms),
            expires_ms=expires_ms,
            granted_by=caller.principal,
            reason=require_name(request.reason or "no reason given", "reason"),
        )
        draft.fields = fields_of(granted)
        receipt = await self._record(draft, caller, granted)
        if above is not None and above.delegation_id not in self._memory.delegations:
            raise NotPermittedError("the delegation above was revoked meanwhile", code="delegation-unknown")
        self._memory.delegations[granted.delegation_id] = granted
        return DelegationGranted(
            receipt.record_id, answers.reference(receipt), granted.delegation_id, granted.depth, granted.expires_at
        )

    def _above(self, request: DelegationRequest, caller: Identity, now: int) -> Delegation | None:
        delegator = require_name(request.delegator, "delegator")
        delegate = require_name(request.delegate, "delegate")
        if request.task is not None:
            require_name(request.task, "task id")
        own = request.delegator_type == "user" and caller.principal == delegator
        if not own and not (request.delegator_type == "agent" and caller.speaks_for(delegator)):
            raise NotPermittedError(
                f"`{caller.principal}` may not speak for `{delegator}`",
                code="subject-not-allowed",
                hint="persons delegate under their own name, agents by who speaks for them",
            )
        if delegator == delegate:
            raise InputError("nobody delegates to themselves", hint="name another agent")
        if request.parent is None:
            return None
        if request.delegator_type != "agent":
            raise InputError("only an agent delegates further", hint="a person's delegation is the first link")
        links = list(self._chains.links(require_uuid(request.parent, "delegation id")))
        if not links or links[0].delegate != delegator or any(link.expires_ms <= now for link in links):
            raise NotPermittedError(
                f"no delegation of this id to `{delegator}` is in force", code="delegation-unknown", hint="ask for one"
            )
        above = links[0]
        if above.depth >= MAX_DEPTH:
            raise InputError(f"the chain has {MAX_DEPTH} links already", hint="act from further up")
        if delegate in {link.delegator for link in links}:
            raise InputError("the delegation would be a circle", hint="name an agent that is not in the chain")
        if above.task is not None and request.task not in (None, above.task):
            raise InputError("the delegation above is for another task", hint="leave `task` out")
        return above

    def _forget_expired(self, now: int) -> None:
        for known in [each for each in self._memory.delegations.values() if each.expires_ms <= now]:
            self._memory.delegations.pop(known.delegation_id, None)

    async def revoke(self, delegation_id: str, reason: str, caller: Identity) -> DelegationRevoked:
        """Take a delegation back with everything below it: at once, and recorded then.

        Raises:
            NotPermittedError: there is none of this id that the caller may revoke.
            UnavailableError: it is revoked but could not be recorded; send it again.
        """
        links = list(self._chains.links(delegation_id))
        above = {link.delegator for link in links if link.delegator_type == "agent"}
        persons = {link.delegator for link in links if link.delegator_type == "user"}
        allowed = "operate" in caller.roles or caller.principal in persons or any(map(caller.speaks_for, above))
        if not links or not allowed:
            raise NotPermittedError("there is no such delegation", code="delegation-unknown", hint="list them")
        require_name(reason, "reason")
        draft = self._recorder.draft(Kind.DELEGATION_REVOKED)
        below = sorted(self._memory.below(delegation_id))
        draft.fields = {"delegation_id": delegation_id, "revoked_by": caller.principal, "reason": reason}
        draft.fields |= {"below": len(below)}
        recording = self._record(draft, caller, links[0])
        kept = self._memory.revoke_delegation(delegation_id)
        self.revoked()
        try:
            receipt = await recording
        except Exception:
            self._memory.delegations |= {each.delegation_id: each for each in kept}  # as the journal has it
            raise
        return DelegationRevoked(receipt.record_id, answers.reference(receipt), [delegation_id, *below])

    def all(self, caller: Identity) -> list[Delegation]:
        """Return the delegations in force that the caller may see, oldest first."""
        now = self._recorder.time.last_ms
        seen = bool(_SEES_ALL & caller.roles)

        def own(link: Delegation) -> bool:
            if link.delegator_type == "user" and link.delegator == caller.principal:
                return True
            agents = (link.delegate, link.delegator) if link.delegator_type == "agent" else (link.delegate,)
            return any(map(caller.speaks_for, agents))

        known = self._memory.delegations.values()
        return [link for link in known if link.expires_ms > now and (seen or own(link))]

    def _record(self, draft: Draft, caller: Identity, link: Delegation) -> Awaitable[Receipt]:
        """Append now; the result can be awaited."""
        agent = answers.agent(link.delegate, caller, [link.delegator])
        return self._recorded(self._recorder.record(draft, agent=agent, task_id=link.task))

    async def _recorded(self, appended: Awaitable[Receipt]) -> Receipt:
        receipt = await appended
        self._memory.cursor = max(self._memory.cursor, receipt.index + 1)
        return receipt


def fields_of(granted: Delegation) -> dict[str, Any]:
    """Return the members of a grant's record: the delegation but for what its time says again."""
    members: dict[str, Any] = msgspec.to_builtins(granted)
    del members["expires_ms"]
    return members


def _expiry(request: DelegationRequest, above: Delegation | None, now: int) -> int:
    longest = above.expires_ms if above else now + MAX_S * 1000
    if request.expires_in_s is None:
        return min(longest, now + DEFAULT_S * 1000)
    if request.expires_in_s < 1 or now + request.expires_in_s * 1000 > longest:
        raise InputError(
            f"expires_in_s `{request.expires_in_s}` is out of range",
            hint="no longer than the delegation above" if above else f"1 to {MAX_S}",
        )
    return now + request.expires_in_s * 1000
