"""Approvals on the path of a decision: find the one for exactly this call, use it once, or ask people.

Called only where a policy asks for an approval. Nothing here awaits: between the look-up and the append of the decision
that uses an approval nothing else can use it, and what is reserved is given back if that decision is not recorded.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec

from sealgate.authority.approval import Approval, uncovered
from sealgate.authority.approval_book import Book
from sealgate.authority.drafts import Draft
from sealgate.authority.permits import PermitMac
from sealgate.encoding import canonical
from sealgate.model.approvals import ApprovalReference, Bound, CapabilityTerms, Needed
from sealgate.model.errors import EncodingError
from sealgate.model.lifecycle import ApprovalState

MAX_SHOWN_BYTES: Final = 16 * 1024
"""Arguments whose redacted form is longer are not asked about: nobody should approve what cannot be read."""

_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Settings:
    """How people are asked. ``roles`` are each person's approver roles, by the name that records give them."""

    roles: dict[str, frozenset[str]]
    ttl_ms: int = 3_600_000
    prompts_per_hour: int = 60
    max_open: int = 1_000


class Call(msgspec.Struct, frozen=True):
    """One call that needs an approval, as the gate judged it."""

    agent: str
    principal: str
    proof: str
    on_behalf_of: list[str]
    tool: str
    definition_sha256: str | None
    resource: tuple[str, str]
    input: dict[str, Any]
    arguments: bytes
    arguments_sha256: bytes
    policies: list[str]
    policy_version: str
    needed: list[Needed]
    task_id: str | None
    trace: dict[str, str | None] | None


class Found(msgspec.Struct, frozen=True):
    """An approval that this call may use now, and what the use takes from its sum."""

    approval: Approval
    amount: str


class Asking(msgspec.Struct, frozen=True):
    """What the answer says, and the request that is to be recorded behind the decision, if it is a new one."""

    reference: ApprovalReference | None
    message: str
    opened: "Opened | None" = None


class Opened(msgspec.Struct, frozen=True):
    """A new request and its draft."""

    approval: Approval
    draft: Draft


