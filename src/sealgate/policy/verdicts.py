"""What the decision point is asked, and what it answers."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sealgate.model.decisions import Outcome, Reason

from .engine import NOTHING_APPLIES, Verdict
from .obligations import Obligation
from .slicing import Uid

Json = Any


class PolicyRequest(msgspec.Struct, frozen=True):
    """What is to be decided. ``principal`` and ``resource`` are (type, id); ``facts`` the stub's contexts by name.

    ``facts`` are the caller's claims; ``kept`` is what the authority itself knows: ``session`` and ``provenance``.
    Where nothing is given, nothing is known, and every value counts as untrusted.
    """

    principal: Uid
    action: str
    resource: Uid
    arguments: Mapping[str, Json] = {}
    facts: Mapping[str, Mapping[str, Json]] = {}
    kept: Mapping[str, Mapping[str, Json]] = {}


class PolicyVerdict(msgspec.Struct, frozen=True):
    """The decision as a value. ``policies`` determined it; ``errors`` say what erred; ``message`` is for people."""

    outcome: Outcome
    reason: Reason
    policies: tuple[str, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    errors: tuple[str, ...] = ()
    message: str = ""


def silent(reason: Reason, message: str) -> PolicyVerdict:
    """Return SILENCE."""
    return PolicyVerdict(Outcome.SILENCE, reason, message=message)


def without_permit(verdict: Verdict) -> PolicyVerdict:
    """Return what the engine said, where it is no PERMIT."""
    return PolicyVerdict(verdict.outcome, verdict.reason, verdict.policies, (), verdict.errors, _message(verdict))


def _message(verdict: Verdict) -> str:
    if verdict.outcome is Outcome.DENY:
        return f"forbidden by {', '.join(f'`{policy_id}`' for policy_id in verdict.policies)}"
    if verdict.reason is Reason.NO_POLICY:
        return "no policy permits this"
    return f"a policy could not be evaluated: {verdict.errors[0][:200] if verdict.errors else 'unknown error'}"


NOTHING: Final = silent(NOTHING_APPLIES.reason, _message(NOTHING_APPLIES))
"""No policy speaks of it."""
