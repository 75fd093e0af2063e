"""Duties that change arguments: ``redact``, ``mask`` and ``cap`` of a policy, done before the body runs.

A duty that cannot be done exactly stops the action. That includes one whose target is no argument of this call, since
the policy may mean a part of the output, which an adapter does not rewrite.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from sealgate.model.errors import InputError
from sealgate.sdk.answers import Obligation

Narrow = Callable[[Obligation, dict[str, Any]], dict[str, Any]]
"""(duty, arguments so far) → the arguments to run with. It raises when it cannot."""

REDACTED: Final = "[redacted]"
_SHOWN: Final = 4


def redact(obligation: Obligation, arguments: dict[str, Any]) -> dict[str, Any]:
    """Replace an argument's text."""
    name, _ = _text(obligation, arguments)
    return {**arguments, name: REDACTED}


def mask(obligation: Obligation, arguments: dict[str, Any]) -> dict[str, Any]:
    """Hide an argument's text except for its last four characters, and all of a text that is hardly longer."""
    name, text = _text(obligation, arguments)
    shown = text[-_SHOWN:] if len(text) >= 2 * _SHOWN else ""
    return {**arguments, name: "*" * (len(text) - len(shown)) + shown}


def cap(obligation: Obligation, arguments: dict[str, Any]) -> dict[str, Any]:
    """Lower a number to the policy's largest."""
    name, value = _target(obligation, arguments)
    if type(value) not in (int, float):
        raise InputError(f"argument `{name}` is no number, so it has no cap")
    most = Decimal(obligation.params["max"])
    if Decimal(str(value)) <= most:
        return arguments
    return {**arguments, name: int(most) if type(value) is int else float(most)}


KNOWN: Final[Mapping[str, Narrow]] = {"redact": redact, "mask": mask, "cap": cap}


def _target(obligation: Obligation, arguments: dict[str, Any]) -> tuple[str, Any]:
    name = str(obligation.params["target"])
    if name not in arguments:
        raise InputError(f"`{obligation.id}` names `{name}`, which is no argument of this call")
    return name, arguments[name]


def _text(obligation: Obligation, arguments: dict[str, Any]) -> tuple[str, str]:
    name, value = _target(obligation, arguments)
    if type(value) is not str:
        raise InputError(f"`{obligation.id}` names `{name}`, which is no text")
    return name, value