class Requests:
    """Finds, reserves and opens approvals. One event loop owns it."""

    def __init__(
        self,
        *,
        book: Book,
        permits: PermitMac,
        settings: Settings,
        redact: Callable[[dict[str, Any]], dict[str, Any]],
        time_text: Callable[[int], str],
        new_draft: Callable[[], Draft],
    ) -> None:
        self._book = book
        self._permits = permits
        self._settings = settings
        self._redact = redact
        self._time_text = time_text
        self._new_draft = new_draft
        self._prompts: dict[str, deque[int]] = {}

    def binding(self, call: Call) -> str:
        """Return the keyed digest of all that an approval of this call is bound to."""
        bound: list[canonical.Json] = [
            call.agent,
            call.principal,
            list(call.on_behalf_of),
            call.tool,
            call.definition_sha256,
            list(call.resource),
            call.arguments_sha256.hex(),
            call.policy_version,
            [[need.role, need.count] for need in call.needed],
        ]
        return self._permits.binding(canonical.encode_own(bound))

    def find(self, call: Call, binding: str, now_ms: int) -> Found | None:
        """Return an approval that this call may use now: the one of exactly this call, else a capability grant."""
        book = self._book
        exact = book.bound_to(binding)
        if exact is not None and book.usable(exact, now_ms, call.policy_version):
            return Found(exact, "0")
        for approval in book.capabilities(call.agent):
            if book.usable(approval, now_ms, call.policy_version):
                amount = self._fits(approval, call)
                if amount is not None:
                    return Found(approval, amount)
        return None

    def _fits(self, approval: Approval, call: Call) -> str | None:
        """Return what the call takes from the capability's sum, or None where it is not covered."""
        terms = approval.terms
        if terms is None or not covers(terms, call):
            return None
        # Nobody decides what they asked for: nor by a yes given before, to calls that are made for them now.
        asking = {call.principal, call.agent, *call.on_behalf_of}
        voters = {vote.principal: vote.roles for vote in approval.votes if vote.principal not in asking}
        if uncovered(call.needed, voters):
            return None
        if terms.max_sum is None:
            return "0"
        amount = number(call.input.get(terms.max_sum.argument))
        if amount is None or amount < 0 or self._book.spent(approval) + amount > terms.max_sum.max:
            return None
        return str(amount)

    def reserve(self, found: Found, decision_id: str) -> ApprovalReference:
        """Let this decision use it; ``release`` if the decision is never recorded."""
        self._book.reserved.setdefault(found.approval.id, {})[decision_id] = found.amount
        return self.reference(found.approval, "consumed")

    def reference(self, approval: Approval, state: str) -> ApprovalReference:
        """Return what a decision says of an approval."""
        used = state == "consumed"
        method = None if not used else "human_approval" if approval.terms is None else "just_in_time"
        return ApprovalReference(
            approval.id,
            state,
            self._time_text(approval.expires_ms),
            approval.needed,
            [vote.principal for vote in approval.votes] if used else [],
            method,  # type: ignore[arg-type]  # one of the literals above
        )

    def release(self, approval_id: str, decision_id: str) -> str | None:
        """Take back a reservation and return its amount."""
        reserved = self._book.reserved.get(approval_id)
        if reserved is None:
            return None
        amount = reserved.pop(decision_id, None)
        if not reserved:
            del self._book.reserved[approval_id]
        return amount

    def ask(self, call: Call, binding: str, decision: Draft) -> Asking:
        """Return the approval that this call waits for; a new one where nobody was asked about it yet."""
        now_ms = decision.unix_ms
        known = self._book.bound_to(binding)
        if known is not None and now_ms < known.expires_ms:
            if known.state is ApprovalState.REQUESTED:
                return Asking(self.reference(known, "requested"), f"waits for {self._people(known.needed)}")
            if known.state in {ApprovalState.REFUSED, ApprovalState.REVOKED}:
                who = known.refusal.principal if known.refusal else "an operator"
                return Asking(self.reference(known, "refused"), f"the approval was refused by {who}")
        why_not = self._too_many(call.agent, now_ms)
        if why_not is not None:
            self._book.figures.suppressed += 1
            return Asking(None, why_not)
        shown = self.shown(call)
        if shown is None:
            return Asking(None, f"the arguments are longer than the {MAX_SHOWN_BYTES} bytes that can be shown")
        opened = self._open(call, binding, decision, shown)
        self._book.opening[binding] = opened.approval
        self._prompts[call.agent].append(now_ms)
        return Asking(self.reference(opened.approval, "requested"), self._message(call), opened)

    def _message(self, call: Call) -> str:
        message = f"an approval is needed: {self._people(call.needed)}"
        voters = {
            name: sorted(roles)
            for name, roles in self._settings.roles.items()
            if name not in {call.principal, call.agent, *call.on_behalf_of}
        }
        if uncovered(call.needed, voters):
            message += "; not enough people are configured who could give it"
        return message

    @staticmethod
    def _people(needed: list[Needed]) -> str:
        return ", ".join(f"{need.count} of `{need.role}`" for need in needed)

    def _too_many(self, agent: str, now_ms: int) -> str | None:
        """Return why nobody is asked now, or None. Flooding people with prompts is an attack on their judgement."""
        asked = self._prompts.get(agent)
        if asked is None:
            times = (one.requested_ms for one in self._book if one.agent == agent and one.terms is None)
            asked = self._prompts[agent] = deque(times)
        while asked and asked[0] <= now_ms - _HOUR_MS:
            asked.popleft()
        if len(asked) >= self._settings.prompts_per_hour:
            return f"people were asked {len(asked)} times for agent `{agent}` within an hour; nobody is asked again now"
        if self._book.open_count() >= self._settings.max_open:
            return f"{self._settings.max_open} approvals wait already; nobody is asked again now"
        return None

    def shown(self, call: Call) -> str | None:
        """Return the arguments as approvers see them: JSON text after the field policy; None where it is too long."""
        item = {
            "kind": "approval.requested",
            "attributes": {"tool": {"name": call.tool}, "arguments": call.input},
        }
        try:
            redacted = self._redact(item)["attributes"].get("arguments", {})
            return canonical.encode_arguments(redacted, max_bytes=MAX_SHOWN_BYTES).decode()
        except EncodingError:
            return None

    def _open(self, call: Call, binding: str, decision: Draft, shown: str) -> Opened:
        draft = self._new_draft()
        approval = Approval(
            id=draft.record_id,
            scope="action",
            agent=call.agent,
            principal=call.principal,
            on_behalf_of=call.on_behalf_of,
            tool=call.tool,
            resource=f"{call.resource[0]}::{call.resource[1]}",
            definition_sha256=call.definition_sha256,
            policies=call.policies,
            policy_version=call.policy_version,
            needed=call.needed,
            requested_ms=draft.unix_ms,
            expires_ms=draft.unix_ms + self._settings.ttl_ms,
            binding=binding,
            arguments=shown,
            exact=shown.encode() == canonical.encode_arguments(call.input),
            decision_id=decision.record_id,
            task_id=call.task_id,
            trace=call.trace,
        )
        return Opened(approval, draft)


def covers(terms: CapabilityTerms, call: Call) -> bool:
    """Tell whether a call is one of those that the terms describe, the sum aside."""
    if call.tool not in terms.tools or (terms.task_id is not None and terms.task_id != call.task_id):
        return False
    return all(within(bound, call.input) for bound in terms.bounds)


def within(bound: Bound, arguments: dict[str, Any]) -> bool:
    """Tell whether an argument is what a bound allows. What is absent, or of another type, is not."""
    if bound.argument not in arguments:
        return False
    value = arguments[bound.argument]
    if bound.one_of is not None and not any(type(value) is type(one) and value == one for one in bound.one_of):
        return False
    if bound.prefix is not None and not (isinstance(value, str) and value.startswith(bound.prefix)):
        return False
    if bound.at_most is None and bound.at_least is None:
        return True
    amount = number(value)
    if amount is None:
        return False
    return (bound.at_most is None or amount <= bound.at_most) and (bound.at_least is None or amount >= bound.at_least)


def number(value: Any) -> Decimal | None:
    """Return a JSON number exactly as it is written, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    amount = Decimal(repr(value))
    return amount if amount.is_finite() else None
