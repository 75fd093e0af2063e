"""Obligations: what a policy asks of the one who acts on its PERMIT, written as annotations.

Grammar, small and strict::

    @obligation("redact:card")            one obligation: <verb>:<target>
    @obligation("redact:card mask:email") several, separated by one space
    @require_approval("role:2")           two people of that role must approve first

Verbs: ``redact`` and ``mask`` (an argument or field), ``cap`` (``cap:<argument>=<number>``), ``rate``
(``rate:<number>/<minute|hour|day>``), ``notify`` (a role or channel), ``log`` (a class of detail),
``credential`` (the holder of the PERMIT may ask for this credential while it lasts). Cedar allows each
annotation once per policy. An annotation that is not Cedar's business and not known here is free text, but one that
looks like ours and is not (``@obligations``, ``@requires_approval``) is an error at load: a misspelled duty would
otherwise be silently none.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sealgate.model.errors import InputError

from .policy_set import Policy

VERBS: Final = frozenset({"redact", "mask", "cap", "rate", "notify", "log", "credential"})
KNOWN: Final = frozenset({"id", "obligation", "require_approval", "description", "advice", "owner", "reason"})
"""Annotations with a meaning here or none at all."""

_LOOKS_LIKE_OURS: Final = re.compile(r"oblig|approv|limit|quota|redact|require", re.IGNORECASE)
_TERM: Final = re.compile(r"([a-z]+):([A-Za-z_][A-Za-z0-9_.\-]{0,63})(?:=([0-9]{1,15}(?:\.[0-9]{1,4})?))?", re.ASCII)
_RATE: Final = re.compile(r"rate:([1-9][0-9]{0,8})/(minute|hour|day)", re.ASCII)
_APPROVAL: Final = re.compile(r"([A-Za-z][A-Za-z0-9_.\-]{0,63}):([1-9])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Obligation:
    """One duty: its verb, its parameters, the policy that imposes it."""

    id: str
    params: Mapping[str, Any]
    policy: str

    def as_json(self) -> dict[str, Any]:
        """Return the form that the API answers."""
        return {"id": self.id, "params": {**self.params, "policy": self.policy}}


@dataclass(frozen=True, slots=True)
class Approval:
    """How many people of which role must approve before a PERMIT of this policy counts."""

    role: str
    count: int
    policy: str


@dataclass(frozen=True, slots=True)
class Duties:
    """What one policy's annotations ask for."""

    obligations: tuple[Obligation, ...] = ()
    approval: Approval | None = None


NONE: Final = Duties()

People = tuple[tuple[str, int], ...]
"""Who has to approve: role and number of people, by role."""


def read(policy: Policy) -> Duties:
    """Return the duties of one policy.

    Raises:
        InputError: an annotation is malformed, looks like ours but is not known, or stands on a forbid.
    """
    for name in policy.annotations:
        if name not in KNOWN and _LOOKS_LIKE_OURS.search(name):
            raise InputError(
                f"{policy.source}, line {policy.line}: annotation `@{name}` is not known",
                hint=f"known: {', '.join('@' + known for known in sorted(KNOWN))}",
            )
    duty = policy.annotations.get("obligation")
    approval = policy.annotations.get("require_approval")
    if duty is None and approval is None:
        return NONE
    if policy.forbids:
        raise InputError(
            f"{policy.source}, line {policy.line}: a forbid cannot carry an obligation or approval",
            hint="put it on the permit",
        )
    return Duties(
        tuple(_obligation(term, policy) for term in duty.split(" ")) if duty is not None else (),
        _approval(approval, policy) if approval is not None else None,
    )


def _obligation(term: str, policy: Policy) -> Obligation:
    if rate := _RATE.fullmatch(term):
        return Obligation("rate", {"max": int(rate[1]), "per": rate[2]}, policy.id)
    match = _TERM.fullmatch(term)
    if not match or match[1] not in VERBS - {"rate"} or (match[1] == "cap") != (match[3] is not None):
        raise InputError(
            f"{policy.source}, line {policy.line}: obligation `{term:.80}` is malformed",
            hint="write `<verb>:<target>`, `cap:<argument>=<number>` or `rate:<number>/<minute|hour|day>`",
        )
    params: dict[str, Any] = {"target": match[2]}
    if match[3] is not None:
        params["max"] = match[3]
    return Obligation(match[1], params, policy.id)


def _approval(text: str, policy: Policy) -> Approval:
    match = _APPROVAL.fullmatch(text)
    if not match:
        raise InputError(
            f"{policy.source}, line {policy.line}: approval `{text:.80}` is malformed",
            hint="write `<role>:<number of people, 1 to 9>`",
        )
    return Approval(match[1], int(match[2]), policy.id)


def collect(duties: Iterable[Duties]) -> tuple[Obligation, ...]:
    """Return all obligations, each once, in the order of the policies."""
    return tuple(dict.fromkeys(_frozen(item) for duty in duties for item in duty.obligations))


def people(duties: Iterable[Duties]) -> People:
    """Return who has to approve: of each role as many as the policy that asks for most."""
    needed: dict[str, int] = {}
    for duty in duties:
        if duty.approval is not None:
            needed[duty.approval.role] = max(duty.approval.count, needed.get(duty.approval.role, 0))
    return tuple(sorted(needed.items()))


class _Hashable(dict[str, Any]):
    def __hash__(self) -> int:  # type: ignore[override]  # never changed after construction
        return hash(tuple(sorted((key, str(value)) for key, value in self.items())))


def _frozen(item: Obligation) -> Obligation:
    return Obligation(item.id, _Hashable(item.params), item.policy)
