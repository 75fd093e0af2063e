"""Capability grants: one approval for many calls, always bounded by uses and time, and by tools."""

import re
from typing import Final

from sealgate.authority.approval import Approval
from sealgate.authority.drafts import Draft
from sealgate.encoding import canonical
from sealgate.model.approvals import MAX_NAMED, MAX_USES, Bound, CapabilityRequest, CapabilityTerms
from sealgate.model.errors import InputError
from sealgate.model.evaluation import Identity
from sealgate.model.identifiers import require_name

MAX_TERM_S: Final = 30 * 86_400
"""A capability ends after 30 days at the latest."""

MAX_CHOICES: Final = 100
_MAX_NUMBER: Final = 2**53 - 1
_ROLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,63}", re.ASCII)
_MAX_PEOPLE: Final = 9


def check(wanted: CapabilityRequest) -> None:
    """Refuse terms that bound nothing, or more than it seems.

    Raises:
        InputError: says which.
    """
    require_name(wanted.agent, "agent")
    require_name(wanted.reason, "reason")
    if not 0 < wanted.expires_in_s <= MAX_TERM_S:
        raise InputError(f"a capability lasts 1 to {MAX_TERM_S} seconds, not {wanted.expires_in_s}")
    roles = [need.role for need in wanted.needed]
    if not roles or len(roles) > _MAX_PEOPLE or len(set(roles)) != len(roles):
        raise InputError("`needed` names no role, too many, or one twice", hint="name the roles that the policies name")
    for need in wanted.needed:
        if not _ROLE.fullmatch(need.role) or not 0 < need.count <= _MAX_PEOPLE:
            raise InputError(f"`{need.role[:64]}:{need.count}` is no role and number of people, 1 to {_MAX_PEOPLE}")
    _check_terms(wanted.terms)


def _check_terms(terms: CapabilityTerms) -> None:
    if not 0 < len(terms.tools) <= MAX_NAMED or len(set(terms.tools)) != len(terms.tools):
        raise InputError(f"a capability names 1 to {MAX_NAMED} different tools")
    for tool in terms.tools:
        require_name(tool, "tool")
    if terms.task_id is not None:
        require_name(terms.task_id, "task id")
    if not 0 < terms.max_uses <= MAX_USES:
        raise InputError(f"a capability has 1 to {MAX_USES} uses, not {terms.max_uses}")
    if len(terms.bounds) > MAX_NAMED:
        raise InputError(f"a capability has at most {MAX_NAMED} bounds")
    for bound in terms.bounds:
        _check_bound(bound)
    if terms.max_sum is not None:
        require_name(terms.max_sum.argument, "argument")
        if not 0 < terms.max_sum.max <= _MAX_NUMBER:
            raise InputError("the sum of a capability is positive")


def _check_bound(bound: Bound) -> None:
    require_name(bound.argument, "argument")
    if bound.prefix is not None:
        require_name(bound.prefix, "prefix")
    if (bound.one_of, bound.prefix, bound.at_most, bound.at_least) == (None, None, None, None):
        raise InputError(f"the bound on `{bound.argument}` bounds nothing", hint="one_of, prefix, at_most or at_least")
    if any(number is not None and abs(number) > _MAX_NUMBER for number in (bound.at_most, bound.at_least)):
        raise InputError(f"a number in the bound on `{bound.argument}` is too large")
    if bound.one_of is not None:
        if not 0 < len(bound.one_of) <= MAX_CHOICES:
            raise InputError(f"`one_of` of `{bound.argument}` has 1 to {MAX_CHOICES} values")
        if any(isinstance(value, dict | list) for value in bound.one_of):
            raise InputError(f"`one_of` of `{bound.argument}` holds more than texts, numbers, booleans and null")
        canonical.encode_arguments(bound.one_of, max_bytes=8192)


def approval_of(wanted: CapabilityRequest, caller: Identity, draft: Draft, policy_version: str) -> Approval:
    """Return the approval that people are asked for."""
    return Approval(
        id=draft.record_id,
        scope="capability",
        agent=wanted.agent,
        principal=caller.principal,
        on_behalf_of=[],
        tool=None,
        resource=None,
        definition_sha256=None,
        policies=[],
        policy_version=policy_version,
        needed=wanted.needed,
        requested_ms=draft.unix_ms,
        expires_ms=draft.unix_ms + wanted.expires_in_s * 1000,
        task_id=wanted.terms.task_id,
        terms=wanted.terms,
        reason=wanted.reason,
    )
