"""All approvals this authority knows: a projection of the journal, and what is reserved but not durable yet.

Only durable facts change an ``Approval``; what is on its way to stable storage is in ``opening``, ``voting`` and
``reserved``, which no snapshot holds. So a crash at any time loses nothing that was told, and grants nothing else.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from heapq import heappop, heappush
from typing import Any, Final

import msgspec

from sealgate.authority.approval import Approval, Vote, requested
from sealgate.authority.approval_figures import Figures
from sealgate.model.lifecycle import ApprovalEvent, ApprovalState, advance_approval
from sealgate.model.records import Kind

MAX_KEPT: Final = 20_000
"""Approvals in memory, those that are over included; the oldest of these are forgotten first."""

KEPT_MS: Final = 86_400_000
"""How long an approval that is over can still be asked for."""

_OPEN: Final = frozenset({ApprovalState.REQUESTED, ApprovalState.GRANTED})


class Book:
    """The approvals. One event loop owns it."""

    def __init__(self) -> None:
        self._all: dict[str, Approval] = {}
        self._bound: dict[str, str] = {}
        self._grants: dict[str, set[str]] = {}
        self._used_by: dict[str, str] = {}
        self._due: list[tuple[int, str]] = []
        self.figures = Figures()
        self.opening: dict[str, Approval] = {}
        """Asked for in a record that is not durable yet, by binding (capabilities: by id)."""
        self.voting: dict[str, dict[str, Vote]] = {}
        """Answers whose records are not durable yet, by approval and person."""
        self.reserved: dict[str, dict[str, str]] = {}
        """Uses by decisions that are not durable yet, by approval and decision."""

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Approval]:
        return iter(self._all.values())

    def get(self, approval_id: str) -> Approval | None:
        """Return an approval whose request is durable."""
        return self._all.get(approval_id)

    def open_count(self) -> int:
        """Return how many wait for people."""
        return sum(approval.state is ApprovalState.REQUESTED for approval in self) + len(self.opening)

    def bound_to(self, binding: str) -> Approval | None:
        """Return the newest approval of exactly this call."""
        found = self.opening.get(binding)
        if found is not None:
            return found
        known = self._bound.get(binding)
        return None if known is None else self._all.get(known)

    def capabilities(self, agent: str) -> list[Approval]:
        """Return the capability grants of an agent, the first to expire first."""
        grants = [self._all[name] for name in self._grants.get(agent, ()) if name in self._all]
        return sorted(grants, key=lambda approval: (approval.expires_ms, approval.id))

    def usable(self, approval: Approval, now_ms: int, policy_version: str | None) -> bool:
        """Tell whether one more use is possible now, those reserved counted."""
        used = len(approval.uses) + len(self.reserved.get(approval.id, ()))
        return (
            approval.state is ApprovalState.GRANTED
            and now_ms < approval.expires_ms
            and approval.policy_version == policy_version
            and used < approval.max_uses
        )

    def spent(self, approval: Approval) -> Decimal:
        """Return what the uses took from the sum, reserved ones included."""
        amounts = (*approval.uses.values(), *self.reserved.get(approval.id, {}).values())
        return sum((Decimal(amount) for amount in amounts), Decimal(0))

    def add(self, approval: Approval) -> None:
        """Take in a request that is durable."""
        self._all[approval.id] = approval
        heappush(self._due, (approval.expires_ms, approval.id))
        if approval.binding is not None:
            self._bound[approval.binding] = approval.id
        self.figures.asked(approval.requested_ms)

    def vote(self, approval_id: str, vote: Vote, *, grant: bool) -> None:
        """Take in a durable answer."""
        approval = self._all.get(approval_id)
        if approval is None or approval.state is not ApprovalState.REQUESTED:
            return
        self.figures.answered(vote.principal, grant=grant, after_ms=vote.at_ms - approval.requested_ms)
        if not grant:
            approval.refusal = vote
            self._move(approval, ApprovalEvent.REFUSE)
            return
        approval.votes = [*approval.votes, vote]
        enough = not approval.missing()
        self._move(approval, ApprovalEvent.GRANT if enough else ApprovalEvent.VOTE)
        if enough and approval.terms is not None:
            self._grants.setdefault(approval.agent, set()).add(approval.id)

    def consume(self, approval_id: str, decision_id: str, amount: str) -> None:
        """Take in a durable decision that used it."""
        approval = self._all.get(approval_id)
        if approval is None or decision_id in approval.uses:
            return
        approval.uses[decision_id] = amount
        if approval.terms is not None:
            self._used_by[decision_id] = approval_id
        self.figures.used += 1
        if len(approval.uses) >= approval.max_uses and approval.state is ApprovalState.GRANTED:
            self._move(approval, ApprovalEvent.CONSUME)

    def unused(self, decision_id: str) -> None:
        """Take back a capability's use whose permit expired unused: nothing ran. A single approval stays consumed."""
        approval = self._all.get(self._used_by.pop(decision_id, ""))
        if approval is None or approval.uses.pop(decision_id, None) is None:
            return
        if approval.state is ApprovalState.CONSUMED:
            self._move(approval, ApprovalEvent.RELEASE)

    def finish(self, approval_id: str, event: ApprovalEvent) -> None:
        """Take in a durable expiry or revocation."""
        approval = self._all.get(approval_id)
        if approval is None or approval.state not in _OPEN:
            return
        if event is ApprovalEvent.EXPIRE:
            self.figures.expired += 1
        else:
            self.figures.revoked += 1
        self._move(approval, event)

    def _move(self, approval: Approval, event: ApprovalEvent) -> None:
        approval.state = advance_approval(approval.state, event)
        if approval.state in _OPEN:
            return
        approval.arguments = None  # nobody has to see them any more
        if approval.terms is not None and approval.state is not ApprovalState.CONSUMED:
            self._grants.get(approval.agent, set()).discard(approval.id)

    def due(self, now_ms: int, policy_version: str | None, limit: int = 256) -> list[tuple[Approval, str]]:
        """Return open approvals whose time is over, or which the policy set in force does not know, with the cause.

        Each is returned until ``finish`` is told. What is over for long is forgotten.
        """
        over: list[tuple[Approval, str]] = []
        while self._due and self._due[0][0] <= now_ms and len(over) < limit:
            _, approval_id = heappop(self._due)
            approval = self._all.get(approval_id)
            if approval is None:
                continue
            if approval.state in _OPEN:
                over.append((approval, "time"))
            elif now_ms >= approval.expires_ms + KEPT_MS:
                self._forget(approval)
            else:
                heappush(self._due, (approval.expires_ms + KEPT_MS, approval_id))
        for approval, _ in over:  # should its record fail, it comes back
            heappush(self._due, (now_ms + 1, approval.id))
        if len(over) < limit and policy_version != self._swept_for:
            known = {approval.id for approval, _ in over}
            stale = [one for one in self if one.state in _OPEN and one.policy_version != policy_version]
            over += [(one, "policy_changed") for one in stale if one.id not in known][: limit - len(over)]
            if not stale:
                self._swept_for = policy_version
        self._bound_size()
        return over

    _swept_for: str | None = None

    def _bound_size(self) -> None:
        excess = len(self._all) - MAX_KEPT
        if excess > 0:
            finished = [approval for approval in self if approval.state not in _OPEN]
            for approval in finished[:excess]:
                self._forget(approval)

    def _forget(self, approval: Approval) -> None:
        del self._all[approval.id]
        if approval.binding is not None and self._bound.get(approval.binding) == approval.id:
            del self._bound[approval.binding]
        self._grants.get(approval.agent, set()).discard(approval.id)
        for decision_id in approval.uses:
            self._used_by.pop(decision_id, None)

    def apply(self, body: Mapping[str, Any], now_ms: int, unix_ms: Any) -> None:
        """Take in a record (replay)."""
        match body["kind"]:
            case Kind.APPROVAL_REQUESTED:
                self.add(requested(body, now_ms, unix_ms))
            case Kind.APPROVAL_GRANTED | Kind.APPROVAL_REFUSED:
                vote = Vote(body["principal"], body["agent"]["proof"], body["roles"], now_ms, body["reason"])
                self.vote(body["approval_id"], vote, grant=body["kind"] == Kind.APPROVAL_GRANTED)
            case Kind.APPROVAL_EXPIRED:
                self.finish(body["approval_id"], ApprovalEvent.EXPIRE)
            case Kind.APPROVAL_REVOKED:
                self.finish(body["approval_id"], ApprovalEvent.REVOKE)
            case _:
                pass

    def dump(self) -> "Dump":
        """Return a copy of what is durable, for a snapshot: it is written while approvals go on changing."""
        return msgspec.json.decode(msgspec.json.encode(Dump(list(self), self.figures)), type=Dump)

    def load(self, dump: "Dump") -> None:
        """Take in what ``dump`` returned."""
        for approval in dump.approvals:
            self._all[approval.id] = approval
            heappush(self._due, (approval.expires_ms, approval.id))
            if approval.binding is not None:
                self._bound[approval.binding] = approval.id
            if approval.terms is not None and approval.state in {ApprovalState.GRANTED, ApprovalState.CONSUMED}:
                self._grants.setdefault(approval.agent, set()).add(approval.id)
                self._used_by |= dict.fromkeys(approval.uses, approval.id)
        self.figures = dump.figures


class Dump(msgspec.Struct):
    """The book in a snapshot."""

    approvals: list[Approval] = []
    figures: Figures = msgspec.field(default_factory=Figures)
