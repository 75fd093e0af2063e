r"""Limits and quotas: deterministic rules beside the policies, because Cedar cannot count.

A rule of the bundle's ``limits``::

    {"id": "payments-a-day", "action": ["send_money"], "sum": "amount", "max": "1000.00", "per": "day"}
    {"id": "calls-a-minute", "principal": "Role::\"intern\"", "max": 30, "per": "minute"}
    {"id": "largest-payment", "action": "send_money", "argument": "amount", "max": "500"}

``principal`` and ``resource`` name an entity or a group that holds it; ``action`` a tool or a list of tools; what is
left out matches all. With ``per`` (``minute``, ``hour``, ``day``: the last 60 seconds and so on, sliding; ``task``: one
task's whole life) the rule is a quota on the number of calls, or on the sum of a numeric argument; without it, a bound
(``max``, ``min``) on one argument. A quota counts per principal unless ``shared`` is true. Amounts are exact decimals.

``LimitLedger`` is the state: ``reserve`` before the decision is final, ``release`` if the action never ran, ``settle``
when it did. A reservation counts from the moment it is made, so two decisions at once cannot both take the last unit.
It belongs to one event loop and makes no system call; ``dump`` and ``load`` carry it over a restart.
"""

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from sealgate.model.decisions import Reason
from sealgate.model.errors import InputError

from .shapes import Scalar
from .slicing import Uid
from .tools import Tool

WINDOW_MS: Final = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
MAX_ENTRIES: Final = 100_000
"""Entries of one counter. At this many the quota is exceeded whatever its ``max``: forgetting one would forgive it."""

_MEMBERS: Final = frozenset({"id", "principal", "action", "resource", "max", "min", "per", "sum", "argument", "shared"})
_ENTITY: Final = re.compile(r'([A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*)*)::"([^"\\]*)"', re.ASCII)
_NUMERIC: Final = (Scalar("Long"), Scalar("Number"), Scalar("Float"), Scalar("decimal"))

Json = Any
Counter = tuple[str, str, str]
"""What is counted together: (rule, principal or "", task or "")."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One rule. ``actions`` empty means every tool; ``window`` empty means a bound on ``argument``."""

    id: str
    principal: Uid | None
    actions: frozenset[str]
    resource: Uid | None
    maximum: Decimal | None
    minimum: Decimal | None
    window: str
    argument: str
    shared: bool


@dataclass(frozen=True, slots=True)
class Exceeded:
    """Which rule says no, why, and a message for people."""

    rule: str
    reason: Reason
    message: str


class Claim(msgspec.Struct, frozen=True):
    """What a request wants to use, after its entities are known. ``principals`` and ``resources`` include groups."""

    principal: Uid
    principals: frozenset[Uid]
    action: str
    resources: frozenset[Uid]
    arguments: Mapping[str, Json]
    task: str = ""


@dataclass(frozen=True, slots=True)
class Charge:
    """What one decision took from one quota; kept in its record, so that counting survives a restart."""

    rule: str
    principal: str
    task: str
    amount: Decimal

    def as_json(self) -> dict[str, str]:
        """Return the form that a record keeps."""
        return {"rule": self.rule, "principal": self.principal, "task": self.task, "amount": str(self.amount)}

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> "Charge":
        """Return the charge that a record keeps."""
        return cls(value["rule"], value["principal"], value["task"], Decimal(value["amount"]))


def read_limits(rules: Iterable[Mapping[str, Json]], tools: Mapping[str, Tool]) -> tuple[Limit, ...]:
    """Return the rules, each checked against the tools it names.

    Raises:
        InputError: a rule is malformed, names a tool or argument that does not exist, or an id appears twice.
    """
    limits = tuple(_read_limit(rule, tools) for rule in rules)
    ids = [limit.id for limit in limits]
    for rule_id in ids:
        if ids.count(rule_id) > 1:
            raise InputError(f"limit id `{rule_id}` appears twice")
    return limits


def _read_limit(rule: Mapping[str, Json], tools: Mapping[str, Tool]) -> Limit:
    rule_id = rule.get("id")
    if not isinstance(rule_id, str) or not rule_id:
        raise InputError("a limit has no `id`")
    unknown = sorted(set(rule) - _MEMBERS)
    if unknown:
        raise InputError(f"limit `{rule_id}` has an unknown member `{unknown[0]!s:.80}`")
    window, total, argument = rule.get("per", ""), rule.get("sum"), rule.get("argument")
    if window and window not in (*WINDOW_MS, "task"):
        raise InputError(f"limit `{rule_id}` has an unknown window", hint="use minute, hour, day or task")
    if bool(window) == (argument is not None) or (total is not None and not window):
        raise InputError(
            f"limit `{rule_id}` is neither a quota nor a bound", hint="give `per` (and `sum`), or `argument`"
        )
    maximum, minimum = _amount(rule.get("max"), rule_id), _amount(rule.get("min"), rule_id)
    if (window and (maximum is None or minimum is not None)) or (maximum is None and minimum is None):
        raise InputError(f"limit `{rule_id}` has no `max`", hint="a quota needs `max`, a bound `max` or `min`")
    actions = _actions(rule.get("action"), rule_id, tools)
    name = total if window else argument
    if name is not None:
        _require_numeric(name, actions, rule_id, tools)
    shared = rule.get("shared", False)
    if not isinstance(shared, bool):
        raise InputError(f"limit `{rule_id}` has a `shared` that is not true or false")
    principal, resource = _entity(rule.get("principal"), rule_id), _entity(rule.get("resource"), rule_id)
    return Limit(rule_id, principal, actions, resource, maximum, minimum, str(window), name or "", shared)


def _amount(value: Json, rule_id: str) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        try:
            amount = Decimal(value)
        except InvalidOperation:
            amount = Decimal("NaN")
        if amount.is_finite():
            return amount
    raise InputError(f"limit `{rule_id}` has an amount that is not exact", hint='write decimals as text: "99.50"')


def _actions(value: Json, rule_id: str, tools: Mapping[str, Tool]) -> frozenset[str]:
    names = [value] if isinstance(value, str) else value or []
    if not isinstance(names, list) or not all(isinstance(name, str) and name in tools for name in names):
        raise InputError(f"limit `{rule_id}` names a tool that the bundle does not have")
    return frozenset(names)


def _require_numeric(name: Json, actions: frozenset[str], rule_id: str, tools: Mapping[str, Tool]) -> None:
    if not actions:
        raise InputError(f"limit `{rule_id}` looks at an argument of every tool", hint="name the tools in `action`")
    for action in actions:
        attribute = tools[action].input.attributes.get(name) if isinstance(name, str) else None
        if attribute is None or attribute.shape not in _NUMERIC:
            raise InputError(f"limit `{rule_id}`: tool `{action}` has no numeric argument `{name!s:.80}`")


def _entity(value: Json, rule_id: str) -> Uid | None:
    if value is None:
        return None
    match = _ENTITY.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise InputError(f"limit `{rule_id}` names an entity that is malformed", hint='write `Role::"clerk"`')
    return match[1], match[2]


class _Use(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """In JSON ``[at_ms, "amount", reservation]``. Frozen: a snapshot is written while the ledger goes on."""

    at_ms: int
    amount: Decimal
    reservation: str


class _Usage(msgspec.Struct, gc=False):
    total: Decimal = Decimal(0)
    uses: deque[_Use] = msgspec.field(default_factory=deque)


class LimitLedger:
    """How much of each quota is used. One event loop; no call waits, so each is atomic."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._limits = tuple(limits)
        self._usage: dict[Counter, _Usage] = {}
        self._reservations: dict[str, list[Counter]] = {}
        self._now_ms = 0

    def reserve(self, claim: Claim, reservation: str, now_ms: int) -> Exceeded | None:
        """Take what the claim needs from every quota, or nothing at all and say which rule is exceeded.

        Args:
            claim: who wants to use how much.
            reservation: an id that the caller never uses twice (the decision's record id).
            now_ms: Unix milliseconds. A clock that goes back counts as standing still.
        """
        now_ms = self._now_ms = max(now_ms, self._now_ms)
        taken: list[tuple[Counter, Decimal]] = []
        for limit in self._limits:
            if not _matches(limit, claim):
                continue
            if not limit.window:
                exceeded = _out_of_bounds(limit, claim.arguments.get(limit.argument))
            else:
                amount = _amount_of(claim.arguments.get(limit.argument)) if limit.argument else Decimal(1)
                counter = _counter(limit, claim)
                exceeded = self._over(limit, counter, amount, now_ms)
                taken.append((counter, amount))
            if exceeded is not None:
                return exceeded
        for counter, amount in taken:
            usage = self._usage.setdefault(counter, _Usage())
            usage.total += amount
            usage.uses.append(_Use(now_ms, amount, reservation))
        if taken:
            self._reservations[reservation] = [counter for counter, _ in taken]
        return None

    def charges(self, reservation: str) -> list[Charge]:
        """Return what a reservation took, for the record of the decision."""
        return [
            Charge(*counter, use.amount)
            for counter in self._reservations.get(reservation, ())
            for use in reversed(self._usage[counter].uses)
            if use.reservation == reservation
        ]

    def recharge(self, reservation: str, charges: Iterable[Charge], at_ms: int) -> None:
        """Count again what a recorded decision had taken; rules that no longer exist are left out."""
        known = {limit.id for limit in self._limits if limit.window}
        self._now_ms = max(self._now_ms, at_ms)
        for charge in charges:
            if charge.rule not in known:
                continue
            counter = (charge.rule, charge.principal, charge.task)
            usage = self._usage.setdefault(counter, _Usage())
            usage.total += charge.amount
            usage.uses.append(_Use(at_ms, charge.amount, reservation))
            self._reservations.setdefault(reservation, []).append(counter)

    def settle(self, reservation: str) -> None:
        """Keep a reservation for good: the action ran. Unknown ids are ignored (the rule set may have changed)."""
        self._reservations.pop(reservation, None)

    def release(self, reservation: str) -> None:
        """Give a reservation back: the action certainly did not run."""
        for counter in self._reservations.pop(reservation, ()):
            usage = self._usage.get(counter)
            if usage is None:
                continue
            for use in usage.uses:
                if use.reservation == reservation:
                    usage.total -= use.amount
                    usage.uses.remove(use)
                    break

    def forget_task(self, task: str) -> None:
        """Drop the counters of a task that ended."""
        for counter in [counter for counter in self._usage if counter[2] == task and task]:
            del self._usage[counter]

    def under(self, limits: Sequence[Limit]) -> "LimitLedger":
        """Return a ledger for a new rule set that keeps what rules of the same id have counted."""
        ledger = LimitLedger(limits)
        ledger.load(self.dump())
        return ledger

    def dump(self) -> Json:
        """Return the whole state as it is now and stays, for msgspec's encoder of JSON: amounts become texts."""
        return {
            "now_ms": self._now_ms,
            "usage": [(*counter, tuple(usage.uses)) for counter, usage in self._usage.items()],
            "open": list(self._reservations),
        }

    def load(self, state: Json) -> None:
        """Take over a dumped state, as it is or read back from JSON; counters of rules that are no more are dropped.

        Raises:
            InputError: not a state that ``dump`` made.
        """
        known = {limit.id for limit in self._limits if limit.window}
        state = msgspec.to_builtins(state)
        usage: dict[Counter, _Usage] = {}
        reservations: dict[str, list[Counter]] = {}
        try:
            still_open = set(state["open"])
            for rule, principal, task, uses in state["usage"]:
                if rule not in known:
                    continue
                kept = deque(_Use(int(at), Decimal(amount), str(name)) for at, amount, name in uses)
                counter = (str(rule), str(principal), str(task))
                usage[counter] = _Usage(sum((use.amount for use in kept), Decimal(0)), kept)
                for use in kept:
                    if use.reservation in still_open:
                        reservations.setdefault(use.reservation, []).append(counter)
            self._now_ms = int(state["now_ms"])
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            raise InputError("not a state of limits") from error
        self._usage, self._reservations = usage, reservations

    def _over(self, limit: Limit, counter: Counter, amount: Decimal, now_ms: int) -> Exceeded | None:
        usage = self._usage.get(counter)
        used = Decimal(0)
        if usage is not None:
            self._expire(limit, usage, now_ms)
            used = usage.total
        full = usage is not None and len(usage.uses) >= MAX_ENTRIES
        if not full and amount >= 0 and limit.maximum is not None and used + amount <= limit.maximum:
            return None
        what = f"sum of `{limit.argument}`" if limit.argument else "calls"
        message = f"limit `{limit.id}`: {what} {used} + {amount} is over {limit.maximum} per {limit.window}"
        return Exceeded(limit.id, Reason.QUOTA_EXCEEDED, message)

    def _expire(self, limit: Limit, usage: _Usage, now_ms: int) -> None:
        span = WINDOW_MS.get(limit.window)
        while span is not None and usage.uses and usage.uses[0].at_ms <= now_ms - span:
            usage.total -= usage.uses.popleft().amount


def _matches(limit: Limit, claim: Claim) -> bool:
    return (
        (not limit.actions or claim.action in limit.actions)
        and (limit.principal is None or limit.principal in claim.principals)
        and (limit.resource is None or limit.resource in claim.resources)
    )


def _counter(limit: Limit, claim: Claim) -> Counter:
    who = "" if limit.shared else f"{claim.principal[0]}::{claim.principal[1]}"
    return limit.id, who, claim.task if limit.window == "task" else ""


def _amount_of(value: Json) -> Decimal:
    """Return an argument's amount. What is absent counts nothing; the decision point has checked the type."""
    if value is None:
        return Decimal(0)
    try:
        return Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, TypeError, ValueError):
        return Decimal("Infinity")  # over every limit


def _out_of_bounds(limit: Limit, value: Json) -> Exceeded | None:
    if value is None:
        return None
    amount = _amount_of(value)
    if (limit.maximum is None or amount <= limit.maximum) and (limit.minimum is None or amount >= limit.minimum):
        return None
    bounds = " and ".join(
        [f"at least {limit.minimum}"] * (limit.minimum is not None)
        + [f"at most {limit.maximum}"] * (limit.maximum is not None)
    )
    message = f"limit `{limit.id}`: `{limit.argument}` is {amount}, allowed is {bounds}"
    return Exceeded(limit.id, Reason.LIMIT_EXCEEDED, message)
